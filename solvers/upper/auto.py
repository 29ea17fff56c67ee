"""Which method is best for a problem, by our own measurements (docs/attacks.md)."""

from __future__ import annotations

from collections.abc import Mapping

from bilad.models.bilevel import BilevelProblem
from bilad.solvers.upper.method import UpperMethod, refusal

# The first that takes the problem. Exact where every step can be followed; else the slope of a
# smoothed deviation, which led on free entries and weights; strangers are searched by corners.
PREFERRED = ("exact", "hypergradient", "corners")


def best_method(problem: BilevelProblem, methods: Mapping[str, UpperMethod]) -> str:
    """Return the name of the method that `attack(problem, "auto")` takes.

    Parameters
    ----------
    problem : BilevelProblem
    methods : mapping of str to UpperMethod
    """
    return next(name for name in PREFERRED if refusal(methods[name], problem) is None)
