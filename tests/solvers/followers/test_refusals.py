"""What is refused before any work, with the reason and the name of the Pyomo component."""

import math
import os
import signal

import pyomo.environ as pyo
import pytest
from support.followers import bard, leader

from bilad.formulations import Follower
from bilad.models.validation import ArgumentError
from bilad.solvers import solve_bilevel


def simple(**options):
    m = leader()
    m.lower.y = pyo.Var(**options)
    m.lower.cost = pyo.Objective(expr=(m.lower.y - m.x) ** 2)
    m.cost = pyo.Objective(expr=m.x)
    return m


def integer():
    return simple(domain=pyo.Integers)


def no_objective():
    m = simple()
    m.lower.cost.deactivate()
    return m


def two_objectives_of_the_follower():
    m = simple()
    m.lower.other = pyo.Objective(expr=m.lower.y)
    return m


def two_objectives_of_the_leader():
    m = simple()
    m.other = pyo.Objective(expr=m.x)
    return m


def no_objective_of_the_leader():
    m = simple()
    m.cost.deactivate()
    return m


def no_follower():
    m = simple()
    m.lower.deactivate()
    return m


def not_named():
    m = simple()
    m.z = pyo.Var()
    m.other = Follower(leader=[m.x])
    m.other.w = pyo.Var()
    m.other.cost = pyo.Objective(expr=(m.other.w - m.x - m.z) ** 2)
    return m


def shared():
    m = simple()
    m.other = Follower(variables=[m.lower.y])
    m.other.cost = pyo.Objective(expr=m.lower.y**2)
    return m


def within_another():
    m = simple()
    m.lower.inner = Follower()
    m.lower.inner.z = pyo.Var()
    m.lower.inner.cost = pyo.Objective(expr=m.lower.inner.z**2)
    return m


def of_another_model():
    m, other = simple(), pyo.ConcreteModel()
    other.z = pyo.Var()
    m.lower.row = pyo.Constraint(expr=m.lower.y >= other.z)
    return m


def sos():
    m = simple()
    m.lower.w = pyo.Var([1, 2], bounds=(0, 1))
    m.lower.sos = pyo.SOSConstraint(var=m.lower.w, sos=2)
    return m


def concave():
    m = simple(bounds=(-1, 1))
    m.lower.cost.set_value(-((m.lower.y - 0.1) ** 2) + m.x * m.lower.y)
    return m


def concave_for_some_x():
    m = simple(bounds=(-1, 1))
    m.lower.cost.set_value((1 - m.x) * m.lower.y**2)
    return m


def concave_in_many_variables():
    m = leader()
    m.lower.y = y = pyo.Var(range(70), bounds=(-1, 1))
    m.lower.cost = pyo.Objective(expr=-pyo.quicksum(y[i] ** 2 for i in y))
    m.cost = pyo.Objective(expr=m.x)
    return m


def sine():
    m = simple(bounds=(-4, 4))
    m.lower.cost.set_value(pyo.sin(m.lower.y) + m.x * m.lower.y)
    return m


def outside_a_disc():
    m = simple(bounds=(-4, 4))
    m.lower.z = pyo.Var(bounds=(-4, 4))
    m.lower.disc = pyo.Constraint(expr=m.lower.y**2 + m.lower.z**2 >= 4)
    m.lower.cost.set_value((m.lower.y - m.x) ** 2 + m.lower.z**2)
    return m


def unbounded():
    m = simple()
    m.lower.row = pyo.Constraint(expr=m.lower.y <= m.x)
    m.lower.cost.set_value(m.lower.y)
    return m


def infeasible():
    m = simple(bounds=(0, None))
    m.lower.row = pyo.Constraint(expr=m.lower.y <= -1)
    return m


def without_a_value(missing):
    m = simple()
    m.given = missing
    m.lower.row = pyo.Constraint(expr=m.lower.y >= m.given * m.x)
    return m


def fixed_without_a_value():
    m = without_a_value(pyo.Var())
    m.given.fixed = True
    return m


def priced(change):
    m = simple()
    m.lower.row = pyo.Constraint(expr=m.lower.y <= m.x)
    multiplier = m.lower.multiplier_of(m.lower.row)
    change(multiplier)
    m.cost.set_value((m.x - 1) ** 2 + multiplier)
    return m


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (fixed_without_a_value, "given: expected a number, given None"),
        (
            lambda: without_a_value(pyo.Param(initialize=math.nan, mutable=True, within=pyo.Any)),
            "given: expected a number, given nan",
        ),
        (lambda: priced(lambda mu: mu.fix(1)), "a multiplier that is fixed"),
        (lambda: priced(lambda mu: mu.setlb(1)), "a multiplier that is fixed or has another"),
        (integer, "follower 'lower': got 'lower.y', which is not continuous"),
        (no_objective, "follower 'lower': got no objective"),
        (two_objectives_of_the_follower, "'lower.cost' and 'lower.other': 2 active objectives"),
        (two_objectives_of_the_leader, "'cost' and 'other': 2 active objectives of the leader"),
        (no_objective_of_the_leader, "0 active objectives of the leader"),
        (no_follower, "without an active Follower"),
        (not_named, "follower 'other': got 'z', which its argument `leader` does not name"),
        (shared, "'lower.y' of the followers 'lower' and 'other'"),
        (within_another, "'lower.inner' within 'lower'"),
        (of_another_model, "'z', which is not part of it"),
        (sos, "a SOSConstraint"),
        (concave, "'lower.cost', whose curvature is -2"),
        (concave_for_some_x, "'lower.cost', whose curvature is -"),
        (concave_in_many_variables, "'lower.cost', whose curvature is -2"),
        (sine, "'lower.cost', with curvature -"),
        (outside_a_disc, "the constraint 'lower.disc', with curvature -2"),
        (unbounded, "'lower.cost', unbounded at x = 0"),
        (infeasible, "infeasible constraints, 'lower.row' among them"),
        (lambda: 5, "model: got int"),
    ],
)
def test_a_model_is_refused_with_the_name(write, words):
    m = write()
    for method in ("kkt", "auto"):
        with pytest.raises(ArgumentError) as caught:
            solve_bilevel(m, method)
        assert words in str(caught.value)


@pytest.mark.parametrize("method", ["kkt", "branching"])
def test_crossed_bounds_of_the_leader_are_a_status(method):
    m = simple()
    m.x.setlb(2)
    m.x.setub(1)
    assert solve_bilevel(m, method).status == "infeasible"


def test_ctrl_c_while_the_followers_are_checked_is_a_termination(monkeypatch):
    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("bilad.solvers.followers.solve.refuse_nonconvex", interrupted)
    found = solve_bilevel(simple())
    assert (found.status, found.termination) == ("no solution found", "interrupted")


def test_a_start_at_which_the_follower_is_not_defined_is_no_traceback():
    m = simple(bounds=(-5, 5))
    m.x.set_value(0)
    m.lower.cost.set_value((m.lower.y - 1 / m.x) ** 2)
    assert solve_bilevel(m, "kkt").status in {"feasible", "no solution found"}


def test_a_concave_objective_on_a_line_where_it_is_convex_is_accepted():
    """y_0 y_1 is convex on y_0 = y_1; only the curvature along the equations counts."""
    m = leader()
    m.lower.y = y = pyo.Var([0, 1])
    m.lower.cost = pyo.Objective(expr=y[0] * y[1] - m.x * y[0])
    m.lower.line = pyo.Constraint(expr=y[0] == y[1])
    m.cost = pyo.Objective(expr=(y[0] - 1) ** 2 + 0 * m.x)
    found = solve_bilevel(m, "kkt")
    assert found.status == "feasible"
    assert (m.x.value, y[0].value) == pytest.approx((2, 1), abs=1e-4)


def test_a_local_solution_of_a_concave_follower_confirms_nothing():
    """z = x is implied by two inequalities, so that there is no interior point that refuses it."""
    m = leader()
    m.lower.y, m.lower.z = pyo.Var(bounds=(-1, 1), initialize=-1), pyo.Var()
    m.lower.below = pyo.Constraint(expr=m.lower.z <= m.x)
    m.lower.above = pyo.Constraint(expr=m.lower.z >= m.x)
    m.lower.cost = pyo.Objective(expr=-(m.lower.y**2) - m.lower.y / 2)
    m.cost = pyo.Objective(expr=(m.lower.y + 1) ** 2)
    assert solve_bilevel(m).status == "unproved"


@pytest.mark.parametrize("method", ["branching", "kkt"])
def test_a_limit_of_1e20_is_none(method):
    m = leader(1e9)
    m.lower.y = y = pyo.Var(bounds=(0, 1e20))
    m.lower.row = pyo.Constraint(expr=y >= 1e7 - m.x)
    m.lower.cost = pyo.Objective(expr=y)
    m.cost = pyo.Objective(expr=m.x + 2 * y)
    found = solve_bilevel(m, method)
    assert found.objective == pytest.approx(1e7)
    assert found.status == ("optimal" if method == "branching" else "feasible")


def test_an_ordinary_solver_does_not_ignore_the_follower():
    with pytest.raises(ValueError, match="at most one active objective"):
        pyo.SolverFactory("bilad_ipopt").solve(bard())


def infeasible_for_both():
    m = simple(bounds=(0, None))
    m.row = pyo.Constraint(expr=m.lower.y >= 20)
    m.lower.row = pyo.Constraint(expr=m.lower.y <= m.x)
    return m


@pytest.mark.parametrize("method", ["auto", "kkt", "duality", "value-function"])
def test_a_joint_infeasibility_is_a_status(method):
    found = solve_bilevel(infeasible_for_both(), method)
    assert found.status == "infeasible"
    assert found.objective is None


def test_branching_proves_that_no_response_satisfies_the_leader():
    """y = x is the response, and the leader wants y >= x + 1."""
    m = leader()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.row = pyo.Constraint(expr=y >= m.x)
    m.lower.cost = pyo.Objective(expr=y)
    m.row = pyo.Constraint(expr=y >= m.x + 1)
    m.cost = pyo.Objective(expr=m.x)
    assert solve_bilevel(m).status == "infeasible"
    assert solve_bilevel(m, "kkt").status == "unproved"


def test_branching_proves_that_the_leader_is_unbounded():
    m = leader(None)
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.row = pyo.Constraint(expr=y >= m.x)
    m.lower.cost = pyo.Objective(expr=y)
    m.cost = pyo.Objective(expr=-y)
    found = solve_bilevel(m)
    assert found.status == "unbounded"
    assert found.objective is None
