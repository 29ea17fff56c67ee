"""A session refuses a change of a constant, whichever block the constant belongs to."""

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import IpoptSession


def model():
    """min (y - 3)^2 in the block b; whatever moves the 3 lives outside b."""
    m = pyo.ConcreteModel()
    m.held = pyo.Var(initialize=1.0)
    m.held.fix()
    m.free = pyo.Var(initialize=2.0)
    m.p = pyo.Param(initialize=1, mutable=True)
    m.indexed = pyo.Param([1, 2], initialize=0.0, mutable=True)
    m.side = pyo.Param(initialize=-50.0, mutable=True)
    m.unused = pyo.Param(initialize=float("nan"), mutable=True, within=pyo.Any)
    m.inner = pyo.Expression(expr=m.indexed[2])
    m.outer = pyo.Expression([1], rule=lambda m, _: m.p + m.inner)
    m.b = pyo.Block()
    m.b.y = pyo.Var(initialize=8.0)
    m.b.z = pyo.Var(initialize=0.0, bounds=(m.side, None))
    target = m.held + 2 * m.outer[1] + m.indexed[1]
    m.b.cost = pyo.Objective(expr=(m.b.y - target) ** 2 + (m.free - 5) ** 2 + m.b.z**2)
    m.b.row = pyo.Constraint(expr=m.b.y >= m.side)
    m.b.more = pyo.Constraint(expr=(m.side, m.b.y + m.b.z, 50))
    m.b.deeper = pyo.Block()
    m.b.deeper.last = pyo.Constraint(expr=m.b.z <= 90)
    return m


CHANGES = {
    "held": lambda m: m.held.fix(2.0),
    "held was unfixed": lambda m: m.held.unfix(),
    "free was fixed": lambda m: m.free.fix(2.0),
    "b.y was fixed": lambda m: m.b.y.fix(),
    "p changed": lambda m: m.p.set_value(2),
    r"indexed\[1\] changed": lambda m: m.indexed.__setitem__(1, 5.0),
    r"indexed\[2\] changed": lambda m: m.indexed.__setitem__(2, 5.0),
    "side changed": lambda m: m.side.set_value(-40.0),
    "inner was replaced": lambda m: m.inner.set_value(m.indexed[1]),
    r"outer\[1\] was replaced": lambda m: m.outer[1].set_value(7.0),
    "b.cost changed": lambda m: m.b.cost.set_value(m.b.y**2),
    "b.cost changed after": lambda m: setattr(m.b.cost, "sense", pyo.maximize),
    "b.row changed": lambda m: m.b.row.set_value(m.b.y >= 4),
    "active constraints": lambda m: m.b.more.deactivate(),
    "the active constraints or": lambda m: m.b.deeper.deactivate(),
    "constraints or the active objective": lambda m: m.b.cost.deactivate(),
    "the active constraints or the": lambda m: setattr(m.b, "c", pyo.Constraint(expr=m.b.y <= 4)),
    "discrete": lambda m: setattr(m.b.y, "domain", pyo.Integers),
    "p: expected a number, given None": lambda m: setattr(m.p, "_value", None),
}


@pytest.mark.parametrize("words", CHANGES)
@pytest.mark.parametrize("part", ["whole", "block"])
def test_refuses_a_change(words, part):
    m = model()
    session = IpoptSession(m if part == "whole" else m.b, engine="casadi")
    session.solve()
    assert (m.b.y.value, m.free.value) == pytest.approx((3, 5))
    session.solve()
    CHANGES[words](m)
    before = [(v, v.value) for v in m.component_data_objects(pyo.Var)]
    with pytest.raises(ValueError, match=words):
        session.solve()
    assert all(v.value == value for v, value in before)


def test_follows_bounds_and_ignores_what_it_does_not_reach():
    m = model()
    m.b.other = pyo.Param(initialize=1.0, mutable=True)
    m.b.idle = pyo.Var(initialize=1.0)
    m.b.asleep = pyo.Constraint(expr=m.b.idle >= m.b.other)
    m.b.asleep.deactivate()
    m.floor = pyo.Param(initialize=0.0, mutable=True)
    m.b.y.setlb(2 * m.floor)
    session = IpoptSession(m.b, engine="casadi")
    session.solve()
    m.unused.set_value([1.0, 2.0])
    m.b.other.set_value(9.0)
    m.b.idle.fix(4.0)
    m.p.set_value(1.0)
    m.floor.set_value(2.0)
    session.solve()
    assert m.b.y.value == pytest.approx(4.0)


@pytest.mark.parametrize("value", [float("nan"), [1.0, 2.0], None, "two"])
@pytest.mark.parametrize("where", ["p", "held"])
def test_a_constant_that_is_no_number(where, value):
    m = model()
    m.component(where)._value = value
    with pytest.raises(ValueError, match=rf"^{where}: expected a number, given "):
        IpoptSession(m.b, engine="casadi")


@pytest.mark.parametrize("stale", [True, False])
def test_without_loading_every_variable_stays_as_it_was(engine, stale):
    m = model()
    other = pyo.ConcreteModel()
    other.v = pyo.Var(initialize=4.0)
    other.empty = pyo.Var()
    m.b.cost.set_value(m.b.cost.expr + (other.v - 1) ** 2 + (other.empty - 1) ** 2)
    variables = [m.held, m.free, m.b.y, m.b.z, other.v, other.empty]
    for variable in variables:
        variable.stale = stale
    before = [(v.value, v.stale) for v in variables]
    result = IpoptSession(m.b, engine=engine).solve(load=False)
    assert result.objective == pytest.approx(0, abs=1e-8)
    assert result.values[other.v] == pytest.approx(1)
    assert [(v.value, v.stale) for v in variables] == before
