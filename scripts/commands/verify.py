"""`bilad verify`: the lower level by several methods, side by side."""

from __future__ import annotations

from typing import Annotated, cast

from bilad.models import ArgumentError, ConvexClustering
from bilad.scripts.command import FailedError, command
from bilad.scripts.experiments.page import Table
from bilad.scripts.options import (
    PROBLEM,
    SECONDS,
    SEED,
    ClusteringOptions,
    DataOptions,
    OutputOptions,
    option,
)
from bilad.scripts.output import Output
from bilad.scripts.settings import subject_of
from bilad.scripts.subject import arguments, option_names
from bilad.scripts.verify import TOL, RandomComparison, random_comparison
from bilad.solvers import compare_lower
from bilad.solvers.clustering import LOWER_METHODS

TABLE, RECORD, RANDOM = "comparison.csv", "comparison.json", "random"
CAPTION = (
    "distance: of X to that of the reference, the method with the least proved bound; bound: "
    "proved bound on this distance. labels: whether the partitions agree, contradict each other, "
    "or differ in undecided pairs only. undecided: pairs of points whose labels are not proved."
)


@command
def verify(
    points: DataOptions,
    model: ClusteringOptions,
    output: OutputOptions,
    data: Annotated[str | None, PROBLEM] = None,
    methods: Annotated[str, option("Methods, comma-separated.")] = ",".join(LOWER_METHODS),
    tol: Annotated[float, option("Tolerance of gap and KKT residual.")] = 1e-8,
    seconds: Annotated[float | None, SECONDS] = None,
    problems: Annotated[int, option("Number of random problems, without DATA.", min=1)] = 200,
    seed: Annotated[int, SEED] = 0,
    index: Annotated[int | None, option("Only the random problem of this index.", min=0)] = None,
) -> None:
    """Compare the methods of the lower level on a data set, or on random problems.

    The exit code is 1 if two methods contradict each other.
    """
    if data is None:
        _random(points, model, output, problems, seed, index)
        return
    subject = subject_of(data, points, model)
    own = cast(ConvexClustering, subject.model)
    out = Output(output, "verify", subject.name, (TABLE, RECORD))
    out.say(subject.describe())
    names = [name.strip() for name in methods.split(",")]
    with option_names():
        found = compare_lower(own, names, tol, seconds, refine=True)
    record = subject.record("verify", found.to_dict())
    cells = found.to_frame().drop(index=list(found.not_run)).reset_index()
    table = Table("comparison", "Methods for the lower level", cells, CAPTION)
    out.write(TABLE, table.csv())
    out.write_json(RECORD, record)
    verdict = {True: "agree", False: "contradict each other", None: "cannot be compared"}
    not_run = [f"{name} was not run: {reason}." for name, reason in found.not_run.items()]
    out.result(
        record, table, summary="\n".join([*not_run, f"The methods {verdict[found.agrees]}."])
    )
    out.written()
    if found.agrees is False:
        raise FailedError("the methods contradict each other")


def _random(
    points: DataOptions,
    model: ClusteringOptions,
    output: OutputOptions,
    problems: int,
    seed: int,
    index: int | None,
) -> None:
    """Compare the methods on random problems, or on the one with the given index."""
    given = arguments(points, model)
    if given:
        raise ArgumentError("data", "nothing", f"a data set, for {given[0]}")
    out = Output(output, "verify", RANDOM, (TABLE,))
    count, first = (problems, 0) if index is None else (1, index)
    with out.progress("verify", count) as tell:
        found = random_comparison(count, seed, tell, first)
    title = f"Worst case of each method, at tolerance {TOL:g}"
    table = Table("comparison", title, found.table)
    out.write(TABLE, table.csv())
    record = {
        "command": "verify",
        "worst": found.table.to_dict("records"),
        "contradicting": found.contradicting,
        "unproved": found.unproved,
    }
    out.result(record, table, summary=_failures(found, seed))
    out.written()
    if found.contradicting:
        raise FailedError("two methods contradict each other")


def _failures(found: RandomComparison, seed: int) -> str:
    """Return the commands that solve the problems again that failed."""
    failures = {
        "contradiction": found.contradicting,
        "labels not proved, and no tie": found.unproved,
    }
    return "\n".join(
        f"{why}: bilad verify --seed {seed} --index {index}"
        for why, indices in failures.items()
        for index in indices
    )
