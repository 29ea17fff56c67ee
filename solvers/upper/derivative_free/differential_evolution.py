"""Differential evolution (Storn and Price, 1997), SciPy's."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, whole_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.population import grown
from bilad.solvers.upper.derivative_free.restarts import restarted
from bilad.solvers.upper.derivative_free.search_space import STRETCH

LEAST = 5  # members, the fewest that SciPy takes
POPULATION = 10
GENERATIONS = 200


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    population: int = POPULATION,
    restarts: int | None = None,
) -> Work:
    """Evolve a population by differences of its members.

    The first population is a Latin hypercube with the start in it. Members live in a box three
    times as wide and are clipped, so that bounds are met often. No local search ends it: that
    would be one by finite differences.

    Parameters
    ----------
    population : int, default 10
        Members in the first search, at least 5; each restart doubles them, at most five times.
        SciPy's 15 k would spend the solves of a short attack on its first generation.
    restarts : int, optional
        Searches, each until all members are alike or for 200 generations; 5, or as many as the
        limits allow.
    """
    members = whole_number(population, "population", least=LEAST)

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        k = merit.space.dim
        first = merit.space.sample(rng, grown(members, number))
        first[0] = start
        optimize.differential_evolution(
            merit,
            optimize.Bounds(np.full(k, -STRETCH), np.full(k, STRETCH)),
            init=first,
            mutation=(0.5, 1.0),
            recombination=0.7,
            maxiter=GENERATIONS,
            polish=False,
            rng=rng,
        )

    return restarted(rng, restarts, search)
