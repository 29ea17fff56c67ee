"""Brackets of breakpoints along a ray, for models without an exact parametric path.

For p = 2 and d > 1, or p = inf and d > 2, the solution is not piecewise affine in eps. The
partition can be proved only at single values of eps. So eps is sampled, and between neighbouring
samples with different proved labels a breakpoint is bracketed by bisection. Breakpoints between
samples with equal labels are not excluded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.models.validation import BoolArray, FloatArray, IntArray, real_number, whole_number
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.parametric.ray import check_ray
from bilad.solvers.clustering.result import Clustering

SHARES = (0.5, 0.375, 0.625)  # of a bracket; tried in turn until labels are proved


@dataclass(frozen=True)
class BracketedBreakpoints:
    """The partition at samples of a ray, and brackets of breakpoints.

    Attributes
    ----------
    low, high : float
        Ends of the interval of eps.
    width : float
        The wanted width of the brackets.
    eps : ndarray, shape (s,)
        Every eps at which the model was solved, increasing.
    labels : ndarray of int, shape (s, n)
        The labels at each eps, numbered by first appearance.
    proved : ndarray of bool, shape (s,)
        Whether the labels are proved for the data that `perturbation.apply` returns.
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

        Each bracket contains at least one breakpoint.
        """
        places = np.flatnonzero(self.proved)
        found = [
            (self.eps[left], self.eps[right])
            for left, right in pairwise(places)
            if (self.labels[left] != self.labels[right]).any()
        ]
        return np.array(found, dtype=np.float64).reshape(-1, 2)


def bracket_breakpoints(
    model: ConvexClustering,
    perturbation: Perturbation,
    low: float,
    high: float,
    *,
    width: float,
    points: int = 101,
    method: str = "auto",
    tol: float = 1e-10,
) -> BracketedBreakpoints:
    """Bracket the breakpoints that a sample of a ray shows.

    Parameters
    ----------
    model : ConvexClustering
    perturbation : Perturbation
        With one parameter.
    low, high : float
        Ends of the interval of eps, low < high, between the perturbation's bounds.
    width : float
        Wanted width of the brackets, positive, in units of eps. Brackets of neighbouring
        floating-point numbers are not divided.
    points : int, default 101
        Number of samples before the bisection, including the ends.
    method, tol
        As in `cluster`.

    Returns
    -------
    BracketedBreakpoints

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
    return BracketedBreakpoints(
        low,
        high,
        width,
        np.array(eps),
        np.array([sampler.seen[number].labels for number in eps]),
        np.array([sampler.seen[number].proved for number in eps]),
    )


class _Sampler:
    """Solves the lower level along a ray, each time from the last solution."""

    def __init__(
        self, model: ConvexClustering, perturbation: Perturbation, method: str, tol: float
    ) -> None:
        self.model, self.perturbation = model, perturbation
        self.method, self.tol = method, tol
        self.seen: dict[float, Partition] = {}
        self._last: Clustering | None = None

    def is_proved(self, eps: float) -> bool:
        """Solve at eps unless that has been done; return whether the labels are proved."""
        if eps not in self.seen:
            model = self.perturbation.apply(self.model, eps)
            self._last = solve_lower(
                model, self.method, self.tol, self._last, refine=True, labels_only=True
            )
            self.seen[eps] = self._last.partition
        return self.seen[eps].proved

    def _differ(self, left: float, right: float) -> bool:
        return not np.array_equal(self.seen[left].labels, self.seen[right].labels)

    def bisect(self, left: float, right: float, width: float) -> None:
        """Divide a bracket with proved ends until all brackets in it have the wanted width."""
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
