"""Known optima, and many solves of one session."""

import itertools
import math

import pyomo.environ as pyo
import pytest

from bilad.models.validation import ArgumentError
from bilad.solvers.nlp import IpoptSession, NlpStatus


def hs071():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(range(4), bounds=(1, 5), initialize=dict(enumerate([1, 5, 5, 1])))
    x = m.x
    m.cost = pyo.Objective(expr=x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2])
    m.product = pyo.Constraint(expr=x[0] * x[1] * x[2] * x[3] >= 25)
    m.squares = pyo.Constraint(expr=sum(x[i] ** 2 for i in range(4)) == 40)
    return m


def bard():
    """Bard 5.1.1 by the KKT conditions of its lower level; products at most t.

    min (x-5)^2 + (2y+1)^2, x >= 0, y in argmin (y-1)^2 - 1.5xy
    s.t. -3x + y <= -3, x - 0.5y <= 4, x + y <= 7, y >= 0.
    """
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, None), initialize=2)
    m.y = pyo.Var(initialize=1)
    m.u = pyo.Var(range(4), bounds=(0, None), initialize=1)
    m.s = pyo.Var(range(4), bounds=(0, None), initialize=1)
    m.t = pyo.Var(bounds=(1, 1), initialize=1)
    x, y, u, s = m.x, m.y, m.u, m.s
    m.cost = pyo.Objective(expr=(x - 5) ** 2 + (2 * y + 1) ** 2)
    sides = [3 * x - 3 - y, 4 - x + 0.5 * y, 7 - x - y, y]
    m.slack = pyo.Constraint(range(4), rule=lambda _, i: s[i] == sides[i])
    m.stationary = pyo.Constraint(expr=2 * (y - 1) - 1.5 * x + u[0] - 0.5 * u[1] + u[2] - u[3] == 0)
    m.complementary = pyo.Constraint(range(4), rule=lambda _, i: s[i] * u[i] <= m.t)
    return m


def move(variable, value):
    variable.setlb(value)
    variable.setub(value)


def test_hs071(engine):
    m = hs071()
    result = IpoptSession(m, engine=engine).solve()
    assert result.status is NlpStatus.OPTIMAL, result.message
    assert result.objective == pytest.approx(17.0140173, abs=1e-6)
    point = [m.x[i].value for i in range(4)]
    assert point == pytest.approx([1, 4.7429994, 3.8211503, 1.3794082], abs=1e-5)
    assert 0 < result.iterations < 30
    assert result.seconds > 0
    assert set(result.duals) == {m.product, m.squares}


def test_bard_by_one_session(engine):
    m = bard()
    session = IpoptSession(m, engine=engine)
    for t in [1e0, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8]:
        move(m.t, t)
        result = session.solve()
        assert result.status in {NlpStatus.OPTIMAL, NlpStatus.ACCEPTABLE}, result.message
        assert m.t.value == t
    assert result.objective == pytest.approx(17, abs=1e-4)
    assert (m.x.value, m.y.value) == pytest.approx((1, 0), abs=1e-4)


def test_session_equals_fresh_solves(engine):
    m = bard()
    session = IpoptSession(m, engine=engine)
    for t in [1.0, 0.1, 0.01]:
        fresh = bard()
        for old, new in zip(
            m.component_data_objects(pyo.Var), fresh.component_data_objects(pyo.Var), strict=True
        ):
            new.value = old.value
        move(m.t, t)
        move(fresh.t, t)
        again, once = session.solve(), IpoptSession(fresh, engine=engine).solve()
        assert again.objective == pytest.approx(once.objective, rel=1e-12)
        assert again.iterations == once.iterations
        assert list(again.duals.values()) == pytest.approx(list(once.duals.values()), abs=1e-10)


def test_reads_values_and_bounds_of_now(engine):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(-2, 2), initialize=1.0)
    m.cost = pyo.Objective(expr=(m.x**2 - 1) ** 2)
    session = IpoptSession(m, engine=engine)
    session.solve()
    assert m.x.value == pytest.approx(1)
    m.x.value = -0.9
    session.solve()
    assert m.x.value == pytest.approx(-1)
    m.x.setub(-1.5)
    session.solve()
    assert m.x.value == pytest.approx(-1.5)
    m.x.setlb(None)
    m.x.setub(None)
    m.x.value = 3.0
    session.solve()
    assert m.x.value == pytest.approx(1)


@pytest.mark.parametrize(("bounds", "expected"), [((2, 7), 2), ((-7, -2), -2), ((-1, 1), 0)])
def test_no_value_starts_at_zero_in_the_bounds(engine, bounds, expected):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=bounds)
    m.y = pyo.Var(bounds=(0, 1), initialize=0.5)
    # The steepest slope lies at the start, so no step leaves it before the limit of none.
    m.cost = pyo.Objective(expr=m.x * m.y)
    options = {"max_iter": 0, "bound_push": 1e-9, "bound_frac": 1e-9}
    IpoptSession(m, options, engine).solve()
    assert m.x.value == pytest.approx(expected, abs=1e-6)


def test_all_variables_held(engine):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(2, 2))
    m.cost = pyo.Objective(expr=m.x**2, sense=pyo.maximize)
    result = IpoptSession(m, engine=engine).solve()
    assert result.objective == 4
    assert result.reduced_costs[m.x] == pytest.approx(4, abs=1e-6)


def test_without_objective(engine):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, None), initialize=1)
    m.square = pyo.Constraint(expr=m.x**2 == 2)
    result = IpoptSession(m, engine=engine).solve()
    assert result.status in {NlpStatus.OPTIMAL, NlpStatus.FEASIBLE_POINT}
    assert result.objective == 0
    assert m.x.value == pytest.approx(math.sqrt(2))


def test_functions_survive_the_translation():
    """CasADi's reading of the .nl file agrees with Pyomo's own evaluation."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0.3, 0.3))
    m.y = pyo.Var(bounds=(1.7, 1.7))
    x, y = m.x, m.y
    m.shared = pyo.Expression(expr=x * y + 1)
    terms = [f(x) for f in (pyo.exp, pyo.sin, pyo.cos, pyo.tan, pyo.sqrt, pyo.log, pyo.log10)]
    terms += [f(x) for f in (pyo.sinh, pyo.cosh, pyo.tanh, pyo.asin, pyo.acos, pyo.atan)]
    terms += [x**y, x**3, 2**y, x / y, abs(x - y), -(y**-2), m.shared**2, x * m.shared]
    m.f = pyo.Var(range(len(terms)))
    m.row = pyo.Constraint(range(len(terms)), rule=lambda _, i: m.f[i] == terms[i])
    m.cost = pyo.Objective(expr=m.shared)
    assert IpoptSession(m, engine="casadi").solve().status is NlpStatus.OPTIMAL
    for i, term in enumerate(terms):
        assert m.f[i].value == pytest.approx(pyo.value(term), rel=1e-7), str(term)


def test_refuses_what_ipopt_cannot_take():
    m = hs071()
    m.x[0].domain = pyo.Integers
    with pytest.raises(ValueError, match=r"continuous variables; x\[0\] is not"):
        IpoptSession(m, engine="casadi")
    m = hs071()
    m.other = pyo.Objective(expr=m.x[0])
    with pytest.raises(ValueError, match="at most one active objective, given cost, other"):
        IpoptSession(m, engine="casadi")


@pytest.mark.parametrize(
    "model", [None, 3.0, pyo.Block([1, 2]), pyo.Var()], ids=lambda model: type(model).__name__
)
def test_refuses_what_is_no_model(model):
    expected = f"model: got {type(model).__name__}, expected a Pyomo model"
    with pytest.raises(ArgumentError, match=expected):
        IpoptSession(model, engine="casadi")


@pytest.mark.parametrize("limit", [0, -1.0, math.nan, "1", [1.0, 2.0]])
def test_refuses_a_time_limit_that_is_no_positive_number(limit):
    with pytest.raises(ArgumentError, match="time_limit: got .*, expected a finite number > 0"):
        IpoptSession(hs071(), engine="casadi").solve(time_limit=limit)


def test_an_infinite_time_limit_is_none(engine):
    result = IpoptSession(hs071(), engine=engine).solve(time_limit=math.inf)
    assert result.status is NlpStatus.OPTIMAL


def test_refuses_options_that_are_no_mapping():
    with pytest.raises(ArgumentError, match="options: got str, expected a mapping"):
        IpoptSession(hs071(), "tol", engine="casadi")


def test_refuses_crossed_bounds():
    m = hs071()
    session = IpoptSession(m, engine="casadi")
    m.x[2].setub(0)
    with pytest.raises(ValueError, match=r"x\[2\]: expected lower <= upper bound, given \[1.0, 0"):
        session.solve()


def test_two_sessions_do_not_mix():
    models = [hs071(), hs071()]
    move(models[1].x[0], 2)
    sessions = [IpoptSession(m, engine="casadi") for m in models]
    found = [[s.solve().objective for s in sessions] for _ in range(2)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert all(a != pytest.approx(b) for a, b in itertools.pairwise(found[0]))
