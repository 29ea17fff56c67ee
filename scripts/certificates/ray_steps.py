"""The partitions along a ray, exactly or with bracketed changes, and differences of partitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

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
class Step:
    """A change of the partition between `inner`, which is nearer to 0, and `outer`."""

    inner: float
    outer: float
    exact: str | None  # the eps of the change as a fraction, if it is known
    labels: IntArray = field(repr=False)  # shape (n,): beyond the change


@dataclass(frozen=True)
class RaySteps:
    """The partitions along a ray."""

    low: float
    high: float
    # shape (s,): increasing. If exact: both ends of each interval with a constant partition.
    eps: FloatArray = field(repr=False)
    labels: IntArray = field(repr=False)  # shape (s, n): at eps, or inside the interval
    proved: BoolArray = field(repr=False)  # shape (s,)
    steps: tuple[Step, ...]  # nearest to 0 first; all changes if exact, between adjacent doubles
    exact: bool

    @property
    def first(self) -> Step | None:
        """The step nearest to 0."""
        return self.steps[0] if self.steps else None

    def unchanged(self, radius: float) -> tuple[float, float]:
        """Return an open interval around 0 on which the partition is proved to be constant.

        Parameters
        ----------
        radius : float
            A certified radius, which the interval extends to if the path is not exact.
        """
        if not self.exact:
            return max(self.low, -radius), min(self.high, radius)
        left = max((step.inner for step in self.steps if step.outer <= 0), default=self.low)
        return left, min((step.inner for step in self.steps if step.outer >= 0), default=self.high)


def ray_steps(problem: BilevelProblem, direction: FloatArray) -> RaySteps:
    """Return the partitions along a direction of norm 1, on both sides of 0, within the budget."""
    model, ray = clustering_of(problem), problem.along(direction)
    low, high = float(ray.lower[0]), float(ray.upper[0])
    if is_decidable(model):
        return _exact(parametric_path(model, ray, low, high))
    found = bracket_breakpoints(model, ray, low, high, width=WIDTH * (high - low))
    ends = [sorted(bracket, key=abs) for bracket in found.brackets.tolist()]
    steps = [
        Step(inner, outer, None, found.labels[np.searchsorted(found.eps, outer)])
        for inner, outer in sorted(ends, key=lambda one: abs(one[1]))
    ]
    return RaySteps(low, high, found.eps, found.labels, found.proved, tuple(steps), exact=False)


def _exact(path: ParametricPath) -> RaySteps:
    breaks, last = path.breakpoints, len(path.breakpoints) - 1
    # At an end of the ray the partition may differ from that beside it.
    ends = [
        k
        for k, piece in ((0, 0), (last, last - 1))
        if (path.at_breakpoints[k] != path.between[piece]).any()
    ]
    order = sorted([*range(1, last), *ends], key=lambda k: abs(breaks[k]))
    places = np.array([float(place) for place in breaks])
    return RaySteps(
        low=path.low,
        high=path.high,
        eps=np.column_stack([places[:-1], places[1:]]).ravel(),
        labels=np.repeat(path.between, 2, axis=0),
        proved=np.ones(2 * last, dtype=bool),
        steps=tuple(Step(*_doubles(breaks[k]), str(breaks[k]), _beyond(path, k)) for k in order),
        exact=True,
    )


def _beyond(path: ParametricPath, k: int) -> IntArray:
    """Return the labels beyond a breakpoint, as seen from 0."""
    place, before = path.breakpoints[k], path.labels_at(0.0)
    pieces = [k] * (place >= 0) + [k - 1] * (place <= 0)
    around = [path.between[piece] for piece in pieces if 0 <= piece < len(path.between)]
    # If the partition is that of eps = 0 on both sides, it differs at this single eps only.
    changed = [one for one in around if (one != before).any()]
    return changed[0] if changed else path.at_breakpoints[k]


def _doubles(place: Fraction) -> tuple[float, float]:
    """Return the two doubles around a fraction, the nearer one to 0 first; equal if it is one."""
    number = float(place)
    excess = abs(Fraction(number)) - abs(place)
    outwards = float(np.copysign(np.inf, number))
    inner = float(np.nextafter(number, 0.0)) if excess > 0 else number
    return inner, float(np.nextafter(number, outwards)) if excess < 0 else number


def changes(before: IntArray, after: IntArray) -> list[str]:
    """Describe the clusters that split or merge, given labels of shape (n,)."""
    table = contingency(before, after)
    lines = []
    for old, row in enumerate(table):
        rest = [part for part in np.flatnonzero(row) if part != row.argmax()]
        if rest:
            leaving = [_points((before == old) & (after == part)) for part in rest]
            lines.append(f"cluster {old} ({row.sum()} points) splits off {'; '.join(leaving)}")
    for new, column in enumerate(table.T):
        parts = np.flatnonzero(column)
        if len(parts) > 1:
            joined = [f"{column[k]} of {table[k].sum()} points of cluster {k}" for k in parts]
            text = f"merge to cluster {new} ({column.sum()} points): {', '.join(joined)}"
            lines.append(text)
    return lines


def moved_points(before: IntArray, after: IntArray) -> list[int]:
    """Return the points that leave most of their cluster or join another one."""
    table = contingency(before, after)
    old = np.unique(before, return_inverse=True)[1]
    new = np.unique(after, return_inverse=True)[1]
    heirs, founders = table.argmax(axis=1), table.argmax(axis=0)
    moved = (heirs[old] != new) | (founders[new] != old)
    return [int(point) for point in np.flatnonzero(moved)]


def _points(mask: BoolArray) -> str:
    numbers = [str(place) for place in np.flatnonzero(mask)]
    if len(numbers) > MOST_POINTS:
        return f"{len(numbers)} points"
    return ("point " if len(numbers) == 1 else "points ") + ", ".join(numbers)
