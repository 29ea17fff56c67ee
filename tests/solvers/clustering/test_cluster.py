"""`cluster`: properties every method has, which method is taken, and wrong arguments."""

import itertools
import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems
from support.solutions import check_same, error, solve

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.errors import UnsupportedError

METHODS = ["exact", "ssnal"]
MODEL = ConvexClustering([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]], FusionGraph.complete(3), 0.1)


@pytest.fixture(scope="module")
def draw_model():
    """Draw a model that the method takes."""

    def draw(data, method, graph=None, **options):
        if method == "exact":
            options |= {"d": 1, "graph": problems.complete_graphs}
        elif graph:
            options["graph"] = graph
        return data.draw(problems.models(**options))

    return draw


@given(data=st.data())
def test_components_are_solved_independently(data):
    d = data.draw(st.integers(1, 2))
    first, second = (data.draw(problems.models(max_n=5, d=d)) for _ in range(2))
    second = ConvexClustering(second.data, second.graph, first.gamma)
    graph = FusionGraph(
        first.n + second.n,
        np.vstack([first.graph.edges, second.graph.edges + first.n]),
        np.concatenate([first.graph.weights, second.graph.weights]),
    )
    whole = solve(
        ConvexClustering(np.vstack([first.data, second.data]), graph, first.gamma), "ssnal"
    )
    for part, rows in ((first, slice(0, first.n)), (second, slice(first.n, None))):
        alone = solve(part, "ssnal")
        assert np.linalg.norm(whole.X[rows] - alone.X) <= error(whole) + error(alone)
        if whole.proved and alone.proved:
            assert problems.same_partition(whole.labels[rows], alone.labels)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data(), n=st.integers(2, 9), weight=st.sampled_from([0.25, 1.0]))
def test_all_fused_once_gamma_can_route_every_difference(method, data, n, weight):
    """z_ij = (a_i - a_j) / n is feasible once gamma w >= max ||a_i - a_j|| / n: X* = mean."""
    A = data.draw(problems.data(n, 1 if method == "exact" else data.draw(st.integers(1, 3))))
    widest = max(np.linalg.norm(a - b) for a, b in itertools.combinations(A, 2))
    gamma = 1.05 * max(widest, 0.1) / (n * weight)
    solution = solve(ConvexClustering(A, FusionGraph.complete(n, weight), gamma), method)
    assert np.linalg.norm(solution.X - A.mean(axis=0)) <= error(solution)
    assert solution.labels.tolist() == [0] * n
    assert solution.proved


@pytest.mark.parametrize("method", [*METHODS, "clarabel"])
@given(data=st.data())
def test_gamma_zero_is_the_data_and_proved(draw_model, method, data):
    model = draw_model(data, method, gammas=st.just(0.0))
    solution = cluster(model, method, tol=1e-10)
    np.testing.assert_allclose(
        solution.X, model.data, rtol=0, atol=0 if method in METHODS else 1e-6
    )
    if method in METHODS:
        equal = (model.data[:, None] == model.data).all(axis=2)
        assert np.array_equal(solution.labels[:, None] == solution.labels, equal)
        assert solution.proved


@pytest.mark.parametrize("method", ["exact", "ssnal", "clarabel"])
@pytest.mark.parametrize("gamma", [1e-3, 1.0, 10.0, 1e6])
def test_all_data_equal(method, gamma):
    A = np.full((4, 1 if method == "exact" else 2), 7.0)
    solution = cluster(ConvexClustering(A, FusionGraph.complete(4), gamma), method)
    np.testing.assert_allclose(solution.X, A, rtol=0, atol=1e-6)
    assert (solution.status, solution.labels.tolist()) == ("optimal", [0] * 4)


def test_edges_between_duplicates_only():
    graph = FusionGraph(4, [[0, 2], [1, 3]], [1.0, 3.0])
    model = ConvexClustering([[0.0], [5.0], [0.0], [5.0]], graph, 7.0)
    solution = cluster(model, "ssnal")
    assert np.array_equal(solution.X, model.data)
    assert solution.labels.tolist() == [0, 1, 0, 1]
    assert solution.proved


def test_no_edges():
    graph = FusionGraph(3, np.empty((0, 2), dtype=int), [])
    model = ConvexClustering([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]], graph, 2.0)
    for method in ("auto", "clarabel"):
        solution = cluster(model, method)
        assert np.array_equal(solution.X, model.data)
        assert solution.Z.shape == (0, 2)
        assert solution.labels.tolist() == [0, 1, 0]
        assert (solution.status, solution.gap, solution.proved) == ("optimal", 0.0, True)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
def test_what_a_result_says_of_itself(draw_model, method, data):
    model = draw_model(data, method)
    solution = solve(model, method)
    assert solution.model is model
    assert solution.X.shape == model.data.shape
    assert solution.Z.shape == (model.graph.m, model.d)
    assert solution.objective == pytest.approx(model.primal(solution.X), rel=1e-14)
    sizes = np.linalg.norm(solution.Z, axis=1)
    assert (sizes <= model.radii * (1 + 1e-12)).all()
    true_gap = model.primal(solution.X) - model.dual(solution.Z)
    assert solution.gap == pytest.approx(true_gap / (1 + solution.objective), abs=1e-10)
    assert solution.kkt_residual <= 1e-9
    assert solution.proved == (len(solution.undecided) == 0)
    assert solution.n_clusters == len(set(solution.labels.tolist()))
    assert solution.seconds > 0


@pytest.mark.parametrize(
    ("A", "graph", "p", "expected"),
    [
        ([[0.0], [1.0], [5.0]], FusionGraph.complete(3), 2, "exact"),
        ([[0.0], [1.0], [5.0]], FusionGraph.complete(3), 1, "exact"),
        ([[0.0], [1.0], [5.0]], FusionGraph(3, [[0, 1], [0, 2], [1, 2]], [2, 2, 2]), 2, "exact"),
        (
            [[0.0], [1.0], [5.0]],
            FusionGraph(3, [[0, 1], [0, 2], [1, 2]], [2, 2, 1]),
            2,
            "interior-point",
        ),
        ([[0.0], [1.0], [5.0]], FusionGraph(3, [[0, 1], [1, 2]], [2, 3]), np.inf, "exact"),
        ([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]], FusionGraph.complete(3), 1, "exact"),
        ([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]], FusionGraph.complete(3), 2, "interior-point"),
    ],
)
def test_auto_takes_the_first_method_that_can(A, graph, p, expected):
    solution = cluster(ConvexClustering(A, graph, 0.1, p))
    assert solution.method == expected
    assert solution.status == "optimal"


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("kind", ["complete", "tree", "knn"])
def test_every_norm_in_the_plane_is_solved_alike_by_every_method_that_can(p, kind):
    A = np.random.default_rng(0).normal(size=(12, 2))
    graph = {
        "complete": FusionGraph.complete(12, 0.25),
        "tree": FusionGraph(12, [(i // 2, i + 1) for i in range(11)], np.ones(11)),
        "knn": FusionGraph.knn(A, k=3),
    }[kind]
    model = ConvexClustering(A, graph, 0.3, p)
    able = ["exact"] * (p != 2 and kind != "knn") + ["interior-point"] * (p == 2)
    able += ["ssnal", "clarabel"]
    solutions = [cluster(model, method, tol=1e-8) for method in able]
    assert [solution.method for solution in solutions] == able
    assert cluster(model).method == able[0]
    for solution in solutions:
        assert solution.objective == pytest.approx(solutions[0].objective, rel=1e-7)
        assert solution.proved
        assert np.array_equal(solution.labels, solutions[0].labels)


@given(data=st.data())
def test_exact_and_ssnal_agree_for_p_1_in_the_plane(data):
    model = data.draw(problems.models(p=1, graph=problems.complete_graphs))
    exact, ssnal = solve(model, "exact"), solve(model, "ssnal")
    check_same(exact, ssnal, exact.X, exact.labels)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (MODEL, "p = inf with d = 2; the data have d = 2 and p = 2"),
        (ConvexClustering(MODEL.data, MODEL.graph, 0.1, np.inf), None),
        (ConvexClustering(MODEL.data, MODEL.graph, 0.1, 1), None),
        (ConvexClustering([[0.0], [1.0]], FusionGraph(2, [[0, 1]], [1]), 1), None),
        (
            ConvexClustering(
                [[0.0], [1.0], [2.0]], FusionGraph(3, [[0, 1], [0, 2], [1, 2]], [1, 1, 2]), 1
            ),
            "complete graph with equal weights, a forest",
        ),
    ],
)
def test_exact_says_why_not_and_who_can(model, reason):
    if reason is None:
        assert cluster(model, "exact").method == "exact"
        return
    with pytest.raises(
        UnsupportedError, match=f"'exact' cannot.*{reason}.*able: .*'ssnal', 'clarabel'"
    ):
        cluster(model, "exact")


@pytest.mark.parametrize(("method", "p"), [("exact", 1), ("ssnal", 2), ("clarabel", np.inf)])
@pytest.mark.parametrize("copy", [deepcopy, lambda result: pickle.loads(pickle.dumps(result))])
def test_a_result_survives_a_copy_without_what_it_keeps_for_the_next(method, p, copy):
    model = ConvexClustering(MODEL.data, MODEL.graph, 0.1, p)
    result = cluster(model, method, tol=1e-6)
    again = copy(result)
    assert again.reusable is None
    assert (result.reusable is None) == (method == "exact")
    for name in ("X", "Z", "labels", "undecided"):
        assert np.array_equal(getattr(again, name), getattr(result, name)), name
    for name in ("method", "objective", "gap", "kkt_residual", "status", "iterations", "seconds"):
        assert getattr(again, name) == getattr(result, name), name
    assert again.model.gap(again.X, again.Z) == result.model.gap(result.X, result.Z)
    assert cluster(again.model, method, tol=1e-6, start=again).status == result.status


def test_the_distance_bound_holds_where_rounding_hides_the_gap():
    """An edge that is long in one feature hides an error of 1e-8 in another."""
    A = [[3, 3], [-3, 3], [3, -1], [-3, 1], [-3, 3], [-3, -2]]
    graph = FusionGraph(6, [(i, i + 1) for i in range(5)], [1.0, 2.0, 1.0, 2.0, 0.5])
    model = ConvexClustering(A, graph, 0.5, 1)
    exact = cluster(model, "exact")
    for tol in (1e-6, 1e-8, 1e-10):
        found = cluster(model, "ssnal", tol=tol)
        apart = np.linalg.norm(found.X - exact.X)
        assert apart <= found.distance_bound + exact.distance_bound
        assert found.distance_bound <= 1.5 * np.sqrt(2 * tol * (1 + exact.objective)) + 1e-5
