"""All methods of the lower level on random problems, compared with Clarabel.

The table has the worst case of every comparison. Two results that contradict each other
(`LowerComparison.agrees`) are a disagreement; there must be none. A partition that cannot be proved
even with `refine` is a tie if a threshold is near: two models whose numbers differ by at most 1e-9,
or 1e-8, have different partitions of the undecided points (`nearest_threshold`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.models import ConvexClustering
from bilad.models.validation import IntArray
from bilad.scripts.display import Cells
from bilad.scripts.random_problems import random_model
from bilad.solvers import Clustering, LowerComparison, compare_lower
from bilad.solvers.clustering import LOWER_METHODS
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.partition import Partition, numbered

TOL = 1e-10
THRESHOLDS = (1e-9, 1e-8)  # relative changes of the numbers within which pairs are a tie
CHANGES = 4  # random changes that are tried
TIE_TOL = 1e-12  # tolerance of the solutions of the changed models
REFERENCE = "clarabel"

# The columns of the comparisons, and how they are summarised.
WORST = {
    "gap": "max",
    "not optimal": "sum",
    "distance / its bound": "max",
    "disagree": "sum",
    "labels unproved": "sum",
    "ties within 1e-9": "sum",
    "ties within 1e-8": "sum",
    "most steps": "max",
    "seconds": "sum",
    "Clarabel": "sum",
}


@dataclass(frozen=True)
class RandomComparison:
    """The worst cases of random problems, and the problems that failed.

    Attributes
    ----------
    table : DataFrame
        One row for each method and norm.
    contradicting, unproved : list of int
        Indices of the problems of which two results contradict each other, and of those whose
        partition is not proved by some method although there is no tie.
    """

    table: pd.DataFrame
    contradicting: list[int]
    unproved: list[int]


def random_comparison(
    problems: int, seed: int, tell: Callable[[int, str], None], index: int = 0
) -> RandomComparison:
    """Compare all methods on random problems.

    Parameters
    ----------
    problems : int
        Number of problems.
    seed : int
    tell : callable(done, line)
        Called after each problem.
    index : int, default 0
        Index of the first problem.

    Raises
    ------
    KeyboardInterrupt
        Before the first problem is solved; later the worst cases until then are returned.
    """
    rows: list[Cells] = []
    with suppress(KeyboardInterrupt):  # after Ctrl-C the command ends with what is known
        for done in range(problems):
            model = random_model(seed, index + done)
            rows += [{"index": index + done, **row} for row in compared(model)]
            tell(done + 1, f"n = {model.n}, d = {model.d}, p = {model.p:g}")
    if not rows:
        raise KeyboardInterrupt
    cells = pd.DataFrame(rows)
    open_cases = cells["labels unproved"] & ~cells["ties within 1e-8"]
    groups = cells.groupby("")
    table = groups.agg(WORST)
    table.insert(0, "problems", groups.size())
    table["time / Clarabel"] = table.pop("seconds") / table.pop("Clarabel")
    return RandomComparison(
        table.reset_index(),
        cells["index"][cells.disagree].unique().tolist(),
        cells["index"][open_cases].unique().tolist(),
    )


def compared(model: ConvexClustering) -> list[Cells]:
    """Return a row for each method that can solve the model."""
    comparison = compare_lower(model, tuple(LOWER_METHODS), TOL, refine=True)
    if any(one.status == "interrupted" for one in comparison.clusterings.values()):
        raise KeyboardInterrupt
    return [_row(comparison, name) for name in comparison.clusterings]


def _row(comparison: LowerComparison, name: str) -> Cells:
    ours, theirs = (comparison.clusterings[one] for one in (name, REFERENCE))
    line = comparison.to_frame().loc[name]
    nearest = np.inf if ours.proved else nearest_threshold(comparison.model, ours.partition)
    values = (
        ours.gap,
        ours.status != "optimal",
        float(line.distance / line.bound),
        not comparison.agrees,
        not ours.proved,
        nearest <= 1e-9,
        nearest <= 1e-8,
        ours.iterations,
        ours.seconds,
        theirs.seconds,
    )
    return {"": f"{name}, p = {ours.model.p:g}", **dict(zip(WORST, values, strict=True))}


def nearest_threshold(model: ConvexClustering, partition: Partition) -> float:
    """Return a relative change of a model's numbers that decides all undecided pairs both ways.

    Each connected component of the undecided pairs must be partitioned in two different ways by
    models whose numbers differ from those of the given one by at most this much. A partition counts
    if it is proved, or if it is a single cluster and the rows of X differ by at most this much of
    the range of the data: two blocks without an edge between them are never proved to coincide.

    Returns
    -------
    float
        1e-9 or 1e-8; inf if these changes do not suffice.
    """
    parts = _undecided_points(partition)
    for change in THRESHOLDS:
        seen: list[set[tuple[int, ...]]] = [set() for _ in parts]  # partitions of each part
        for changed in _slightly_changed(model, change):
            found = solve_lower(changed, tol=TIE_TOL, refine=True)
            for points, partitions in zip(parts, seen, strict=True):
                partitions.update(_partitions_of(found, points, change))
            if all(len(partitions) > 1 for partitions in seen):
                return change
    return float("inf")


def _partitions_of(found: Clustering, points: IntArray, change: float) -> Iterator[tuple[int, ...]]:
    """Yield the partition of some points that is proved, and that of a single cluster."""
    if not np.isin(found.undecided, points).all(axis=1).any():
        yield tuple(numbered([found.labels[points]]))
    if np.ptp(found.X[points], axis=0).max() <= change * np.ptp(found.model.data, axis=0).max():
        yield (0,) * len(points)


def _slightly_changed(model: ConvexClustering, change: float) -> Iterator[ConvexClustering]:
    """Yield models with a smaller and a larger gamma, and with all numbers changed at random."""
    for sign in (-1, 1):
        yield model.with_gamma(model.gamma * (1 + sign * change))
    rng, weights = np.random.default_rng(0), model.graph.weights
    for _ in range(CHANGES):
        moved = np.ptp(model.data, axis=0).max() * rng.uniform(-change, change, model.data.shape)
        shares = rng.uniform(-change, change, len(weights))
        yield model.replace(weights=weights * (1 + shares), data=model.data + moved)


def _undecided_points(partition: Partition) -> list[IntArray]:
    """Return the connected components of the undecided pairs."""
    n, pairs = len(partition.labels), partition.undecided
    links = sp.coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(n, n))
    component = connected_components(links, directed=False)[1]
    return [np.flatnonzero(component == one) for one in np.unique(component[pairs[:, 0]])]
