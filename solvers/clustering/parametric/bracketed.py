"""Steps of the partition along a ray, bracketed, where no exact staircase is known.

For p = 2 and d > 1, or p = inf and d > 2, the solution is not piecewise affine in eps. What can be
proved is the partition at single eps. So the ray is sampled, and between neighbouring samples with
different proved labels the change is bracketed by bisection. These are brackets of the changes that
were found: steps inside an interval with equal labels at both ends are not excluded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.models.validation import BoolArray, FloatArray, IntArray, real_number, whole_number
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.parametric.ray import check_ray
from bilad.solvers.clustering.result import Clustering

SHARES = (0.5, 0.375, 0.625)  # of a bracket, where the next solve is tried; labels may be unproved


@dataclass(frozen=True)
class BracketedSteps:
    """The partition at samples of a ray, and brackets of its changes.

    Attributes
    ----------
    low, high : float
        Ends of the interval of eps.
    width : float
        The width that the brackets were to have.
    eps : ndarray, shape (s,)
        Every eps that was solved, increasing.
    labels : ndarray of int, shape (s, n)
        There, numbered by first appearance.
    proved : ndarray of bool, shape (s,)
        Whether the labels are proved, for the data as `perturbation.apply` rounds them.
    """

    low: float
    high: float
    width: float
    eps: FloatArray = field(repr=False)
    labels: IntArray = field(repr=False)
    proved: BoolArray = field(repr=False)

    @property
    def brackets(self) -> FloatArray:
        """Neighbouring eps with proved and different labels: shape (c, 2), increasing.

        Between the two the partition changes, at least once. No other change was found.
        """
        places = np.flatnonzero(self.proved)
        found = [
            (self.eps[left], self.eps[right])
            for left, right in pairwise(places)
            if (self.labels[left] != self.labels[right]).any()
        ]
        return np.array(found, dtype=np.float64).reshape(-1, 2)

    @property
    def wide(self) -> FloatArray:
        """The brackets wider than `width`: inside, no more labels could be proved."""
        brackets = self.brackets
        return brackets[np.diff(brackets, axis=1)[:, 0] > self.width]


def bracketed_steps(
    model: ConvexClustering,
    perturbation: Perturbation,
    low: float,
    high: float,
    *,
    width: float,
    points: int = 101,
    method: str = "auto",
    tol: float = 1e-10,
) -> BracketedSteps:
    """Bracket the changes of the partition that a sample of a ray shows.

    Parameters
    ----------
    model : ConvexClustering
        Any.
    perturbation : Perturbation
        With one parameter.
    low, high : float
        Ends of the interval of eps, low < high, between the perturbation's bounds.
    width : float
        Width of the brackets, positive, in units of eps; a few units in the last place at least.
    points : int, default 101
        Samples before the bisection, ends included.
    method, tol
        As in `cluster`.

    Returns
    -------
    BracketedSteps

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    """
    low, high = check_ray(model, perturbation, low, high)
    width = real_number(width, "width", above=0.0)
    samples = np.linspace(low, high, whole_number(points, "points", least=2)).tolist()
    sampler = _Sampler(model, perturbation, method, tol)
    proved = [eps for eps in samples if sampler.is_proved(eps)]
    for left, right in pairwise(proved):
        sampler.bisect(left, right, width)
    eps = sorted(sampler.seen)
    return BracketedSteps(
        low,
        high,
        width,
        np.array(eps),
        np.array([sampler.seen[number].labels for number in eps]),
        np.array([sampler.seen[number].proved for number in eps]),
    )


class _Sampler:
    """The lower level along a ray, each solution the start of the next."""

    def __init__(
        self, model: ConvexClustering, perturbation: Perturbation, method: str, tol: float
    ) -> None:
        self.model, self.perturbation = model, perturbation
        self.method, self.tol = method, tol
        self.seen: dict[float, Clustering] = {}
        self._last: Clustering | None = None

    def is_proved(self, eps: float) -> bool:
        """Solve at eps, if that has not been done, and say whether the labels are proved."""
        if eps not in self.seen:
            model = self.perturbation.apply(self.model, eps)
            self._last = solve_lower(
                model, self.method, self.tol, self._last, refine=True, labels_only=True
            )
            self.seen[eps] = self._last
        return self.seen[eps].proved

    def _differ(self, left: float, right: float) -> bool:
        return not np.array_equal(self.seen[left].labels, self.seen[right].labels)

    def bisect(self, left: float, right: float, width: float) -> None:
        """Narrow a bracket with proved ends, and what it falls into, until none is too wide."""
        waiting = [(left, right)]
        while waiting:
            left, right = waiting.pop()
            if right - left <= width or not self._differ(left, right):
                continue
            inner = (left + share * (right - left) for share in SHARES)
            middle = next(
                (eps for eps in inner if left < eps < right and self.is_proved(eps)), None
            )
            if middle is not None:
                waiting += [(left, middle), (middle, right)]
