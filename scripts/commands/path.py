"""`bilad path`: the clusters of a data set for all gammas, and which gamma to choose."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, cast

import numpy as np
import pandas as pd

from bilad.models import ArgumentError, ConvexClustering
from bilad.scripts.command import FailedError, command
from bilad.scripts.display import csv
from bilad.scripts.experiments.page import Table
from bilad.scripts.options import (
    DATA,
    LOWER,
    SECONDS,
    DataOptions,
    GraphOptions,
    OutputOptions,
    option,
)
from bilad.scripts.output import Output
from bilad.scripts.settings import subject_of
from bilad.scripts.subject import arguments, option_names
from bilad.solvers import Clustering, ClusterPath, Suggestion, cluster_path
from bilad.solvers.clustering.path import COUNT

PATH, SUGGESTIONS, RECORD = "path.csv", "suggestions.csv", "path.json"
CLUSTERS, POINTS = "clusters.svg", "path.svg"
COLUMNS = ["gamma", "clusters", "sizes", "first", "last", "lifetime", "proved"]
MOST_SIZES = 8  # clusters whose sizes are listed
CAPTION = (
    "The partition is the same at all gammas that were solved from first to last; lifetime is "
    "last / first. proved: whether the partition is proved at all of them."
)


@command
def path(
    data: Annotated[str, DATA],
    points: DataOptions,
    graph: GraphOptions,
    output: OutputOptions,
    gammas: Annotated[
        str | None, option("Comma-separated; by default a grid from n clusters to one.")
    ] = None,
    clusters: Annotated[
        int | None, option("Suggest gammas for this number of clusters.", min=1)
    ] = None,
    count: Annotated[int, option("Number of suggestions.", min=1)] = 5,
    method: Annotated[str, LOWER] = "auto",
    seconds: Annotated[float | None, SECONDS] = None,
) -> None:
    """Compute the clusters of a data set for increasing gamma, and suggest a gamma."""
    subject = replace(subject_of(data, points, graph, gamma=1.0), varied=("gamma",))
    model = cast(ConvexClustering, subject.model)
    levels = None if gammas is None else _numbers(gammas)
    files = (PATH, SUGGESTIONS, RECORD, CLUSTERS, POINTS)
    out = Output(output, "path", subject.name, files)
    out.say(subject.describe())
    with out.progress("path", COUNT if levels is None else len(levels)) as tell:

        def note(index: int, found: Clustering) -> None:
            tell(index + 1, f"gamma = {found.model.gamma:.6g}, {found.n_clusters} clusters")

        limit = np.inf if seconds is None else seconds
        with option_names(model="data"):
            found = cluster_path(model, levels, method, time_limit=limit, on_progress=note)
    if found.status == "interrupted" and len(found.gammas) == 0:
        raise KeyboardInterrupt
    suggested = found.suggest(clusters, count)
    rows = pd.DataFrame([_row(one) for one in suggested], columns=COLUMNS)
    table = Table("suggestions", "Suggested gammas", rows, CAPTION)
    record = subject.record("path", found.to_dict() | {"suggestions": suggested})
    out.write(PATH, csv(found.to_frame()))
    out.write(SUGGESTIONS, table.csv())
    out.write_json(RECORD, record)
    if len(found.gammas):
        out.draw(CLUSTERS, found.plot_clusters)
        out.draw(POINTS, found.plot)
    out.result(record, table, summary=_summary(found))
    out.written(_next(data, points, graph, suggested))
    if found.status == "interrupted":
        raise KeyboardInterrupt
    if found.status.startswith("error"):
        raise FailedError(found.status.removeprefix("error: "))


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError("gammas", repr(text), "numbers such as 0.1,0.2,0.5") from None


def _row(one: Suggestion) -> tuple[Any, ...]:
    """Return the cells of `COLUMNS`."""
    sizes = ", ".join(map(str, one.sizes[:MOST_SIZES]))
    sizes += ", .." if one.n_clusters > MOST_SIZES else ""
    proved = "yes" if one.proved else "no"
    gamma = f"{one.gamma:.6g}"
    return gamma, one.n_clusters, sizes, one.first, one.last, one.lifetime, proved


def _summary(found: ClusterPath) -> str:
    """Return what was solved in one line."""
    if len(found.gammas) == 0:
        return f"No gamma was solved: {found.status}"
    first, last = found.gammas[[0, -1]]
    proved = sum(one.proved for one in found.clusterings)
    return (
        f"{len(found.gammas)} gammas from {first:.4g} to {last:.4g}: {found.n_clusters.max()} to "
        f"{found.n_clusters.min()} clusters, {proved} partitions proved; {found.status}, "
        f"{found.seconds:.1f} s"
    )


def _next(
    data: str, points: DataOptions, graph: GraphOptions, suggested: Sequence[Suggestion]
) -> str:
    """Return the command to call next."""
    if not suggested:
        return "No partition between single points and whole components was found; try --gammas"
    words = ["bilad", "cluster", data, "--gamma", f"{suggested[0].gamma:.6g}"]
    return f"Next: {shlex.join([*words, *arguments(points, graph)])}"
