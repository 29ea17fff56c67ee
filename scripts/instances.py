"""Problems drawn from a seed, in which the first feature of some points may change."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, SpectralClustering

from bilad.models import ConvexClustering, MaxDeviation
from bilad.scripts.experiments.parts import CLOUDS, clouds, convex_clustering, entries
from bilad.scripts.settings import SETTINGS

# The largest change of an entry: in mm for Iris, otherwise in standard deviations of a cloud. With
# it, random vertices of the feasible set change the partition.
BUDGET, SMALL_BUDGET = 4.0, 3.0
BALL_SHARE = 0.5  # the ball of norm 2 has the radius BALL_SHARE * budget * sqrt(k)
GAUSSIANS = 200
# Small clouds. In the plane, GAMMA gives two or three large clusters and some of few points. On a
# line with equal weights 1 / n, LINE_GAMMA gives the three clouds, except for a few points.
SMALL_NEIGHBOURS, GAMMA, LINE_GAMMA = 5, 2.0, 2.4
PHI = 0.5  # weights exp(-PHI ||a_i - a_j||^2)
# Clusterers of scikit-learn that are attacked as black boxes on the clouds. They are deterministic;
# the radius of DBSCAN is chosen such that it finds the clouds.
CLUSTERERS: dict[str, Any] = {
    "k-means": KMeans(CLOUDS, n_init=1, random_state=0),
    "agglomerative": AgglomerativeClustering(CLOUDS),
    "DBSCAN": DBSCAN(0.6),
    "spectral": SpectralClustering(CLOUDS, random_state=0),
}
CONVEX = "convex clustering"
SMALL_CLOUDS = (
    f"three clouds of normally distributed points; in the plane their centres are 3.5 apart, the "
    f"weights are exp(-{PHI:g} ||a_i - a_j||^2) on the graph of {SMALL_NEIGHBOURS} nearest "
    f"neighbours and gamma = {GAMMA:g}; on a line the centres are 5 apart, the weights are 1/n on "
    f"the complete graph and gamma = {LINE_GAMMA:g}; the first feature of some points may change, "
    f"each by at most {SMALL_BUDGET:g}"
)
# The parts of a small problem, as in a specification.
SMALL_MODELS: dict[str, dict[str, Any]] = {
    "plane": {"gamma": GAMMA, "neighbours": SMALL_NEIGHBOURS, "phi": PHI},
    "line": {"gamma": LINE_GAMMA, "weight": "1/n"},
}
DIMENSIONS = {"line": 1, "plane": 2}


def draw(data: str, rng: np.random.Generator) -> tuple[ConvexClustering, float]:
    """Return the model of a data set, and the largest change of an entry.

    Parameters
    ----------
    data : str
        "iris", "gaussians" (200 points), "plane N" or "line N" with N points.
    rng : Generator
        Draws the points.
    """
    name, _, number = data.partition(" ")
    if name == "iris":
        return SETTINGS["iris"].model(), BUDGET
    if name == "gaussians":
        return convex_clustering(clouds(rng, points=GAUSSIANS), gamma=GAMMA, neighbours=10), BUDGET
    sample = clouds(rng, points=int(number), dimension=DIMENSIONS[name])
    return convex_clustering(sample, **SMALL_MODELS[name]), SMALL_BUDGET


def entry_problem(data: str, k: int, norm: float = np.inf, seed: int = 0) -> MaxDeviation:
    """Return (BL1) in which the first feature of k random points may change.

    Parameters
    ----------
    data : str
        As in `draw`.
    k : int
    norm : {2, inf}, default inf
    seed : int, default 0
    """
    rng = np.random.default_rng(seed)
    model, budget = draw(data, rng)
    free = entries(model, rng, points=k, features=[0])
    return MaxDeviation(model, free, budget * (BALL_SHARE * k**0.5 if norm == 2 else 1), norm)
