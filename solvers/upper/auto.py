"""Which method is best for a problem, by our own measurements (docs/attacks.md)."""

from __future__ import annotations

from collections.abc import Mapping

from bilad.models.bilevel import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.solvers.upper.method import UpperMethod, refusal

# The first that takes the problem. Exact where every step can be followed; else the slope of a
# smoothed deviation, which led on free entries and factors; else a search that needs answers only.
WHITE_BOX = ("exact", "hypergradient")
BY_ANSWERS = {MaxDeviation: "nes", MinPerturbation: "corners"}


def best_method(problem: BilevelProblem, methods: Mapping[str, UpperMethod]) -> str:
    """Return the name of the method that `attack(problem, "auto")` takes.

    Parameters
    ----------
    problem : BilevelProblem
    methods : mapping of str to UpperMethod
    """
    for name in WHITE_BOX:
        if refusal(methods[name], problem) is None:
            return name
    return next(name for kind, name in BY_ANSWERS.items() if isinstance(problem, kind))
