"""Separable natural evolution strategy (SNES).

Wierstra, Schaul, Glasmachers, Sun, Peters and Schmidhuber, *Natural evolution strategies*, JMLR 15,
2014: Algorithm 6, with the learning rates and utilities of its Table 1. Written here since the
kept libraries that have it stand on PyTorch or JAX.
"""

from __future__ import annotations

import numpy as np

from bilad.models.problem import ROUNDING, BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.population import SPREAD, grown, settings
from bilad.solvers.upper.derivative_free.restarts import restarted
from bilad.solvers.upper.derivative_free.search_space import STRETCH

FINEST = 1e-3  # largest standard deviation at which a search ends
FLAT = 3  # generations in a row all of one merit, after which it ends too
GENERATIONS = 1000


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    spread: float = SPREAD,
    population: int | None = None,
    restarts: int | None = None,
) -> Work:
    """Follow the natural gradient of the expected merit of a normal distribution.

    Samples are clipped to the box.

    Parameters
    ----------
    spread : float, default 1
        First standard deviation, in units of half the box's width in each entry of eps.
    population : int, optional
        Samples of a generation, at least 4, in the first search; by default 4 + 3 log k. Each
        restart doubles it, at most five times.
    restarts : int, optional
        Searches, from eps = 0 and then random starts, each until the distribution is narrow, three
        generations are flat, or for 1000 generations; 5, or as many as the limits allow.
    """
    width, samples = settings(problem, spread, population)

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        evolve(merit, start, rng, width, grown(samples, number))

    return restarted(rng, restarts, search)


def evolve(
    merit: Merit, start: FloatArray, rng: np.random.Generator, spread: float, population: int
) -> None:
    """Run SNES from a start until it stops."""
    k = len(start)
    rate = (3 + np.log(k)) / (5 * np.sqrt(k))
    mean, sigma, flat = start, np.full(k, spread), 0
    for _ in range(GENERATIONS):
        s = rng.standard_normal((population, k))
        merits = np.array([merit(z) for z in mean + sigma * s])
        flat = flat + 1 if np.ptp(merits) <= ROUNDING * np.abs(merits).max() else 0
        if flat == FLAT or sigma.max() < FINEST:
            return
        u = utilities(merits)
        # Far outside, all samples would be clipped to one corner, and the merit be flat.
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
