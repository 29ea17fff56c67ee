"""Detection of ties by `bilad verify`, and the range of its random problems."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts.random_problems import DIMENSIONS, random_model
from bilad.scripts.verify import nearest_threshold
from bilad.solvers.clustering.labels.partition import Partition, nothing_proved


@pytest.mark.parametrize(
    ("gamma", "nearest"),
    [
        (0.5, 1e-9),
        (0.5 - 2e-9, 1e-8),
        (0.5 + 2e-9, 1e-8),
        (0.5 - 1e-7, np.inf),
        (0.5 + 1e-7, np.inf),
    ],
)
@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_two_points_are_a_tie_exactly_where_they_meet(gamma, nearest, p):
    model = ConvexClustering([[0.0, 0.0], [1.0, 0.0]], FusionGraph.complete(2), gamma, p)
    assert nearest_threshold(model, nothing_proved(2)) == nearest


def test_a_tie_at_every_gamma_is_seen_by_a_change_of_all_numbers():
    """Two equal points, pulled apart by exactly what their edge carries."""
    graph = FusionGraph(4, [(0, 1), (1, 2), (2, 3)], [1.0, 1.0, 1.0])
    model = ConvexClustering([[-5.0, 0.0], [0.0, 0.0], [0.0, 0.0], [5.0, 0.0]], graph, 0.1)
    assert nearest_threshold(model, Partition(np.array([0, 1, 1, 2]), np.array([[1, 2]]))) == 1e-9


@pytest.mark.parametrize(("shift", "nearest"), [(0.0, 1e-9), (2e-8, 1e-8), (2e-7, np.inf)])
def test_points_that_coincide_without_an_edge_are_a_tie(shift, nearest):
    """x_0 = (0.6, 0.8), and the third point has no edge."""
    data = [[0.0, 0.0], [3.0, 4.0], [0.6 + shift, 0.8]]
    model = ConvexClustering(data, FusionGraph(3, [(0, 1)], [1.0]), 1.0)
    coinciding = Partition(np.array([0, 1, 0]), np.array([[0, 2]]))
    assert nearest_threshold(model, coinciding) == nearest


def test_points_that_coincide_at_every_gamma_are_a_tie():
    """Two equal points with equal edges to the same neighbour, but none between them."""
    graph = FusionGraph(3, [(0, 1), (1, 2)], [1.0, 1.0])
    model = ConvexClustering([[0.3, 0.4], [3.0, 4.1], [0.3, 0.4]], graph, 0.1)
    coinciding = Partition(np.array([0, 1, 0]), np.array([[0, 2]]))
    assert nearest_threshold(model, coinciding) == 1e-9


def test_random_problems_cover_what_they_promise():
    models = [random_model(0, index) for index in range(300)]
    assert {model.p for model in models} == {1, 2, np.inf}
    assert {model.d for model in models} == set(DIMENSIONS)
    assert {2, 60} <= {model.n for model in models}
    assert any((model.graph.weights == 0).any() for model in models)
    assert any(len(np.unique(model.data, axis=0)) < model.n for model in models)
    components = [m.graph.components(np.ones(m.graph.m, bool)).max() + 1 for m in models]
    forests = [m.graph.m == m.n - c > 5 for m, c in zip(models, components, strict=True)]
    assert any(forests)
    assert max(components) > 5
    positive = [m.graph.weights[m.graph.weights > 0] for m in models]
    assert max(w.max() / w.min() for w in positive if len(w)) > 1e5
    scales = [np.ptp(model.data) for model in models]
    assert min(scales) < 1e-6 < 1e6 < max(scales)


def test_a_random_problem_depends_on_its_seed_and_index_only():
    first, again, other = (random_model(*which) for which in ((3, 7), (3, 7), (3, 8)))
    assert np.array_equal(first.data, again.data)
    assert np.array_equal(first.graph.weights, again.graph.weights)
    assert (first.gamma, first.p) == (again.gamma, again.p)
    assert other.data.shape != first.data.shape or not np.array_equal(other.data, first.data)
