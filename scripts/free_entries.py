"""Instances with several free entries.

Iris feature 4, as in `settings`; three Gaussian clouds in the plane; the digits of scikit-learn in
their first five principal components, from 100 to all 1797 points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from sklearn.decomposition import PCA

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
    load_dataset,
)
from bilad.models.validation import FloatArray
from bilad.scripts.settings import SETTINGS

IRIS_BUDGET = 4.0  # mm, of each entry in the box
GAUSSIAN_BUDGET, GAUSSIAN_GAMMA = 4.0, 2.0
POINTS, CENTRES = 200, 3.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
DIGITS_BUDGET = 40.0  # three standard deviations of the first component: past all other points
COMPONENTS, DIGITS_PHI = 5, 0.002  # with 0.005, single points move next to nothing
# Found by trying 5, 8, 10, .. 60: labels proved at eps = 0, and 20, 23, 27, 34 and 18 clusters.
DIGITS_GAMMA = {100: 8.0, 300: 15.0, 600: 20.0, 1000: 30.0, 1797: 50.0}
ROUND_SHARE = 0.5  # of the box's corner that the ball of norm 2 reaches


@dataclass(frozen=True)
class FreeEntries:
    """(BL1) with k points free to move along their first feature."""

    data: str  # a key of `DATA`: "iris", "gaussians", "digits 100", ..
    k: int
    norm: float  # 2 or inf. The ball of norm 2 has the radius budget sqrt(k) / 2.
    seed: int  # draws the free points, and the Gaussian data

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


@cache
def _components() -> FloatArray:
    """Return the first principal components of all digits: shape (1797, 5)."""
    pixels = load_dataset("digits").data
    return np.asarray(PCA(COMPONENTS, svd_solver="full").fit_transform(pixels))


def _digits(n: int, rng: np.random.Generator) -> tuple[ConvexClustering, float]:
    data = _components()[:n]
    graph = FusionGraph.knn(data, 10, DIGITS_PHI)
    return ConvexClustering(data, graph, DIGITS_GAMMA[n], 2), DIGITS_BUDGET


Maker = Callable[[np.random.Generator], tuple[ConvexClustering, float]]
DATA: dict[str, Maker] = {
    "iris": _iris,
    "gaussians": _gaussians,
    **{f"digits {n}": partial(_digits, n) for n in DIGITS_GAMMA},
}
