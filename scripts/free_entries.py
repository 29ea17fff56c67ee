"""Instances with several free entries: Iris feature 4, and three Gaussian clouds in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.settings import SETTINGS

IRIS_BUDGET = 4.0  # mm, of each entry in the box
GAUSSIAN_BUDGET, GAUSSIAN_GAMMA = 4.0, 2.0
POINTS, CENTRES = 200, 3.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
ROUND_SHARE = 0.5  # of the box's corner that the ball of norm 2 reaches


@dataclass(frozen=True)
class FreeEntries:
    """(BL1) with k points free to move along their first feature.

    Attributes
    ----------
    data : {"iris", "gaussians"}
    k : int
    norm : float
        2 or inf. The ball of norm 2 has the radius budget sqrt(k) / 2.
    seed : int
        Draws the free points, and the Gaussian data.
    """

    data: str
    k: int
    norm: float
    seed: int

    @property
    def name(self) -> str:
        """A name for tables, the same for all seeds but for its end."""
        return f"{self.group}, seed {self.seed}"

    @property
    def group(self) -> str:
        """What the seeds of one instance have in common."""
        return f"{self.data}, k = {self.k}, norm {self.norm:g}"

    def problem(self) -> MaxDeviation:
        """Make the problem; the same each time."""
        rng = np.random.default_rng(self.seed)
        model, budget = DATA[self.data](rng)
        points = rng.choice(model.n, self.k, replace=False)
        if self.norm == 2:
            budget *= ROUND_SHARE * self.k**0.5
        free = Perturbation.additive(model.data.shape, points, [0])
        return MaxDeviation(model, free, budget, self.norm)


def _iris(rng: np.random.Generator) -> tuple[ConvexClustering, float]:
    return SETTINGS["iris"].model(), IRIS_BUDGET


def _gaussians(rng: np.random.Generator) -> tuple[ConvexClustering, float]:
    data = CENTRES[np.arange(POINTS) % len(CENTRES)] + rng.normal(size=(POINTS, 2))
    graph = FusionGraph.knn(data, 10, 0.5)
    return ConvexClustering(data, graph, GAUSSIAN_GAMMA, 2), GAUSSIAN_BUDGET


DATA = {"iris": _iris, "gaussians": _gaussians}
