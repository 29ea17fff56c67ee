"""The exact radius: the norm of the shortest eps that changes the partition, on separable models.

Theorem. Let d = 1, and let the graph be complete with equal weights. The radius is the least
distance from the data to a facet of the polyhedron of data with the same partition (module
`polyhedron_facets`). It is computed in integers, from the rational values of the doubles.

With several lines (p = 1, or p = inf in the plane) the partition is the common refinement of the
partitions of the lines. It does not change within the least of their radii; whether it changes just
outside is decided by computing it there.
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
from bilad.models.problem import BilevelProblem, steepest
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.polyhedron_facets import Facet, Line, nearest_facet
from bilad.solvers.clustering.parametric.affine import over_common_denominator
from bilad.solvers.clustering.parametric.ray import signed_sum
from bilad.solvers.errors import UnsupportedError

OUTSIDE = 1e-6  # relative distance by which the norm of the attack exceeds the radius
TINY = 1e-9  # norm of the attack if the radius is 0, relative to the largest entry of the data


@dataclass(frozen=True)
class ExactRadius:
    """The radius of a partition, with an attack which shows that it is not larger.

    Attributes
    ----------
    radius : float
        In the norm of the problem, rounded down: no shorter eps changes the partition. 0 if the
        data are on a facet; infinite if no eps leaves the polyhedron.
    exact : bool
        Whether the partition at `eps` is different, in exact arithmetic. The true radius is then
        at most a relative 1e-6 larger; for d = 1 it differs by rounding only. False, for d > 1, if
        only the partition of one line is different. True if the radius is infinite.
    kind : {"merge", "split", "none"}
        The change of the partition at the radius; "none" if it is infinite.
    feature : int
        Number of the line whose partition changes. For p = inf and d = 2, line 0 is the sum of
        the features and line 1 their difference.
    high, low : ndarray of int
        Points that rise and points that fall: the two clusters that merge, or the two parts of the
        cluster that splits.
    direction : ndarray, shape (k,)
        The worst eps, of norm 1; zero if the radius is infinite.
    eps : ndarray, shape (k,)
        The multiple of the direction with norm (1 + 1e-6) radius. If the radius is 0, it moves the
        data by 1e-9 of their largest entry.
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
        p = 1, d = 1, or p = inf and d = 2; equal weights on the complete graph; an additive or
        multiplicative perturbation of all entries or some. Its budget, target and deviation have
        no effect.

    Returns
    -------
    ExactRadius

    Raises
    ------
    ArgumentError
        If the model is a black box.
    UnsupportedError
        If the problem is not of this kind; `certified_radius` may be applicable.

    Notes
    -----
    For a cluster of n points this takes O(n^2) operations on integers; for the norm inf it takes
    O(n^2 log n) operations a few times.
    """
    factors = _factors(problem)
    unit, lines = _lines(problem, factors)
    best: Facet | None = None
    feature = 0
    for number, line in enumerate(lines):
        facet = nearest_facet(line, problem.norm)
        if facet is not None and facet.nearer_than(best):
            best, feature = facet, number
    if best is None:
        none, zero = np.empty(0, dtype=np.int64), np.zeros(problem.perturbation.dim)
        return ExactRadius(np.inf, True, "none", 0, none, none, zero, zero)
    return _attack(problem, best, feature, unit)


def partition_at(problem: BilevelProblem, eps: FloatArray) -> IntArray:
    """Return the labels at eps in exact arithmetic, for the problems of `exact_radius`: (n,)."""
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
    """Return the factor by which eps moves each entry, 0 if it does not: shape (n, d)."""
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
    """Return the signs with which each line sums the features: shape (lines, d)."""
    signs = line_signs(clustering_of(problem))
    assert signs is not None  # `_factors` has raised an error if the model does not separate
    return signs


def _dual_norms(entries: list[list[int]], signs: list[int], norm: float) -> list[int]:
    """Return the largest change of each point by an eps of norm 1; for norm 2 its square."""
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
    changes = partition_at(problem, eps) != partition_at(problem, np.zeros_like(eps))
    return ExactRadius(
        radius=radius,
        exact=bool(changes.any()),
        kind=facet.kind,
        feature=feature,
        high=np.array(sorted(facet.high)),
        low=np.array(sorted(facet.low)),
        direction=direction,
        eps=eps,
    )


def _direction(problem: BilevelProblem, facet: Facet, feature: int) -> FloatArray:
    """Return the eps of norm 1 that moves the data fastest towards a facet: shape (k,)."""
    normal = np.zeros(problem.model.data.shape)
    signs = _signs(problem)[feature]
    normal[list(facet.high)] = signs / len(facet.high)
    normal[list(facet.low)] = -signs / len(facet.low)
    slope = problem.operator("data").T @ normal.ravel()
    return steepest(problem, np.zeros_like(slope), slope)


def _root_down(square: Fraction) -> float:
    """Return the largest double that is at most the square root."""
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
