"""Exact convex clustering for d = 1 on a forest, with any capacities r_e.

Johnson, "A dynamic programming algorithm for the fused lasso and L0-segmentation", JCGS 22, 2013;
on trees: Kolmogorov, Pock and Rolinek, "Total variation on a tree", SIAM J. Imaging Sci. 9, 2016.
From the leaves to the roots, a point c with parent v passes on the derivative of the optimal cost
of its subtree as a function of x_v,

    M_c(x) = clip( x - a_c + sum_{children b of c} M_b(x),  -r_c,  r_c ),

which is piecewise linear and increasing. It is stored by its breakpoints and the change of slope at
each, in two heaps (M_c is clipped at both ends); the smaller of two heaps is merged into the
larger. M_c is not clipped on [low_c, high_c], and from the roots to the leaves x_c = clip(x_parent,
low_c, high_c).

This solution is used only to find which edges are fused. Values and flows are then computed again
in extended precision. On a tree the flow along an edge is the sum of the residuals of the subtree,
and an edge is proved fused if its flow is below its capacity by more than the rounding error.
"""

from __future__ import annotations

import heapq
from functools import partial

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.exact.line_solution import LONG_ROUNDOFF, ROUNDOFF, LineSolution
from bilad.solvers.clustering.labels.proof import UNDERFLOW


class Forest:
    """A rooted forest, with its points in an order in which every subtree is an interval.

    Parameters
    ----------
    n : int
        Number of points, at least 1.
    edges : ndarray of int, shape (m, 2)
        Pairs i < j without a cycle.
    radii : ndarray, shape (m,)
        Capacities, positive.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        The point at each position; the other arrays are indexed by position.
    parent : ndarray of int, shape (n,)
        Position of the parent; -1 for a root.
    end : ndarray of int, shape (n,)
        The subtree of position k is k, .., end[k] - 1.
    radius : ndarray, shape (n,)
        Capacity of the edge to the parent; 0 for a root.
    children, parents : ndarray of int, shape (m,)
        The positions that are not roots, and their parents.
    """

    def __init__(self, n: int, edges: IntArray, radii: FloatArray) -> None:
        self.n = n
        self.order, self.parent = _depth_first(n, edges)
        position = np.empty(n, dtype=np.int64)
        position[self.order] = np.arange(n)
        ends = position[edges]
        self._edge_child = ends.max(axis=1)  # the parent comes first
        self._edge_sign = np.where(ends[:, 0] > ends[:, 1], 1.0, -1.0)  # edges go i -> j
        self.radius = np.zeros(n)
        self.radius[self._edge_child] = radii
        self.end = _subtree_ends(self.parent)
        self.children = np.flatnonzero(self.parent >= 0)
        self.parents = self.parent[self.children]

    def edge_values(self, upward: FloatArray) -> FloatArray:
        """Convert flows from each position to its parent to flows i -> j: shape (m,)."""
        return self._edge_sign * upward[self._edge_child]

    def at_ends(self, upward: np.ndarray, sign: float) -> np.ndarray:
        """Return the net outflow of each position (sign -1), or its sum over edges (sign 1)."""
        total = upward.copy()
        np.add.at(total, self.parents, sign * upward[self.children])
        return total

    def blocks(self, joined: np.ndarray) -> IntArray:
        """Number the components of the edges to parents that are `joined`: shape (n,)."""
        kept = joined[self.children]
        ends = self.children[kept], self.parents[kept]
        graph = sp.coo_array((np.ones(len(ends[0])), ends), shape=(self.n, self.n))
        return connected_components(graph, directed=False)[1].astype(np.int64)


def _depth_first(n: int, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Return the points in depth-first order from the first of each tree, and their parents."""
    i, j = edges.T
    matrix = sp.coo_array((np.ones(len(i)), (i, j)), shape=(n, n)).tocsr()
    adjacency = (matrix + matrix.T).tocsr()
    starts, neighbours = adjacency.indptr.tolist(), adjacency.indices.tolist()
    order: list[int] = []
    parent: list[int] = []
    met = bytearray(n)
    for root in range(n):
        waiting = [] if met[root] else [(root, -1)]
        while waiting:
            point, above = waiting.pop()
            met[point] = 1
            here = len(order)
            order.append(point)
            parent.append(above)
            beside = neighbours[starts[point] : starts[point + 1]]
            waiting.extend((other, here) for other in beside if not met[other])
    return np.array(order, dtype=np.int64), np.array(parent, dtype=np.int64)


def _subtree_ends(parent: IntArray) -> IntArray:
    ends = list(range(1, len(parent) + 1))
    for position in range(len(parent) - 1, -1, -1):
        above = parent[position]
        if above >= 0 and ends[above] < ends[position]:
            ends[above] = ends[position]
    return np.array(ends, dtype=np.int64)


class _Message:
    """A sum of clipped derivatives: its breakpoints, sorted from the left and from the right."""

    __slots__ = ("from_left", "from_right", "reach")

    def __init__(self) -> None:
        self.from_left: list[tuple[float, int]] = []  # (breakpoint, number)
        self.from_right: list[tuple[float, int]] = []  # (minus breakpoint, number)
        self.reach = 0.0  # the values range from -reach to reach

    def add(self, other: _Message) -> _Message:
        """Merge the smaller of the two into the larger, and return it."""
        small, large = self, other
        if len(small.from_left) > len(large.from_left):
            small, large = large, small
        for breakpoint_ in small.from_left:
            heapq.heappush(large.from_left, breakpoint_)
        for breakpoint_ in small.from_right:
            heapq.heappush(large.from_right, breakpoint_)
        large.reach += small.reach
        return large


class _SlopeChanges:
    """The change of slope, from left to right, at every breakpoint; 0 after it is clipped."""

    def __init__(self) -> None:
        self.slopes: list[float] = []

    def cross(
        self, heap: list[tuple[float, int]], intercept: float, level: float, sign: float
    ) -> tuple[float, float]:
        """Return where t + intercept + the terms of the breakpoints equals `level`, and the slope.

        Breakpoints below that are removed. `sign` is -1 for a heap from the right, where t = -x.
        """
        slopes, slope = self.slopes, 1.0
        while heap:
            t, number = heap[0]
            change = sign * slopes[number]
            if change:
                if slope * t + intercept >= level:
                    break
                slope += change
                intercept -= change * t
                slopes[number] = 0.0
            heapq.heappop(heap)
        return (level - intercept) / slope, slope

    def clip(self, message: _Message, datum: float, radius: float) -> tuple[float, float]:
        """Change, in place, the sum of the children's derivatives into that of the point.

        Returns low and high, between which it is not clipped.
        """
        low, slope = self.cross(message.from_left, -datum - message.reach, -radius, 1.0)
        minus_high, minus_slope = self.cross(
            message.from_right, datum - message.reach, -radius, -1.0
        )
        high = max(low, -minus_high)
        for t, change in ((low, slope), (high, -minus_slope)):
            heapq.heappush(message.from_left, (t, len(self.slopes)))
            heapq.heappush(message.from_right, (-t, len(self.slopes)))
            self.slopes.append(change)
        message.reach = radius
        return low, high


def _dynamic_program(forest: Forest, a: FloatArray) -> FloatArray:
    """Return the solution at each position up to rounding, equal along fused edges: shape (n,)."""
    parent, radius, data = forest.parent.tolist(), forest.radius.tolist(), a.tolist()
    messages: list[_Message | None] = [None] * forest.n
    x, low, high = data[:], data[:], data[:]
    changes = _SlopeChanges()
    for position in range(forest.n - 1, -1, -1):
        message, above = messages[position] or _Message(), parent[position]
        messages[position] = None
        if above < 0:
            x[position], _ = changes.cross(
                message.from_left, -data[position] - message.reach, 0.0, 1.0
            )
            continue
        low[position], high[position] = changes.clip(message, data[position], radius[position])
        other = messages[above]
        messages[above] = message if other is None else message.add(other)
    for position, above in enumerate(parent):
        if above >= 0:
            x[position] = min(max(x[above], low[position]), high[position])
    return np.array(x)


class _Levels:
    """The solution for given blocks in extended precision, with bounds on the rounding errors.

    `border` is the flow to the parent on the edges between blocks, which are at their capacity; it
    is 0 on the other edges.
    """

    def __init__(self, forest: Forest, a: np.ndarray, border: FloatArray, error_sum: float) -> None:
        self.blocks = forest.blocks(border == 0)
        self.sizes = np.bincount(self.blocks)
        self.pulled = a - forest.at_ends(border.astype(np.longdouble), -1.0)
        by_block = np.argsort(self.blocks, kind="stable")
        firsts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self.values = np.add.reduceat(self.pulled[by_block], firsts) / self.sizes
        self.x = self.values[self.blocks]
        forces = float(np.abs(border).sum())
        magnitudes = float((np.abs(a) + np.abs(self.x)).sum()) + 2.0 * forces
        terms = int(self.sizes.max()) + int(np.bincount(forest.parents, minlength=1).max()) + 8
        # Bound on the rounding error of the sum of residuals over any subset of a block.
        relative = 2 * ROUNDOFF * forces + terms * LONG_ROUNDOFF * magnitudes
        self.rounding = relative + len(a) * UNDERFLOW + 2 * error_sum
        self.error = (self.rounding / self.sizes)[self.blocks]


def solve_forest(forest: Forest, a: FloatArray, errors: FloatArray) -> LineSolution:
    """Solve for one line.

    Parameters
    ----------
    forest : Forest
    a : ndarray, shape (n,)
        The data.
    errors : ndarray, shape (n,)
        Bounds on their errors: the proof holds for all data as near as that.
    """
    data, error_sum = a[forest.order], float(errors.sum())
    centre = float(data.mean())
    centred = data.astype(np.longdouble) - centre
    x = _dynamic_program(forest, centred.astype(float))
    border = np.zeros(forest.n)
    border[forest.children] = np.sign(x[forest.children] - x[forest.parents])
    border *= forest.radius
    levels = _ordered_levels(forest, centred, border, error_sum)

    sums = np.concatenate([[0.0], np.cumsum(levels.pulled - levels.x)])
    flow = np.where(border == 0, sums[forest.end] - sums[:-1], border)
    tolerance = levels.rounding + 2 * LONG_ROUNDOFF * float(np.abs(sums).sum())
    excess = np.abs(flow) + tolerance - (1 - 4 * ROUNDOFF) * forest.radius
    inside = (border == 0) & (forest.parent >= 0)
    # A change of the data by v lowers the flow of an edge by v, and changes x* by at most v.
    moved = float(excess[inside & (excess >= 0)].sum())
    pulled = forest.at_ends(forest.radius, 1.0) > 0
    fused = forest.blocks(inside & (excess < 0))
    x = np.where(pulled, (levels.x + centre).astype(float), data)
    moved_levels = levels.error + 4 * ROUNDOFF * np.abs(x) + np.sqrt(2) * moved + error_sum
    error = np.where(pulled, moved_levels, errors[forest.order])

    z = np.clip(flow.astype(float), -forest.radius, forest.radius)
    residual = x - data + forest.at_ends(z, -1.0)
    norm = float(np.linalg.norm(residual))
    by_point = np.argsort(forest.order)
    return LineSolution(
        x[by_point],
        fused[by_point],
        error[by_point],
        absolute_gap=0.5 * norm**2,
        residual=norm,
        make_dual=partial(forest.edge_values, z),
    )


def _ordered_levels(forest: Forest, a: np.ndarray, border: FloatArray, error_sum: float) -> _Levels:
    """Join, in `border`, blocks whose values differ by no more than rounding; return the levels."""
    while True:
        levels = _Levels(forest, a, border, error_sum)
        rise = (levels.x[forest.children] - levels.x[forest.parents]) * np.sign(
            border[forest.children]
        )
        resolution = levels.error[forest.children] + levels.error[forest.parents]
        hidden = (border[forest.children] != 0) & (rise <= resolution)
        if not hidden.any():
            return levels
        border[forest.children[hidden]] = 0.0
