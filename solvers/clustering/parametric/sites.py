"""The pieces and breaks of a staircase with their deviations, and the doubles inside them."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.parametric.affine import least_double
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath


@dataclass(frozen=True)
class Site:
    """An open piece of the staircase or a single break, on one side of eps = 0.

    Attributes
    ----------
    sign : {1, -1}
        The side.
    start, end : Fraction
        |eps| at its ends, start <= end; equal for a break.
    closed : bool
        Whether `start` belongs to it: true for a break, and for a piece that contains eps = 0.
    value : float
        The deviation there.
    labels : ndarray of int, shape (n,)
        There.
    """

    sign: int
    start: Fraction
    end: Fraction
    closed: bool
    value: float
    labels: IntArray = field(repr=False)

    def room(self, distance: Fraction) -> Fraction:
        """Return the smaller of a distance and half the length: 0 for a break."""
        return min(distance, (self.end - self.start) / 2)

    def double(self, distance: Fraction) -> float | None:
        """Return an eps in the site, at `room(distance)` from its start or next to that.

        Parameters
        ----------
        distance : Fraction
            In units of eps, positive.

        Returns
        -------
        float or None
            None if no double lies in the site: it is a break that is no double, or too short.
        """
        if self.start == self.end:
            only = float(self.start)
            return self.sign * only if Fraction(only) == self.start else None
        place = self.start + self.room(distance)
        number = least_double(place, self.end, closed=True)
        if number is None:
            below = least_double(-place, -self.start, closed=False)
            number = None if below is None else -below
        return None if number is None else self.sign * number


def all_sites(stairs: ParametricPath, values: tuple[FloatArray, FloatArray]) -> list[Site]:
    """Return the sites on both sides; what lies on both is split at eps = 0.

    Parameters
    ----------
    stairs : Staircase
    values : tuple of ndarray
        Of `stairs.values`.
    """
    return [*_outwards(stairs, values, 1), *_outwards(stairs, values, -1)]


def _outwards(
    stairs: ParametricPath, values: tuple[FloatArray, FloatArray], sign: int
) -> list[Site]:
    """Return the sites with sign * eps >= 0, from 0 outwards."""
    order = slice(None, None, sign)
    breaks = [sign * place for place in stairs.breaks[order]]
    between, at_breaks = (part[order].tolist() for part in values)
    labels_between, labels_at = stairs.between[order], stairs.at_breaks[order]
    sites = []
    for k, start in enumerate(breaks):
        if start >= 0:
            sites.append(Site(sign, start, start, True, at_breaks[k], labels_at[k]))
        if k < len(between) and breaks[k + 1] > 0:
            inner = max(start, Fraction(0))
            sites.append(Site(sign, inner, breaks[k + 1], start < 0, between[k], labels_between[k]))
    return sites


def plateau(
    stairs: ParametricPath, values: tuple[FloatArray, FloatArray], eps: float
) -> tuple[float, float]:
    """Return the deviation at eps, and how far eps may move, either way, while it stays the same.

    Parameters
    ----------
    stairs : Staircase
    values : tuple of ndarray
        Of `stairs.values`.
    eps : float
        From `stairs.low` to `stairs.high`, beyond which nothing is known.

    Returns
    -------
    deviation : float
    margin : float
        The distance to the nearer end of the interval of equal deviations around eps, rounded
        down; 0 if eps is an end of it.
    """
    between, at_breaks = values
    along = np.empty(len(between) + len(at_breaks))
    along[::2], along[1::2] = at_breaks, between
    place = Fraction(eps)
    k = bisect_left(stairs.breaks, place)
    own = 2 * k if stairs.breaks[k] == place else 2 * k - 1
    others = np.flatnonzero(along != along[own])
    first = int(others[others < own].max(initial=-1)) + 1
    last = int(others[others > own].min(initial=len(along))) - 1
    room = min(place - stairs.breaks[first // 2], stairs.breaks[(last + 1) // 2] - place)
    number = float(room)
    number = math.nextafter(number, 0.0) if Fraction(number) > room else number
    return float(along[own]), number
