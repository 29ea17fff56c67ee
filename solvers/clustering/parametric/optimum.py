"""(BL1) and (BL2) along a ray, solved globally from the exact parametric path.

U is constant on finitely many open pieces and single breakpoints. The infimum of |eps| over those
with the wanted value of U is exact. It may not be attained, and a point where it is attained may
not be a floating-point number.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation_function import DeviationFunction
from bilad.models.validation import FloatArray, IntArray, real_number
from bilad.solvers.clustering.parametric.affine import smallest_double
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath


@dataclass(frozen=True)
class Piece:
    """An open piece of the parametric path or a single breakpoint, on one side of eps = 0.

    Attributes
    ----------
    sign : {1, -1}
        The side.
    start, end : Fraction
        |eps| at its ends, start <= end; equal for a breakpoint.
    closed : bool
        Whether `start` belongs to it: true for a breakpoint, and for a piece that contains eps = 0.
    value : float
        The deviation on the piece.
    labels : ndarray of int, shape (n,)
        The labels on the piece.
    """

    sign: int
    start: Fraction
    end: Fraction
    closed: bool
    value: float
    labels: IntArray = field(repr=False)

    def offset(self, distance: Fraction) -> Fraction:
        """Return the smaller of a distance and half the length: 0 for a breakpoint."""
        return min(distance, (self.end - self.start) / 2)

    def double(self, distance: Fraction) -> float | None:
        """Return an eps in the piece, at `offset(distance)` from its start or next to that.

        Parameters
        ----------
        distance : Fraction
            In units of eps, positive.

        Returns
        -------
        float or None
            None if the piece contains no floating-point number.
        """
        if self.start == self.end:
            only = float(self.start)
            return self.sign * only if Fraction(only) == self.start else None
        eps = self.start + self.offset(distance)
        number = smallest_double(eps, self.end, closed=True)
        if number is None:
            below = smallest_double(-eps, -self.start, closed=False)
            number = None if below is None else -below
        return None if number is None else self.sign * number


def all_pieces(path: ParametricPath, values: tuple[FloatArray, FloatArray]) -> list[Piece]:
    """Return the pieces and breakpoints on both sides; a piece that contains 0 is split there.

    Parameters
    ----------
    path : ParametricPath
    values : tuple of ndarray
        The result of `path.values`.
    """
    return [*_outwards(path, values, 1), *_outwards(path, values, -1)]


def _outwards(
    path: ParametricPath, values: tuple[FloatArray, FloatArray], sign: int
) -> list[Piece]:
    """Return the pieces and breakpoints with sign * eps >= 0, from 0 outwards."""
    order = slice(None, None, sign)
    breakpoints = [sign * eps for eps in path.breakpoints[order]]
    between, at_breakpoints = (part[order].tolist() for part in values)
    labels_between, labels_at = path.between[order], path.at_breakpoints[order]
    pieces = []
    for k, start in enumerate(breakpoints):
        if start >= 0:
            pieces.append(Piece(sign, start, start, True, at_breakpoints[k], labels_at[k]))
        if k < len(between) and breakpoints[k + 1] > 0:
            inner, end = max(start, Fraction(0)), breakpoints[k + 1]
            pieces.append(Piece(sign, inner, end, start < 0, between[k], labels_between[k]))
    return pieces


def deviation_and_margin(
    path: ParametricPath, values: tuple[FloatArray, FloatArray], eps: float
) -> tuple[float, float]:
    """Return the deviation at eps, and how far eps may move without changing it.

    Parameters
    ----------
    path : ParametricPath
    values : tuple of ndarray
        The result of `path.values`.
    eps : float
        From `path.low` to `path.high`.

    Returns
    -------
    deviation : float
    margin : float
        The distance to the nearer end of the interval of equal deviations around eps, rounded down;
        0 if eps is an end of it. The interval is limited by `path.low` and `path.high`.
    """
    between, at_breakpoints = values
    along = np.empty(len(between) + len(at_breakpoints))
    along[::2], along[1::2] = at_breakpoints, between
    exact, breakpoints = Fraction(eps), path.breakpoints
    k = bisect_left(breakpoints, exact)
    own = 2 * k if breakpoints[k] == exact else 2 * k - 1
    others = np.flatnonzero(along != along[own])
    first = int(others[others < own].max(initial=-1)) + 1
    last = int(others[others > own].min(initial=len(along))) - 1
    margin = min(exact - breakpoints[first // 2], breakpoints[(last + 1) // 2] - exact)
    number = float(margin)
    number = math.nextafter(number, 0.0) if Fraction(number) > margin else number
    return float(along[own]), number


@dataclass(frozen=True)
class RayOptimum:
    """The smallest |eps| with a wanted deviation.

    Attributes
    ----------
    eps : Fraction
        The solution, or the limit of solutions if the infimum is not attained.
    attained : bool
        Whether `eps` itself is a solution; if not, only larger ones are.
    deviation : float
        U at `eps` if it is attained, otherwise immediately beyond it.
    labels : ndarray of int, shape (n,)
        The labels there.
    """

    eps: Fraction
    attained: bool
    deviation: float
    labels: IntArray = field(repr=False)

    @property
    def infimum(self) -> Fraction:
        """The infimum of |eps|, exactly."""
        return abs(self.eps)


def largest_deviation(
    path: ParametricPath,
    deviation: str | DeviationFunction = "delta",
    baseline: ArrayLike | None = None,
) -> RayOptimum:
    """Solve (BL1) on the parametric path: the largest U, and the smallest |eps| that attains it.

    Parameters
    ----------
    path : ParametricPath
        On [-a, a], or on the part of it that the bounds of eps allow.
    deviation : str or DeviationFunction, default "delta"
    baseline : array_like of int, shape (n,), optional
        As in `ParametricPath.values`.

    Returns
    -------
    RayOptimum
        The maximum over all real eps; eps = 0 with deviation 0 if no eps changes the partition.
    """
    pieces = all_pieces(path, path.values(deviation, baseline))
    most = max(piece.value for piece in pieces)
    return _nearest(piece for piece in pieces if piece.value == most)


def least_perturbation(
    path: ParametricPath,
    target: float,
    deviation: str | DeviationFunction = "delta",
    baseline: ArrayLike | None = None,
) -> RayOptimum | None:
    """Solve (BL2) on the parametric path: the smallest |eps| with U >= target.

    Parameters
    ----------
    path : ParametricPath
    target : float
        delta_0.
    deviation, baseline
        As in `largest_deviation`.

    Returns
    -------
    RayOptimum or None
        None proves that the path contains no such eps.
    """
    target = real_number(target, "target")
    pieces = all_pieces(path, path.values(deviation, baseline))
    wanted = [piece for piece in pieces if piece.value >= target]
    return _nearest(wanted) if wanted else None


def _nearest(pieces: Iterable[Piece]) -> RayOptimum:
    """Return the optimum if all given pieces have the wanted deviation."""
    first = min(pieces, key=lambda piece: (piece.start, not piece.closed))
    return RayOptimum(first.sign * first.start, first.closed, first.value, first.labels)
