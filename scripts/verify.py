"""SSNAL and the exact method are compared with Clarabel on random problems.

The table has the worst case of every comparison. Two results that contradict each other
(`LowerComparison.agrees`) are a disagreement; there must be none. If a partition cannot be
certified even with `refine`, two clusters may just touch: then a slightly smaller and a slightly
larger gamma give different certified partitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pandas as pd

from bilad.models import ConvexClustering, FusionGraph, deviation
from bilad.models.norms import NORMS
from bilad.models.validation import FloatArray
from bilad.scripts.display import Cells
from bilad.solvers import compare_lower
from bilad.solvers.clustering.cluster import solve_lower

TOL = 1e-10
LARGE = 1_000_000
AROUND = (1e-9, 1e-7, 1e-5)  # relative changes of gamma that are tried around a tie


# The columns of the comparisons, and how they are summarised.
WORST = {
    "objective (relative)": "max",
    "distance / its bound": "max",
    "disagree": "sum",
    "labels unproved": "sum",
    "of these at a boundary": "sum",
    "most steps": "max",
    "seconds": "sum",
    "Clarabel": "sum",
}


def compared(model: ConvexClustering, method: str) -> Cells:
    """Compare a method with Clarabel."""
    comparison = compare_lower(model, (method, "clarabel"), TOL, refine=True)
    if any(one.status == "interrupted" for one in comparison.clusterings.values()):
        raise KeyboardInterrupt
    ours, theirs = (comparison.clusterings[name] for name in (method, "clarabel"))
    table = comparison.to_frame()
    undecided = not ours.proved
    values = (
        abs(ours.objective - theirs.objective) / (1 + abs(theirs.objective)),
        float((table.distance / table.bound).max()),
        not comparison.agrees,
        undecided,
        undecided and is_at_boundary(model),
        ours.iterations,
        ours.seconds,
        theirs.seconds,
    )
    return {"": f"{method}, p = {model.p:g}", **dict(zip(WORST, values, strict=True))}


def is_at_boundary(model: ConvexClustering) -> bool:
    """Return whether slightly smaller and larger gamma give different certified partitions."""
    for change in AROUND:
        gammas = [model.gamma * factor for factor in (1 - change, 1 + change)]
        models = [ConvexClustering(model.data, model.graph, gamma, model.p) for gamma in gammas]
        below, above = (solve_lower(one, tol=TOL, refine=True) for one in models)
        if below.proved and above.proved:
            return deviation(below.labels, above.labels) > 0
    return False


def random_comparison(
    problems: int, seed: int, tell: Callable[[int, str], None]
) -> tuple[pd.DataFrame, str]:
    """Return the worst cases, and the time of the exact method on a large problem.

    Parameters
    ----------
    problems : int
        Number of problems for SSNAL; the exact method solves a tenth of it.
    seed : int
    tell : callable(done, line)
        Called after each problem.

    Raises
    ------
    KeyboardInterrupt
        Before the first problem is solved; later the worst cases until then are returned.
    """
    rng = np.random.default_rng(seed)
    drawn = [("ssnal", random_model)] * problems
    drawn += [("exact", random_exact_model)] * max(problems // 10, 1)
    rows: list[Cells] = []
    with suppress(KeyboardInterrupt):  # after Ctrl-C the command ends with what is known
        for done, (method, draw) in enumerate(drawn, start=1):
            model = draw(rng)
            rows.append(compared(model, method))
            tell(done, f"{method}, n = {model.n}, d = {model.d}, p = {model.p:g}")
    if not rows:
        raise KeyboardInterrupt
    groups = pd.DataFrame(rows).groupby("")
    table = groups.agg(WORST)
    table.insert(0, "problems", groups.size())
    table["time / Clarabel"] = table.pop("seconds") / table.pop("Clarabel")
    return table.reset_index(), _large(rng) if len(rows) == len(drawn) else ""


def _large(rng: np.random.Generator) -> str:
    model = ConvexClustering(rng.normal(size=(LARGE, 1)), FusionGraph.complete(LARGE), 0.5 / LARGE)
    began = time.perf_counter()
    clustering = solve_lower(model, "exact")
    return (
        f"exact, n = {LARGE}: {time.perf_counter() - began:.2f} s, {clustering.n_clusters} "
        f"clusters, relative gap {clustering.gap:.1e}, {len(clustering.undecided)} pairs undecided"
    )


def random_model(rng: np.random.Generator) -> ConvexClustering:
    """Draw a model with up to 60 points in up to 5 dimensions, any norm and any graph."""
    points = _random_points(rng)
    tiny_to_huge = rng.random() < 0.4
    gamma = 10 ** (rng.uniform(-6, 2) if tiny_to_huge else rng.uniform(-2, 1))
    return ConvexClustering(points, _random_graph(rng, points), gamma, NORMS[rng.integers(3)])


def random_exact_model(rng: np.random.Generator) -> ConvexClustering:
    """Draw a model for the exact method: p = 1, equal weights on the complete graph, or a tree."""
    points = _random_points(rng)
    n = len(points)
    graph = FusionGraph.complete(n, 1 / n) if rng.random() < 0.5 else _tree(rng, n)
    return ConvexClustering(points, graph, 10 ** rng.uniform(-3, 1), 1)


def _random_points(rng: np.random.Generator) -> FloatArray:
    n, d = int(rng.integers(2, 61)), int(rng.integers(1, 6))
    points = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    if rng.random() < 0.25:
        points = np.round(points, 1)  # ties
    if rng.random() < 0.2:
        points = points[rng.integers(0, n, n)]  # duplicates
    return points


def _random_graph(rng: np.random.Generator, points: FloatArray) -> FusionGraph:
    """Draw a complete, nearest-neighbour or random graph, or a tree; weights may be zero."""
    n = len(points)
    kind = rng.integers(4)
    if kind == 0 or n < 5:
        return FusionGraph.complete(n, 1 / n)
    if kind == 1:
        return FusionGraph.knn(points, min(n - 1, int(rng.integers(2, 9))))
    if kind == 2:
        return _tree(rng, n)
    pairs = np.column_stack(np.triu_indices(n, 1))
    pairs = pairs[rng.random(len(pairs)) < rng.uniform(0.02, 0.9)]
    return FusionGraph(n, pairs, rng.random(len(pairs)) * (rng.random(len(pairs)) < 0.8))


def _tree(rng: np.random.Generator, n: int) -> FusionGraph:
    edges = np.array([(rng.integers(0, j), j) for j in range(1, n)])
    return FusionGraph(n, edges, rng.random(n - 1))
