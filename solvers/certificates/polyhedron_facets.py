"""The facets of the polyhedron of data with one partition: one line, complete graph, equal weights.

Let r = gamma w. Let H and L be disjoint sets of points with h and l members, and

    D = l sum_H a - h sum_L a,    normal  l 1_H - h 1_L,    c = r h l (h + l).

Theorem. The data with a given partition and order of its clusters are a polyhedron with these
facets. *Merge*: neighbouring clusters H below L stay apart if and only if -D > c. *Split*: a
cluster stays together if and only if D <= c for each of its subsets H, with L the rest. Proof: the
second is the cut condition for a flow on the complete graph; the first compares the centroids.

The distance from the data to a facet is its slack divided by the dual norm of the normal times T.
A cluster has too many subsets to enumerate them. But for subsets H of a given size, slack and dual
norm are sums over H (norms 2 and inf of eps), or the dual norm is a single entry (norm 1), so that
sorting finds the nearest facet. All numbers are integers, and the result is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isqrt

from bilad.solvers.clustering.parametric.complete_graph import CompleteNetwork
from bilad.solvers.errors import UnsupportedError


@dataclass(frozen=True)
class Line:
    """One feature in integers.

    Attributes
    ----------
    data : list of int, length n
        a_i in some unit.
    radius : int
        r = gamma w in the same unit, not negative.
    factors : list of int, length n
        The largest change of a_i by an eps of norm 1, in some unit; 0 if eps does not move a_i.
        For the norm 2 its square, in the squared unit.
    """

    data: list[int]
    radius: int
    factors: list[int]

    def blocks(self) -> list[list[int]]:
        """Return the points of each cluster, in order."""
        return CompleteNetwork(len(self.data), (self.radius, 0)).blocks(self.data, Fraction(0))


@dataclass(frozen=True)
class Facet:
    """A facet of the polyhedron: one way in which a partition changes.

    Attributes
    ----------
    kind : {"merge", "split"}
    high, low : tuple of int
        H and L: beyond the facet, the points of H have moved up and those of L down.
    slack : int
        Nonnegative; in the unit of the data.
    dual_squared : int
        Square of the dual norm of the normal times T, in the squared unit of the factors.
    """

    kind: str
    high: tuple[int, ...]
    low: tuple[int, ...]
    slack: int
    dual_squared: int

    def nearer_than(self, other: Facet | None) -> bool:
        """Return whether some eps reaches this facet, and is shorter than for the other facet."""
        if self.dual_squared == 0:
            return False
        if other is None:
            return True
        return self.slack**2 * other.dual_squared < other.slack**2 * self.dual_squared

    def distance_squared(self, unit: Fraction) -> Fraction:
        """Return the squared distance, where `unit` is the unit of data over that of factors."""
        return Fraction(self.slack**2, self.dual_squared) * unit**2


def make_facet(line: Line, norm: float, kind: str, high: list[int], low: list[int]) -> Facet:
    """Return a facet with its slack and dual norm, for the norm 1, 2 or inf of eps."""
    rising, falling = len(high), len(low)
    gain = falling * sum(line.data[i] for i in high) - rising * sum(line.data[i] for i in low)
    capacity = line.radius * rising * falling * (rising + falling)
    slack = capacity - gain if kind == "split" else -gain - capacity
    power = 2 if norm == 2 else 1
    entries = [falling**power * line.factors[i] for i in high]
    entries += [rising**power * line.factors[i] for i in low]
    if norm == 1:
        square = max(entries) ** 2
    elif norm == 2:
        square = sum(entries)
    else:
        square = sum(entries) ** 2
    return Facet(kind, tuple(high), tuple(low), slack, square)


def nearest_facet(line: Line, norm: float) -> Facet | None:
    """Return the nearest facet, or None if no eps reaches any.

    Raises
    ------
    UnsupportedError
        For the norm 2, if the factors inside a cluster differ.
    """
    best: Facet | None = None
    blocks = line.blocks()
    for left, right in pairwise(blocks):
        best = _nearer(make_facet(line, norm, "merge", left, right), best)
    for block in blocks:
        if any(line.factors[i] for i in block) and len(block) > 1:
            best = SPLITS[norm](line, block, best)
    return best


def _nearer(facet: Facet, best: Facet | None) -> Facet | None:
    return facet if facet.nearer_than(best) else best


def _descending(line: Line, points: list[int]) -> list[int]:
    return sorted(points, key=line.data.__getitem__, reverse=True)


def _split(line: Line, norm: float, block: list[int], high: list[int]) -> Facet:
    members = set(high)
    return make_facet(line, norm, "split", high, [i for i in block if i not in members])


def splits_by_entry(line: Line, block: list[int], best: Facet | None) -> Facet | None:
    """Return the nearest split for the norm 1 of eps, or `best`.

    The dual norm is the largest entry, and each point in turn is assumed to have it. For a given
    size of H and side of that point, the slack is least if H has the largest other points.
    """
    order = _descending(line, block)
    n, total = len(order), sum(line.data[i] for i in order)
    prefix = 0
    for h in range(1, n):
        prefix += line.data[order[h - 1]]
        capacity = line.radius * h * (n - h) * n
        for place, point in enumerate(order):
            for above in (True, False):
                factor = line.factors[point] * (n - h if above else h)
                if factor == 0:
                    continue
                top = prefix
                if above and place >= h:
                    top += line.data[point] - line.data[order[h - 1]]
                elif not above and place < h:
                    top += line.data[order[h]] - line.data[point]
                slack = capacity - (n * top - h * total)
                if best is None or slack**2 * best.dual_squared < best.slack**2 * factor**2:
                    others = [i for i in order if i != point]
                    high = [point, *others[: h - 1]] if above else others[:h]
                    best = _nearer(_split(line, 1, block, high), best)
    return best


def splits_by_ratio(line: Line, block: list[int], best: Facet | None) -> Facet | None:
    """Return the nearest split for the norm inf of eps, or `best`, by Dinkelbach's method.

    Slack and dual norm are sums over H. For a ratio p / q and a size h, `q slack - p norm` is least
    for the h points with the largest n q a_i + p (n - 2 h) |t_i|; if it is negative, the ratio was
    too large.
    """
    n = len(block)
    norm = float("inf")
    movable = next(i for i in block if line.factors[i])
    best = _nearer(_split(line, norm, block, [movable]), best)
    assert best is not None
    improved = True
    while improved:
        improved = False
        for h in range(1, n):
            p, q = best.slack, isqrt(best.dual_squared)
            keys = {i: n * q * line.data[i] + p * (n - 2 * h) * line.factors[i] for i in block}
            high = sorted(block, key=keys.__getitem__, reverse=True)[:h]
            facet = _split(line, norm, block, high)
            if facet.nearer_than(best):
                best, improved = facet, True
    return best


def splits_by_count(line: Line, block: list[int], best: Facet | None) -> Facet | None:
    """Return the nearest split for the norm 2 of eps and equal factors, or `best`.

    The dual norm depends only on the number of movable points in H.
    """
    factors = {line.factors[i] for i in block} - {0}
    if len(factors) > 1:
        # No method is known except the enumeration of all subsets.
        reason = "norm 2, and eps that move the points of a cluster by different factors"
        raise UnsupportedError("exact_radius", reason, ["certified_radius"])
    factor_squared = factors.pop()
    movable = _descending(line, [i for i in block if line.factors[i]])
    fixed = _descending(line, [i for i in block if not line.factors[i]])
    n, total = len(block), sum(line.data[i] for i in block)
    upper = 0
    for u in range(len(movable) + 1):
        upper += line.data[movable[u - 1]] if u else 0
        top = upper
        for v in range(len(fixed) + 1):
            top += line.data[fixed[v - 1]] if v else 0
            h = u + v
            if not 0 < h < n:
                continue
            slack = line.radius * h * (n - h) * n - (n * top - h * total)
            square = u * (n - h) ** 2 + (len(movable) - u) * h**2
            square *= factor_squared
            if best is None or slack**2 * best.dual_squared < best.slack**2 * square:
                best = _split(line, 2, block, movable[:u] + fixed[:v])
    return best


SPLITS = {1.0: splits_by_entry, 2.0: splits_by_count, float("inf"): splits_by_ratio}
