"""Problems with a thousand points and more, each kind of perturbation as (BL1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.datasets import make_moons

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.validation import IntArray
from bilad.scripts.free_entries import CENTRES
from bilad.solvers.clustering.cluster import solve_lower

CHOSEN, MOVED, HUBS = 20, 100, 5  # points that move freely, that move as one, whose edges may go
WIDER = 1.5  # the clouds' centres, over those of `free_entries`
NEIGHBOURS, PHI = 5, 0.5  # with 10, hardly an edge is missed
# Found by trying: 28 and 51 clusters, all labels proved, and many a partition near another.
CLOUDS_GAMMA, MOONS_GAMMA = 8.0, 10.0
MOONS_NOISE, MOONS_SCALE = 0.06, 10.0
SPREADS = 3.0  # budget of an entry, in standard deviations of the feature
FACTOR = 1.0  # of a factor: an entry between 0 and twice itself
DROPPED = 10  # edges
EDGES = "dropped edges"
DESCRIPTION = (
    f"Clouds: three of normal points in the plane, {3.5 * WIDER:g} apart, gamma = "
    f"{CLOUDS_GAMMA:g}; moons: two half moons of radius {MOONS_SCALE:g}, noise "
    f"{MOONS_NOISE * MOONS_SCALE:g}, gamma = {MOONS_GAMMA:g}; weights exp(-{PHI:g} ||a_i - "
    f"a_j||^2) on the graph of {NEIGHBOURS} nearest neighbours. Free: the first feature of "
    f"{CHOSEN} points (entries, factors), of at most {MOVED} points of the largest cluster "
    f"together (feature), the edges of {HUBS} points. Budgets: {SPREADS:g} standard deviations of "
    f"the feature; factors {FACTOR:g}; weights {0.5 * DROPPED:g} in norm 2; {DROPPED} dropped "
    "edges."
)


def clouds(n: int, rng: np.random.Generator) -> ConvexClustering:
    """Draw three Gaussian clouds in the plane."""
    data = WIDER * CENTRES[np.arange(n) % len(CENTRES)] + rng.normal(size=(n, 2))
    return ConvexClustering(data, FusionGraph.knn(data, NEIGHBOURS, PHI), CLOUDS_GAMMA, 2)


def moons(n: int, rng: np.random.Generator) -> ConvexClustering:
    """Draw two half moons."""
    data, _ = make_moons(n, noise=MOONS_NOISE, random_state=int(rng.integers(2**31)))
    data *= MOONS_SCALE
    return ConvexClustering(data, FusionGraph.knn(data, NEIGHBOURS, PHI), MOONS_GAMMA, 2)


MODELS: dict[str, Callable[[np.random.Generator], ConvexClustering]] = {
    "clouds 1000": partial(clouds, 1000),
    "moons 2000": partial(moons, 2000),
}


def entries(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Free the first feature of some points."""
    free = Perturbation.additive(model.data.shape, some_points(model, CHOSEN, rng), [0])
    return MaxDeviation(model, free, _spread(model), np.inf)


def feature(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Shift the first feature of points of the largest cluster by one eps."""
    labels = solve_lower(model).labels
    members = np.flatnonzero(labels == np.argmax(np.bincount(labels)))
    moved = rng.choice(members, min(MOVED, len(members) // 2), replace=False)
    direction = np.zeros_like(model.data)
    direction[moved, 0] = 1.0
    return MaxDeviation(model, Perturbation.shift(direction), _spread(model), np.inf)


def factors(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Let the first feature of some points grow or shrink."""
    free = Perturbation.multiplicative(model.data, some_points(model, CHOSEN, rng), [0])
    return MaxDeviation(model, free, FACTOR, np.inf)


def weights(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Let all edges of some points lose weight."""
    return MaxDeviation(
        model, Perturbation.edges(model.graph, edges_of_some(model, rng)), 0.5 * DROPPED, 2
    )


def dropped_edges(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Drop so many of these edges: the corners of the ball of norm 1."""
    return MaxDeviation(
        model, Perturbation.edges(model.graph, edges_of_some(model, rng)), DROPPED, 1
    )


KINDS: dict[str, Callable[[ConvexClustering, np.random.Generator], MaxDeviation]] = {
    "entries": entries,
    "feature, one shift": feature,
    "factors": factors,
    "edge weights": weights,
    EDGES: dropped_edges,
}


def some_points(model: ConvexClustering, count: int, rng: np.random.Generator) -> IntArray:
    """Draw points, none twice."""
    return rng.choice(model.n, count, replace=False)


def edges_of_some(model: ConvexClustering, rng: np.random.Generator) -> IntArray:
    """Return the edges of some points."""
    return np.flatnonzero(np.isin(model.graph.edges, some_points(model, HUBS, rng)).any(axis=1))


def _spread(model: ConvexClustering) -> float:
    return SPREADS * float(model.data[:, 0].std())
