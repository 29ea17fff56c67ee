"""Every way to solve (I + B' H B) D = R against the matrix written out."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.ssnal.linear_systems import (
    ConjugateGradients,
    Factor,
    System,
)
from bilad.solvers.clustering.ssnal.workspace import Workspace

WAYS = [Factor, ConjugateGradients]


def edges_of(graph):
    return Workspace(ConvexClustering(np.zeros((graph.n, 1)), graph, 1.0)).edges


def neighbours(n, k=4):
    return FusionGraph.knn(np.random.default_rng(n).normal(size=(n, 2)), k=k)


def random_blocks(rng, m, b, scale=1.0):
    """Positive semidefinite, some singular, some zero."""
    roots = scale * rng.normal(size=(m, b, rng.integers(1, b + 1)))
    roots[rng.random(m) < 0.3] = 0
    return roots @ roots.transpose(0, 2, 1)


def written_out(edges, blocks):
    m, b = blocks.shape[:2]
    incidence = np.zeros((m, edges.n))
    incidence[np.arange(m), edges.tails] = 1
    incidence[np.arange(m), edges.heads] = -1
    inner = scipy.linalg.block_diag(np.zeros((0, 0)), *blocks)
    B = np.kron(incidence, np.eye(b))
    return np.eye(edges.n * b) + B.T @ inner @ B


def check(factor, edges, blocks, R):
    """The largest error allowed is that of a solve with a condition number of 1e6 or so."""
    matrix = written_out(edges, blocks)
    D = factor.solve(R)
    assert D.shape == R.shape
    rest = matrix @ D.reshape(len(matrix), -1) - R.reshape(len(matrix), -1)
    assert np.abs(rest).max() <= 1e-9 * (1 + np.abs(R).max())


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_any_graph_and_blocks_of_any_rank_again_and_again(way, data):
    n, b = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 4))
    edges = edges_of(data.draw(problems.graphs(n)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    factor = way(edges, b)
    for scale in (1.0, 100.0, 0.01):
        blocks = random_blocks(rng, len(edges.tails), b, scale)
        factor.update(blocks)
        check(factor, edges, blocks, rng.normal(size=(n, b)))
        check(factor, edges, blocks, rng.normal(size=n * b))


@pytest.mark.parametrize("way", WAYS)
def test_several_right_hand_sides_at_once(way):
    graph = neighbours(20)
    edges, rng = edges_of(graph), np.random.default_rng(0)
    factor, blocks = way(edges, 1), random_blocks(rng, graph.m, 1)
    factor.update(blocks)
    R = rng.normal(size=(20, 5))
    check(factor, edges, blocks, R)
    check(factor, edges, blocks, np.asfortranarray(R))
    check(factor, edges, blocks, np.zeros((20, 5)))


@pytest.mark.parametrize("way", WAYS)
def test_blocks_and_right_hand_sides_are_left_alone(way):
    graph = neighbours(12)
    rng = np.random.default_rng(1)
    blocks, R = random_blocks(rng, graph.m, 2), rng.normal(size=(12, 2))
    before = blocks.copy(), R.copy()
    factor = way(edges_of(graph), 2)
    factor.update(blocks)
    factor.solve(R)
    assert np.array_equal(blocks, before[0])
    assert np.array_equal(R, before[1])


@pytest.mark.parametrize("graph", [neighbours(30), neighbours(80)])
def test_fused_edges_of_a_large_penalty_cost_no_more_digits_than_their_size(graph):
    """Penalties of 1e8 are common: the mean, which no edge sees, must keep its digits."""
    factor, mean = Factor(edges_of(graph), 1), (graph.n - 1) / 2
    factor.update(np.full((graph.m, 1, 1), 1e8))
    D = factor.solve(np.arange(graph.n, dtype=float)[:, None])
    assert pytest.approx(np.full((graph.n, 1), mean), abs=1e-5) == D
    assert D.mean() == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("b", [1, 2, 3])
@pytest.mark.parametrize("graph", [neighbours(80), FusionGraph.complete(80)])
def test_large_systems_sparse_and_full(graph, b):
    edges, rng = edges_of(graph), np.random.default_rng(b)
    factor, blocks = Factor(edges, b), random_blocks(rng, graph.m, b)
    assert factor.update(blocks)
    assert factor._cholesky.elimination.is_dense == (graph.m == 80 * 79 / 2)
    check(factor, edges, blocks, rng.normal(size=(80, b)))


def make_failing(monkeypatch, way, error, after):
    """Let `way` factorise so many times, then fail."""
    update, calls = way.update, []

    def failing(self, blocks):
        calls.append(blocks)
        if len(calls) > after:
            raise error
        return update(self, blocks)

    monkeypatch.setattr(way, "update", failing)


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("error", [np.linalg.LinAlgError(), RuntimeError(), MemoryError()])
def test_conjugate_gradients_take_over_when_a_factorisation_fails(monkeypatch, error, after):
    make_failing(monkeypatch, Factor, error, after)
    n, graph = 20, neighbours(20)
    edges, rng = edges_of(graph), np.random.default_rng(n)
    system = System(edges, 1)
    for count in range(4):
        blocks = random_blocks(rng, graph.m, 1)
        system.update(blocks)
        check(system, edges, blocks, rng.normal(size=(n, 3)))
        assert system.failed == (count >= after)
        assert system.factorisations == count + 1


def test_a_matrix_that_is_not_positive_definite_counts_as_a_failure():
    graph = neighbours(10)
    edges = edges_of(graph)
    system = System(edges, 1)
    system.update(np.full((graph.m, 1, 1), -10.0))
    assert system.failed
    blocks = np.ones((graph.m, 1, 1))
    system.update(blocks)
    check(system, edges, blocks, np.arange(10.0)[:, None])


def test_a_failure_of_conjugate_gradients_too_is_an_error(monkeypatch):
    for way in (Factor, ConjugateGradients):
        make_failing(monkeypatch, way, MemoryError(), 0)
    graph = neighbours(10)
    with pytest.raises(MemoryError):
        System(edges_of(graph), 1).update(np.ones((graph.m, 1, 1)))


def test_any_other_error_is_not_hidden(monkeypatch):
    make_failing(monkeypatch, Factor, TypeError("a mistake"), 0)
    graph = neighbours(10)
    with pytest.raises(TypeError, match="a mistake"):
        System(edges_of(graph), 1).update(np.ones((graph.m, 1, 1)))
