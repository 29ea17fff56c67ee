"""The recomputation: the follower's gap, violations, and the two selections."""

import math

import numpy as np
import pyomo.environ as pyo
import pytest
from support.followers import MODELS, bard, indifferent, leader

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.solvers import solve_bilevel
from bilad.solvers.followers.lower_problem import LowerProblem
from bilad.solvers.followers.verification import Verifier


def verified(m, **values):
    """The verification of a point given by the names of variables."""
    program = BilevelProgram(m)
    point = [values.get(v.name, np.nan) for v in program.variables]
    return Verifier(program).verify(np.array(point, dtype=float))


def test_a_wrong_response_is_replaced_by_the_followers_own():
    m = bard()
    found = verified(m, **{"x": 3.0, "lower.y": 5.0})
    assert found.confirmed
    assert found.values.tolist() == pytest.approx([3.0, 2.5])
    assert found.objective == found.own_selection == pytest.approx(3 - 4 * 2.5)


def test_a_response_outside_the_constraints_is_not_confirmed():
    """At x = 0 the follower has no solution."""
    found = verified(bard(), **{"x": 0.0, "lower.y": 1.0})
    assert not found.confirmed
    assert found.lower_gap == math.inf
    assert found.lower_status == "infeasible"


def test_the_gap_is_relative_to_the_followers_value():
    """f = (y - x)^2 + 3, v = 3; a coupling constraint y >= x + 1 excludes the follower's own."""
    m = leader()
    m.lower.y = pyo.Var()
    m.lower.cost = pyo.Objective(expr=(m.lower.y - m.x) ** 2 + 3)
    m.row = pyo.Constraint(expr=m.lower.y >= m.x + 1)
    m.cost = pyo.Objective(expr=m.x)
    found = verified(m, **{"x": 1.0, "lower.y": 2.0})
    assert not found.confirmed
    assert found.own_selection is None
    assert found.lower_gap == pytest.approx((4 - 3) / (1 + 3))
    assert found.violation == 0.0


def test_both_selections_and_the_pessimistic_value():
    found = verified(indifferent(), **{"x": 0.0, "lower.y": 0.5})
    assert found.objective == pytest.approx(-1)
    assert found.pessimistic == pytest.approx(0)
    assert -1 <= found.own_selection <= 0


def test_the_pessimistic_value_is_infinite_if_a_response_breaks_the_leaders_constraint():
    m = indifferent()
    m.row = pyo.Constraint(expr=m.lower.y >= 0.5)
    found = verified(m, **{"x": 0.0, "lower.y": 1.0})
    assert found.confirmed
    assert found.pessimistic == math.inf
    m = indifferent()
    m.row = pyo.Constraint(expr=m.lower.y <= 2)
    assert verified(m, **{"x": 0.0, "lower.y": 1.0}).pessimistic == pytest.approx(0)


def test_a_face_of_solutions_of_a_quadratic_follower():
    """(y_0 + y_1 - x)^2: the leader prefers y_0, the worst is y_1."""
    m = leader()
    m.lower.y = y = pyo.Var([0, 1], bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=(y[0] + y[1] - m.x) ** 2)
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2 - y[0] + y[1])
    found = solve_bilevel(m)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(-2.25)
    assert found.pessimistic == pytest.approx(2.75, abs=1e-6)


def test_the_leader_is_moved_into_bounds_that_are_written_as_constraints():
    m = bard()
    m.row = pyo.Constraint(expr=2 * m.x + 1 <= 7)
    assert verified(m, **{"x": 3.1, "lower.y": 3.0}).values[0] == 3.0


def test_an_undefined_expression_is_no_solution():
    m = leader()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=y**2 / m.x)
    m.cost = pyo.Objective(expr=m.x + y / m.x)
    found = verified(m, **{"x": 0.0, "lower.y": 0.0})
    assert not found.confirmed


@pytest.mark.parametrize("name", ["Bard", "ranges", "equality", "entropy", "maximised"])
def test_the_slopes_of_the_value_are_those_of_differences(name):
    m = MODELS[name].write()
    problem = LowerProblem(BilevelProgram(m).followers[0], m)
    values = []
    for x in (3.0, 3.0 - 1e-4, 3.0 + 1e-4):
        m.x.set_value(x)
        values.append(problem.solve().value)
    m.x.set_value(3.0)
    (slope,) = problem.slopes(problem.solve())
    assert slope == pytest.approx((values[2] - values[1]) / 2e-4, rel=1e-3, abs=1e-3)


def test_claims_of_a_relaxed_model_are_not_called_solved():
    """At t = 1 the relaxed model claims much more than it has; all that is reported is verified."""
    found = solve_bilevel(bard(), "kkt", schedule=[1.0])
    claimed = next(stage for stage in found.stages if stage.name == "t = 1")
    assert claimed.claimed < -12.5
    assert found.objective >= -12 - 1e-5
    assert found.lower_gap <= 1e-6


def test_a_diverging_multiplier_is_named():
    """y^2 <= x at x = 0 has no bounded multiplier."""
    m = leader()
    m.lower.y = y = pyo.Var(initialize=1)
    m.lower.disc = pyo.Constraint(expr=y**2 <= m.x)
    m.lower.cost = pyo.Objective(expr=-y)
    m.cost = pyo.Objective(expr=m.x + y)
    found = solve_bilevel(m, "kkt", schedule=[1.0, 1e-4, 1e-8, 1e-12, 1e-14])
    assert found.largest_multiplier > 1e3
    assert (found.diverging == "lower.disc") == (found.largest_multiplier > 1e6)


def test_a_single_response_is_its_own_pessimistic_value():
    """The linear follower has one solution, at which the leader's objective is not linear."""
    m = leader()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.row = pyo.Constraint(expr=y >= m.x)
    m.lower.cost = pyo.Objective(expr=y)
    m.cost = pyo.Objective(expr=pyo.exp(y) + (m.x - 1) ** 2)
    found = verified(m, **{"x": 1.0, "lower.y": 1.0})
    assert found.pessimistic == found.own_selection == pytest.approx(np.e)


def test_the_worst_of_a_concave_objective_is_computed():
    """Over 0 <= y <= 1, (y - 0.25)^2 of a maximising leader is least at 0.25."""
    m = indifferent()
    m.cost.deactivate()
    m.gain = pyo.Objective(expr=m.x + (m.lower.y - 0.25) ** 2, sense=pyo.maximize)
    found = verified(m, **{"x": 1.0, "lower.y": 1.0})
    assert found.objective == pytest.approx(1 + 0.75**2)
    assert found.pessimistic == pytest.approx(1, abs=1e-6)
