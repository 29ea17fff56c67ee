"""Routing: what is returned is feasible, leaves the other edges alone, and balances if it can."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.certificates.routing import block_means, reroute


def test_block_means():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])
    assert block_means(values, np.array([1, 0, 1])).tolist() == [[3.0, 4.0], [3.0, 5.5]]


@pytest.mark.parametrize("d", [1, 3])
def test_a_block_with_room_is_balanced_inside_its_capacities(d):
    rng = np.random.default_rng(d)
    A = rng.normal(size=(12, d))
    graph = FusionGraph.complete(12)
    widest = np.linalg.norm(A[:, None] - A, axis=2).max()
    model = ConvexClustering(A, graph, 1.1 * widest / 12)  # z_ij = (a_i - a_j) / n would do
    X = np.tile(A.mean(axis=0), (12, 1))
    Z = reroute(model, X, np.zeros((graph.m, d)), np.zeros(12, dtype=int))
    assert (np.linalg.norm(Z, axis=1) < model.radii).all()
    assert A - graph.adjoint(Z) == pytest.approx(X, abs=1e-8)


def test_edges_between_blocks_keep_their_flow():
    rng = np.random.default_rng(0)
    A, blocks = rng.normal(size=(8, 2)), np.repeat([0, 1], 4)
    graph = FusionGraph.complete(8)
    model = ConvexClustering(A, graph, 0.2)
    Z = model.project_dual(rng.normal(size=(graph.m, 2)))
    result = reroute(model, block_means(A, blocks)[blocks], Z, blocks)
    between = blocks[graph.edges[:, 0]] != blocks[graph.edges[:, 1]]
    assert result[between] == pytest.approx(Z[between], rel=1e-12)
    assert (np.linalg.norm(result, axis=1) <= model.radii * (1 + 1e-12)).all()


def test_a_block_without_room_stays_feasible():
    A = np.array([[0.0], [10.0]])
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0)
    Z = reroute(model, np.full((2, 1), 5.0), np.zeros((1, 1)), np.zeros(2, dtype=int))
    assert (np.abs(Z) <= 1.0).all()
