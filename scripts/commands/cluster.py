"""`bilad cluster`: convex clustering of a data set for one gamma."""

from __future__ import annotations

from typing import Annotated, cast

import numpy as np
import pandas as pd

from bilad.models import ConvexClustering
from bilad.models.frame import feature_titles
from bilad.scripts.command import FailedError, command
from bilad.scripts.display import csv
from bilad.scripts.experiments.page import Table
from bilad.scripts.options import (
    LOWER,
    PROBLEM,
    SECONDS,
    ClusteringOptions,
    DataOptions,
    OutputOptions,
)
from bilad.scripts.output import Output
from bilad.scripts.settings import subject_of
from bilad.scripts.subject import counted, option_names
from bilad.solvers import Clustering
from bilad.solvers import cluster as solve

LABELS, RECORD, PICTURE = "labels.csv", "clusters.json", "clusters.svg"
DONE = ("optimal", "labels proved", "time limit")  # statuses of a solve that did what was asked
MOST = 20, 8  # clusters and features that a terminal shows


@command
def cluster(
    data: Annotated[str, PROBLEM],
    points: DataOptions,
    model: ClusteringOptions,
    output: OutputOptions,
    method: Annotated[str, LOWER] = "auto",
    seconds: Annotated[float | None, SECONDS] = None,
) -> None:
    """Compute the clusters of a data set for one gamma, and prove them."""
    subject = subject_of(data, points, model)
    own = cast(ConvexClustering, subject.model)
    out = Output(output, "cluster", subject.name, (LABELS, RECORD, PICTURE))
    out.say(subject.describe())
    limit = np.inf if seconds is None else seconds
    with option_names():
        found = solve(own, method, refine=True, time_limit=limit)
    if found.status == "interrupted":
        raise KeyboardInterrupt
    record = subject.record("cluster", found.to_dict())
    out.write(LABELS, csv(found.to_frame(), index=True))
    out.write_json(RECORD, record)
    out.draw(PICTURE, found.plot)
    out.result(record, _clusters(found, out.form == "table"), summary=summary(found))
    out.written()
    if found.status not in DONE:
        raise FailedError(
            f"{found.method}: {found.status}, gap {found.gap:.1e}, KKT residual "
            f"{found.kkt_residual:.1e}; --method chooses another one"
        )


def _clusters(found: Clustering, is_short: bool) -> Table:
    """Return the size and the mean of each cluster, the largest first."""
    model, labels = found.model, found.labels
    names = feature_titles(model.feature_names, model.d)
    groups = pd.DataFrame(model.data, columns=names).groupby(labels)
    table = groups.mean()
    table.insert(0, "size", groups.size(), allow_duplicates=True)
    table = table.iloc[np.argsort(-np.bincount(labels), kind="stable")]
    table = table.rename_axis("cluster").reset_index()
    most, features = MOST
    short = table.iloc[:most, : 2 + features] if is_short else table
    caption = "size: number of points; the other columns: mean of the points."
    if len(short) < len(table):
        caption += f" {len(table) - len(short)} smaller clusters are in {LABELS}."
    if short.shape[1] < table.shape[1]:
        caption += f" {table.shape[1] - short.shape[1]} more features are in {LABELS}."
    return Table("clusters", f"Clusters for gamma = {model.gamma:g}", short, caption)


def summary(found: Clustering) -> str:
    """Return what is known about a solution in one line."""
    graph, pairs = found.model.graph, counted(len(found.undecided), "undecided pair")
    proved = "proved" if found.proved else f"not proved ({pairs} of points)"
    return (
        f"{counted(found.n_clusters, 'cluster')} of {found.model.n} points, {proved}; "
        f"{counted(graph.m, 'edge')}, {counted(graph.n_components, 'component')}; "
        f"{found.method}: {found.status}, gap {found.gap:.1e}, {found.seconds:.2f} s"
    )
