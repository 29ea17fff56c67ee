"""Balancing a flow: it stays feasible, other edges keep their flow, and it balances if it can."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import NORMS, conjugate, row_norms
from bilad.solvers import cluster
from bilad.solvers.clustering.labels import flow
from bilad.solvers.clustering.labels.flow import balance_flow, block_means


def test_block_means():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])
    assert block_means(values, np.array([1, 0, 1])).tolist() == [[3.0, 4.0], [3.0, 5.5]]


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("d", [1, 3])
def test_a_block_with_room_is_balanced_inside_its_capacities(d, p):
    rng = np.random.default_rng(d)
    A = rng.normal(size=(12, d))
    graph = FusionGraph.complete(12)
    widest = row_norms(graph.differences(A), conjugate(p)).max()
    model = ConvexClustering(A, graph, 1.1 * widest / 12, p)  # z_ij = (a_i - a_j) / n would do
    X = np.tile(A.mean(axis=0), (12, 1))
    Z = balance_flow(model, X, np.zeros((graph.m, d)), np.zeros(12, dtype=int))
    assert (row_norms(Z, conjugate(p)) < model.radii).all()
    assert A - graph.adjoint(Z) == pytest.approx(X, abs=1e-8)


@pytest.mark.parametrize("p", NORMS)
def test_edges_between_blocks_keep_their_flow(p):
    rng = np.random.default_rng(0)
    A, blocks = rng.normal(size=(8, 2)), np.repeat([0, 1], 4)
    graph = FusionGraph.complete(8)
    model = ConvexClustering(A, graph, 0.2, p)
    Z = model.project_dual(rng.normal(size=(graph.m, 2)))
    result = balance_flow(model, block_means(A, blocks)[blocks], Z, blocks)
    between = blocks[graph.edges[:, 0]] != blocks[graph.edges[:, 1]]
    assert result[between] == pytest.approx(Z[between], rel=1e-12)
    assert (row_norms(result, conjugate(p)) <= model.radii * (1 + 1e-12)).all()


def test_a_block_without_room_stays_feasible():
    A = np.array([[0.0], [10.0]])
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0)
    Z = balance_flow(model, np.full((2, 1), 5.0), np.zeros((1, 1)), np.zeros(2, dtype=int))
    assert (np.abs(Z) <= 1.0).all()


def test_settled_blocks_keep_their_flow():
    rng = np.random.default_rng(1)
    A, blocks = rng.normal(size=(8, 2)), np.repeat([0, 1], 4)
    model = ConvexClustering(A, FusionGraph.complete(8), 2.0)
    Z, X = model.project_dual(rng.normal(size=(28, 2))), block_means(A, blocks)[blocks]
    result = balance_flow(model, X, Z, blocks, settled=np.array([True, False]))
    i, j = model.graph.edges.T
    changed = (result != Z).any(axis=1)
    assert (changed == (blocks[i] + blocks[j] == 2)).all()


def test_too_many_edges_are_left_alone(monkeypatch):
    monkeypatch.setattr(flow, "MOST_EDGES", 27)
    model = ConvexClustering(np.arange(8.0)[:, None], FusionGraph.complete(8), 2.0)
    Z = np.zeros((28, 1))
    assert balance_flow(model, np.full((8, 1), 3.5), Z, np.zeros(8, dtype=int)) is Z


@pytest.mark.parametrize("weak", [0.0, 1e-30, 1e-20])
def test_parts_of_a_block_that_are_hardly_joined(weak):
    """Once "Factor is exactly singular": the Laplacian was grounded at one point only."""
    A = np.tile([[0.0, 0.0], [1.0, 0.0]], (2, 1))
    graph = FusionGraph(4, np.array([[0, 1], [1, 2], [2, 3]]), np.array([1.0, weak, 1.0]))
    model = ConvexClustering(A, graph, 1.0, np.inf)
    X = np.tile(A.mean(axis=0), (4, 1))
    Z = balance_flow(model, X, np.zeros((3, 2)), np.zeros(4, dtype=int))
    assert A - graph.adjoint(Z) == pytest.approx(X, abs=1e-8)
    assert cluster(model).n_clusters == 1


@pytest.mark.parametrize("p", NORMS)
def test_the_flow_of_two_paths_is_unique(p):
    """Blocks 0 and 1 are paths, joined by an edge of given flow; capacities are unequal."""
    graph = FusionGraph(7, [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6]], [3, 1, 5, 2, 4, 9])
    blocks = np.array([0, 0, 0, 1, 1, 1, 1])
    rng = np.random.default_rng(0)
    flow = rng.normal(size=(6, 2))
    flow *= (np.array([0.9, 0.5, 1.0, 0.7, 0.2, 0.9]) / row_norms(flow, conjugate(p)))[:, None]
    X = np.array([[1.0, 2.0], [-3.0, 5.0]])[blocks]
    model = ConvexClustering(X + graph.adjoint(flow * graph.weights[:, None]), graph, 1.0, p)
    start = np.where([[False], [False], [True], [False], [False], [False]], flow, 0.0)
    start *= graph.weights[:, None]
    for sign in (0.0, 1.0, -0.5):
        given = start + sign * np.where(start, 0.0, flow)
        found = balance_flow(model, X, given, blocks)
        assert found == pytest.approx(flow * graph.weights[:, None], abs=1e-8)
    assert np.array_equal(balance_flow(model, X, start, blocks, deadline=-np.inf)[2], start[2])


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("spared", [1e-3, 0.05])
def test_a_share_of_the_capacities_stays_unused(p, spared):
    """A triangle with a long way around: half as much flow would do on the direct edge."""
    rng = np.random.default_rng(1)
    graph = FusionGraph.complete(6)
    A = rng.normal(size=(6, 3))
    widest = row_norms(graph.differences(A), conjugate(p)).max()
    model = ConvexClustering(A, graph, 0.9 * widest / 6, p)  # the equal shares are too much
    X = np.tile(A.mean(axis=0), (6, 1))
    found = balance_flow(model, X, np.zeros((15, 3)), np.zeros(6, int), spared=spared)
    assert A - graph.adjoint(found) == pytest.approx(X, abs=1e-8)
    assert (row_norms(found, conjugate(p)) <= (1 - spared) * model.radii * (1 + 1e-12)).all()
