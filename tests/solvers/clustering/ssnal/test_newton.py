"""The Newton system of SSNAL, H_e = diag(a_e) - v_e v_e', against the matrix written out."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.ssnal.newton import (
    REUSE_SIZE,
    DirectNewton,
    IterativeNewton,
    newton_system,
)
from bilad.solvers.clustering.ssnal.workspace import Workspace


def edges_of(graph):
    return Workspace(ConvexClustering(np.zeros((graph.n, 1)), graph, 1.0)).edges


def neighbours(n, k=4):
    return FusionGraph.knn(np.random.default_rng(n).normal(size=(n, 2)), k=k)


def random_jacobians(rng, m, d):
    """a and v as the projections give them: for q = 2, for q in {1, inf}, and for edges inside."""
    s = 10 ** rng.uniform(-1, 2, size=(m, 1))
    kind = rng.integers(0, 3, size=(m, 1))
    unit = rng.normal(size=(m, d))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    support = rng.random((m, d)) < 0.6
    sign = np.where(support, np.sign(unit), 0.0)
    flat = sign / np.sqrt(np.maximum(support.sum(axis=1, keepdims=True), 1))
    a = np.select([kind == 0, kind == 1], [np.full((m, d), s), s * support], s)
    v = np.select([kind == 0, kind == 1], [np.sqrt(s) * unit, np.sqrt(s) * flat], 0.0)
    return a, v


def residual(edges, a, v, R, D):
    """Relative, from the matrix of all entries."""
    (m, d), n = a.shape, edges.n
    incidence = np.zeros((m, n))
    incidence[np.arange(m), edges.tails] = 1
    incidence[np.arange(m), edges.heads] = -1
    blocks = [np.diag(a_e) - np.outer(v_e, v_e) for a_e, v_e in zip(a, v, strict=True)]
    B = np.kron(incidence, np.eye(d))
    inner = scipy.linalg.block_diag(np.zeros((0, 0)), *blocks)
    matrix = np.eye(n * d) + B.T @ inner @ B
    return np.linalg.norm(matrix @ D.ravel() - R.ravel()) / np.linalg.norm(R)


WAYS = {
    "direct": DirectNewton,
    "iterative": IterativeNewton,
    "iterative, isotropic": lambda edges, d: IterativeNewton(edges, 1),
}


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_any_graph_and_every_kind_of_jacobian_again_and_again(way, data):
    n, d = data.draw(st.integers(2, 8)), data.draw(st.integers(1, 5))
    edges = edges_of(data.draw(problems.graphs(n)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    system = WAYS[way](edges, d)
    for rtol in (1e-3, 1e-9):
        a, v = random_jacobians(rng, len(edges.tails), d)
        R = rng.normal(size=(n, d))
        assert residual(edges, a, v, R, system.solve(a, v, R, rtol)) <= 1.01 * rtol


@pytest.mark.parametrize("way", WAYS)
def test_what_it_is_given_is_left_alone(way):
    graph = neighbours(10)
    rng = np.random.default_rng(0)
    given_ = *random_jacobians(rng, graph.m, 4), rng.normal(size=(10, 4))
    before = [array.copy() for array in given_]
    WAYS[way](edges_of(graph), 4).solve(*given_, 1e-6)
    assert all(map(np.array_equal, given_, before))


@pytest.mark.parametrize("change", [0.0, 1e-6, 1e-2, 0.2, 1.0, 100.0])
def test_an_old_factorisation_gives_the_right_answer(change):
    graph, d = neighbours(REUSE_SIZE // 2), 2
    edges, rng = edges_of(graph), np.random.default_rng(0)
    system = DirectNewton(edges, d)
    a, v = random_jacobians(rng, graph.m, d)
    R = rng.normal(size=(graph.n, d))
    system.solve(a, v, R, 1e-8)
    other_a, other_v = random_jacobians(rng, graph.m, d)
    near_a, near_v = a + change * other_a, np.sqrt(v * v + change * other_v * other_v)
    near_v *= np.sign(v) + (v == 0)
    D = system.solve(near_a, near_v, R, 1e-8)
    assert residual(edges, near_a, near_v, R, D) <= 1.01e-8


def test_a_factorisation_is_used_again_only_while_little_changes():
    graph = neighbours(REUSE_SIZE)
    rng = np.random.default_rng(0)
    system = DirectNewton(edges_of(graph), 1)
    a, v, R = np.ones((graph.m, 1)), np.zeros((graph.m, 1)), rng.normal(size=(graph.n, 1))
    counts = []
    for factor in (1.0, 1.0, 1.01, 3.0, 3.0):
        system.solve(factor * a, v, R, 1e-6)
        counts.append(system.systems[0].factorisations)
    assert counts == [1, 1, 1, 2, 2]


def test_a_step_too_hard_for_the_old_factorisation_is_factorised_anew():
    """Few edges change, so the norm says little; but by so much that CG needs many steps."""
    graph = neighbours(REUSE_SIZE)
    edges, rng = edges_of(graph), np.random.default_rng(0)
    system = DirectNewton(edges, 1)
    a, v = np.full((graph.m, 1), 1e6), np.zeros((graph.m, 1))
    a[::3] = 1e-3
    R = rng.normal(size=(graph.n, 1))
    system.solve(a, v, R, 1e-10)
    a = a.copy()
    a[rng.choice(graph.m, 40, replace=False)] = 1.0
    D = system.solve(a, v, R, 1e-10)
    assert residual(edges, a, v, R, D) <= 1e-9
    assert system.systems[0].factorisations == 2


def test_small_systems_and_few_features_are_factorised_whole():
    def chosen(n, d, isotropic=True):
        return newton_system(edges_of(neighbours(n)), d, isotropic)

    assert isinstance(chosen(500, 3), DirectNewton)
    assert isinstance(chosen(100, 4), DirectNewton)
    assert isinstance(chosen(101, 4), IterativeNewton)


def test_an_isotropic_system_has_one_preconditioner_and_the_others_one_for_each_feature():
    edges = edges_of(neighbours(101))
    assert len(newton_system(edges, 4, True).systems) == 1
    assert len(newton_system(edges, 4, False).systems) == 4
