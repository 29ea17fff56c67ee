"""Exact convex clustering where p = 1, or d = 1, and the graph is simple enough.

For p = 1 the coordinates are separate problems on a line, and so are the components of the graph
(edges of capacity 0 are no edges). A component that is complete with equal weights is an isotonic
regression, one that is a tree a dynamic program. Points share a cluster iff they are equal in
every coordinate: so they are proved apart if they are in one, proved together if they are in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.partition import Partition
from bilad.solvers.lower.exact_complete import solve_complete
from bilad.solvers.lower.exact_line import LineSolution
from bilad.solvers.lower.exact_tree import Forest, solve_forest


@dataclass(frozen=True)
class ExactSolution:
    """X (n, d), its partition with proofs, the gap, the relative KKT residual, and the dual."""

    X: FloatArray
    partition: Partition
    absolute_gap: float
    kkt_residual: float
    make_dual: Callable[[], FloatArray]


@dataclass(frozen=True)
class _Part:
    """Points that no edge joins to the others, and how to solve one coordinate of them."""

    points: IntArray | slice
    edges: IntArray | slice
    solve: Callable[[FloatArray], LineSolution]


@dataclass(frozen=True)
class _Components:
    """The components of the edges that have capacity, and which of them are trees."""

    numbers: IntArray  # (n,)
    active: IntArray  # edges that have capacity
    trees: np.ndarray  # (K,) of bool; the others are complete with equal weights


def refusal(model: ConvexClustering) -> str | None:
    """Say why this method cannot take the model, or None."""
    if model.p != 1 and model.d > 1:
        return f"it is for p = 1 or d = 1, the data have d = {model.d} and p = {model.p:g}"
    if model.graph.uniform_weight is None and _components(model) is None:
        return "it is for a complete graph with equal weights, a forest, or a union of these"
    return None


def solve_exact(model: ConvexClustering) -> ExactSolution:
    """Solve a model that `refusal` accepts."""
    parts = _parts(model)
    X = np.empty((model.n, model.d))
    lines: list[list[LineSolution]] = []
    for k in range(model.d):
        lines.append([part.solve(model.data[part.points, k]) for part in parts])
        for part, line in zip(parts, lines[k], strict=True):
            X[part.points, k] = line.x

    def make_dual() -> FloatArray:
        Z = np.zeros((model.graph.m, model.d))
        for k, column in enumerate(lines):
            for part, line in zip(parts, column, strict=True):
                Z[part.edges, k] = line.make_dual()
        return Z

    gap = sum(line.absolute_gap for column in lines for line in column)
    residual = np.sqrt(sum(line.residual**2 for column in lines for line in column))
    partition = _combine([_join(parts, column, model.n) for column in lines])
    relative = float(residual / (1.0 + np.linalg.norm(model.data)))
    return ExactSolution(X, partition, gap, relative, make_dual)


def _components(model: ConvexClustering) -> _Components | None:
    """Return the components if each is a tree or complete with equal weights, else None."""
    if model.graph.uniform_weight is not None:  # its edges are not to be made
        empty = np.empty(0, dtype=np.int64)
        return _Components(np.arange(model.n), empty, np.ones(model.n, dtype=bool))
    numbers = model.graph.components(model.radii > 0)
    active = np.flatnonzero(model.radii > 0)
    owners, radii = numbers[model.graph.edges[active, 0]], model.radii[active]
    sizes = np.bincount(numbers)
    counts = np.bincount(owners, minlength=len(sizes))
    least, most = np.full(len(sizes), np.inf), np.zeros(len(sizes))
    np.minimum.at(least, owners, radii)
    np.maximum.at(most, owners, radii)
    trees = counts == sizes - 1
    complete = (counts == sizes * (sizes - 1) // 2) & (least == most)
    return _Components(numbers, active, trees) if (trees | complete).all() else None


def _parts(model: ConvexClustering) -> list[_Part]:
    """Split the graph: all its trees as one forest, and each complete component."""
    step = model.gamma * float(model.graph.uniform_weight or 0.0)
    if step > 0:
        solve = partial(solve_complete, step=step, edges=lambda: model.graph.edges)
        return [_Part(slice(None), slice(None), solve)]
    components = _components(model)
    if components is None:
        raise ValueError(refusal(model))
    owners = components.numbers[model.graph.edges[components.active, 0]] if step else None
    raise NotImplementedError(owners)


def _join(parts: list[_Part], lines: list[LineSolution], n: int) -> LineSolution:
    """Put the parts of one coordinate together."""
    if len(parts) == 1 and isinstance(parts[0].points, slice):
        return lines[0]
    raise NotImplementedError


def _combine(lines: list[LineSolution]) -> Partition:
    """Combine what is proved in each coordinate."""
    together = _numbered([line.proved_equal() for line in lines])
    labels = _numbered([line.not_proved_apart() for line in lines])
    first = np.unique(together, return_index=True)[1]  # a point of each class proved together
    by_label = first[np.lexsort((first, labels[first]))]
    doubtful = labels[by_label[1:]] == labels[by_label[:-1]]
    undecided = np.column_stack([by_label[:-1][doubtful], by_label[1:][doubtful]])
    return Partition(labels, undecided.astype(np.int64))


def _numbered(columns: list[IntArray]) -> IntArray:
    """Number the points alike iff they are so in every column, by first appearance: (n,)."""
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        keys = numbers * (int(column.max()) + 1) + column
        numbers = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    first = np.unique(numbers, return_index=True)[1]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[numbers]
