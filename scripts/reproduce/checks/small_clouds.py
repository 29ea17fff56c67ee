"""Instances small enough for every method: a few dozen points, in the plane or on a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.free_entries import CENTRES
from bilad.scripts.methods.instances import Instance

NEIGHBOURS, PHI = 5, 0.5
GAMMA = 2.0  # in the plane: two to three large clusters, and some of few points
BUDGET = 3.0  # standard deviations of a cloud; their centres are 3.5 apart
# On a line equal weights: with gamma w n = 2.4 the three clouds are clusters, but for some points.
LINE_PULL = 2.4

DESCRIPTION = (
    f"three clouds of normal points; in the plane 3.5 apart, weights exp(-{PHI:g} ||a_i - a_j||^2) "
    f"on the graph of {NEIGHBOURS} nearest neighbours, gamma = {GAMMA:g}; on a line 5 apart, "
    f"weights 1/n on the complete graph, gamma = {LINE_PULL:g}; the first feature of some points "
    f"is free, each by at most {BUDGET:g}"
)


@dataclass(frozen=True)
class SmallClouds(Instance):
    """Three Gaussian clouds, some of their points free to move along the first feature.

    `data` is "plane N" or "line N", with N points; other values as in `Instance`.
    """

    def _largest_deviation(self) -> MaxDeviation:
        rng = np.random.default_rng(self.seed)
        model = clouds(self.data, rng)
        points = rng.choice(model.n, self.k, replace=False)
        free = Perturbation.additive(model.data.shape, points, [0])
        return MaxDeviation(model, free, BUDGET * self.budget, float(self.norm))


def clouds(data: str, rng: np.random.Generator) -> ConvexClustering:
    """Draw the points: a k-NN graph in the plane, equal weights on a line."""
    space, number = data.split()
    n = int(number)
    groups = np.arange(n) % len(CENTRES)
    if space == "line":
        points = 5.0 * groups[:, None] + rng.normal(size=(n, 1))
        return ConvexClustering(points, FusionGraph.complete(n, 1 / n), LINE_PULL, 2)
    points = CENTRES[groups] + rng.normal(size=(n, 2))
    return ConvexClustering(points, FusionGraph.knn(points, NEIGHBOURS, PHI), GAMMA, 2)
