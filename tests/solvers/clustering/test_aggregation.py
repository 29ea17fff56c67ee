"""Aggregated problems, electrical flows inside blocks, and the continuation that uses them."""

import itertools
import time

import numpy as np
import pytest
from support import problems

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster, cluster_path
from bilad.solvers.clustering import continuation
from bilad.solvers.clustering.aggregation import (
    BALANCED,
    AggregatedProblem,
    BlockSolution,
    electrical_flow,
)
from bilad.solvers.clustering.labels.partition import prove_partition
from bilad.solvers.clustering.ssnal.workspace import Workspace
from bilad.solvers.clustering.unit_scale import unit_scale

NORMS = (1, 2, float("inf"))


def three_groups(p=2, d=2, n=90):
    rng = np.random.default_rng(3)
    A = rng.normal(size=(n, d)) + 8 * (np.arange(n) % 3)[:, None]
    return ConvexClustering(A, FusionGraph.knn(A, k=n // 2, phi=0.02), 1.0, p)


def at(model, gamma):
    return ConvexClustering(model.data, model.graph, gamma, model.p)


def random_weights(seed):
    """A small random graph whose weights differ by up to 40: its clusters split now and then."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 30))
    A = rng.normal(size=(n, 2))
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    pairs = pairs[rng.random(len(pairs)) < 6 / n]
    weights = rng.choice([0.1, 0.25, 1.0, 2.0, 4.0], size=len(pairs))
    return ConvexClustering(A, FusionGraph(n, pairs, weights), 1.0)


@pytest.mark.parametrize(("p", "d"), [(1, 1), (2, 1), (2, 2), (2, 4), (float("inf"), 1)])
def test_the_aggregated_solution_solves_the_whole_problem(p, d):
    model = three_groups(p, d)
    gamma = 0.03 * d**2
    first = cluster(at(model, gamma), "ssnal", tol=1e-9)
    blocks = first.labels
    assert 1 < first.n_clusters < model.n
    later = at(model, 1.2 * gamma)
    start = BlockSolution(gamma, first.X, first.Z, blocks)
    found = AggregatedProblem(model, blocks).solve(later, start, 1e-8, 1000, np.inf)
    cold = cluster(later, "clarabel", tol=1e-9)
    assert later.primal(found.X) <= cold.objective * (1 + 1e-8)
    assert np.linalg.norm(found.X - cold.X) <= 1e-3
    for members in (blocks == k for k in range(first.n_clusters)):
        assert (found.X[members] == found.X[members][0]).all()
    Z, missing = electrical_flow(later, found, Workspace(later))
    assert missing.max() <= BALANCED
    assert max(later.gap(found.X, Z), later.kkt_residual(found.X, Z)) <= 1e-8


@pytest.mark.parametrize("p", NORMS)
def test_an_electrical_flow_says_where_flow_is_missing(p):
    """Nothing can hold two far points of one block together by an edge of small capacity."""
    model = ConvexClustering(
        [[0.0, 0.0], [9.0, 1.0], [20.0, 0.0], [21.0, 0.0]],
        FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [1.0, 1.0, 1.0]),
        1.0,
        p,
    )
    blocks = np.array([0, 0, 1, 1])
    X = np.array([[4.5, 0.5]] * 2 + [[20.5, 0.0]] * 2)
    Z, missing = electrical_flow(
        model, BlockSolution(1.0, X, np.zeros((3, 2)), blocks), Workspace(model)
    )
    assert np.array_equal(missing > BALANCED, [True, True, False, False])
    assert np.array_equal(Z[1], [0, 0])  # between blocks
    assert np.allclose(Z, model.project_dual(Z), rtol=0, atol=1e-15)


@pytest.mark.parametrize("d", [1, 2])
def test_most_of_a_path_is_solved_on_blocks(d, monkeypatch):
    """Once enough has fused, SSNAL sees the whole problem no more."""
    whole = []
    real = continuation.solve_ssnal

    def counted(model, *rest):
        whole.append(model.gamma)
        return real(model, *rest)

    monkeypatch.setattr(continuation, "solve_ssnal", counted)
    model, gammas = three_groups(d=d), np.geomspace(0.06, 20, 12)
    path = cluster_path(model, gammas, "ssnal")
    assert whole[0] == unit_scale(at(model, gammas[0])).model.gamma
    assert len(whole) <= 2
    assert path.n_clusters[-1] == 1
    for clustering in path.clusterings:
        assert max(clustering.gap, clustering.kkt_residual) <= 1e-8


def test_a_cluster_is_cut_when_it_wants_to_split(monkeypatch):
    """Contracted, and right all the same: the labels are those of cold solves."""
    cuts = []
    real = continuation._cut

    def counted(model, *rest, **options):
        cuts.append(model.gamma)
        return real(model, *rest, **options)

    monkeypatch.setattr(continuation, "_cut", counted)
    splits = 0
    for seed in range(12):
        model = random_weights(seed)
        path = cluster_path(model, np.geomspace(0.03, 1, 10), "ssnal")
        splits += len(path.splits)
        for gamma, ours in zip(path.gammas, path.clusterings, strict=True):
            cold = cluster(at(model, gamma), "clarabel", tol=1e-9)
            assert ours.status == "optimal"
            assert ours.objective == pytest.approx(cold.objective, rel=1e-7)
            if ours.proved and cold.proved:
                assert problems.same_partition(ours.labels, cold.labels)
        for k, points in path.splits:
            assert len(set(path.clusterings[k - 1].labels[points])) == 1
            assert len(set(path.clusterings[k].labels[points])) > 1
    assert splits >= 3
    assert cuts


def test_wrong_blocks_are_cut_and_nothing_worse_than_tol_is_accepted():
    """Blocks that no solution has: the continuation finds its way back."""
    model = three_groups()
    solver = continuation.Continuation(1e-8, 1000)
    solver.solve(at(model, 0.01), np.inf)
    last = solver._last
    solver._last = BlockSolution(last.gamma, last.X, last.Z, np.arange(model.n) // 2)
    ours = solver.solve(at(model, 0.02), np.inf)
    Z, later = ours.make_dual(), at(model, 0.02)
    cold = cluster(at(model, 0.02), "ssnal", tol=1e-10)
    assert ours.status == "optimal"
    assert max(later.gap(ours.X, Z), later.kkt_residual(ours.X, Z)) <= 1e-8
    assert later.primal(ours.X) == pytest.approx(cold.objective, rel=1e-7)
    assert np.array_equal(prove_partition(later, ours.X, Z).labels, cold.labels)


def test_a_deadline_stops_a_contracted_solve_too():
    model = three_groups()
    solver = continuation.Continuation(1e-8, 1000)
    assert solver.solve(at(model, 0.1), np.inf).status == "optimal"
    late = solver.solve(at(model, 0.2), time.perf_counter())
    assert late.status == "time limit"
    later, Z = at(model, 0.2), late.make_dual()
    assert max(later.gap(late.X, Z), later.kkt_residual(late.X, Z)) > 1e-8


def test_refine_proves_what_the_tolerance_leaves_open():
    model, gammas = three_groups(n=60), np.geomspace(0.003, 3, 10)
    path = cluster_path(model, gammas, "ssnal", tol=1e-5, refine=True)
    assert all(clustering.proved for clustering in path.clusterings)
