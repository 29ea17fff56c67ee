"""The contracted problem: Newton's method reaches the digits a solver left out."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.partition import prove_partition


def instance(d):
    rng = np.random.default_rng(d)
    A = np.repeat(10 * rng.normal(size=(4, d)), 5, axis=0) + 0.1 * rng.normal(size=(20, d))
    return ConvexClustering(A, FusionGraph.complete(20), 0.15)


@pytest.mark.parametrize("d", [2, 3])
def test_polished_centroids_are_stationary(d):
    model, blocks = instance(d), np.repeat(np.arange(4), 5)
    problem = ContractedProblem.of(model, blocks)
    start = problem.means + 0.01 * np.random.default_rng(0).normal(size=(4, d))
    y = problem.polished(start)
    assert np.linalg.norm(problem.gradient(y)) < 1e-12
    assert y[blocks] == pytest.approx(cluster(model, "ssnal", tol=1e-10).X, abs=1e-8)


def test_gradient_and_step_are_those_of_the_objective():
    model, blocks = instance(2), np.repeat(np.arange(4), 5)
    problem = ContractedProblem.of(model, blocks)
    y, h = problem.means + 0.1, 1e-6
    gradient, step = problem.gradient(y), -problem.solve_hessian(y, problem.gradient(y))
    for k, c in np.ndindex(4, 2):
        moved = np.zeros((4, 2))
        moved[k, c] = h
        slope = (model.primal((y + moved)[blocks]) - model.primal((y - moved)[blocks])) / (2 * h)
        assert slope == pytest.approx(gradient[k, c], abs=1e-5)
    change = problem.gradient(y + h * step) - problem.gradient(y - h * step)
    assert change / (2 * h) == pytest.approx(-gradient, abs=1e-6)


def test_one_block_has_no_newton_matrix():
    model = instance(2)
    assert not ContractedProblem.of(model, np.zeros(20, dtype=int)).small


def test_a_rough_solution_proves_a_clear_partition():
    """With noise of 1e-4 on every entry; the flow inside blocks is balanced again."""
    model = instance(2)
    solution = cluster(model, "ssnal", tol=1e-10)
    rng = np.random.default_rng(0)
    X = solution.X + 1e-4 * rng.normal(size=(20, 2))
    Z = solution.Z + 1e-4 * rng.normal(size=solution.Z.shape)
    partition = prove_partition(model, X, Z)
    assert partition.proved, partition.why
    assert partition.labels.tolist() == np.repeat(np.arange(4), 5).tolist()
