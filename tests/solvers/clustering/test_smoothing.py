"""The smoothed lower level: its optimality, its limit, its derivative against differences."""

import time

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import conjugate, project_rows
from bilad.solvers import cluster
from bilad.solvers.clustering.smoothing import solve_smoothed

NORMS = (1, 2, np.inf)
STEP = 1e-5


def random_model(seed, p, offset=0.0):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 13)), int(rng.integers(1, 4))
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1)) + offset
    graph = FusionGraph.knn(A, 3, 0.1) if seed % 2 else FusionGraph.complete(n)
    graph = graph.with_weights(graph.weights * rng.uniform(0.5, 1.5, graph.m))
    return ConvexClustering(A, graph, 10 ** rng.uniform(-1, 0.3) / (2 if seed % 2 else n), p)


def stationarity(model, X, mu):
    """The gradient, from the definition."""
    U = model.graph.differences(X)
    pull = project_rows(U / mu, np.ones(len(U)), conjugate(model.p))
    return X - model.data + model.graph.adjoint(model.radii[:, None] * pull)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("mu", [1e-4, 0.1, 10.0])
def test_it_is_stationary(p, mu):
    for seed in range(6):
        model = random_model(seed, p, offset=1000.0)
        X = solve_smoothed(model, mu).X
        assert np.abs(stationarity(model, X, mu)).max() < 1e-8


@pytest.mark.parametrize("p", NORMS)
def test_it_tends_to_the_solution_as_fast_as_is_claimed(p):
    for seed in range(6):
        model = random_model(seed, p)
        X = cluster(model, tol=1e-10).X
        found = None
        for mu in (1.0, 0.1, 1e-2, 1e-3):
            found = solve_smoothed(model, mu, start=found)
            bound = mu * model.radii.sum() * (model.d if p == 1 else 1)
            assert np.linalg.norm(found.X - X) ** 2 <= bound + 1e-9


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(8))
def test_the_derivative_is_what_central_differences_are(p, seed):
    model, rng = random_model(seed, p, offset=100.0), np.random.default_rng(seed)
    mu = 10 ** rng.uniform(-2, 0)
    dA, dw = rng.normal(size=model.data.shape), rng.normal(size=model.graph.m)
    dw *= model.graph.weights
    here = solve_smoothed(model, mu)

    def moved(step):
        graph = model.graph.with_weights(model.graph.weights + step * dw)
        other = ConvexClustering(model.data + step * dA, graph, model.gamma, p)
        return solve_smoothed(other, mu, start=here, tol=1e-13).X

    expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    assert np.linalg.norm(here.times(dA, dw) - expected) < 1e-6 * np.linalg.norm(expected)


def test_fused_points_are_apart_by_as_much_as_their_edge_is_loaded():
    """Two points: z = gamma u / mu as long as u < mu, so u = |a| / (1 + 2 gamma / mu)."""
    model = ConvexClustering([[0.0], [1.0]], FusionGraph.complete(2), 1.0)
    mu = 0.1
    X = solve_smoothed(model, mu).X
    assert X[1, 0] - X[0, 0] == pytest.approx(1 / (1 + 2 / mu))
    assert cluster(model).n_clusters == 1


def test_an_edge_without_weight_has_a_force_to_come():
    """The derivative in a weight that is zero."""
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [(0, 1)], [0.0]), 1.0)
    found = solve_smoothed(model, 0.1)
    assert pytest.approx(model.data) == found.X
    assert found.times(np.zeros((2, 1)), np.ones(1))[:, 0] == pytest.approx([1.0, -1.0])


def test_equal_points_and_a_time_that_is_over():
    model = ConvexClustering(np.ones((3, 2)), FusionGraph.complete(3), 1.0)
    assert pytest.approx(np.ones((3, 2))) == solve_smoothed(model, 0.1).X
    late = solve_smoothed(random_model(0, 2), 1e-3, deadline=time.perf_counter())
    assert late.steps == 0
