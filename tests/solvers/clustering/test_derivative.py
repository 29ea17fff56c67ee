"""The derivative of the solution: against central differences, symmetric, at most the identity."""

import numpy as np
import pytest
import scipy.sparse as sp

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.derivative import SolutionDerivative
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means

NORMS = (1, 2, np.inf)
STEP = 1e-5


def random_model(seed, p, offset=0.0):
    """4 to 12 points in two groups; seeds that are even have a complete graph."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 13)), int(rng.integers(1, 4))
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1)) + offset
    graph = FusionGraph.knn(A, 3, 0.1) if seed % 2 else FusionGraph.complete(n)
    graph = graph.with_weights(graph.weights * rng.uniform(0.5, 1.5, graph.m))
    share = 2 if seed % 2 else n
    return ConvexClustering(A, graph, 10 ** rng.uniform(-1.2, 0.3) / share, p)


def changed(model, dA, dw, step):
    graph = model.graph.with_weights(model.graph.weights + step * dw)
    return ConvexClustering(model.data + step * dA, graph, model.gamma, model.p)


def solve(model):
    return cluster(model, tol=1e-13, refine=True)


def accurate_X(clustering):
    """To the last digits: on the manifold, and for p = 2 by Newton's method on the centroids."""
    model, labels = clustering.model, clustering.labels
    if model.p != 2 or model.d == 1:
        return SolutionDerivative(clustering).X
    return ContractedProblem.of(model, labels).polished(block_means(clustering.X, labels))[labels]


def matrix(derivative):
    n, d = derivative.model.data.shape
    columns = [derivative.apply(e.reshape(n, d)).ravel() for e in np.eye(n * d)]
    return np.stack(columns, axis=1)


def check_against_differences(model, seed):
    """Return the relative error, or None where a step lies between the two solutions."""
    rng = np.random.default_rng(seed)
    dA, dw = rng.normal(size=model.data.shape), rng.normal(size=model.graph.m)
    dw *= model.graph.weights
    here = solve(model)
    sides = [solve(changed(model, dA, dw, s * STEP)) for s in (1, -1)]
    if not all(np.array_equal(side.labels, here.labels) and side.proved for side in sides):
        return None
    expected = (accurate_X(sides[0]) - accurate_X(sides[1])) / (2 * STEP)
    error = np.linalg.norm(SolutionDerivative(here).times(dA, dw) - expected)
    return error / np.linalg.norm(expected)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 40), marks=pytest.mark.slow)])
def test_it_is_what_central_differences_are(p, seeds):
    errors = [check_against_differences(random_model(seed, p), seed) for seed in seeds]
    errors = [error for error in errors if error is not None]
    assert len(errors) >= 0.75 * len(seeds)
    assert max(errors) < 1e-6


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(4))
def test_it_is_symmetric_and_nonexpansive(p, seed):
    derivative = SolutionDerivative(solve(random_model(seed, p)))
    J = matrix(derivative)
    assert pytest.approx(J.T, abs=1e-10) == J
    values = np.linalg.eigvalsh(J)
    assert values.min() >= -1e-10
    assert values.max() == pytest.approx(1.0)
    if p != 2 or derivative.model.d == 1:
        assert pytest.approx(J, abs=1e-10) == J @ J  # a projector


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(4))
def test_the_adjoint_is_the_adjoint(p, seed):
    derivative = SolutionDerivative(solve(random_model(seed, p)))
    rng, model = np.random.default_rng(seed), derivative.model
    dA, V = rng.normal(size=(2, *model.data.shape))
    dw = rng.normal(size=model.graph.m)
    data_part, weights_part = derivative.adjoint(V)
    paired = np.vdot(data_part, dA) + weights_part @ dw
    assert paired == pytest.approx(np.vdot(V, derivative.times(dA, dw)), rel=1e-9)


@pytest.mark.parametrize("p", NORMS)
def test_a_translation_moves_every_point_alike(p):
    derivative = SolutionDerivative(solve(random_model(3, p)))
    shift = np.ones_like(derivative.model.data)
    assert derivative.times(shift) == pytest.approx(shift, abs=1e-9)
    assert derivative.modulus() == pytest.approx(1.0)


@pytest.mark.parametrize("p", NORMS)
def test_the_modulus_is_the_norm_of_the_matrix(p):
    derivative = SolutionDerivative(solve(random_model(2, p)))
    rng, size = np.random.default_rng(0), derivative.model.data.size
    for k in (3, 70):  # as a dense matrix, and by Lanczos
        T = sp.csr_array(rng.normal(size=(size, k)))
        expected = np.linalg.norm(matrix(derivative) @ T.toarray(), ord=2)
        assert derivative.modulus(T) == pytest.approx(expected, rel=1e-6)


def test_p_1_averages_each_feature_over_its_own_clusters():
    """Two points fused in the first feature only."""
    model = ConvexClustering([[0.0, 0.0], [1.0, 9.0]], FusionGraph.complete(2), 1.0, 1)
    for method in ("exact", "ssnal"):
        derivative = SolutionDerivative(cluster(model, method))
        change = derivative.times(np.array([[1.0, 1.0], [0.0, 0.0]]))
        assert change == pytest.approx(np.array([[0.5, 1.0], [0.5, 0.0]]))


def test_p_2_two_points_turn_as_their_distance_shrinks():
    """x_1 - x_2 = (1 - 2 gamma / l) (a_1 - a_2): across, the change is that much smaller."""
    model = ConvexClustering([[0.0, 0.0], [4.0, 0.0]], FusionGraph.complete(2), 1.0)
    derivative = SolutionDerivative(cluster(model, tol=1e-12))
    across = np.array([[0.0, -1.0], [0.0, 1.0]])
    assert derivative.times(across) == pytest.approx((1 - 2 / 4) * across)
    along = across[:, ::-1]
    assert derivative.times(along) == pytest.approx(along)


def test_p_inf_tied_features_move_together():
    """u = (1, 1) after fusion has taken 2 gamma from the larger feature."""
    model = ConvexClustering([[0.0, 0.0], [1.5, 1.2]], FusionGraph.complete(2), 0.5, np.inf)
    clustering = cluster(model, tol=1e-12)
    U = clustering.X[1] - clustering.X[0]
    assert U[0] == pytest.approx(U[1])
    derivative = SolutionDerivative(clustering)
    change = derivative.times(np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert change[1] - change[0] == pytest.approx([0.5, 0.5])


def test_points_that_agree_by_chance_are_not_fused():
    """Equal data, no edge: each follows its own datum."""
    graph = FusionGraph(3, [(0, 2), (1, 2)], [0.0, 0.0])
    for p in NORMS:
        model = ConvexClustering([[1.0, 1.0], [1.0, 1.0], [5.0, 5.0]], graph, 1.0, p)
        derivative = SolutionDerivative(cluster(model))
        dA = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
        assert derivative.times(dA) == pytest.approx(dA)


def test_many_clusters_in_many_features():
    """K d = 800 unknowns: by conjugate gradients."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(80, 10))
    model = ConvexClustering(A, FusionGraph.knn(A, 5, 0.05), 0.05)
    clustering = cluster(model)
    assert clustering.n_clusters > 40
    derivative = SolutionDerivative(clustering)
    V, W = rng.normal(size=(2, *A.shape))
    JV, JW = derivative.apply(V), derivative.apply(W)
    assert np.vdot(JV, W) == pytest.approx(np.vdot(V, JW), rel=1e-9)
    assert np.linalg.norm(JV) <= np.linalg.norm(V)
