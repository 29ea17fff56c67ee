"""`refine` proves more, or says why not; `labels_only` asks for the labels alone."""

from itertools import product

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster

NORMS = (1, 2, np.inf)
WHY = "labels not proved, and a tighter tolerance does not help: "


def groups(seed, p, gamma=0.6):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(40, 2)) + 3 * rng.integers(0, 3, size=(40, 1))
    return ConvexClustering(A, FusionGraph.knn(A, k=5), gamma, p)


def touching_pair(d, p=2, length=2.0):
    """Two points at a distance of exactly twice their capacity: they meet and press no more."""
    A = np.zeros((2, d))
    A[1, 0] = length
    return ConvexClustering(A, FusionGraph.complete(2), length / 2, p)


def touching_simplex(n, p):
    gamma = 2 / (n * np.linalg.norm([1, -1], p))
    return ConvexClustering(np.eye(n), FusionGraph.complete(n), gamma, p)


@pytest.mark.parametrize(("seed", "p", "tol"), [(0, np.inf, 3e-2), (3, np.inf, 1e-2)])
def test_refine_proves_what_a_loose_tolerance_does_not(seed, p, tol):
    model = groups(seed, p)
    loose = cluster(model, "ssnal", tol=tol)
    refined = cluster(model, "ssnal", tol=tol, refine=True)
    sharp = cluster(model, "ssnal", tol=1e-10)
    assert not loose.proved
    assert sharp.proved
    assert refined.proved
    assert refined.remark == ""
    assert refined.status == "optimal"
    assert refined.iterations > loose.iterations
    assert np.array_equal(refined.labels, sharp.labels)


@pytest.mark.parametrize("method", ["ssnal", "clarabel"])
@pytest.mark.parametrize("p", NORMS)
def test_refine_does_nothing_where_all_is_proved(method, p):
    model = groups(1, p)
    plain, refined = (cluster(model, method, refine=refine) for refine in (False, True))
    assert plain.proved
    assert np.array_equal(refined.X, plain.X)
    assert (refined.iterations, refined.remark) == (plain.iterations, "")


@pytest.mark.parametrize(
    "model",
    [
        touching_pair(2),
        *(touching_simplex(n, p) for n in (3, 4) for p in (2, np.inf)),
    ],
)
@pytest.mark.parametrize("method", ["ssnal", "clarabel"])
def test_an_exact_tie_stays_undecided_and_refine_says_why(model, method):
    plain, refined = (cluster(model, method, refine=refine) for refine in (False, True))
    assert not plain.proved
    assert not refined.proved
    assert plain.remark == ""
    assert refined.remark.startswith(WHY)
    assert "not proved" in refined.remark.removeprefix(WHY)
    assert refined.n_clusters == 1
    assert refined.gap <= max(plain.gap, 1e-8)
    assert model.gap(refined.X, refined.Z) <= max(plain.gap, 1e-8)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        *product([touching_pair(1), touching_pair(2, p=1)], ["ssnal", "clarabel", "exact"]),
        *product([touching_pair(2, p=np.inf)], ["ssnal", "clarabel"]),  # two lines in the plane
    ],
)
def test_a_tie_of_lines_is_decided_in_exact_arithmetic(model, method):
    touching = cluster(model, method)
    assert touching.proved
    assert touching.n_clusters == 1
    apart = ConvexClustering(model.data, model.graph, np.nextafter(model.gamma, 0), model.p)
    assert cluster(apart, method).n_clusters == 2
    assert touching.remark == "ties decided in exact arithmetic"


def test_refine_raises_nothing_at_a_tie():
    A = np.array([[0.0, 1.0, -0.5], [0.0, 1.0, 0.5]])
    assert not cluster(ConvexClustering(A, FusionGraph.complete(2), 0.5), refine=True).proved


def test_cuts_in_exact_arithmetic_are_left_to_refine():
    graph = FusionGraph(4, [(0, 1), (1, 2), (2, 3)], np.ones(3))
    model = ConvexClustering([[0.0], [5.0], [5.0], [10.0]], graph, 1.0)
    plain, refined = (cluster(model, "exact", refine=refine) for refine in (False, True))
    assert plain.undecided.tolist() == [[1, 2]]
    assert refined.proved
    assert refined.labels.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("p", NORMS)
def test_labels_only_gives_the_labels_of_a_full_solve_sooner(p):
    spent = []
    for seed in range(4):
        full, labels = (cluster(groups(seed, p), "ssnal", labels_only=o) for o in (False, True))
        assert full.proved
        assert labels.proved
        assert labels.status in ("labels proved", "optimal")
        assert (labels.status == "optimal") == (max(labels.gap, labels.kkt_residual) <= 1e-8)
        assert np.array_equal(labels.labels, full.labels)
        assert labels.gap == pytest.approx(labels.model.gap(labels.X, labels.Z), abs=1e-15)
        spent.append((labels.iterations, full.iterations))
    assert all(some <= every for some, every in spent)
    assert any(some < every for some, every in spent)


def test_labels_only_goes_on_to_the_tolerance_where_labels_are_not_proved():
    """Groups, and apart from them a pair that meets exactly."""
    model, pair = groups(0, 2), touching_pair(2, length=1.2)
    graph = FusionGraph(42, [*model.graph.edges, (40, 41)], [*model.graph.weights, 1.0])
    tied = ConvexClustering(np.vstack([model.data, pair.data]), graph, model.gamma)
    solution = cluster(tied, "ssnal", labels_only=True, tol=1e-10)
    assert solution.undecided.tolist() == [[40, 41]]
    assert solution.status == "optimal"
    assert max(solution.gap, solution.kkt_residual) <= 1e-10


@pytest.mark.parametrize(("method", "p"), [("exact", 1), ("clarabel", 2)])
def test_labels_only_means_nothing_to_the_other_methods(method, p):
    model = ConvexClustering(groups(1, p).data, FusionGraph.complete(40), 0.02, p)
    plain, labels = (cluster(model, method, labels_only=only) for only in (False, True))
    assert np.array_equal(plain.X, labels.X)
    assert labels.iterations == plain.iterations


@pytest.mark.parametrize("option", ["refine", "labels_only"])
@pytest.mark.parametrize(
    ("limit", "status"),
    [({"max_iterations": 1}, "iteration limit"), ({"time_limit": 1e-9}, "time limit")],
)
def test_a_limit_ends_either(option, limit, status):
    solution = cluster(groups(0, 2), "ssnal", **limit, **{option: True})
    assert solution.status == status
    assert solution.iterations <= 1 or status == "time limit"
    assert solution.gap == pytest.approx(solution.model.gap(solution.X, solution.Z), rel=1e-12)
