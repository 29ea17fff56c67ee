"""Once its arguments are accepted `cluster` ends in a result, whatever happens in it."""

import importlib
import time

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import attack, cluster, cluster_path
from bilad.solvers.clustering.cluster import InterruptedSolveError, solve_lower
from bilad.solvers.clustering.labels.partition import prove_partition

MODULE = importlib.import_module("bilad.solvers.clustering.cluster")
METHODS = importlib.import_module("bilad.solvers.clustering.methods")
A = np.random.default_rng(0).normal(size=(30, 2))
MODEL = ConvexClustering(A, FusionGraph.knn(A, 5), 0.3, 1)


class PanicException(BaseException):
    """A fault that is no Exception."""


FAULTS = [
    np.linalg.LinAlgError("singular"),
    ZeroDivisionError("by zero"),
    MemoryError(),
    PanicException("panic"),
]


def raising(fault):
    def fail(*_, **__):
        raise fault

    return fail


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_fault_in_the_solve_leaves_the_data_with_their_gap(monkeypatch, fault):
    monkeypatch.setattr(METHODS, "solve_ssnal", raising(fault))
    found = cluster(MODEL, "ssnal")
    assert found.status.startswith(f"error: {type(fault).__name__}")
    assert np.array_equal(found.X, A)
    assert not found.Z.any()
    assert found.gap == pytest.approx(MODEL.gap(A, found.Z))
    assert len(found.undecided) == MODEL.n - 1


def test_a_fault_in_the_proof_leaves_the_solution(monkeypatch):
    plain = cluster(MODEL, "ssnal")
    monkeypatch.setattr(MODULE, "prove_partition", raising(FloatingPointError("overflow")))
    found = cluster(MODEL, "ssnal")
    assert found.status == "error: FloatingPointError: overflow"
    assert found.gap <= 1e-8
    assert np.array_equal(found.X, plain.X)
    assert not found.proved


def test_an_interrupt_ends_in_a_result_or_goes_on_to_a_caller_with_more_to_stop(monkeypatch):
    monkeypatch.setattr(MODULE, "prove_partition", raising(KeyboardInterrupt()))
    assert cluster(MODEL, "ssnal").status == "interrupted"
    with pytest.raises(InterruptedSolveError) as stop:
        solve_lower(MODEL, "ssnal")
    assert stop.value.clustering.gap <= 1e-8


def test_an_interrupt_in_a_solve_stops_a_path_and_an_attack(monkeypatch):
    problem = MaxDeviation(MODEL, Perturbation.additive(A.shape, points=[0]), 1.0)
    calls = []

    def at_the_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return prove_partition(*arguments)

    monkeypatch.setattr(MODULE, "prove_partition", at_the_third)
    path = cluster_path(MODEL, [0.1, 0.2, 0.3, 0.4, 0.5], "ssnal")
    assert (path.status, len(path.clusterings), len(calls)) == ("interrupted", 2, 3)
    calls.clear()
    attack(problem, "corners", max_solves=20, bound="none")
    assert len(calls) < 20


def test_past_the_deadline_only_the_gap_tells_pairs_apart():
    found = cluster(MODEL, "ssnal", tol=1e-10)
    late = prove_partition(MODEL, found.X, found.Z, time.perf_counter())
    assert "the time limit was reached before the proof" in late.why
    assert 0 < len(late.undecided) < MODEL.n
    apart = late.labels[:, None] != late.labels
    assert (found.labels[:, None] != found.labels)[apart].all()


@pytest.mark.parametrize("method", ["exact", "clarabel"])
def test_a_method_that_cannot_be_stopped_is_not_begun_too_late(method):
    n = 100_000 if method == "exact" else 1_000
    data = np.random.default_rng(1).normal(size=(n, 1))
    model = ConvexClustering(data, FusionGraph.complete(n), 1e-5)
    found = cluster(model, method, time_limit=1e-3)
    assert found.status == "time limit"
    assert found.gap > 0
    assert not found.proved


def test_a_start_that_leads_nowhere_is_given_up():
    """Weights over many magnitudes: from here SSNAL stalls at a gap of 0.03."""
    line = np.outer(np.arange(37.0), np.ones(3))
    rng = np.random.default_rng(1)
    for _ in range(12):
        graph = FusionGraph.knn(line, int(rng.integers(5, 37)), 0.5)
        near = line * (1 + 1e-3 * rng.standard_normal(line.shape))
        before = ConvexClustering(near, graph, 1.7e-6 * rng.uniform(0.5, 2))
        model = ConvexClustering(line, graph, 1.7e-6)
        warm = cluster(model, "ssnal", start=cluster(before, "ssnal"))
        assert warm.status == cluster(model, "ssnal").status == "optimal"


def test_a_warm_start_with_weights_of_many_magnitudes_is_no_worse_than_a_cold_one():
    """The capacity of an edge that is cut off counts when the two are compared."""
    for seed in (301, 336):
        rng = np.random.default_rng(seed)
        A, chosen = rng.normal(size=(16, 2)), np.triu(rng.random((16, 16)) < 0.4, 1)
        edges = np.argwhere(chosen)
        weights = 10.0 ** rng.uniform(-150, 150, len(edges))
        gamma = 10.0 ** rng.uniform(-150, 150)
        model = ConvexClustering(A, FusionGraph(16, edges, weights), gamma, np.inf)
        moved = model.replace(data=A + rng.normal(size=A.shape))
        assert cluster(moved, "ssnal", start=cluster(model, "ssnal")).status == "optimal"


def test_a_flow_that_cannot_be_rerouted_leaves_the_proof_as_it_is():
    """Capacities of many magnitudes: a Laplacian that is singular to rounding."""
    A = [[2, -4], [-1, -4], [-3, 3], [-3, 1], [-2, -3], [2, -3], [4, 0], [4, -3]]
    edges = [(0, 1), (0, 7), (1, 2), (1, 3), (1, 4), (2, 3), (2, 6), (2, 7), (3, 5), (3, 6)]
    edges += [(3, 7), (4, 5), (4, 7)]
    weights = [4.8e257, 1.9e286, 1.5e-11, 6e51, 7.5e-155, 1.06e-227, 5.4e185, 7e246, 1.75e-251]
    weights += [1.76e159, 3.65e47, 1.4e160, 8.8e71]
    model = ConvexClustering(np.array(A) * 1e290, FusionGraph(8, edges, weights), 3.1e-235, 1)
    assert not cluster(model, "clarabel").status.startswith("error")
