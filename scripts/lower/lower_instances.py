"""The instances of the lower-level benchmark: two moons, and eight Gaussians in ten dimensions.

Weights exp(-0.5 ||a_i - a_j||^2) on the graph of the 10 nearest neighbours (Sun, Toh and Yuan,
section 5). Of each size, gamma for a handful of clusters ("few") and for 5 to 20 % of n ("mid").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import make_moons

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.validation import FloatArray


@dataclass(frozen=True)
class Instance:
    """One problem: its kind of data, size, gamma and norm."""

    kind: str
    n: int
    gamma: float
    p: float = 2.0

    @property
    def name(self) -> str:
        """A name for tables."""
        return f"{self.kind} {self.n}, gamma {self.gamma:g}" + (
            "" if self.p == 2 else f", p = {self.p:g}"
        )

    def model(self) -> ConvexClustering:
        """Make the model; the same each time."""
        points = KINDS[self.kind](self.n)
        return ConvexClustering(points, FusionGraph.knn(points, 10, 0.5), self.gamma, self.p)


def moons(n: int) -> FloatArray:
    """Return two moons with noise 0.05: shape (n, 2)."""
    return np.asarray(make_moons(n, noise=0.05, random_state=0)[0])


def gaussians(n: int) -> FloatArray:
    """Return eight Gaussian clouds, centres 3 N(0, 1): shape (n, 10)."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(8, 10))
    return centres[rng.integers(0, 8, n)] + rng.normal(size=(n, 10))


KINDS = {"moons": moons, "gaussians": gaussians}

COLD = (
    Instance("moons", 2_000, 10.0),
    Instance("moons", 2_000, 0.05),
    Instance("moons", 5_000, 10.0),
    Instance("moons", 5_000, 0.05),
    Instance("moons", 10_000, 30.0),
    Instance("moons", 10_000, 0.05),
    Instance("gaussians", 2_000, 1000.0),
    Instance("gaussians", 2_000, 50.0),
    Instance("gaussians", 5_000, 1000.0),
    Instance("gaussians", 5_000, 20.0),
)
OTHER_NORMS = tuple(
    Instance("moons", n, gamma, p)
    for p in (1.0, float("inf"))
    for n in (1_000, 2_000, 5_000)
    for gamma in (10.0, 0.05)
)
PATH = Instance("moons", 2_000, 0.0)
PATH_GAMMAS = np.geomspace(0.01, 10.0, 50)
GROWTH = tuple(Instance("moons", n, 0.05) for n in (1_000, 3_000, 10_000, 30_000, 100_000))
