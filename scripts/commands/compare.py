"""`bilad compare`: methods side by side on one data set.

The runs, their store and the specification are those of `bilad sweep`. The tables show in addition
what is recomputed at the eps of each answer.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import tomli_w

from bilad.models import ArgumentError
from bilad.models.validation import one_of, real_number, whole_number
from bilad.scripts.command import FailedError, command
from bilad.scripts.comparison import OPTIONAL, answers, shown_answers
from bilad.scripts.display import console, fitting
from bilad.scripts.experiment_runs import RunOptions, carried_out, failures
from bilad.scripts.experiments.figures import staircases
from bilad.scripts.experiments.page import FORMATS, Table
from bilad.scripts.experiments.run import RAY, REFUSED
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.options import (
    LOWER,
    PROBLEM,
    SEED,
    DataOptions,
    ModelOptions,
    OutputOptions,
    PerturbationOptions,
    option,
)
from bilad.scripts.output import Output, folder_of
from bilad.scripts.settings import SETTINGS, subject_of
from bilad.scripts.subject import Subject, option_names
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.upper import UPPER_METHODS, refusal
from bilad.solvers.upper.attack import EFFORTS
from bilad.solvers.upper.closing import CLOSINGS

NAME = "compare"
STORE, SPECIFICATION, TABLE, LATEX = (f"{NAME}.{end}" for end in ("sqlite", "toml", "csv", "tex"))
RAY_POINTS = 1001  # of the grid of a scalar eps, before the bisection at each jump


@dataclass(frozen=True)
class SearchOptions:
    """The methods, and the conditions of each run."""

    panel: ClassVar = "Methods"

    methods: Annotated[
        str | None, option("Methods, comma-separated; by default all that apply to the problem.")
    ] = None
    lower: Annotated[str, LOWER] = "auto"
    closing: Annotated[
        str, option(f"Search after each method has ended: {', '.join(CLOSINGS)}.")
    ] = "none"
    bound: Annotated[
        str, option(f"Effort for a proved bound of the optimum: {', '.join(EFFORTS)}.")
    ] = "none"
    seed: Annotated[int, SEED] = 0
    solves: Annotated[int | None, option("Limit on the lower-level solves of each run.")] = None
    seconds: Annotated[float | None, option("Time limit of each run in seconds.")] = None

    def conditions(self) -> dict[str, Any]:
        """Return the conditions as keys of a specification."""
        limits: dict[str, Any] = {}
        if self.solves is not None:
            limits["solves"] = whole_number(self.solves, "--solves", least=0)
        if self.seconds is not None:
            limits["seconds"] = real_number(self.seconds, "--seconds", above=0)
        closing = one_of(self.closing, "--closing", CLOSINGS)
        how = {"closing": closing, "bound": one_of(self.bound, "--bound", EFFORTS)}
        return {**how, "seeds": [self.seed], **({"limits": limits} if limits else {})}

    def options(self, subject: Subject) -> dict[str, Any]:
        """Return the options that all methods have."""
        if self.lower == "auto":
            return {}
        with option_names(method="--lower", lower="--lower"):
            for problem in subject.problems.values():
                LowerLevel(problem, self.lower)
        return {"lower": self.lower}


@command
def compare(
    data: Annotated[str, PROBLEM],
    source: DataOptions,
    model: ModelOptions,
    perturbation: PerturbationOptions,
    search: SearchOptions,
    runs: RunOptions,
    output: OutputOptions,
) -> None:
    """Attack one data set by several methods: (BL1) with --budget, (BL2) with --target.

    Without either, the budget is 1. The named settings have both.
    """
    subject = subject_of(data, source, model, perturbation)
    methods, omitted = _methods(search, subject)
    given = {"name": NAME, **search.conditions(), "methods": methods, **subject.specification}
    experiment = read_specification(given)
    store = folder_of(output, NAME, subject.name) / STORE
    runs.check(store, output.force)
    # The tables and pictures of a comparison that is continued are replaced.
    kept = replace(output, force=output.force or runs.resume)
    out = Output(kept, NAME, subject.name, (SPECIFICATION, STORE, TABLE, LATEX, *_files(subject)))
    for reason in (subject.describe(perturbed=True), *omitted):
        out.say(reason)
    out.write(SPECIFICATION, tomli_w.dumps(_relative(given, out.folder)))
    table = carried_out(experiment, store, runs, out)
    _show(table, subject, out)
    words = ["bilad", "sweep", str(out.folder / SPECIFICATION), "--store", str(store), "--resume"]
    out.written(f"Next: {shlex.join(words)}")
    fault = failures(table)
    if fault:
        raise FailedError(fault)


def _methods(search: SearchOptions, subject: Subject) -> tuple[dict[str, Any], list[str]]:
    """Return the methods that apply with their options, and why others are omitted."""
    asked = UPPER_METHODS.usable()
    if search.methods is not None:
        names = [one_of(name.strip(), "--methods", asked) for name in search.methods.split(",")]
        asked = {name: asked[name] for name in names}
    options = search.options(subject)
    found, omitted = {}, []
    for name, method in asked.items():
        reasons = [refusal(method, problem) for problem in subject.problems.values()]
        if None in reasons:
            found[name] = options | _step(name, subject)
        elif search.methods is not None:
            omitted.append(f"{name} is omitted: {reasons[0]}")
    if not found:
        raise ArgumentError("--methods", search.methods, f"one that applies ({omitted[0]})")
    if _is_scalar(subject):
        found[RAY] = {"points": RAY_POINTS}
    return found, omitted


def _step(method: str, subject: Subject) -> dict[str, float]:
    """Return the step of direct search that belongs to a setting."""
    return {"step": SETTINGS[subject.data].step} if method == "direct" and subject.unit else {}


def _is_scalar(subject: Subject) -> bool:
    return subject.kind == "clustering" and subject.perturbation.dim == 1


def _files(subject: Subject) -> list[str]:
    """Return the names of the pictures, with their data."""
    numbers = range(len(subject.problems)) if _is_scalar(subject) else ()
    return [f"{NAME}_staircase_{k}.{end}" for k in numbers for end in (*FORMATS, "csv")]


def _relative(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a specification that is read in a folder: paths of data are relative to it."""
    tables = {name: dict(own) for name, own in given["data"].items()}
    for own in tables.values():
        if Path(own["source"]).is_file():
            own["source"] = os.path.relpath(own["source"], folder)
    return {**given, "data": tables}


def _show(table: pd.DataFrame, subject: Subject, out: Output) -> None:
    """Write and print the tables, and draw the staircase of a scalar eps."""
    refused = table[table.status == REFUSED]
    for why in dict.fromkeys(refused.label + " is omitted: " + refused.termination):
        out.say(why)
    found = answers(table, subject.problems)
    shown = [shown_answers(NAME, found, *one) for one in subject.problems.items()]
    every = Table(NAME, "", found)
    out.write(TABLE, every.csv())
    out.write(LATEX, "\n".join(one.latex() for one in shown))
    for plot in staircases(NAME, table):
        plot.write(out.folder)
    record = subject.record(NAME, {"runs": found.to_dict("records")})
    if out.form == "table":
        width = console().width
        shown = [replace(one, rows=fitting(one.frame, width, OPTIONAL)) for one in shown]
    out.result(record, *([every] if out.form == "csv" else shown))
