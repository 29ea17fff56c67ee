"""All methods of the lower level on random problems, compared with Clarabel.

The table has the worst case of every comparison. Two results that contradict each other
(`LowerComparison.agrees`) are a disagreement; there must be none. A partition that cannot be proved
even with `refine` is a tie if the undecided points are within 1e-9 of a threshold: two models whose
numbers differ by no more than this have different partitions of them (`is_tie`).
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
from bilad.solvers import LowerComparison, compare_lower
from bilad.solvers.clustering import LOWER_METHODS
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.partition import Partition, numbered

TOL = 1e-10
THRESHOLD = 1e-9  # relative change of the numbers within which an undecided pair is a tie
CHANGES = 6  # changes of all numbers that are tried
TIE_TOL = 1e-12  # tolerance of the solutions of the changed models
REFERENCE = "clarabel"

# The columns of the comparisons, and how they are summarised.
WORST = {
    "objective (relative)": "max",
    "distance / its bound": "max",
    "disagree": "sum",
    "labels unproved": "sum",
    "of these ties": "sum",
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
    open_cases = cells["labels unproved"] & ~cells["of these ties"]
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
    values = (
        abs(ours.objective - theirs.objective) / (1 + abs(theirs.objective)),
        float(line.distance / line.bound),
        not comparison.agrees,
        not ours.proved,
        not ours.proved and is_tie(comparison.model, ours.partition),
        ours.iterations,
        ours.seconds,
        theirs.seconds,
    )
    return {"": f"{name}, p = {ours.model.p:g}", **dict(zip(WORST, values, strict=True))}


def is_tie(model: ConvexClustering, partition: Partition) -> bool:
    """Return whether all undecided pairs are within the relative distance 1e-9 of a threshold.

    Each connected component of the undecided pairs must be partitioned in two different ways by
    models whose numbers differ from those of the given one by at most this much. A partition counts
    if it is proved, or if it is a single cluster and the rows of X differ by at most this much of
    the range of the data: two blocks without an edge between them are never proved to coincide.
    """
    parts = _undecided_points(partition)
    seen: list[set[tuple[int, ...]]] = [set() for _ in parts]  # partitions of each part
    near = THRESHOLD * np.ptp(model.data, axis=0).max()
    for changed in _slightly_changed(model, partition):
        found = solve_lower(changed, tol=TIE_TOL, refine=True)
        for points, partitions in zip(parts, seen, strict=True):
            if not np.isin(found.undecided, points).all(axis=1).any():
                partitions.add(tuple(numbered([found.labels[points]])))
            if np.ptp(found.X[points], axis=0).max() <= near:
                partitions.add((0,) * len(points))
        if all(len(partitions) > 1 for partitions in seen):
            return True
    return False


def _slightly_changed(model: ConvexClustering, partition: Partition) -> Iterator[ConvexClustering]:
    """Yield models with smaller and larger capacities, or with all numbers changed."""
    rng, graph, data = np.random.default_rng(0), model.graph, model.data
    for sign in (-THRESHOLD, THRESHOLD):
        yield model.with_gamma(model.gamma * (1 + sign))
    i, j = graph.edges.T
    is_inside = partition.labels[i] == partition.labels[j]
    for sign in (-THRESHOLD, THRESHOLD):
        yield model.replace(weights=graph.weights * (1 + sign * is_inside))
    for _ in range(CHANGES):
        shares = [THRESHOLD * rng.uniform(-1, 1, like.shape) for like in (graph.weights, data)]
        moved = data + np.ptp(data, axis=0).max() * shares[1]
        yield model.replace(weights=graph.weights * (1 + shares[0]), data=moved)


def _undecided_points(partition: Partition) -> list[IntArray]:
    """Return the connected components of the undecided pairs."""
    n, pairs = len(partition.labels), partition.undecided
    links = sp.coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(n, n))
    component = connected_components(links, directed=False)[1]
    return [np.flatnonzero(component == one) for one in np.unique(component[pairs[:, 0]])]
