"""Along a ray, exactly: every step of the staircase is known, so the answer is global.

For one eps, and p = 1, d = 1, or p = inf in the plane. The bound is that of exact arithmetic; the
eps is a double beyond the step, as near to it as the lower level confirms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models.bilevel import BilevelProblem, MinPerturbation
from bilad.solvers.rational import ray
from bilad.solvers.staircase import (
    RayAnswer,
    Staircase,
    largest_deviation,
    least_perturbation,
    staircase,
)
from bilad.solvers.upper.journal import Journal, Work
from bilad.solvers.upper.lower_level import LowerLevel

MARGINS = 10.0 ** np.arange(-14, 1)  # beyond the step, in units of the radius


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    return ray.refusal(problem.white_box, problem.perturbation)


def prepare(problem: BilevelProblem, rng: np.random.Generator) -> Work:
    """Follow the steps; there is nothing to choose."""

    def work(lower: LowerLevel, journal: Journal) -> None:
        low, high = (float(bound[0]) for bound in problem.box)
        stairs = staircase(problem.white_box, problem.perturbation, low, high)
        answer, journal.bound = _answer(problem, stairs)
        if answer is None or answer.deviation == 0:
            return
        for eps in _candidates(answer, problem.radius):
            seen = lower.evaluate(problem.project(eps))
            if lower.counts(seen) and seen.deviation >= answer.deviation:
                return

    return work


def _answer(problem: BilevelProblem, stairs: Staircase) -> tuple[RayAnswer | None, float]:
    """Return the global answer, and the bound that it is."""
    if not isinstance(problem, MinPerturbation):
        answer = largest_deviation(stairs, problem.deviation)
        return answer, answer.deviation
    least = least_perturbation(stairs, problem.target, problem.deviation)
    if least is None:
        return None, np.inf
    return least, float(np.nextafter(float(least.infimum), 0.0))


def _candidates(answer: RayAnswer, radius: float) -> Iterator[float]:
    """Yield eps from the nearest double on, outwards: rounded data may be on the wrong side."""
    if answer.eps is not None:
        yield answer.eps
    for margin in MARGINS:
        eps = answer.beyond(float(margin) * radius)
        if eps is not None:
            yield eps
