"""Exact convex clustering for models that separate into lines, on graphs of a simple structure.

For p = 1 the features are separate one-dimensional problems; for p = inf and d = 2 their sum and
their difference are (`separable`), and X and Z are half the sums and differences of the solutions
of these. So are the components of the graph (edges of capacity 0 are ignored). A component that is
complete with equal weights is solved by isotonic regression, a tree by dynamic programming. Points
share a cluster if and only if they are equal on every line. The sums of the data are rounded; the
proof takes account of that.

The solution of one line cannot be stopped. A line that the time limit excludes, or that is
expected to exceed it, gets x = a, z = 0, and nothing is proved about it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import (
    errors_of_sums,
    has_turned_lines,
    line_data,
    line_signs,
    sums_and_differences,
)
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.exact.complete_graph import solve_complete
from bilad.solvers.clustering.exact.forest import Forest, solve_forest
from bilad.solvers.clustering.exact.line_solution import LineSolution
from bilad.solvers.clustering.labels.partition import combine
from bilad.solvers.clustering.result import Measure, MethodResult, SolveOptions

POINTS_A_SECOND = 1e5  # points of one line that are solved in a second on a slow machine


@dataclass(frozen=True)
class _Part:
    """Points that no edge joins to the other points, and the solver for one line of them."""

    points: IntArray | slice
    edges: IntArray | slice
    solve: Callable[[FloatArray, FloatArray], LineSolution]


@dataclass(frozen=True)
class _Components:
    """The components of the edges of positive capacity, and which of them are trees."""

    numbers: IntArray  # (n,)
    active: IntArray  # edges of positive capacity
    owners: IntArray  # component of each of these edges
    trees: np.ndarray  # (K,) of bool; the others are complete with equal weights


def refusal(model: ConvexClustering) -> str | None:
    """Return why this method cannot solve the model, or None."""
    if line_signs(model) is None:
        given = f"the data have d = {model.d} and p = {model.p:g}"
        return f"it is for p = 1, d = 1, or p = inf with d = 2; {given}"
    if model.graph.uniform_weight is None and _components(model) is None:
        return "it is for a complete graph with equal weights, a forest, or a union of these"
    return None


def solve_exact(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve exactly on lines, for a complete graph with equal weights or a forest.

    The model separates into lines for p = 1, d = 1, or p = inf with d = 2. A component of the graph
    that is complete with equal weights is solved by isotonic regression, a tree by dynamic
    programming. Of the options only the deadline is used.
    """
    latest = options.deadline - model.n / POINTS_A_SECOND
    parts = _parts(model) if time.perf_counter() <= latest else []
    lines: list[LineSolution] = []
    status = "optimal"
    data, errors = line_data(model)
    for a, own in zip(data.T, errors.T, strict=True):
        if time.perf_counter() > latest:
            status = "time limit"
        solved = status == "optimal"
        lines.append(_solve_line(parts, a, own, model.graph.m) if solved else _unsolved(model, a))
    X = _features(model, [line.x for line in lines])
    factor = 0.5 if has_turned_lines(model) else 1.0  # of squares on the lines
    gap = factor * sum(line.absolute_gap for line in lines)
    own = _errors_of_line_data(model).sum(axis=0).tolist()
    residuals = [line.residual + error for line, error in zip(lines, own, strict=True)]
    residual = math.sqrt(factor) * math.hypot(*residuals)
    return MethodResult(
        X=X,
        make_dual=partial(_stack_duals, model, lines),
        partition=combine(
            [line.not_proved_apart() for line in lines], [line.proved_equal() for line in lines]
        ),
        status=status,
        iterations=0,
        measure=Measure(model.primal(X), gap, residual),
    )


def _errors_of_line_data(model: ConvexClustering) -> FloatArray:
    """Return the errors of the data of the lines as sums of the data of the model: (n, lines)."""
    return errors_of_sums(model.data) if has_turned_lines(model) else np.zeros(model.data.shape)


def _features(model: ConvexClustering, lines: list[FloatArray]) -> FloatArray:
    """Return X from its values on the lines, or Z from the flows on the lines."""
    values = np.column_stack(lines)
    return 0.5 * sums_and_differences(values) if has_turned_lines(model) else values


def _unsolved(model: ConvexClustering, a: FloatArray) -> LineSolution:
    """Return x = a and z = 0, of which the gap is known but not the residual."""
    return LineSolution(
        x=a,
        fused=np.arange(model.n),
        error=np.full(model.n, np.inf),
        absolute_gap=model.gamma * model.graph.total_variation(a[:, None], model.p),
        residual=float("inf"),
        make_dual=partial(np.zeros, model.graph.m),
    )


def _stack_duals(model: ConvexClustering, lines: list[LineSolution]) -> FloatArray:
    return model.project_dual(_features(model, [line.make_dual() for line in lines]))


def _components(model: ConvexClustering) -> _Components | None:
    """Return the components if each is a tree, or complete with equal weights, else None."""
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
    return _Components(numbers, active, owners, trees) if (trees | complete).all() else None


def _parts(model: ConvexClustering) -> list[_Part]:
    """Split the graph into one forest of all trees, and each complete component."""
    if model.graph.uniform_weight is not None:  # avoids making its edges, maybe 10^11
        step, every = model.gamma * model.graph.uniform_weight, slice(None)
        if step == 0:
            bare = Forest(model.n, np.empty((0, 2), dtype=np.int64), np.empty(0))
            return [_Part(every, slice(0), partial(solve_forest, bare))]
        return [_Part(every, every, partial(solve_complete, step, partial(_edges, model)))]
    components = _components(model)
    if components is None:
        raise ValueError(refusal(model))
    parts = []
    points = np.flatnonzero(components.trees[components.numbers])
    if len(points):
        edges = components.active[components.trees[components.owners]]
        forest = Forest(len(points), _local(model, points, edges), model.radii[edges])
        parts.append(_Part(points, edges, partial(solve_forest, forest)))
    points_of = _split(components.numbers, len(components.trees))
    edges_of = _split(components.owners, len(components.trees))
    for k in np.flatnonzero(~components.trees):
        points, edges = points_of[k], components.active[edges_of[k]]
        ends = partial(_local, model, points, edges)
        parts.append(_Part(points, edges, partial(solve_complete, model.radii[edges[0]], ends)))
    return parts


def _split(owners: IntArray, count: int) -> list[IntArray]:
    """Return the positions at which `owners` is 0, 1, .., count - 1."""
    ends = np.cumsum(np.bincount(owners, minlength=count))
    return np.split(np.argsort(owners, kind="stable"), ends[:-1])


def _edges(model: ConvexClustering) -> IntArray:
    return model.graph.edges


def _local(model: ConvexClustering, points: IntArray, edges: IntArray) -> IntArray:
    """Return the ends of the edges as positions in the increasing array `points`."""
    return np.searchsorted(points, model.graph.edges[edges]).astype(np.int64)


def _solve_line(parts: list[_Part], a: FloatArray, errors: FloatArray, m: int) -> LineSolution:
    """Solve every part of one line, and join the solutions."""
    x, error, fused = np.empty(len(a)), np.empty(len(a)), np.empty(len(a), dtype=np.int64)
    lines, used = [], 0
    for part in parts:
        line = part.solve(a[part.points], errors[part.points])
        x[part.points], error[part.points] = line.x, line.error
        fused[part.points] = line.fused + used
        used += int(line.fused.max()) + 1
        lines.append(line)
    gap = sum(line.absolute_gap for line in lines)
    residual = math.hypot(*(line.residual for line in lines))
    return LineSolution(x, fused, error, gap, residual, partial(_join_duals, parts, lines, m))


def _join_duals(parts: list[_Part], lines: list[LineSolution], m: int) -> FloatArray:
    z = np.zeros(m)
    for part, line in zip(parts, lines, strict=True):
        z[part.edges] = line.make_dual()
    return z
