"""The contracting interior-point method: its labels, whatever goes wrong on the way."""

import dataclasses
import importlib
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.interior_point import method as module
from bilad.solvers.clustering.interior_point.interior_point import InteriorPoint
from bilad.solvers.clustering.parametric.exact_labels import exact_labels
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal

METHODS = importlib.import_module("bilad.solvers.clustering.methods")
NAME = "interior-point"
GAMMAS = st.sampled_from([0.0, 1e-9, 0.25, 0.7, 1.0, 3.0, 1e9])


def moons(seed=0, n=120, gamma=0.5, d=2):
    """Two noisy arcs, in d features: some clusters of many points."""
    rng = np.random.default_rng(seed)
    angle, side = rng.uniform(0, math.pi, n), np.arange(n) % 2
    A = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + side / 2], axis=1)
    A = np.hstack([A, A**2, A[:, :1] * A[:, 1:]])[:, :d] + 0.05 * rng.normal(size=(n, d))
    return ConvexClustering(A, FusionGraph.knn(A, 8, 0.5), gamma)


@pytest.fixture(scope="module")
def solved():
    """A model and its proved solution by SSNAL."""
    model = moons()
    reference = cluster(model, "ssnal", tol=1e-10)
    assert reference.proved
    assert 3 < reference.n_clusters < 60
    return model, reference


def is_solved(found, labels=None, proved=True):
    assert found.status == "optimal"
    assert np.isfinite(found.X).all()
    assert max(found.gap, found.kkt_residual) <= 1e-8
    assert found.proved or not proved
    if labels is not None and found.proved:
        assert problems.same_partition(found.labels, labels)


@given(problems.models(d=1, max_n=7, gammas=GAMMAS))
def test_labels_on_a_line_are_exact(model):
    is_solved(cluster(model, NAME), exact_labels(model), proved=False)


@given(problems.models(max_n=10, gammas=GAMMAS))
def test_small_models_of_all_graphs_agree_with_ssnal(model):
    found, reference = cluster(model, NAME), cluster(model, "ssnal")
    is_solved(found, reference.labels if reference.proved else None, proved=False)
    assert found.objective == pytest.approx(reference.objective, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("gamma", [0.02, 0.3, 3.0])
def test_labels_are_those_of_ssnal(d, gamma):
    model = moons(d, gamma=gamma, d=d)
    found, reference = cluster(model, NAME), cluster(model, "ssnal", tol=1e-10)
    assert reference.proved
    is_solved(found, reference.labels)
    assert found.objective == pytest.approx(reference.objective, rel=1e-8)


def disconnected():
    """A triangle, a pair of duplicates, a pair far apart, and two isolated points."""
    A = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [5, 5], [9, 0], [19, 0], [-3, 1], [-3, 1]]) * 1.0
    edges = [[0, 1], [1, 2], [0, 2], [3, 4], [5, 6], [7, 8]]
    return ConvexClustering(A, FusionGraph(9, edges, [1, 1, 1, 1, 1, 0]), 1.0)


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (ConvexClustering(np.eye(2), FusionGraph.complete(2), 0.70), [0, 1]),
        (ConvexClustering(np.eye(2), FusionGraph.complete(2), 0.71), [0, 0]),
        (ConvexClustering(np.eye(2), FusionGraph.complete(2, 0.0), 1.0), [0, 1]),
        (ConvexClustering(np.eye(3), FusionGraph.complete(3), 0.0), [0, 1, 2]),
        (ConvexClustering(np.eye(3), FusionGraph.complete(3), 1e12), [0, 0, 0]),
        (ConvexClustering(np.eye(3), FusionGraph(3, [[0, 1]], [1.0]), 1.0), [0, 0, 1]),
        (ConvexClustering(np.ones((4, 2)), FusionGraph.complete(4), 0.1), [0, 0, 0, 0]),
        (disconnected(), [0, 0, 0, 1, 1, 2, 3, 4, 4]),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 2.0**-60, 2.0**60])
def test_special_models(model, labels, scale):
    """Two points, zero weights, gamma 0 and huge, isolated points, duplicates, components."""
    model = ConvexClustering(scale * model.data, model.graph, scale * model.gamma)
    found = cluster(model, NAME)
    assert found.proved
    assert found.status == "optimal"
    assert found.labels.tolist() == labels


def test_wrong_contractions_are_found_by_the_proof(solved, monkeypatch):
    model, reference = solved
    monkeypatch.setattr(module, "CAUTION", 1e4)
    goals, whole = [], InteriorPoint.solve

    def solve(self, tol, budget):
        goals.append(tol)
        whole(self, tol, budget)

    monkeypatch.setattr(InteriorPoint, "solve", solve)
    is_solved(cluster(model, NAME), reference.labels)
    assert len(goals) > 2


@pytest.mark.parametrize("at", [0, 4, 9])
@pytest.mark.parametrize("part", ["_scale", "_iterate"])
def test_ssnal_finishes_what_has_failed(solved, part, at, monkeypatch):
    model, reference = solved
    calls, given, whole = [], [], getattr(InteriorPoint, part)

    def ssnal(*arguments):
        given.append(arguments)
        return solve_ssnal(*arguments)

    def failing(self):
        calls.append(0)
        return len(calls) <= at and whole(self)

    monkeypatch.setattr(InteriorPoint, part, failing)
    monkeypatch.setattr(METHODS, "solve_ssnal", ssnal)
    is_solved(cluster(model, NAME), reference.labels)
    assert given or at > 0  # the last pair may be proved


@pytest.mark.parametrize("limit", [1e-9, 1e-4, 2e-3])
def test_a_time_limit_ends_in_a_status(solved, limit):
    model, reference = solved
    found = cluster(model, NAME, time_limit=limit)
    assert found.status in ("time limit", "optimal")
    assert found.seconds < 0.3
    assert np.isfinite(found.X).all()
    assert not found.proved or problems.same_partition(found.labels, reference.labels)


def test_a_time_limit_after_a_warm_start_ends_in_a_status():
    """A partition may be proved in time, and the solution not be accurate."""
    model = ConvexClustering([[0.0], [0.1], [3.0]], FusionGraph.complete(3), 0.3)
    start = cluster(model.replace(data=model.data * 1.001), NAME)
    for limit in np.geomspace(1e-5, 1e-3, 40):
        found = cluster(model, NAME, start=start, time_limit=limit)
        assert found.status in ("time limit", "optimal")


@pytest.mark.parametrize("most", [1, 2, 5, 8, 11])
def test_a_limit_of_iterations_is_kept(solved, most):
    model, reference = solved
    found = cluster(model, NAME, max_iterations=most)
    assert found.iterations <= most + 1
    assert found.status in ("iteration limit", "optimal")
    assert not found.proved or problems.same_partition(found.labels, reference.labels)


@pytest.mark.parametrize("limit", [{"max_iterations": 3}, {"time_limit": 1e-9}])
def test_nothing_is_contracted_after_a_limit(solved, limit, monkeypatch):
    monkeypatch.delattr(module.ContractingMethod, "_repaired")
    assert cluster(solved[0], NAME, **limit).status in ("iteration limit", "time limit")


@pytest.mark.parametrize("at", [1, 6])
def test_an_interrupt_ends_in_a_status(solved, at, monkeypatch):
    calls, whole = [], InteriorPoint._iterate

    def interrupted(self):
        calls.append(0)
        if len(calls) == at:
            raise KeyboardInterrupt
        return whole(self)

    monkeypatch.setattr(InteriorPoint, "_iterate", interrupted)
    found = cluster(solved[0], NAME)
    assert found.status == "interrupted"
    assert np.isfinite(found.X).all()
    assert len(calls) == at


def neighbours(model):
    """Models with the same edges, whose solutions are similar or not."""
    rng, graph = np.random.default_rng(1), model.graph
    weights = graph.weights * rng.uniform(0.5, 2, graph.m)
    for gamma in (0.0, 0.1, 0.49, 1e6):
        yield ConvexClustering(model.data, graph, gamma)
    for size in (1e-12, 1e-2, 10.0):
        yield ConvexClustering(model.data + size * rng.normal(size=model.data.shape), graph, 0.5)
    yield ConvexClustering(model.data, graph.with_weights(weights), 0.5)
    yield ConvexClustering(model.data, graph.with_weights(weights * (weights > 0.3)), 0.5)
    yield model


@pytest.mark.parametrize("first", [NAME, "ssnal", "clarabel"])
def test_a_warm_start_changes_no_labels(solved, first):
    """The start is the solution of another gamma, other data or weights, also by another method."""
    model, reference = solved
    for other in neighbours(model):
        start = cluster(other, first)
        is_solved(cluster(model, NAME, start=start), reference.labels)
        bare = dataclasses.replace(start, reusable=None)
        is_solved(cluster(model, NAME, start=bare), reference.labels)


def test_a_useless_start_changes_no_labels(solved):
    model, reference = solved
    for X in (np.zeros_like(model.data), 1e6 * model.data, -model.data):
        start = dataclasses.replace(reference, X=X, reusable=None)
        is_solved(cluster(model, NAME, start=start), reference.labels)


@pytest.mark.parametrize("options", [{"refine": True}, {"labels_only": True}, {"tol": 1e-12}])
def test_options_change_no_labels(solved, options):
    model, reference = solved
    found = cluster(model, NAME, **options)
    is_solved(found, reference.labels)
    assert time.perf_counter() > found.seconds > 0


@pytest.mark.parametrize("share", [1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
@pytest.mark.parametrize("sign", [-1, 1])
def test_near_ties_need_no_ssnal(sign, share, monkeypatch):
    """Two points whose distance is 5, and a capacity near 5 / 2."""
    monkeypatch.delattr(METHODS, "solve_ssnal")
    data = np.array([[0.0, 0.0], [3.0, 4.0]])
    model = ConvexClustering(data, FusionGraph.complete(2), 2.5 * (1 + sign * share))
    is_solved(cluster(model, NAME), [0, 0] if sign > 0 else [0, 1])


def test_ties_are_decided_exactly_on_a_line():
    """Five pairs at their exact threshold: undecided, until they are refined."""
    A = np.arange(10.0)[:, None] ** 2
    edges = [[2 * k, 2 * k + 1] for k in range(5)]
    graph = FusionGraph(10, edges, [(4 * k + 1) / 2 for k in range(5)])
    model = ConvexClustering(A, graph, 1.0)
    found = cluster(model, NAME, refine=True)
    assert found.proved
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
