"""The partitions along a ray, exactly or with bracketed changes, and differences of partitions."""

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

WIDTH = 1e-6  # width of a bracket, relative to the length of the ray
MOST_POINTS = 12  # more points are counted instead of listed


@dataclass(frozen=True)
class FirstStep:
    """The change of the partition nearest to eps = 0."""

    # The partition changes between `inner` and `outer`; if the path is exact, these are adjacent
    # doubles.
    inner: float
    outer: float
    exact: str | None  # the eps of the change as a fraction
    labels: IntArray = field(repr=False)  # shape (n,): just beyond the change


@dataclass(frozen=True)
class RaySteps:
    """The partitions along a ray: at every eps if `exact`, otherwise at some eps."""

    exact: bool
    low: float
    high: float
    # shape (s,): increasing. If exact: both ends of each interval with a constant partition.
    eps: FloatArray = field(repr=False)
    labels: IntArray = field(repr=False)  # shape (s, n): at eps, or inside the interval
    proved: BoolArray = field(repr=False)  # shape (s,)
    # the open interval around 0 on which the partition is constant; None if not exact
    interval: tuple[float, float] | None
    steps: int  # the number of changes found; all of them if exact
    first: FirstStep | None  # None if no change was found

    def deltas(self, baseline: IntArray) -> IntArray:
        """Return delta at each eps: shape (s,)."""
        return np.array([deviation(baseline, labels, "delta") for labels in self.labels], int)


def ray_steps(problem: BilevelProblem, direction: FloatArray) -> RaySteps:
    """Return the partitions along a direction of norm 1, on both sides of 0, within the budget."""
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


def _exact(path: ParametricPath) -> RaySteps:
    ends = np.array([float(place) for place in path.breakpoints])
    places = _changes(path)
    left = max(
        (path.breakpoints[k] for k in places if path.breakpoints[k] <= 0),
        default=path.breakpoints[0],
    )
    right = min(
        (path.breakpoints[k] for k in places if path.breakpoints[k] >= 0),
        default=path.breakpoints[-1],
    )
    return RaySteps(
        exact=True,
        low=path.low,
        high=path.high,
        eps=np.column_stack([ends[:-1], ends[1:]]).ravel(),
        labels=np.repeat(path.between, 2, axis=0),
        proved=np.ones(2 * len(path.between), dtype=bool),
        interval=(_towards_zero(left), _towards_zero(right)),
        steps=len(places),
        first=_first_break(path, places),
    )


def _changes(path: ParametricPath) -> list[int]:
    """Return the indices of the breaks, and those of the ends at which the partition changes."""
    last = len(path.breakpoints) - 1
    ends = ((0, 0), (last, last - 1))
    changed = [k for k, piece in ends if (path.at_breakpoints[k] != path.between[piece]).any()]
    return sorted([*range(1, last), *changed])


def _towards_zero(place: Fraction) -> float:
    """Return the double closest to a fraction that is not farther from 0."""
    number = float(place)
    return float(np.nextafter(number, 0.0)) if abs(Fraction(number)) > abs(place) else number


def _first_break(path: ParametricPath, places: list[int]) -> FirstStep | None:
    if not places:
        return None
    k = min(places, key=lambda number: abs(path.breakpoints[number]))
    place, before = path.breakpoints[k], path.labels_at(0.0)
    pieces = [k] * (place >= 0) + [k - 1] * (place <= 0)
    around = [path.between[piece] for piece in pieces if 0 <= piece < len(path.between)]
    # If the partition is the same on both sides, it differs at this single eps only.
    beyond = [labels for labels in (*around, path.at_breakpoints[k]) if (labels != before).any()]
    return FirstStep(_towards_zero(place), _outside(path, place), str(place), beyond[0])


def _outside(path: ParametricPath, place: Fraction) -> float:
    """Return a double close to a change, beyond which the partition has changed."""
    number, before = float(place), path.labels_at(0.0)
    outwards = math.copysign(math.inf, number)
    for eps in (number, math.nextafter(number, outwards)):
        inside = path.low <= eps <= path.high
        if number != 0 and inside and (path.labels_at(eps) != before).any():
            return eps
    return number  # 0, or a change at a single eps that is not a double


def _first_bracket(brackets: FloatArray, eps: FloatArray, labels: IntArray) -> FirstStep | None:
    if len(brackets) == 0:
        return None
    ordered = np.take_along_axis(brackets, np.abs(brackets).argsort(axis=1), axis=1)
    inner, outer = ordered[np.abs(ordered[:, 1]).argmin()].tolist()
    return FirstStep(inner, outer, None, labels[int(np.searchsorted(eps, outer))])


def changes(before: IntArray, after: IntArray) -> list[str]:
    """Describe the clusters that split or merge, given labels of shape (n,); counted from 1."""
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
    """Return the points, counted from 1, that leave most of their cluster or join another one."""
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
