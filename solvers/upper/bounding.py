"""A proved bound for an attack whose method has none: what no eps within the budget can do."""

from __future__ import annotations

import time

from bilad.models.bilevel import BilevelProblem
from bilad.solvers.certificates.robustness.bounds import optimum_bound
from bilad.solvers.lower.result import Clustering
from bilad.solvers.upper.learner import Solution

EFFORTS = ("none", "quick", "tight")


def bound_afterwards(
    problem: BilevelProblem, baseline: Solution, effort: str
) -> tuple[float | None, float]:
    """Return a bound on the optimum, or None, and the seconds it took.

    Parameters
    ----------
    problem : BilevelProblem
    baseline : Clustering or Answer
        At eps = 0.
    effort : {"none", "quick", "tight"}

    Notes
    -----
    Ctrl-C ends it: then there is no bound.
    """
    began = time.perf_counter()
    bound = None
    if effort != "none" and isinstance(baseline, Clustering):
        try:
            bound = optimum_bound(problem, baseline, tight=effort == "tight")
        except KeyboardInterrupt:
            bound = None
    return bound, time.perf_counter() - began
