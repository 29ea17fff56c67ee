"""The default method for a problem, chosen by the measurements in docs/attacks.md."""

from __future__ import annotations

from collections.abc import Mapping

from bilad.models.problem import BilevelProblem
from bilad.solvers.upper.method import UpperMethod, refusal

# The first of these that can be applied is taken: the exact method if every breakpoint can be
# computed, and otherwise the gradient method, which performed best on free entries and factors.
# Problems without derivatives are left to a method that evaluates deviations only.
FIRST = ("exact", "hypergradient")
BINARY = "greedy"  # for the norm "count"
BY_EVALUATIONS = {"max": "nes", "min": "corners"}


def best_method(problem: BilevelProblem, methods: Mapping[str, UpperMethod]) -> str:
    """Return the name of the method that `attack(problem, "auto")` uses.

    Parameters
    ----------
    problem : BilevelProblem
    methods : mapping of str to UpperMethod
    """
    for name in FIRST:
        if refusal(methods[name], problem) is None:
            return name
    return BINARY if problem.is_binary else BY_EVALUATIONS[problem.sense]
