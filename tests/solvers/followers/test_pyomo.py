"""Pyomo's registries: the solver, and the transformations."""

import pyomo.environ as pyo
import pytest
from pyomo.opt import SolverStatus, TerminationCondition
from support.followers import bard, cournot, leader

from bilad.models.validation import ArgumentError


def test_the_solver_loads_the_point_and_reports_the_bound():
    m = bard()
    results = pyo.SolverFactory("bilad.bilevel").solve(m, timelimit=60)
    pyo.assert_optimal_termination(results)
    assert (m.x.value, m.lower.y.value) == pytest.approx((4, 4), abs=1e-6)
    assert results.problem.lower_bound == pytest.approx(-12)
    assert results.solver.bilevel_solution.status == "optimal"


def test_options_of_the_solver_and_of_the_call():
    solver = pyo.SolverFactory("bilad.bilevel", options={"method": "kkt", "starts": 3})
    with solver:
        assert solver.available()
        results = solver.solve(cournot(), options={"relaxation": "lin-fukushima"})
    assert results.solver.termination_condition == TerminationCondition.feasible
    assert results.problem.lower_bound == pytest.approx(12, abs=1e-4)  # of a maximisation
    assert results.problem.upper_bound is None
    with pytest.raises(ArgumentError, match="method"):
        solver.solve(bard(), method="none")


def test_an_infeasible_model_is_a_condition():
    m = leader()
    m.lower.y = pyo.Var(bounds=(0, None))
    m.lower.row = pyo.Constraint(expr=m.lower.y >= m.x)
    m.lower.cost = pyo.Objective(expr=m.lower.y)
    m.row = pyo.Constraint(expr=m.lower.y >= m.x + 1)
    m.cost = pyo.Objective(expr=m.x)
    results = pyo.SolverFactory("bilad.bilevel").solve(m)
    assert results.solver.termination_condition == TerminationCondition.infeasible
    assert results.solver.status == SolverStatus.warning


@pytest.mark.parametrize("suffix", ["nl", "lp", "gms"])
@pytest.mark.parametrize("name", ["kkt", "duality", "value_function"])
def test_a_transformed_model_is_written_for_other_solvers(name, suffix, tmp_path):
    m = bard()
    m.x.set_value(4.0)
    single = pyo.TransformationFactory(f"bilad.{name}").create_using(m)
    assert m.lower.cost.active
    assert len(list(single.component_data_objects(pyo.Objective, active=True))) == 1
    path = tmp_path / f"single.{suffix}"
    single.write(str(path))
    assert path.stat().st_size > 100


@pytest.mark.parametrize("name", ["kkt", "duality", "value_function"])
def test_a_transformed_model_has_the_solution_as_its_optimum(name):
    m = bard()
    for v, value in ((m.x, 3.9), (m.lower.y, 3.85)):
        v.set_value(value)
    pyo.TransformationFactory(f"bilad.{name}").apply_to(m)
    results = pyo.SolverFactory("bilad_ipopt").solve(m)
    assert results.solver.termination_condition == TerminationCondition.optimal
    assert pyo.value(m.cost) <= pyo.value(3.9 - 4 * 3.85) + 0.5


def test_the_value_function_needs_a_follower_with_a_solution():
    m = bard()
    m.x.set_value(0.0)
    with pytest.raises(ArgumentError, match="infeasible at the current values"):
        pyo.TransformationFactory("bilad.value_function").create_using(m)
