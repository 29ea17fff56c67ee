"""The optimum of a problem with one parameter, from a fine grid with bisection at each jump.

Attacks along one direction are compared with this value. It is independent of them: only the lower
level is shared. An interval narrower than the grid with the same partition on both sides can be
missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, whole_number
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.parametric.bracketed import bracket_breakpoints

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


def ray_optimum(problem: BilevelProblem, points: int = POINTS) -> RayOptimum:
    """Return the best eps of a problem with one parameter.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    points : int, default 20001
        Number of points of the grid on the feasible interval.
    """
    free, model = problem.perturbation, clustering_of(problem)
    count = whole_number(points, "points", least=2)
    if free.dim != 1:
        raise ArgumentError("problem", f"eps of length {free.dim}", "length 1")
    (low,), (high,) = problem.box
    width = STEP_WIDTH * problem.radius
    found = bracket_breakpoints(model, free, low, high, width=width, points=count, tol=TOL)
    before = solve_lower(model, tol=TOL, refine=True).labels
    seen = [
        (eps, float(problem.deviation.value(before, labels)) if proved else -1.0)
        for eps, labels, proved in zip(found.eps.tolist(), found.labels, found.proved, strict=True)
    ]
    attacks = [(abs(eps), value, eps) for eps, value in seen if problem.is_attack(abs(eps), value)]
    best, eps = (np.inf if problem.sense == "min" else 0.0), 0.0
    if attacks:
        size, value, eps = max(attacks, key=lambda one: problem.rank(*one[:2]))
        best = problem.value(size, value)
    steps = [list(own) for _, own in groupby(seen, lambda at: at[1])]
    ends = [end for own in steps for end in dict.fromkeys((own[0], own[-1]))]
    return RayOptimum(eps, best, len(seen), [end for end in ends if end[1] >= 0])
