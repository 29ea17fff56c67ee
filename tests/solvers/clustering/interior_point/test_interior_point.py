"""The interior-point method against the duality gap of its pair, Clarabel and closed forms."""

import math

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import row_norms
from bilad.solvers import cluster
from bilad.solvers.clustering.interior_point import cone_loops
from bilad.solvers.clustering.interior_point.interior_point import MOST_ITERATIONS, InteriorPoint
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.ssnal.limits import Budget


def random_model(seed, d):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(30, d)) + 3 * rng.integers(0, 3, size=(30, 1))
    graph = FusionGraph.complete(30) if seed % 2 else FusionGraph.knn(A, k=5)
    return ConvexClustering(A, graph, (0.02 if seed % 2 else 1.0) * 4.0 ** (seed % 3 - 1))


def with_masses(seed, d):
    """A model whose points are contracted by threes, and the contracted problem."""
    model, blocks = random_model(seed, d), np.repeat(np.arange(10), 3)
    return model, ContractedProblem.of(model, blocks), blocks


def solver_of(problem, tol, iterations=1000, seconds=math.inf):
    method, budget = InteriorPoint(problem), Budget(iterations, seconds)
    method.start(problem.means)
    method.solve(tol, budget)
    return method, budget


def gap_of(problem, X, Z):
    """The primal less the dual objective, in long doubles."""
    X, Z, A, m = (a.astype(np.longdouble) for a in (X, Z, problem.means, problem.masses[:, None]))
    forces = np.zeros_like(X)
    np.add.at(forces, problem.tails, Z)
    np.add.at(forces, problem.heads, -Z)
    lengths = np.sqrt(((X[problem.tails] - X[problem.heads]) ** 2).sum(axis=1))
    primal = 0.5 * (m * (X - A) ** 2).sum() + problem.radii @ lengths
    dual = (forces * A).sum() - 0.5 * (forces**2 / m).sum()
    return float(primal), float(primal - dual)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("make", [random_model, with_masses])
def test_the_gap_is_that_of_a_feasible_pair(make, d):
    for seed in range(6):
        made = make(seed, d)
        problem = ContractedProblem.whole(made) if make is random_model else made[1]
        for tol in (1e-1, 1e-3, 1e-6, 1e-9):
            method, _ = solver_of(problem, tol)
            X, Z = method.pair()
            primal, gap = gap_of(problem, X, Z)
            assert (row_norms(Z, 2) <= problem.radii).all()
            assert method.absolute_gap == pytest.approx(gap, rel=1e-6, abs=1e-14 * primal)
            assert method.gap == pytest.approx(gap / (1 + primal + problem.offset), rel=1e-6)
            assert method.gap <= tol
            if make is random_model:
                Z = made.project_dual(Z)
                assert made.absolute_gap(X, Z) == pytest.approx(gap, rel=1e-6, abs=1e-14 * primal)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_objective_is_that_of_clarabel(d):
    for seed in range(6):
        model = random_model(seed, d)
        method, _ = solver_of(ContractedProblem.whole(model), 1e-9)
        reference = cluster(model, "clarabel", tol=1e-9)
        assert model.primal(method.pair()[0]) == pytest.approx(reference.objective, rel=1e-8)


def test_masses_are_points_that_are_held_together():
    """Copies of each point, joined by heavy edges, for Clarabel."""
    rng = np.random.default_rng(0)
    A, masses, graph = rng.normal(size=(8, 2)), rng.integers(1, 5, 8), FusionGraph.complete(8)
    problem = ContractedProblem(masses * 1.0, A, *graph.ends, np.full(28, 0.2))
    copies, first = np.repeat(np.arange(8), masses), np.cumsum(masses) - masses
    held = [(first[k], i) for i, k in enumerate(copies) if i != first[k]]
    edges = np.concatenate([first[graph.edges], np.array(held)])
    weights = np.repeat([0.2, 50.0], [28, len(held)])
    model = ConvexClustering(A[copies], FusionGraph(len(copies), edges, weights), 1.0)
    reference = cluster(model, "clarabel", tol=1e-9)
    X = solver_of(problem, 1e-10)[0].pair()[0]
    assert X[copies] == pytest.approx(reference.X, abs=1e-4)
    assert model.primal(X[copies]) == pytest.approx(reference.objective, rel=1e-8)


@pytest.mark.parametrize("radius", [0.3, 1.0])
def test_two_points_with_masses_in_closed_form(radius):
    """x_1 - x_2 = max(a_1 - a_2 - r (1/m_1 + 1/m_2), 0), and the centre of mass stays."""
    masses, A = np.array([1.0, 3.0]), np.array([[1.0], [0.0]])
    ends = np.array([0]), np.array([1])
    problem = ContractedProblem(masses, A, *ends, np.array([radius]))
    apart = max(1 - radius * 4 / 3, 0)
    expected = 0.25 + apart * np.array([[0.75], [-0.25]])
    assert solver_of(problem, 1e-11)[0].pair()[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_an_iterate_is_resumed(d):
    """On the same problem the iterate is the same, and so is what follows."""
    for seed in range(6):
        problem = ContractedProblem.whole(random_model(seed, d))
        method, budget = solver_of(problem, 1e-2)
        resumed, (X, Z) = InteriorPoint(problem), method.pair()
        resumed.resume(X, method.surplus(), Z)
        resumed.solve(math.inf, budget)
        assert resumed.gap == pytest.approx(method.gap, rel=1e-9)
        assert resumed.centre == pytest.approx(method.centre, rel=1e-9)
        method.solve(1e-9, budget)
        resumed.solve(1e-9, budget)
        np.testing.assert_allclose(resumed.pair()[0], method.pair()[0], atol=1e-4)


@pytest.mark.parametrize("part", ["scaling", "factorisation", "step"])
@pytest.mark.parametrize("at", [0, 3])
def test_a_failure_keeps_the_last_pair(part, at, monkeypatch):
    problem, calls = ContractedProblem.whole(random_model(0, 2)), []
    stopped, _ = solver_of(problem, 0.0, iterations=at)

    def failing(whole, failure):
        def call(*args):
            calls.append(0)
            found = whole(*args)
            return failure if len(calls) > at else found

        return call

    method = InteriorPoint(problem)
    method.start(problem.means)
    if part == "scaling":
        monkeypatch.setattr(
            cone_loops, "scale", failing(cone_loops.scale, (False, *[math.nan] * 4))
        )
    elif part == "factorisation":
        whole = method._cholesky.factorise
        monkeypatch.setattr(method._cholesky, "factorise", failing(whole, False))
    else:
        whole = method._cholesky.solve

        def solve(X):
            calls.append(0)
            whole(X)
            X[0] = math.nan if len(calls) > 2 * at else X[0]

        monkeypatch.setattr(method._cholesky, "solve", solve)
    method.solve(1e-8, Budget(1000, math.inf))
    assert method.failed
    assert method.ended
    assert (method.gap < np.inf) == (part != "scaling" or at > 0)
    for found, expected in zip(method.pair(), stopped.pair(), strict=True):
        assert np.array_equal(found, expected)
        assert np.isfinite(found).all()


def test_an_impossible_gap_ends():
    for seed in range(6):
        method, _ = solver_of(ContractedProblem.whole(random_model(seed, 2)), 0.0)
        assert method.ended
        assert method.iterations <= MOST_ITERATIONS
        assert method.gap < 1e-9
        assert all(np.isfinite(array).all() for array in method.pair())


def test_limits_are_kept():
    problem = ContractedProblem.whole(random_model(0, 2))
    method, budget = solver_of(problem, 0.0, iterations=4)
    assert method.iterations == budget.newton_steps == 4
    assert not method.ended
    method.solve(0.0, budget)
    assert budget.newton_steps == 4
    method, budget = solver_of(problem, 0.0, seconds=-math.inf)
    assert method.iterations == budget.newton_steps == 0
    assert method.gap < np.inf
