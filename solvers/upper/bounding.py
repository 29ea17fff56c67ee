"""A proved bound for an attack whose method has none: what no eps within the budget can do."""

from __future__ import annotations

from bilad.models.bilevel import BilevelProblem
from bilad.solvers.certificates.robustness.bounds import optimum_bound
from bilad.solvers.lower.result import Clustering
from bilad.solvers.upper.learner import Solution

EFFORTS = ("none", "quick", "tight")


def proved_bound(problem: BilevelProblem, baseline: Solution, effort: str) -> float | None:
    """Return a bound on the optimum, or None.

    Parameters
    ----------
    problem : BilevelProblem
    baseline : Clustering or Answer
        At eps = 0.
    effort : {"none", "quick", "tight"}
    """
    if effort == "none" or not isinstance(baseline, Clustering):
        return None
    return optimum_bound(problem, baseline, tight=effort == "tight")
