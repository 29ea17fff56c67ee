"""Populations: how wide a distribution starts, how many samples are drawn, how that grows."""

from __future__ import annotations

import math

from bilad.models.problem import BilevelProblem
from bilad.models.validation import real_number, whole_number

SPREAD = 1.0
LEAST = 4
DOUBLINGS = 5


def settings(problem: BilevelProblem, spread: float, population: int | None) -> tuple[float, int]:
    """Check the first standard deviation and the first population; 4 + 3 log k if None."""
    usual = LEAST + int(3 * math.log(problem.perturbation.dim))
    return (
        real_number(spread, "spread", above=0.0),
        usual if population is None else whole_number(population, "population", least=LEAST),
    )


def grown(population: int, number: int) -> int:
    """Return the population of a restart: doubled by each, five times at most."""
    return population * 2 ** min(number, DOUBLINGS)
