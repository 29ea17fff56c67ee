"""Detection of ties by `bilad verify`, and the range of its random problems."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts.random_problems import DIMENSIONS, random_model
from bilad.scripts.verify import is_tie
from bilad.solvers.clustering.labels.partition import Partition, nothing_proved


@pytest.mark.parametrize(("gamma", "tie"), [(0.5, True), (0.5 - 1e-8, False), (0.5 + 1e-8, False)])
@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_two_points_are_a_tie_exactly_where_they_meet(gamma, tie, p):
    model = ConvexClustering([[0.0, 0.0], [1.0, 0.0]], FusionGraph.complete(2), gamma, p)
    assert is_tie(model, nothing_proved(2)) is tie


def test_a_tie_at_every_gamma_is_seen_by_a_change_of_the_weights():
    """Two equal points, pulled apart by exactly what their edge carries."""
    graph = FusionGraph(4, [(0, 1), (1, 2), (2, 3)], [1.0, 1.0, 1.0])
    model = ConvexClustering([[-5.0, 0.0], [0.0, 0.0], [0.0, 0.0], [5.0, 0.0]], graph, 0.1)
    assert is_tie(model, Partition(np.array([0, 1, 1, 2]), np.array([[1, 2]])))


@pytest.mark.parametrize(("shift", "tie"), [(0.0, True), (3e-8, False)])
def test_points_that_coincide_without_an_edge_are_a_tie(shift, tie):
    """x_0 = (0.6, 0.8), and the third point has no edge."""
    data = [[0.0, 0.0], [3.0, 4.0], [0.6 + shift, 0.8]]
    model = ConvexClustering(data, FusionGraph(3, [(0, 1)], [1.0]), 1.0)
    assert is_tie(model, Partition(np.array([0, 1, 0]), np.array([[0, 2]]))) is tie


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
