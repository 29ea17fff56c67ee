"""Evolution strategies: CMA-ES of pycma, and the separable natural evolution strategy (SNES)."""

from __future__ import annotations

import math

import numpy as np

from bilad.models.problem import ROUNDING, BilevelProblem
from bilad.models.validation import FloatArray, real_number, whole_number
from bilad.solvers.upper.derivative_free.merit import MeritFunction
from bilad.solvers.upper.derivative_free.method import Search
from bilad.solvers.upper.derivative_free.search_space import STRETCH

SPREAD = 1.0
LEAST_POPULATION = 4
DOUBLINGS = 5
SMALLEST_DEVIATION = 1e-3  # standard deviation at which a search ends
DIAGONAL_FROM = 40  # parameters, from which on the covariance of CMA-ES is kept diagonal
FLAT = 3  # generations in a row with equal merits, after which SNES ends
GENERATIONS = 1000


def cma_es(
    problem: BilevelProblem, *, spread: float = SPREAD, population: int | None = None
) -> Search:
    """Minimise by CMA-ES with an increasing population, of pycma.

    The population is increased as by Auger and Hansen. With at least 40 parameters the covariance
    matrix is kept diagonal (Ros and Hansen). Samples are drawn from a cube three
    times as wide and clipped. A search ends when pycma detects no further progress.

    Parameters
    ----------
    spread : float, default 1
        Initial standard deviation, relative to half the width of the bounds of each entry of eps.
    population : int, optional
        Number of samples of a generation in the first search, at least 4; the default is
        4 + 3 log k. Each restart doubles it, at most five times.

    References
    ----------
    Hansen and Ostermeier, Completely derandomized self-adaptation in evolution strategies, Evol.
    Comput. 9, 2001. Auger and Hansen, A restart CMA evolution strategy with increasing population
    size, CEC 2005. Ros and Hansen, A simple modification in CMA-ES achieving linear time and space
    complexity, PPSN 2008.
    """
    deviation, samples = settings(problem, spread, population)

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        import cma  # imported here because the import takes long

        strategy = cma.CMAEvolutionStrategy(
            start,
            deviation,
            {
                "bounds": [-STRETCH, STRETCH],
                "popsize": grown(samples, number),
                "CMA_diagonal": len(start) >= DIAGONAL_FROM,
                "tolx": SMALLEST_DEVIATION,
                "maxstd_boundrange": np.inf,  # samples are clipped; a limit fails for k = 1
                "randn": lambda *shape: rng.standard_normal(shape),
                "seed": np.nan,  # any other value seeds NumPy's global generator
                "verbose": -9,
                "verb_log": 0,
            },
        )
        while not strategy.stop():
            points = strategy.ask()
            strategy.tell(points, [merit(point) for point in points])

    return search


def natural_evolution(
    problem: BilevelProblem, *, spread: float = SPREAD, population: int | None = None
) -> Search:
    """Minimise by SNES: follow the natural gradient of the expected merit of a normal distribution.

    The implementation is Algorithm 6 of Wierstra et al., with the learning rates and utilities of
    its Table 1; the maintained libraries that contain it depend on PyTorch or JAX. Samples are
    clipped to the cube. A search ends when the standard deviations are small, when three
    generations in a row have equal merits, or after 1000 generations.

    Parameters
    ----------
    spread, population
        As for "cma".

    References
    ----------
    Wierstra, Schaul, Glasmachers, Sun, Peters and Schmidhuber, Natural evolution strategies, JMLR
    15, 2014.
    """
    deviation, samples = settings(problem, spread, population)

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        evolve(merit, start, rng, deviation, grown(samples, number))

    return search


def evolve(
    merit: MeritFunction,
    start: FloatArray,
    rng: np.random.Generator,
    spread: float,
    population: int,
) -> None:
    """Run SNES from a start until it ends."""
    k = len(start)
    rate = (3 + np.log(k)) / (5 * np.sqrt(k))
    mean, sigma, flat = start, np.full(k, spread), 0
    for _ in range(GENERATIONS):
        s = rng.standard_normal((population, k))
        merits = np.array([merit(z) for z in mean + sigma * s])
        flat = flat + 1 if np.ptp(merits) <= ROUNDING * np.abs(merits).max() else 0
        if flat == FLAT or sigma.max() < SMALLEST_DEVIATION:
            return
        u = utilities(merits)
        # Far outside the cube, all samples would be clipped to one corner and have equal merits.
        mean = np.clip(mean + sigma * (u @ s), -STRETCH, STRETCH)
        sigma = np.minimum(sigma * np.exp(0.5 * rate * (u @ (s**2 - 1))), STRETCH)


def utilities(merits: FloatArray) -> FloatArray:
    """Return the weight of each sample by the rank of its merit; equal merits share theirs."""
    count = len(merits)
    ranks = np.arange(1, count + 1)
    weights = np.maximum(np.log(count / 2 + 1) - np.log(ranks), 0.0)
    weights = weights / weights.sum() - 1 / count
    _, tied, sizes = np.unique(merits, return_inverse=True, return_counts=True)
    return (np.add.reduceat(weights, np.cumsum(sizes) - sizes) / sizes)[tied]


def settings(problem: BilevelProblem, spread: float, population: int | None) -> tuple[float, int]:
    """Check the initial standard deviation and population; the latter's default is 4 + 3 log k."""
    default = LEAST_POPULATION + int(3 * math.log(problem.perturbation.dim))
    return (
        real_number(spread, "spread", above=0.0),
        default
        if population is None
        else whole_number(population, "population", least=LEAST_POPULATION),
    )


def grown(population: int, number: int) -> int:
    """Return the population of a restart: each restart doubles it, at most five times."""
    return population * 2 ** min(number, DOUBLINGS)
