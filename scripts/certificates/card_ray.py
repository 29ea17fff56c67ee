"""The partition along one ray, exactly or bracketed, and what changes from one to another."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from bilad.models import deviation
from bilad.models.deviation import contingency
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.parametric.bracketed import bracket_breakpoints
from bilad.solvers.clustering.parametric.exact_labels import is_decidable
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath, parametric_path

WIDTH = 1e-6  # of the ray; how narrow brackets are to be
MOST_POINTS = 12  # that are listed one by one


@dataclass(frozen=True)
class FirstStep:
    """The change of the partition nearest to eps = 0."""

    # inner, outer: it is between these two; neighbouring doubles if the staircase is exact
    inner: float
    outer: float
    exact: str | None  # the place as a fraction
    labels: IntArray = field(repr=False)  # shape (n,): just beyond it


@dataclass(frozen=True)
class RaySteps:
    """The partition at every eps of a ray if exact, at some of them if not."""

    exact: bool
    low: float
    high: float
    # shape (s,): increasing. If exact: the ends of the pieces, each twice.
    eps: FloatArray = field(repr=False)
    labels: IntArray = field(repr=False)  # shape (s, n): there, or inside the piece
    proved: BoolArray = field(repr=False)  # shape (s,)
    # the open interval around 0 with one partition, proved by the ray alone; None if not exact
    interval: tuple[float, float] | None
    steps: int  # that were found; all there are if exact
    first: FirstStep | None  # none if there is none from low to high, or none was found

    def deltas(self, baseline: IntArray) -> IntArray:
        """Return delta at each eps: shape (s,)."""
        return np.array([deviation(baseline, labels, "delta") for labels in self.labels], int)


def ray_steps(problem: BilevelProblem, direction: FloatArray) -> RaySteps:
    """Follow the partition along a direction, both ways, as far as the problem's eps count.

    Parameters
    ----------
    problem : BilevelProblem
    direction : ndarray, shape (k,)
        Of size 1 in the problem's norm.
    """
    model, ray = clustering_of(problem), problem.along(direction)
    low, high = float(ray.lower[0]), float(ray.upper[0])
    if is_decidable(model):
        return _exact(parametric_path(model, ray, low, high))
    found = bracket_breakpoints(model, ray, low, high, width=WIDTH * (high - low))
    return RaySteps(
        exact=False,
        low=low,
        high=high,
        eps=found.eps,
        labels=found.labels,
        proved=found.proved,
        interval=None,
        steps=len(found.brackets),
        first=_first_bracket(found.brackets, found.eps, found.labels),
    )


def _exact(stairs: ParametricPath) -> RaySteps:
    ends = np.array([float(place) for place in stairs.breakpoints])
    places = _changes(stairs)
    left = max(
        (stairs.breakpoints[k] for k in places if stairs.breakpoints[k] <= 0),
        default=stairs.breakpoints[0],
    )
    right = min(
        (stairs.breakpoints[k] for k in places if stairs.breakpoints[k] >= 0),
        default=stairs.breakpoints[-1],
    )
    return RaySteps(
        exact=True,
        low=stairs.low,
        high=stairs.high,
        eps=np.column_stack([ends[:-1], ends[1:]]).ravel(),
        labels=np.repeat(stairs.between, 2, axis=0),
        proved=np.ones(2 * len(stairs.between), dtype=bool),
        interval=(_towards_zero(left), _towards_zero(right)),
        steps=len(places),
        first=_first_break(stairs, places),
    )


def _changes(stairs: ParametricPath) -> list[int]:
    """Return the numbers of the breaks; of an end only if the partition is another there."""
    last = len(stairs.breakpoints) - 1
    ends = ((0, 0), (last, last - 1))
    changed = [k for k, piece in ends if (stairs.at_breakpoints[k] != stairs.between[piece]).any()]
    return sorted([*range(1, last), *changed])


def _towards_zero(place: Fraction) -> float:
    """Return the double at or next to a place that is not farther from 0."""
    number = float(place)
    return float(np.nextafter(number, 0.0)) if abs(Fraction(number)) > abs(place) else number


def _first_break(stairs: ParametricPath, places: list[int]) -> FirstStep | None:
    if not places:
        return None
    k = min(places, key=lambda number: abs(stairs.breakpoints[number]))
    place, before = stairs.breakpoints[k], stairs.labels_at(0.0)
    pieces = [k] * (place >= 0) + [k - 1] * (place <= 0)
    around = [stairs.between[piece] for piece in pieces if 0 <= piece < len(stairs.between)]
    # If no piece beyond is another, the partition changes at this one place only.
    beyond = [labels for labels in (*around, stairs.at_breakpoints[k]) if (labels != before).any()]
    return FirstStep(_towards_zero(place), _outside(stairs, place), str(place), beyond[0])


def _outside(stairs: ParametricPath, place: Fraction) -> float:
    """Return the double at or next to a change, not 0, where the partition has changed."""
    number, before = float(place), stairs.labels_at(0.0)
    outwards = math.copysign(math.inf, number)
    for eps in (number, math.nextafter(number, outwards)):
        inside = stairs.low <= eps <= stairs.high
        if number != 0 and inside and (stairs.labels_at(eps) != before).any():
            return eps
    return number  # 0, or one place that is no double


def _first_bracket(brackets: FloatArray, eps: FloatArray, labels: IntArray) -> FirstStep | None:
    if len(brackets) == 0:
        return None
    ordered = np.take_along_axis(brackets, np.abs(brackets).argsort(axis=1), axis=1)
    inner, outer = ordered[np.abs(ordered[:, 1]).argmin()].tolist()
    return FirstStep(inner, outer, None, labels[int(np.searchsorted(eps, outer))])


def changes(before: IntArray, after: IntArray) -> list[str]:
    """Say where each cluster goes that does not stay as it is; clusters counted from 1.

    Parameters
    ----------
    before, after : ndarray of int, shape (n,)
    """
    table = contingency(before, after)
    lines = []
    for old, row in enumerate(table):
        parts = np.flatnonzero(row)
        if len(parts) > 1:
            kept = parts[row[parts].argmax()]
            leaving = [_points((before == old) & (after == part)) for part in parts if part != kept]
            lines.append(f"cluster {old + 1} ({row.sum()} points) splits off {'; '.join(leaving)}")
    for new, column in enumerate(table.T):
        parts = np.flatnonzero(column)
        if len(parts) > 1:
            joined = ", ".join(
                f"{column[part]} of {table[part].sum()} points of cluster {part + 1}"
                for part in parts
            )
            lines.append(f"merge to cluster {new + 1} ({column.sum()} points): {joined}")
    return lines


def moved_points(before: IntArray, after: IntArray) -> list[int]:
    """Return the points, counted from 1, that end apart from most of their old cluster, or joined.

    Parameters
    ----------
    before, after : ndarray of int, shape (n,)
    """
    table = contingency(before, after)
    old = np.unique(before, return_inverse=True)[1]
    new = np.unique(after, return_inverse=True)[1]
    heirs, founders = table.argmax(axis=1), table.argmax(axis=0)
    moved = (heirs[old] != new) | (founders[new] != old)
    return [int(point) + 1 for point in np.flatnonzero(moved)]


def _points(mask: np.ndarray) -> str:
    numbers = [str(place + 1) for place in np.flatnonzero(mask)]
    if len(numbers) > MOST_POINTS:
        return f"{len(numbers)} points"
    return ("point " if len(numbers) == 1 else "points ") + ", ".join(numbers)
