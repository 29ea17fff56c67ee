"""Controlled random search with local mutation (Kaelo and Ali, 2006), NLopt's GN_CRS2_LM."""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, whole_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.extras import needs
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.population import grown
from bilad.solvers.upper.derivative_free.restarts import restarted
from bilad.solvers.upper.derivative_free.search_space import STRETCH

refusal = needs("nlopt", "NLopt")

ROUNDS = 100  # evaluations of a search, in units of the population
FINEST = 1e-3  # of the best points' distance


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    population: int | None = None,
    restarts: int | None = None,
) -> Work:
    """Reflect random simplices of a population, and replace its worst point.

    Points live in a box three times as wide and are clipped, so that bounds are met often.

    Parameters
    ----------
    population : int, optional
        Points in the first search, at least k + 2, and that by default; each restart doubles
        them, at most five times. NLopt's 10 (k + 1) would spend the solves of a short attack
        before the first reflection.
    restarts : int, optional
        Searches, from eps = 0 and then random starts, each for 100 evaluations a point; 5, or as
        many as the limits allow.
    """
    least = problem.perturbation.dim + 2
    points = least if population is None else whole_number(population, "population", least=least)

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        import nlopt

        nlopt.srand(int(rng.integers(2**31)))
        optimiser = nlopt.opt(nlopt.GN_CRS2_LM, merit.space.dim)
        optimiser.set_lower_bounds(np.full(merit.space.dim, -STRETCH))
        optimiser.set_upper_bounds(np.full(merit.space.dim, STRETCH))
        optimiser.set_population(grown(points, number))
        optimiser.set_maxeval(ROUNDS * grown(points, number))
        optimiser.set_xtol_abs(FINEST)

        def objective(z: FloatArray, gradient: FloatArray) -> float:
            try:
                return merit(z)
            except BaseException:  # kept by the merit; NLopt would lose it
                optimiser.force_stop()
                return 0.0

        optimiser.set_min_objective(objective)
        optimiser.optimize(start)

    return restarted(rng, restarts, search)
