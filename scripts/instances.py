"""Problems drawn from a seed, in which the first feature of some points may change."""

from __future__ import annotations

import numpy as np

from bilad.models import ConvexClustering, MaxDeviation
from bilad.scripts.experiments.parts import clouds, convex_clustering, entries
from bilad.scripts.settings import SETTINGS

BALL_SHARE = 0.5  # the ball of norm 2 has the radius BALL_SHARE * budget * sqrt(k)


def _draw(data: str, rng: np.random.Generator) -> tuple[ConvexClustering, float]:
    """Return the model of a data set, and the largest change of an entry."""
    name, _, number = data.partition(" ")
    if name == "iris":
        return SETTINGS["iris"].model(), 4.0
    if name == "gaussians":
        return convex_clustering(clouds(rng, points=200), gamma=2.0, neighbours=10), 4.0
    if name == "plane":
        sample = clouds(rng, points=int(number))
        return convex_clustering(sample, gamma=2.0, neighbours=5), 3.0
    sample = clouds(rng, points=int(number), dimension=1)
    return convex_clustering(sample, gamma=2.4, weight="1/n"), 3.0


def entry_problem(data: str, k: int, norm: float = np.inf, seed: int = 0) -> MaxDeviation:
    """Return (BL1) in which the first feature of k random points may change.

    Parameters
    ----------
    data : str
        "iris", "gaussians" (200 points), "plane N" or "line N" with N points.
    k : int
    norm : {2, inf}, default inf
    seed : int, default 0
    """
    rng = np.random.default_rng(seed)
    model, budget = _draw(data, rng)
    free = entries(model, rng, points=k, features=[0])
    return MaxDeviation(model, free, budget * (BALL_SHARE * k**0.5 if norm == 2 else 1), norm)
