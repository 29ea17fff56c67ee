"""SSNAL against Clarabel on random problems, and its stops, starts and scales."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.lower.ssnal import _Subproblem


def stationarity(model, solution):
    """||X - A + B'Z|| by a plain loop over the edges."""
    rest = solution.X - model.data
    for (i, j), z in zip(model.graph.edges, solution.Z, strict=True):
        rest[i] += z
        rest[j] -= z
    return np.linalg.norm(rest)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(10))
def test_ssnal_and_clarabel_agree(problems, batch):
    proved = 0
    for seed in range(20 * batch, 20 * batch + 20):
        model = problems.random_model(seed)
        ours = cluster(model, "ssnal", tol=1e-10)
        theirs = cluster(model, "clarabel", tol=1e-12)
        assert (ours.method, ours.status, theirs.method) == ("ssnal", "optimal", "clarabel")
        assert max(ours.gap, ours.kkt_residual) <= 1e-10
        assert abs(ours.objective - theirs.objective) < 1e-9 * (1 + abs(theirs.objective)), seed
        gap = max(model.absolute_gap(solution.X, solution.Z) for solution in (ours, theirs))
        assert np.linalg.norm(ours.X - theirs.X) <= 2 * np.sqrt(2 * gap) + 1e-13, seed
        for solution in (ours, theirs):
            assert stationarity(model, solution) <= 1e-7 * (1 + np.linalg.norm(model.data)), seed
        if ours.proved and theirs.proved:
            assert np.array_equal(ours.labels, theirs.labels), seed
            proved += 1
    assert proved >= 15


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.01, 3.0])
def test_regular_simplex_in_closed_form(n, share):
    """The n unit vectors shrink to their mean by the factor 1 - gamma n / sqrt(2), or fuse."""
    A = np.eye(n)
    model = ConvexClustering(A, FusionGraph.complete(n), gamma=share * np.sqrt(2) / n)
    solution = cluster(model, "ssnal", tol=1e-12)
    expected = 1 / n + max(0.0, 1 - share) * (A - 1 / n)
    np.testing.assert_allclose(solution.X, expected, rtol=0, atol=1e-7)
    assert solution.proved
    assert solution.n_clusters == (n if share < 1 else 1)


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e4, 1e8])
@pytest.mark.parametrize("graph", ["complete", "knn"])
def test_scaled_data_and_gamma_scale_the_answer(scale, graph):
    rng = np.random.default_rng(1)
    A = rng.normal(size=(20, 2)) + 3 * rng.integers(0, 3, size=(20, 1))
    graph = FusionGraph.complete(20) if graph == "complete" else FusionGraph.knn(A, k=5)
    gamma = 0.08 if graph.uniform_weight else 0.8
    base = cluster(ConvexClustering(A, graph, gamma), "ssnal", tol=1e-10)
    scaled = cluster(ConvexClustering(scale * A, graph, scale * gamma), "ssnal", tol=1e-10)
    assert base.proved
    assert scaled.status == "optimal"
    assert scaled.X / scale == pytest.approx(base.X, rel=1e-5)
    assert scaled.proved
    assert np.array_equal(scaled.labels, base.labels)


@pytest.fixture(scope="module")
def crowd():
    """Sixty points in three groups, on the complete graph."""
    rng = np.random.default_rng(5)
    A = rng.normal(size=(60, 3)) + 4 * np.repeat(np.arange(3), 20)[:, None]
    return ConvexClustering(A, FusionGraph.complete(60), 0.03)


@pytest.mark.parametrize("method", ["ssnal", "clarabel"])
def test_iteration_limit_returns_a_true_gap(crowd, method):
    short = cluster(crowd, method, tol=1e-10, max_iterations=1)
    assert short.status == "iteration limit"
    assert short.iterations <= 1
    true_gap = crowd.primal(short.X) - crowd.dual(short.Z)
    assert short.gap == pytest.approx(true_gap / (1 + crowd.primal(short.X)), rel=1e-6)
    assert max(short.gap, short.kkt_residual) > 1e-10
    full = cluster(crowd, "ssnal", tol=1e-10)
    distance = np.linalg.norm(short.X - full.X)
    assert distance <= np.sqrt(2 * true_gap) + np.sqrt(2 * crowd.absolute_gap(full.X, full.Z))


@pytest.mark.parametrize("method", ["ssnal", "clarabel"])
def test_time_limit_returns_a_true_gap(crowd, method):
    short = cluster(crowd, method, tol=1e-10, time_limit=1e-9)
    assert short.status == "time limit"
    true_gap = crowd.primal(short.X) - crowd.dual(short.Z)
    assert short.gap == pytest.approx(true_gap / (1 + crowd.primal(short.X)), rel=1e-6)


@pytest.mark.parametrize("d", [1, 3])
def test_newton_matrix_is_the_derivative_of_the_gradient(d):
    rng = np.random.default_rng(d)
    graph = FusionGraph.complete(6)
    model = ConvexClustering(rng.normal(size=(6, d)), graph, 1.0)
    subproblem = _Subproblem(model, model.project_dual(rng.normal(size=(15, d))), sigma=0.7)
    X, D = rng.normal(size=(2, 6, d))
    point = subproblem.at(X)
    assert 0 < np.count_nonzero(point.lengths > model.radii) < 15
    change = np.einsum("eab,eb->ea", subproblem.hessian_blocks(point), graph.differences(D))
    h = 1e-6
    numeric = (subproblem.at(X + h * D).gradient - subproblem.at(X - h * D).gradient) / (2 * h)
    np.testing.assert_allclose(D + graph.adjoint(change), numeric, rtol=0, atol=1e-7)
    slope = (subproblem.at(X + h * D).value - subproblem.at(X - h * D).value) / (2 * h)
    assert np.vdot(point.gradient, D) == pytest.approx(slope, rel=1e-6)


def test_warm_start_saves_newton_systems(crowd):
    rng = np.random.default_rng(0)
    solved = cluster(crowd, "ssnal", tol=1e-8)
    near = crowd.with_data(crowd.data + 1e-5 * rng.normal(size=crowd.data.shape))
    cold = cluster(near, "ssnal", tol=1e-8)
    warm = cluster(near, "ssnal", tol=1e-8, start=solved)
    assert cold.status == warm.status == "optimal"
    assert warm.iterations < cold.iterations
    assert np.array_equal(warm.labels, cold.labels)
    again = cluster(crowd, "ssnal", tol=1e-8, start=solved)
    assert again.iterations <= warm.iterations


def test_warm_start_changes_the_path_not_the_answer(problems):
    for seed in range(20):
        model = problems.random_model(seed)
        other = ConvexClustering(model.data[::-1] * 2, model.graph, 3 * model.gamma)
        start = cluster(other, "ssnal")
        cold, warm = (
            cluster(model, "ssnal", tol=1e-10),
            cluster(model, "ssnal", tol=1e-10, start=start),
        )
        assert warm.status == "optimal"
        assert warm.objective == pytest.approx(cold.objective, rel=1e-9)
        if cold.proved and warm.proved:
            assert np.array_equal(cold.labels, warm.labels)
