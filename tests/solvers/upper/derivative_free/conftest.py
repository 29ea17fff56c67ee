"""The derivative-free methods that are installed, and problems for them."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from bilad.models import BlackBox, ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE

EXTRAS = {"nomad": "PyNomad", "nlopt-crs": "nlopt"}


def installed(name):
    return name not in EXTRAS or importlib.util.find_spec(EXTRAS[name]) is not None


@pytest.fixture(params=DERIVATIVE_FREE)
def method(request):
    if not installed(request.param):
        pytest.skip(f"{EXTRAS[request.param]} is not installed")
    return request.param


def clouds(kind=MaxDeviation, size=2.0, norm=2, clusterer=None, k=4):
    """Return a problem for a clusterer of scikit-learn, in which `k / 2` points may move."""
    rng = np.random.default_rng(0)
    data = 0.3 * rng.normal(size=(16, 2)) + 3.0 * (np.arange(16) % 2)[:, None]
    free = Perturbation.additive(data.shape, points=range(k // 2))
    return kind(BlackBox(data, clusterer or AgglomerativeClustering(2)), free, size, norm)


def edges(kind=MaxDeviation, size=1.5, norm=2):
    """Return a problem in which the four edges between two pairs of points may be weakened."""
    pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    graph = FusionGraph(4, pairs, [9.0, 1.0, 1.0, 1.0, 1.0, 9.0])
    model = ConvexClustering([[-1.0], [-1.0], [1.0], [1.0]], graph, 1.0)
    return kind(model, Perturbation.edges(graph, [1, 2, 3, 4]), size, norm)


@pytest.fixture
def problems():
    return SimpleNamespace(clouds=clouds, edges=edges)
