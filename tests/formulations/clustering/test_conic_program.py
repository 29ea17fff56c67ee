"""The conic program compared with closed forms and another model, and its duality gap."""

import cvxpy as cp
import numpy as np
import pytest

from bilad.formulations import ConicProgram
from bilad.models import ArgumentError, ConvexClustering, FusionGraph, Perturbation

NORMS = [1, 2, np.inf]
EXACT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11, "max_step_fraction": 0.9}


def solve(program):
    program.solve(**EXACT)
    return program.X, program.Z


def random_model(p, seed=0, n=7, d=3, gamma=0.2):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, d)) + 40.0
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if rng.random() < 0.7]
    return ConvexClustering(A, FusionGraph(n, pairs, rng.uniform(0.2, 1, len(pairs))), gamma, p)


def project(v, radius, q):
    """The projection of a vector onto a q-ball; for q = 1 by bisection on the threshold."""
    if q == np.inf:
        return np.clip(v, -radius, radius)
    if q == 2:
        return v * min(1.0, radius / np.linalg.norm(v))
    low, high = 0.0, np.abs(v).max()
    if np.abs(v).sum() <= radius:
        return v
    for _ in range(100):
        level = 0.5 * (low + high)
        if np.maximum(np.abs(v) - level, 0).sum() > radius:
            low = level
        else:
            high = level
    return np.sign(v) * np.maximum(np.abs(v) - high, 0)


@pytest.mark.parametrize(("p", "q"), [(1, np.inf), (2, 2), (np.inf, 1)])
@pytest.mark.parametrize("gamma", [0.3, 1.0, 5.0])
def test_two_points_in_closed_form(p, q, gamma):
    """By Moreau's decomposition, half the difference of the data is z plus half that of X."""
    A = np.array([[1.0, -2.0, 0.5], [-0.5, 1.5, 0.2]])
    model = ConvexClustering(A, FusionGraph(2, [(0, 1)], [0.8]), gamma, p)
    X, Z = solve(ConicProgram(model))
    z = project((A[0] - A[1]) / 2, 0.8 * gamma, q)
    assert pytest.approx(z[None, :], abs=1e-7) == Z
    assert pytest.approx(np.array([A[0] - z, A[1] + z]), abs=1e-7) == X


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_second_model_of_the_problem(p, seed):
    model = random_model(p, seed)
    X, _ = solve(ConicProgram(model))
    other = cp.Variable(X.shape)
    terms = [
        model.gamma * w * cp.norm(other[i] - other[j], p)
        for (i, j), w in zip(model.graph.edges, model.graph.weights, strict=True)
    ]
    problem = cp.Problem(cp.Minimize(cp.sum_squares(other - model.data) / 2 + cp.sum(terms)))
    value = problem.solve(solver=cp.CLARABEL)
    # Strong convexity: 1/2 ||X - X'||^2 <= difference of the objectives.
    assert model.primal(X) == pytest.approx(value, rel=1e-7)
    assert other.value == pytest.approx(X, abs=1e-3)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(3))
def test_z_is_an_optimal_dual_oriented_from_i_to_j(p, seed):
    model = random_model(p, seed)
    X, Z = solve(ConicProgram(model))
    q = {1: np.inf, 2: 2, np.inf: 1}[p]
    flow = np.zeros_like(X)
    for (i, j), z, w in zip(model.graph.edges, Z, model.graph.weights, strict=True):
        assert np.linalg.norm(z, q) <= model.gamma * w + 1e-7
        flow[i] += z
        flow[j] -= z
    assert pytest.approx(model.data - flow, abs=1e-6) == X
    dual = 0.5 * (model.data**2).sum() - 0.5 * ((model.data - flow) ** 2).sum()
    assert model.primal(X) == pytest.approx(dual, rel=1e-7)


@pytest.mark.parametrize("p", NORMS)
def test_one_program_serves_a_gamma_path_and_an_eps_sweep(p):
    model = random_model(p)
    program = ConicProgram(model)
    shift = Perturbation.additive(model.data.shape, points=[0], features=[0])
    path = [ConvexClustering(model.data, model.graph, g, p) for g in (0.0, 0.05, 0.4, 3.0)]
    sweep = [shift.apply(model, eps) for eps in (-500.0, -1.0, 2.5)]
    for moved in path + sweep:
        program.set_model(moved)
        X, _ = solve(program)
        fresh, _ = solve(ConicProgram(moved))
        scale = np.ptp(moved.data)
        assert pytest.approx(fresh, abs=1e-6 * scale) == X
        assert moved.primal(X) == pytest.approx(moved.primal(fresh), rel=1e-8)


def test_units_do_not_matter():
    model = random_model(2)
    large = ConvexClustering(1e6 * model.data, model.graph, 1e6 * model.gamma, 2)
    assert 1e-6 * solve(ConicProgram(large))[0] == pytest.approx(
        solve(ConicProgram(model))[0], abs=1e-7
    )


def test_there_is_no_solution_before_a_solve_and_after_a_change_of_model():
    program = ConicProgram(random_model(2))
    nothing = (None, None, None, 0)
    assert (program.X, program.Z, program.status, program.iterations) == nothing
    program.solve(**EXACT)
    assert (program.status, program.iterations > 0) == ("Solved", True)
    program.set_model(random_model(2, gamma=0.3))
    assert (program.X, program.Z, program.status, program.iterations) == nothing


def test_it_fits_the_same_edges_p_and_shape_only():
    model = random_model(1)
    program = ConicProgram(model)
    edges, weights = model.graph.edges, model.graph.weights
    copy = FusionGraph(model.n, edges.copy(), 2 * weights)
    fewer = FusionGraph(model.n, edges[1:], weights[1:])
    assert program.fits(ConvexClustering(model.data + 1, copy, 0.7, 1))
    for other in (
        ConvexClustering(model.data, fewer, 0.2, 1),
        ConvexClustering(model.data, model.graph, 0.2, 2),
        ConvexClustering(model.data[:, :2], model.graph, 0.2, 1),
    ):
        assert not program.fits(other)
        with pytest.raises(ArgumentError, match="model: got another graph, p or shape"):
            program.set_model(other)


def test_a_graph_without_edges_is_refused():
    model = ConvexClustering(np.zeros((3, 2)), FusionGraph(3, [], []), 1.0)
    with pytest.raises(ArgumentError, match="at least one edge"):
        ConicProgram(model)
