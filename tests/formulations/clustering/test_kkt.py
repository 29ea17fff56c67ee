"""The KKT reformulation: error bounds, the written model, and edges of weight zero."""

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import (
    TIGHT,
    formulate,
    make_problem,
    solution_from,
    solve_exactly,
    violations,
)

from bilad.formulations.schedule import ScheduleStage
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster
from bilad.solvers.nlp import IpoptSession

EPS = np.array([1.1, -0.4, 0.3, 0.9])


@pytest.mark.parametrize("kind", ["line", "knn"])
def test_a_bound_on_the_relaxation_is_a_bound_on_the_distance_to_x(kind):
    """A feasible point has a duality gap of at most 2 t unit sum_e r_e, and so is close to X*."""
    problem = make_problem(kind)
    built = formulate("scholtes", problem, cluster(problem.model))
    solution = solve_exactly(problem, EPS)
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
        built.start_from(EPS, solution_from(truth + 1e-3, solution.Z))
        built.set_stage(ScheduleStage(relaxation, 0.1))
        session.solve()
        assert max(violations(built.model).values()) < 1e-6
        distances.append(np.sqrt(pyo.value(built.model.far)))
        gap = 2 * relaxation * built.unit * problem.model.radii.sum()
        assert distances[-1] <= np.sqrt(2 * gap) * (1 + 1e-6)
    assert distances[0] > 10 * distances[-1] > 0


@pytest.mark.parametrize("kind", ["line", "knn"])
def test_written_to_a_file_and_solved_again_through_pyomo(tmp_path, kind):
    problem = make_problem(kind, budget=1.5)
    solution = solve_exactly(problem, np.zeros(4))
    built = formulate("scholtes", problem, solution)
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


def test_edges_without_weight_are_left_out():
    A = np.array([[0.0], [1.0], [5.0]])
    graph = FusionGraph(3, [(0, 1), (1, 2)], [1.0, 0.0])
    problem = MaxDeviation(ConvexClustering(A, graph, 0.1), Perturbation.additive((3, 1)), 1.0)
    solution = cluster(problem.model, "ssnal", tol=1e-12)
    built = formulate("scholtes", problem, solution)
    assert list(built.model.edges) == [0]
    built.start_from(np.zeros(3), solution)
    built.set_stage(TIGHT)
    assert max(violations(built.model).values()) < 1e-7
    assert [built.model.x[i, 0].value for i in range(3)] == pytest.approx([0.1, 0.9, 5.0])
