"""The optimum of a problem with one parameter, from a fine grid with bisection at each jump.

Attacks along one direction are compared with this value. It is independent of them: only the lower
level is shared. An interval narrower than the grid with the same deviation on both sides can be
missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, whole_number
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.result import Clustering

POINTS = 20_001
STEP_WIDTH = 1e-9  # the width to which a jump is bisected, relative to the radius
TOL = 1e-10  # tolerance of the lower-level solver


@dataclass(frozen=True)
class RayOptimum:
    """The best eps of a ray."""

    eps: float
    # the largest deviation (BL1) or the least |eps| (BL2); 0 or infinity if there is no attack
    value: float
    solves: int
    # (eps, deviation) at both ends of each interval with equal, certified deviations, in order
    curve: Sequence[tuple[float, float]] = field(repr=False, default=())


class _Ray:
    """The deviation at each eps of a ray, -1 where the labels are not certified."""

    def __init__(self, problem: BilevelProblem) -> None:
        self.problem, self.seen = problem, dict[float, float]()
        self._before = self._last = self._solve(0.0, None)

    def _solve(self, eps: float, start: Clustering | None) -> Clustering:
        model = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        return solve_lower(model, tol=TOL, start=start, refine=True)

    def deviation(self, eps: float) -> float:
        if eps not in self.seen:
            self._last = after = self._solve(eps, self._last)
            value = self.problem.deviation.value(self._before.labels, after.labels)
            self.seen[eps] = float(value) if after.proved else -1.0
        return self.seen[eps]

    def bisect(self, low: float, high: float) -> None:
        """Bisect an interval as long as the deviations at its ends differ."""
        middle = 0.5 * (low + high)
        narrow = high - low <= STEP_WIDTH * self.problem.radius or not low < middle < high
        if self.deviation(low) != self.deviation(high) and not narrow:
            self.bisect(low, middle)
            self.bisect(middle, high)

    def curve(self) -> list[tuple[float, float]]:
        """Return the ends of the intervals with equal, certified deviations."""
        steps = [list(own) for _, own in groupby(sorted(self.seen.items()), lambda at: at[1])]
        ends = [end for own in steps for end in dict.fromkeys((own[0], own[-1]))]
        return [(eps, value) for eps, value in ends if value >= 0]


def ray_optimum(problem: BilevelProblem, points: int = POINTS) -> RayOptimum:
    """Return the best eps of a problem with one parameter.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    points : int, default 20001
        Number of points of the grid on the feasible interval.
    """
    if problem.perturbation.dim != 1:
        raise ArgumentError("problem", f"eps of length {problem.perturbation.dim}", "length 1")
    count = whole_number(points, "points", least=2)
    ray, (low, high) = _Ray(problem), problem.box
    grid = np.linspace(low[0], high[0], count).tolist()
    for left, right in pairwise(sorted({0.0, *grid})):
        ray.bisect(left, right)
    attacks = [eps for eps, value in ray.seen.items() if problem.is_attack(abs(eps), value)]
    eps, value = 0.0, np.inf if problem.sense == "min" else 0.0
    if attacks:
        eps = max(attacks, key=lambda one: problem.rank(abs(one), ray.seen[one]))
        value = problem.value(abs(eps), ray.seen[eps])
    return RayOptimum(eps, value, len(ray.seen), ray.curve())
