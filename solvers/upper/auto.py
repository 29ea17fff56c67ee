"""Which method is best for a problem, by our own measurements (docs/attacks.md)."""

from __future__ import annotations

from collections.abc import Mapping

from bilad.models.problem import BilevelProblem
from bilad.solvers.upper.method import UpperMethod, refusal

# The first that takes the problem. Exact where every step can be followed; else the slope of a
# smoothed deviation, which led on free entries and factors; else a search that needs answers only.
FIRST = ("exact", "hypergradient")
BY_ANSWERS = {"max": "nes", "min": "corners"}


def best_method(problem: BilevelProblem, methods: Mapping[str, UpperMethod]) -> str:
    """Return the name of the method that `attack(problem, "auto")` takes.

    Parameters
    ----------
    problem : BilevelProblem
    methods : mapping of str to UpperMethod
    """
    for name in FIRST:
        if refusal(methods[name], problem) is None:
            return name
    return BY_ANSWERS[problem.sense]
