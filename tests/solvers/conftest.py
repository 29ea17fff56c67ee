"""A bilevel problem whose every step is known in closed form."""

import importlib.util
from dataclasses import dataclass

import numpy as np
import pytest
from support.unsolved import nothing_is_solved

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation

LIMIT = 18.0
EXTRAS = {"nomad": "PyNomad", "nlopt-crs": "nlopt"}


@pytest.fixture
def installed(method):
    """Skip the methods whose optional package is not installed."""
    package = EXTRAS.get(method)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@dataclass(frozen=True)
class TwoGroups:
    """`first` points at 0, `second` at `far`, equal weights 1; `moved` of the first shift by eps.

    With equal points in one place, every point feels a force gamma towards each other point, so
    the moved ones, at eps in (0, far), want to be at eps + gamma (second - (first - moved)), those
    that stay at gamma (moved + second), and the second group at far - gamma first. They part from
    their group when the first two differ, and join the second when the first and third meet:

        eps = gamma first        and        eps = far - gamma (second + moved).

    To the left they part at eps = -gamma first, likewise. `far` is so large that the groups do
    not meet otherwise.
    """

    first: int = 4
    second: int = 3
    moved: int = 2
    far: float = 20.6
    gamma: float = 0.6

    @property
    def n(self):
        return self.first + self.second

    @property
    def parts(self):
        return self.gamma * self.first

    @property
    def joins(self):
        return self.far - self.gamma * (self.second + self.moved)

    @property
    def parted(self):
        """Deviation once the moved points are apart."""
        return 2 * self.moved * (self.first - self.moved)

    @property
    def joined(self):
        """Deviation once they are with the others: 2 s (n - s)."""
        return 2 * self.moved * (self.n - self.moved)

    def deviation(self, eps):
        if eps > self.joins:
            return self.joined
        return self.parted if abs(eps) > self.parts else 0

    def model(self):
        data = np.r_[np.zeros(self.first), np.full(self.second, self.far)][:, None]
        return ConvexClustering(data, FusionGraph.complete(self.n), self.gamma)

    def shift(self):
        direction = np.zeros((self.n, 1))
        direction[: self.moved] = 1.0
        return Perturbation.shift(direction)

    def each(self):
        """One eps for each moved point instead."""
        return Perturbation.additive((self.n, 1), points=range(self.moved))

    def bl1(self, budget=LIMIT, **options):
        return MaxDeviation(self.model(), self.shift(), budget, **options)

    def bl2(self, target=1.0, limit=LIMIT, **options):
        return MinPerturbation(self.model(), self.shift(), target, limit=limit, **options)


@pytest.fixture(scope="session")
def groups():
    return TwoGroups()


@pytest.fixture(scope="session")
def touching():
    """Everything an integer: blocks touch exactly at eps = 4 and eps = 16."""
    return TwoGroups(far=21.0, gamma=1.0)


@pytest.fixture(scope="session")
def planar():
    """n = 12 points in the plane, k-NN graph, two of them free to move: k = 4."""
    rng = np.random.default_rng(7)
    A = 0.5 * rng.normal(size=(12, 2)) + 2.5 * (np.arange(12) % 3)[:, None] * [1.0, 0.3]
    return ConvexClustering(A, FusionGraph.knn(A, k=4, phi=0.1), 0.8)


@pytest.fixture
def no_clustering():
    with nothing_is_solved():
        yield
