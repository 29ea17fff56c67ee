"""The exact radius: the shortest eps that changes the partition, where lines make it.

For equal weights on the complete graph, the data with one partition of a line and one order of its
blocks are a polyhedron (module `facets`). The least distance of a facet is the radius. All is
decided in integers, from the doubles as the rationals that they are.

With several lines (p = 1, or p = inf in the plane) the partition is the common refinement of
theirs. Within the least of their radii it stays; whether it changes just outside is looked up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.learning.separable import line_signs
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.robustness.facets import (
    DifferentFactorsError,
    Facet,
    Line,
    nearest_facet,
)
from bilad.solvers.clustering.parametric.affine import over_common_denominator
from bilad.solvers.clustering.parametric.ray import signed_sum
from bilad.solvers.errors import UnsupportedError

OUTSIDE = 1e-6  # relative; how far beyond the radius the attack is
TINY = 1e-9  # of the data's largest magnitude: the attack where the radius is 0


@dataclass(frozen=True)
class ExactRadius:
    """The radius of a partition, with the attack that proves that it is no larger.

    Attributes
    ----------
    radius : float
        In the problem's norm, rounded down: no shorter eps changes the partition. 0 if the data
        are on a facet; infinite if no eps leaves the polyhedron.
    exact : bool
        Whether the partition is different at `eps`, in exact arithmetic; so the radius is at most
        a relative 1e-6 larger, and for d = 1 not at all, but for rounding. True if infinite. If
        not (d > 1), only one line's partition is.
    kind : {"merge", "split", "none"}
        What happens there; "none" if the radius is infinite.
    feature : int
        Number of the line whose partition changes: for p = inf and d = 2, 0 is the sum of the
        features, and 1 their difference.
    high, low : ndarray of int
        Points that rise, points that fall: the lower and the upper cluster that meet, or the two
        parts of the one that splits.
    direction : ndarray, shape (k,)
        The worst eps, of size 1; zero if the radius is infinite.
    eps : ndarray, shape (k,)
        Along it, just outside: size (1 + 1e-6) radius; or 1e-9 times the size of the data (over
        the factor of eps) if the radius is 0.
    """

    radius: float
    exact: bool
    kind: str
    feature: int
    high: IntArray
    low: IntArray
    direction: FloatArray
    eps: FloatArray


def exact_radius(problem: BilevelProblem) -> ExactRadius:
    """Return the least norm of an eps that changes the partition.

    Parameters
    ----------
    problem : BilevelProblem
        p = 1, d = 1, or p = inf and d = 2; equal weights on the complete graph, an additive or
        multiplicative perturbation, of all entries or some. Its budget, target and deviation do not
        matter.

    Returns
    -------
    ExactRadius

    Raises
    ------
    ArgumentError
        If the model is a black box.
    UnsupportedError
        If the problem is another; `certified_radius` takes it.

    Notes
    -----
    For a cluster of n points O(n^2) operations on integers, O(n^2 log n) a few times for norm inf.
    """
    factors = _factors(problem)
    unit, lines = _lines(problem, factors)
    best: Facet | None = None
    feature = 0
    for number, line in enumerate(lines):
        try:
            facet = nearest_facet(line, problem.norm)
        except DifferentFactorsError:
            reason = "norm 2, and eps that move the points of a cluster by different factors"
            raise _refused(reason) from None
        if facet is not None and facet.nearer_than(best):
            best, feature = facet, number
    if best is None:
        none, zero = np.empty(0, dtype=np.int64), np.zeros(problem.perturbation.dim)
        return ExactRadius(np.inf, True, "none", 0, none, none, zero, zero)
    return _attack(problem, best, feature, unit)


def partition_at(problem: BilevelProblem, eps: FloatArray) -> IntArray:
    """Return the labels at eps in exact arithmetic, for what `exact_radius` takes: shape (n,)."""
    _, lines = _lines(problem, _factors(problem), eps)
    columns = np.empty((problem.model.n, len(lines)), dtype=np.int64)
    for feature, line in enumerate(lines):
        for number, block in enumerate(line.blocks()):
            columns[block, feature] = number
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in columns])


def _refused(reason: str) -> UnsupportedError:
    return UnsupportedError("exact_radius", reason, ["certified_radius"])


def _factors(problem: BilevelProblem) -> FloatArray:
    """Return by how much a unit of the eps of each entry moves it, 0 without one: shape (n, d)."""
    model, given = clustering_of(problem), problem.perturbation
    if line_signs(model) is None:
        raise _refused("it does not separate into lines: p = 2 and d > 1, or p = inf and d > 2")
    if model.graph.uniform_weight is None:
        raise _refused("the weights are not equal, on the complete graph")
    T = problem.operator("data").tocsr()
    if (
        edge_operator(problem).nnz
        or max(np.diff(T.indptr)) > 1
        or max(np.diff(T.tocsc().indptr)) > 1
    ):
        raise _refused("eps is not one number for each entry of the data, or of some")
    if np.isfinite(given.lower).any() or np.isfinite(given.upper).any():
        raise _refused("eps has bounds")
    return np.asarray(T.sum(axis=1), dtype=float).reshape(model.data.shape)


def _lines(
    problem: BilevelProblem, factors: FloatArray, eps: FloatArray | None = None
) -> tuple[Fraction, list[Line]]:
    """Return the lines in integers, at A + T eps, and the unit of the data over that of T."""
    model = clustering_of(problem)
    signs = _signs(problem).tolist()
    data = [[Fraction(a) for a in column] for column in model.data.T.tolist()]
    if eps is not None:
        T = problem.operator("data").tocoo()
        for row, column, factor in zip(
            T.row.tolist(), T.col.tolist(), T.data.tolist(), strict=True
        ):
            point, feature = divmod(row, model.d)
            data[feature][point] += Fraction(factor) * Fraction(float(eps[column]))
    weight = model.graph.uniform_weight
    assert weight is not None
    radius = Fraction(model.gamma) * Fraction(float(weight))
    sums = [signed_sum(data, row) for row in signs]
    unit = _denominator([radius, *chain(*sums)])
    moves = [[abs(Fraction(t)) for t in column] for column in factors.T.tolist()]
    move_unit = _denominator(chain(*moves))
    entries = [over_common_denominator(move, move_unit) for move in moves]
    lines = [
        Line(
            over_common_denominator(column, unit),
            int(radius * unit),
            _dual_norms(entries, row, problem.norm),
        )
        for column, row in zip(sums, signs, strict=True)
    ]
    return Fraction(move_unit, unit), lines


def _signs(problem: BilevelProblem) -> IntArray:
    signs = line_signs(clustering_of(problem))
    assert signs is not None  # `_factors` has refused what does not separate
    return signs


def _dual_norms(entries: list[list[int]], signs: list[int], norm: float) -> list[int]:
    """Return the dual norm of the eps that move each point of a line; for norm 2 its square."""
    own = list(zip(*(move for move, sign in zip(entries, signs, strict=True) if sign), strict=True))
    if norm == 1:
        return [max(moves) for moves in own]
    return [sum(t**2 if norm == 2 else t for t in moves) for moves in own]


def _denominator(values: Iterable[Fraction]) -> int:
    return math.lcm(*(value.denominator for value in values))


def _attack(problem: BilevelProblem, facet: Facet, feature: int, unit: Fraction) -> ExactRadius:
    radius = _root_down(facet.distance_squared(unit))
    direction = _direction(problem, facet, feature)
    length = radius * (1 + OUTSIDE)
    if radius == 0:
        largest = abs(problem.operator("data")).max()
        length = TINY * float(np.abs(problem.model.data).max() or 1.0) / float(largest)
    eps = length * direction
    zero = np.zeros_like(eps)
    changes = _differ(partition_at(problem, eps), partition_at(problem, zero))
    return ExactRadius(
        radius=radius,
        exact=changes,
        kind=facet.kind,
        feature=feature,
        high=np.array(sorted(facet.high)),
        low=np.array(sorted(facet.low)),
        direction=direction,
        eps=eps,
    )


def _differ(labels: IntArray, others: IntArray) -> bool:
    """Whether two labellings, both numbered by first appearance, are of different partitions."""
    return bool((labels != others).any())


def _direction(problem: BilevelProblem, facet: Facet, feature: int) -> FloatArray:
    """Return the eps of size 1 that does most along the facet's normal: shape (k,)."""
    normal = np.zeros(problem.model.data.shape)
    signs = _signs(problem)[feature]
    normal[list(facet.high)] = signs / len(facet.high)
    normal[list(facet.low)] = -signs / len(facet.low)
    slope = problem.operator("data").T @ normal.ravel()
    slope = slope / np.abs(slope).max()
    if problem.norm == 2:
        return slope / np.linalg.norm(slope)
    if problem.norm == np.inf:
        return np.sign(slope)
    direction = np.zeros_like(slope)
    largest = int(np.abs(slope).argmax())
    direction[largest] = np.sign(slope[largest])
    return direction


def _root_down(square: Fraction) -> float:
    """Return the square root, or the next double below it."""
    if square == 0:
        return 0.0
    # 2^shift brings the integer root to more than 53 digits.
    size = square.numerator.bit_length() - square.denominator.bit_length()
    shift = max(0, 64 - size // 2)
    root = Fraction(math.isqrt((square.numerator << (2 * shift)) // square.denominator), 1 << shift)
    number = float(root)
    while Fraction(number) ** 2 > square:
        number = math.nextafter(number, 0.0)
    return number
