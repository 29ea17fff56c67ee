"""Single-level models solved by solvers of Pyomo."""

from types import SimpleNamespace

import pyomo.environ as pyo
import pytest
from pyomo.opt import SolverResults
from support.bilevel_problems import make_case

from bilad.models import ArgumentError
from bilad.solvers import attack
from bilad.solvers.nlp import NlpStatus, PyomoSession

PROBLEM = make_case(2, 2, "additive", "knn")


def small():
    model = pyo.ConcreteModel()
    model.x = pyo.Var(initialize=0.5)
    model.cost = pyo.Objective(expr=(model.x - 2) ** 2)
    return model


def foreign(solve, name="theirs"):
    return SimpleNamespace(name=name, solve=solve, available=lambda exception_flag=True: True)


def test_the_point_and_the_status():
    model = small()
    result = PyomoSession(model, pyo.SolverFactory("bilad_ipopt")).solve(time_limit=10)
    assert result.status is NlpStatus.OPTIMAL
    assert result.objective == pytest.approx(0.0, abs=1e-12)
    assert model.x.value == pytest.approx(2.0)


def test_the_same_attack_through_pyomo():
    ours = attack(PROBLEM, "kkt", closing="none", bound="none")
    theirs = attack(
        PROBLEM, "kkt", closing="none", bound="none", solver=pyo.SolverFactory("bilad_ipopt")
    )
    assert theirs.own.deviation == pytest.approx(ours.own.deviation)


def fail(model, **options):
    model.x.set_value(9.0) if model.component("cost") else None
    raise RuntimeError("no licence")


def nothing(model, **options):
    results = SolverResults()
    results.solver.termination_condition = pyo.TerminationCondition.infeasible
    return results


@pytest.mark.parametrize("solve", [fail, nothing])
def test_a_failure_leaves_the_model_as_it_was(solve):
    model = small()
    result = PyomoSession(model, foreign(solve)).solve()
    assert model.x.value == 0.5
    assert result.status in (NlpStatus.FOREIGN_EXCEPTION, NlpStatus.INFEASIBLE)


def test_a_failure_is_named_in_the_stages():
    found = attack(PROBLEM, "kkt", closing="none", bound="none", solver=foreign(fail))
    assert found.stages
    assert all("no licence" in stage.engine_status for stage in found.stages)


@pytest.mark.parametrize("solver", ["ipopt", 3, foreign(fail).solve])
def test_what_is_no_solver_is_refused(solver):
    with pytest.raises(ArgumentError, match="^solver: "):
        attack(PROBLEM, "kkt", solver=solver)


def test_a_solver_that_is_missing_is_named():
    missing = SimpleNamespace(name="baron", solve=fail, available=lambda exception_flag: False)
    with pytest.raises(ArgumentError, match="'baron', which is not available"):
        attack(PROBLEM, "kkt", solver=missing)


def test_options_of_ipopt_and_another_solver_are_refused():
    with pytest.raises(ArgumentError, match="^ipopt_options: "):
        attack(PROBLEM, "kkt", solver=foreign(fail), ipopt_options={"tol": 1e-3})
