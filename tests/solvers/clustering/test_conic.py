"""The conic reference by itself: it must not lean on the solvers that it checks."""

import time

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.result import SolveOptions

NORMS = [1, 2, np.inf]
TOL = 1e-10


def solve(model, program=None, tol=TOL, **limits):
    limits = {"max_iterations": 200} | limits
    return solve_clarabel(model, SolveOptions(tol, reusable=program, **limits))


def neighbours(n, gamma=0.2, p=2, seed=0):
    A = np.random.default_rng(seed).normal(size=(n, 2))
    return ConvexClustering(A, FusionGraph.knn(A, k=5), gamma, p)


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("values", [(1.0, 5.0), (5.0, 1.0)])
def test_two_points_in_closed_form_and_the_orientation_of_z(values, offset):
    model = ConvexClustering(np.array(values)[:, None] + offset, FusionGraph.complete(2, 0.5), 2.0)
    solution = solve(model, tol=1e-12)
    sign = np.sign(values[0] - values[1])
    np.testing.assert_allclose(
        solution.X, offset + 3 + sign * np.array([[1.0], [-1.0]]), rtol=0, atol=1e-7
    )
    np.testing.assert_allclose(solution.make_dual(), np.array([[sign]]), rtol=0, atol=1e-7)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("radius", [0.2, 0.9, 2.5])
@pytest.mark.parametrize("swapped", [False, True])
def test_two_points_in_the_plane_by_brute_force(p, radius, swapped):
    """x_0 - x_1 = u and x_0 + x_1 = a_0 + a_1, so u minimises ||u - a||^2 / 4 + r ||u||_p."""
    A = np.array([[1.0, -0.5], [-1.5, 0.7]])[:: -1 if swapped else 1]
    model = ConvexClustering(A, FusionGraph(2, [[0, 1]], [0.5]), 2 * radius, p)
    solution = solve(model, tol=1e-12)
    a, u = A[0] - A[1], solution.X[0] - solution.X[1]
    assert solution.X.sum(axis=0) == pytest.approx(A.sum(axis=0), abs=1e-9)
    steps = np.linspace(-1, 1, 201)
    grid = u + np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)

    def objective(v):
        return ((v - a) ** 2).sum(axis=-1) / 4 + radius * np.linalg.norm(v, p, axis=-1)

    assert objective(u[None])[0] <= objective(grid).min() + 1e-9
    # X = A - B'Z with Z oriented from 0 to 1, in the ball of the conjugate norm, aligned with u.
    q = {1: np.inf, 2: 2, np.inf: 1}[p]
    z = solution.make_dual()[0]
    assert A - np.array([z, -z]) == pytest.approx(solution.X, abs=1e-7)
    assert np.linalg.norm(z, q) <= radius + 1e-7
    assert z @ u == pytest.approx(radius * np.linalg.norm(u, p), abs=1e-6)


@pytest.mark.parametrize("p", NORMS)
def test_the_gap_proves_every_norm(p):
    model = neighbours(40, p=p)
    solution = solve(model)
    assert model.gap(solution.X, solution.make_dual()) < 1e-8
    assert model.kkt_residual(solution.X, solution.make_dual()) < 1e-6


def test_coinciding_data():
    model = ConvexClustering(np.full((4, 2), 7.0), FusionGraph.complete(4), 1.0)
    solution = solve(model)
    np.testing.assert_allclose(solution.X, model.data, rtol=0, atol=1e-7)


@pytest.mark.parametrize("p", NORMS)
def test_a_program_moved_along_gamma_eps_and_weights_is_as_good_as_new(p):
    model = neighbours(30, p=p)
    heavier = FusionGraph(model.n, model.graph.edges, 3 * model.graph.weights)
    moved = [
        ConvexClustering(model.data, model.graph, 0.5, p),
        model.replace(data=5 * model.data + 2),
        ConvexClustering(model.data, heavier, 0.1, p),
        ConvexClustering(model.data, model.graph, 0.0, p),
    ]
    program = solve(model).reusable
    for other in moved:
        again, fresh = solve(other, program), solve(other)
        assert again.reusable is program
        assert fresh.reusable is not program
        assert np.array_equal(again.X, fresh.X)
        assert np.array_equal(again.make_dual(), fresh.make_dual())
        assert again.iterations == fresh.iterations


def test_a_program_that_does_not_fit_is_left_alone():
    model, other = neighbours(20, seed=1), neighbours(20, p=1, seed=1)
    program = solve(model).reusable
    solution = solve(other, program)
    assert solution.reusable is not program
    assert program.fits(model)
    assert np.array_equal(solution.X, solve(other).X)


@pytest.mark.parametrize(
    ("limits", "status"),
    [({"max_iterations": 1}, "iteration limit"), ({"deadline": 0.0}, "time limit")],
)
def test_a_limit_does_not_return_the_solution_before(limits, status):
    model = neighbours(60)
    program = solve(model).reusable
    moved = model.replace(data=model.data + 100)
    stopped = solve(moved, program, **limits)
    assert stopped.status == status
    assert np.abs(stopped.X - moved.data).max() < 10
    assert moved.gap(stopped.X, stopped.make_dual()) > TOL


def test_no_edges_no_program():
    model = ConvexClustering([[1.0], [2.0]], FusionGraph(2, [], []), 1.0)
    solution = solve(model)
    assert np.array_equal(solution.X, model.data)
    assert (solution.make_dual().shape, solution.reusable) == ((0, 1), None)


def test_a_program_is_made_in_a_fraction_of_a_solve():
    """With CVXPY parameters instead of marks it took 6 s here, and grew with the square of m."""
    model = neighbours(1000)
    began = time.process_time()
    program = solve(model, tol=1e-6).reusable
    assert program is not None
    assert time.process_time() - began < 3
