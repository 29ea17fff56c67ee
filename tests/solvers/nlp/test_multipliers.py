"""Signs of duals and reduced costs, by finite differences, in both senses and every engine."""

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import IpoptSession, NlpStatus

STEP = 1e-3
TOLERANCE = 1e-4

# The unconstrained optimum is (3, 2). Each entry: where the active side lies, and how it is set.
ROWS = {
    "at most": (3.0, lambda body, p: body <= p),
    "at least": (7.0, lambda body, p: body >= p),
    "at least, written the other way": (7.0, lambda body, p: p <= body),
    "negated at most": (-7.0, lambda body, p: -body <= p),
    "equal": (4.0, lambda body, p: body == p),
    "range, lower active": (7.0, lambda body, p: (p, body, 9.0)),
    "range, upper active": (3.0, lambda body, p: (1.0, body, p)),
}
BOUNDS = {
    "lower": (4.0, lambda p: (p, None)),
    "upper": (1.0, lambda p: (None, p)),
    "lower of two": (4.0, lambda p: (p, 9.0)),
    "upper of two": (1.0, lambda p: (-9.0, p)),
    "equal": (1.0, lambda p: (p, p)),
}


def model(sense, row=None, bounds=None):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=0.5, bounds=bounds)
    m.y = pyo.Var(initialize=0.5)
    loss = (m.x - 3) ** 2 + 2 * (m.y - 2) ** 2 + pyo.exp(0.1 * m.x * m.y)
    m.goal = pyo.Objective(expr=loss if sense == pyo.minimize else -loss, sense=sense)
    m.free = pyo.Constraint(expr=m.x - m.y <= 50)
    if row is not None:
        m.row = pyo.Constraint(expr=row(m.x + m.y))
    return m


def solve(m, engine):
    result = IpoptSession(m, {"tol": 1e-10}, engine).solve()
    assert result.status is NlpStatus.OPTIMAL, result.message
    assert result.objective == pytest.approx(pyo.value(m.goal))
    assert result.duals[m.free] == pytest.approx(0, abs=TOLERANCE)
    return result


def slope(build):
    high, low = (solve(build(h), "casadi").objective for h in (STEP, -STEP))
    return (high - low) / (2 * STEP)


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize], ids=["min", "max"])
@pytest.mark.parametrize("kind", ROWS)
def test_dual_is_the_slope(engine, kind, sense):
    at, side = ROWS[kind]

    def build(h):
        return model(sense, row=lambda body: side(body, at + h))

    m = build(0.0)
    expected = slope(build)
    assert abs(expected) > 0.1
    assert solve(m, engine).duals[m.row] == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize], ids=["min", "max"])
@pytest.mark.parametrize("kind", BOUNDS)
def test_reduced_cost_is_the_slope(engine, kind, sense):
    at, bounds = BOUNDS[kind]

    def build(h):
        return model(sense, bounds=bounds(at + h))

    m = build(0.0)
    expected = slope(build)
    assert abs(expected) > 0.1
    result = solve(m, engine)
    assert result.reduced_costs[m.x] == pytest.approx(expected, abs=TOLERANCE)
    assert result.reduced_costs[m.y] == pytest.approx(0, abs=TOLERANCE)


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize], ids=["min", "max"])
def test_order_of_rows_and_columns(engine, sense):
    """The .nl file moves nonlinear rows and columns to the front; the maps follow."""
    m = pyo.ConcreteModel()
    m.linear = pyo.Var(initialize=1.0, bounds=(0, 10))
    m.curved = pyo.Var(initialize=1.0)
    m.first = pyo.Constraint(expr=m.linear + m.curved <= 4)
    m.second = pyo.Constraint(expr=m.curved**2 <= 4)
    sign = 1 if sense == pyo.maximize else -1
    m.goal = pyo.Objective(expr=sign * (2 * m.linear + 5 * m.curved), sense=sense)
    result = IpoptSession(m, engine=engine).solve()
    assert (m.linear.value, m.curved.value) == pytest.approx((2, 2), abs=1e-6)
    assert result.duals[m.first] == pytest.approx(2 * sign, abs=1e-6)
    assert result.duals[m.second] == pytest.approx(0.75 * sign, abs=1e-6)
