"""Labels in exact arithmetic: against proved labels, and where floating point proves nothing."""

from fractions import Fraction

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.exact_labels import MOST_EDGES, exact_labels, is_decidable
from bilad.solvers.errors import UnsupportedError


def random_model(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 14)), int(rng.integers(1, 4))
    A = rng.integers(-6, 7, size=(n, d)) / rng.choice([1, 10])
    graph = FusionGraph.complete(n)
    if rng.random() < 0.6:
        graph = graph.with_weights(rng.integers(0, 3, graph.m).astype(float))
    return ConvexClustering(A, graph, float(rng.choice([0.1, 0.25, 0.3])), 1)


@pytest.mark.parametrize("seed", range(60))
def test_they_are_the_labels_that_are_proved(seed):
    model = random_model(seed)
    solution = cluster(model, "clarabel", tol=1e-10)
    if solution.remark == "":
        assert solution.undecided.size or np.array_equal(solution.labels, exact_labels(model))


@pytest.mark.parametrize("numerator", [-1, 0, 1])
def test_gamma_is_the_double_that_it_is(numerator):
    """Two points 1 apart meet at gamma = 1/2, and not one ulp below."""
    gamma = 0.5 + numerator * np.spacing(0.25)
    labels = exact_labels(ConvexClustering([[0.0], [1.0]], FusionGraph.complete(2), gamma))
    assert (labels[0] == labels[1]) == (Fraction(gamma) >= Fraction(1, 2))


def test_what_it_takes():
    plane = ConvexClustering(np.eye(3), FusionGraph.complete(3), 0.1)
    assert not is_decidable(plane)
    with pytest.raises(UnsupportedError):
        exact_labels(plane)
    n = 80
    dense = FusionGraph.complete(n).with_weights(np.linspace(1, 2, n * (n - 1) // 2))
    assert dense.m > MOST_EDGES
    assert not is_decidable(ConvexClustering(np.arange(n)[:, None], dense, 0.1))
    assert is_decidable(ConvexClustering(np.arange(n)[:, None], FusionGraph.complete(n), 0.1))
