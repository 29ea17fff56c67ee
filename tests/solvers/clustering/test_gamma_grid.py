"""The grid of gammas against analytic ends, solves just inside them, units, ties and refusals."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import problems

from bilad.models import ArgumentError, ConvexClustering, DisconnectedGraphWarning, FusionGraph
from bilad.solvers import UnfinishedGridError, cluster, cluster_path, gamma_grid

QUIET = pytest.mark.filterwarnings("ignore::bilad.models.DisconnectedGraphWarning")
LINE = [[0.0], [1.0], [6.0]]  # 0 and 1 meet at gamma = 1/2; their centroid and 6 at gamma = 11/6


def groups(n=15, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) + 4 * rng.integers(0, 3, size=(n, 1))


def connected(A, p=2):
    return ConvexClustering(A, FusionGraph.knn(A, k=5, phi=0.05), 1.0, p)


def pieces(first, second):
    """The number of nonempty intersections of two partitions."""
    return len(np.unique(np.column_stack([first, second]), axis=0))


def test_the_ends_are_next_to_the_first_and_to_the_last_merge():
    grid = gamma_grid(ConvexClustering(LINE, FusionGraph.complete(3), 1.0), 7)
    assert grid.shape == (7,)
    assert np.ptp(np.diff(np.log(grid))) < 1e-12
    assert 0.5 / 1.3 / 1.03 <= grid[0] < 0.5
    assert 11 / 6 <= grid[-1] <= 1.021 * 11 / 6


@pytest.mark.parametrize(("p", "least"), [(1, 2.0), (2, 2.5), (np.inf, 3.5)])
def test_two_points_meet_at_half_their_distance_in_the_conjugate_norm(p, least):
    grid = gamma_grid(ConvexClustering([[0.0, 0.0], [3.0, 4.0]], FusionGraph.complete(2), 1.0, p))
    assert least / 1.5 <= grid[0] < least <= grid[-1] <= 1.021 * least


@given(data=st.data())
@settings(max_examples=25)
@QUIET
def test_any_model(data):
    """All distinct points are apart at the first gamma, and no components are at the last."""
    model = data.draw(problems.models(p=data.draw(st.sampled_from(problems.NORMS))))
    components = model.graph.component_labels
    distinct = np.unique(model.data, axis=0, return_inverse=True)[1].reshape(-1)
    if pieces(components, distinct) == components.max() + 1:
        with pytest.raises(ArgumentError, match="no edge of positive weight"):
            gamma_grid(model)
        return
    grid = gamma_grid(model, 2)
    first, below, last = (
        cluster(model.with_gamma(gamma), refine=True).labels
        for gamma in (grid[0], grid[1] / 1.05, grid[1])
    )
    assert pieces(first, distinct) == first.max() + 1
    assert pieces(components, below) > components.max() + 1
    assert pieces(components, last) == components.max() + 1


@pytest.mark.parametrize("p", problems.NORMS)
def test_the_grid_has_the_unit_of_the_data_over_that_of_the_weights(p):
    A = groups()
    graph = connected(A).graph
    grid = gamma_grid(ConvexClustering(A, graph, 1.0, p), 5)
    for data, weights, factor in (
        (10 * A, graph.weights, 10.0),
        (1e200 * A, graph.weights, 1e200),
        (A, 1e-300 * graph.weights, 1e300),
    ):
        other = ConvexClustering(data, graph.with_weights(weights), 1.0, p)
        assert np.allclose(gamma_grid(other, 5), factor * grid, rtol=1e-4, atol=0)


def test_points_that_differ_by_rounding_do_not_stretch_the_grid():
    near = ConvexClustering([[0.3], [0.1 + 0.2], [1.0], [6.0]], FusionGraph.complete(4), 1.0)
    assert gamma_grid(near)[0] > 0.01


def test_weights_of_very_different_size():
    """An end that is 1e100 times the other takes a few solves, not hundreds."""
    graph = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [1.0, 1e-50, 1e-100])
    grid = gamma_grid(ConvexClustering([[0.0], [1.0], [3.0], [6.0]], graph, 1.0))
    assert grid[0] < 0.5 < 1e90 < grid[-1]


def test_the_edges_of_a_large_complete_graph_are_not_made():
    A = np.random.default_rng(0).normal(size=(5_000, 1))
    graph = FusionGraph.complete(5_000)
    gamma_grid(ConvexClustering(A, graph, 1.0))
    assert not {"edges", "weights"} & set(vars(graph))


@pytest.mark.parametrize(
    "graph",
    [FusionGraph.complete(3, 0.0), FusionGraph(3, [], []), FusionGraph(3, [[0, 1]], [1.0])],
)
@QUIET
def test_no_gamma_changes_the_partition(graph):
    model = ConvexClustering([[1.0], [1.0], [2.0]], graph, 1.0)
    for call in (gamma_grid, cluster_path):
        with pytest.raises(ArgumentError, match="^model: got no edge of positive weight"):
            call(model)


def test_a_disconnected_graph_is_said_with_its_sizes_and_its_zero_weights():
    graph = FusionGraph(5, [[0, 1], [1, 2], [3, 4], [0, 4]], [1.0, 1.0, 1.0, 0.0])
    model = ConvexClustering([[0.0], [1.0], [2.0], [4.0], [5.0]], graph, 1.0)
    said = r"2 components of sizes 3, 2 \(weight 0 on 1 of 4 edges\): no gamma gives fewer than 2"
    for call in (gamma_grid, cluster_path, lambda model: cluster_path(model, [1.0])):
        with pytest.warns(DisconnectedGraphWarning, match=said) as caught:
            call(model)
        assert len(caught) == 1
        assert caught[0].filename == __file__


def test_a_solve_that_fails_ends_the_grid(monkeypatch):
    model = ConvexClustering(LINE, FusionGraph.complete(3), 1.0)
    failed = replace(cluster(model), status="error: MemoryError: no room")
    module = import_module("bilad.solvers.clustering.gamma_grid")  # also the name of a function
    monkeypatch.setattr(module, "solve_lower", lambda *_, **__: failed)
    with pytest.raises(UnfinishedGridError, match="MemoryError"):
        gamma_grid(model)
    path = cluster_path(model)
    assert (path.status, len(path.gammas)) == (failed.status, 0)
