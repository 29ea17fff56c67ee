"""CMA-ES (Hansen and Ostermeier, 2001) with a growing population (Auger and Hansen, 2005), pycma's.

With many parameters the covariance is kept diagonal (Ros and Hansen, 2008).
"""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.population import SPREAD, grown, settings
from bilad.solvers.upper.derivative_free.restarts import restarted
from bilad.solvers.upper.derivative_free.search_space import STRETCH

MANY = 40  # parameters, from which on the covariance is diagonal
FINEST = 1e-3  # step at which a search ends


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    spread: float = SPREAD,
    population: int | None = None,
    restarts: int | None = None,
) -> Work:
    """Evolve a normal distribution, with all its covariances.

    Samples are drawn from a box three times as wide and clipped, so that bounds are met often.

    Parameters
    ----------
    spread : float, default 1
        First standard deviation, in units of half the box's width in each entry of eps.
    population : int, optional
        Samples of a generation, at least 4, in the first search; by default 4 + 3 log k. Each
        restart doubles it, at most five times.
    restarts : int, optional
        Searches, from eps = 0 and then random starts, each until pycma sees no progress; 5, or as
        many as the limits allow.
    """
    width, samples = settings(problem, spread, population)

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        evolve(merit, start, rng, width, grown(samples, number))

    return restarted(rng, restarts, search)


def evolve(
    merit: Merit, start: FloatArray, rng: np.random.Generator, spread: float, population: int
) -> None:
    """Run pycma from a start until it stops."""
    import cma  # here, since it takes a while

    strategy = cma.CMAEvolutionStrategy(
        start,
        spread,
        {
            "bounds": [-STRETCH, STRETCH],
            "popsize": population,
            "CMA_diagonal": len(start) >= MANY,
            "tolx": FINEST,
            "maxstd_boundrange": np.inf,  # samples are clipped anyway; a limit fails for k = 1
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # else it would seed NumPy's global generator
            "verbose": -9,
            "verb_log": 0,
        },
    )
    while not strategy.stop():
        points = strategy.ask()
        strategy.tell(points, [merit(point) for point in points])
