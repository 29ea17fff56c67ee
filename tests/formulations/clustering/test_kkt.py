"""The KKT reformulation: lower-level solutions satisfy it, and nothing else does as t goes to 0."""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.formulations.reformulations import KKT
from bilad.formulations.schedule import ScheduleStage
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.convex_clustering import ScaledClustering
from bilad.solvers import cluster
from bilad.solvers.nlp import IpoptSession

TIGHT = ScheduleStage(1e-7, 0.1)
EPS = np.array([1.1, -0.4, 0.3, 0.9])


def solved(problem, eps):
    return cluster(problem.perturbation.apply(problem.model, eps), tol=1e-13)


def solution_of(X, Z):
    return ScaledClustering(X, Z, np.zeros(len(X), dtype=int), 0.0)


def formulate(problem):
    baseline = cluster(problem.model)
    return KKT(problem, baseline)


@pytest.mark.parametrize("kind", ["line", "complete", "knn"])
@pytest.mark.parametrize("eps", [0 * EPS, EPS, -EPS])
def test_an_exact_solution_satisfies_every_constraint(make_problem, violations, kind, eps):
    problem = make_problem(kind)
    built, solution = formulate(problem), solved(problem, eps)
    built.start_from(eps, solution)
    built.set_stage(TIGHT)
    worst = violations(built.model)
    assert max(worst.values()) < 1e-7, max(worst, key=worst.get)
    assert len(worst) > 5 * problem.model.graph.m
    assert built.eps() == pytest.approx(eps)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_a_start_is_feasible_in_every_norm(make_problem, violations, norm):
    problem = make_problem("line", norm=norm, budget=3.0)
    built, solution = formulate(problem), solved(problem, EPS)
    built.start_from(EPS, solution)
    built.set_stage(TIGHT)
    worst = violations(built.model)
    assert max(worst.values()) < 1e-7, max(worst, key=worst.get)


@pytest.mark.parametrize("kind", ["line", "knn"])
def test_a_wrong_solution_violates_one(make_problem, violations, kind):
    problem = make_problem(kind)
    built, solution = formulate(problem), solved(problem, EPS)
    built.set_stage(TIGHT)

    moved = solution.X.copy()
    moved[0, 0] += 1e-3
    built.start_from(EPS, solution_of(moved, solution.Z))
    worst = violations(built.model)
    assert worst["stationarity[0,0]"] == pytest.approx(1e-3, rel=1e-3)

    # The data themselves, without any force, are stationary; the complementarity sees through.
    data = problem.perturbation.apply(problem.model, EPS).data
    built.start_from(EPS, solution_of(data, 0 * solution.Z))
    worst = violations(built.model)
    assert {name.split("[")[0] for name, v in worst.items() if v > 1e-4} == {"relaxed"}

    # The solution for another eps.
    built.start_from(-EPS, solution)
    assert max(violations(built.model).values()) > 0.1


@pytest.mark.parametrize("kind", ["line", "knn"])
def test_dual_variables_have_the_sign_of_their_edge(make_problem, violations, kind):
    """With every z turned round, stationarity and complementarity both fail."""
    problem = make_problem(kind)
    built, solution = formulate(problem), solved(problem, EPS)
    built.set_stage(TIGHT)
    built.start_from(EPS, solution_of(solution.X, -solution.Z))
    broken = {name.split("[")[0] for name, v in violations(built.model).items() if v > 1e-2}
    assert "stationarity" in broken
    assert "relaxed" in broken


@pytest.mark.parametrize("kind", ["line", "knn"])
def test_a_bound_on_the_relaxation_is_a_bound_on_the_distance_to_x(make_problem, violations, kind):
    """All points feasible at t have a duality gap of at most 2 t sum r, and so lie near X*."""
    problem = make_problem(kind)
    built, solution = formulate(problem), solved(problem, EPS)
    built.start_from(EPS, solution)
    for k, value in enumerate(EPS):
        built.model.eps[k].fix(value)
    built.model.goal.deactivate()
    truth = solution.X
    built.model.far = pyo.Objective(
        expr=sum((built.model.x[i] - float(v)) ** 2 for i, v in np.ndenumerate(truth)),
        sense=pyo.maximize,
    )
    session = IpoptSession(built.model)
    distances = []
    for relaxation in (1e-1, 1e-2, 1e-3, 1e-4):
        built.start_from(EPS, solution_of(truth + 1e-3, solution.Z))
        built.set_stage(ScheduleStage(relaxation, 0.1))
        session.solve()
        assert max(violations(built.model).values()) < 1e-6
        distances.append(np.sqrt(pyo.value(built.model.far)))
        gap = 2 * relaxation * built.unit * problem.model.radii.sum()
        assert distances[-1] <= np.sqrt(2 * gap) * (1 + 1e-6)
    assert distances[0] > 10 * distances[-1] > 0


@pytest.mark.parametrize("kind", ["line", "knn"])
def test_written_to_a_file_and_solved_again_through_pyomo(make_problem, tmp_path, kind):
    problem = make_problem(kind, budget=1.5)
    built, solution = formulate(problem), solved(problem, np.zeros(4))
    values = []
    for way in ("session", "factory"):
        built.start_from(np.zeros(4), solution)
        built.set_stage(ScheduleStage(0.2, 0.5))
        if way == "session":
            IpoptSession(built.model).solve()
        else:
            outcome = pyo.SolverFactory("bilad_ipopt").solve(built.model)
            assert outcome.solver.termination_condition == pyo.TerminationCondition.optimal
        values.append((pyo.value(built.model.goal), *built.eps()))
    assert values[0] == pytest.approx(values[1], rel=1e-6, abs=1e-6)
    assert values[0][0] > 0.1
    built.model.write(str(tmp_path / "model.nl"))
    header = (tmp_path / "model.nl").read_text().splitlines()
    variables, rows = map(int, header[1].split()[:2])
    assert variables == len(list(built.model.component_data_objects(pyo.Var)))
    assert rows == len(list(built.model.component_data_objects(pyo.Constraint)))


def test_edges_without_weight_are_left_out(violations):
    A = np.array([[0.0], [1.0], [5.0]])
    graph = FusionGraph(3, [(0, 1), (1, 2)], [1.0, 0.0])
    problem = MaxDeviation(ConvexClustering(A, graph, 0.1), Perturbation.additive((3, 1)), 1.0)
    built, solution = formulate(problem), cluster(problem.model, "ssnal", tol=1e-12)
    assert list(built.model.edges) == [0]
    built.start_from(np.zeros(3), solution)
    built.set_stage(TIGHT)
    assert max(violations(built.model).values()) < 1e-7
    assert [built.model.x[i, 0].value for i in range(3)] == pytest.approx([0.1, 0.9, 5.0])
