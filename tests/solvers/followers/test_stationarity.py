"""Stationarity of MPCCs with known classes, in pyomo.mpec and of followers."""

import itertools

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.mpec import Complementarity, complements
from support.followers import bard, leader

from bilad.formulations import KKT
from bilad.models.validation import ArgumentError
from bilad.solvers import mpcc_stationarity, solve_bilevel


def origin(a, b, sense=pyo.minimize, repeated=False):
    """The distance from (a, b) on x _|_ y at the origin, where nu = (-2 a, -2 b)."""
    m = pyo.ConcreteModel()
    bounds = (0, None) if repeated else (None, None)
    m.x, m.y = pyo.Var(bounds=bounds, initialize=0), pyo.Var(bounds=bounds, initialize=0)
    if repeated:
        m.row = pyo.Constraint(expr=3 * m.x >= 0)
    m.pair = Complementarity(expr=complements(m.x >= 0, m.y >= 0))
    sign = 1 if sense == pyo.minimize else -1
    m.cost = pyo.Objective(expr=sign * ((m.x - a) ** 2 + (m.y - b) ** 2), sense=sense)
    return m


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [(-1, -1, "S"), (0, 0, "S"), (0, 1, "M"), (1, 1, "C"), (-1, 1, "W"), (1, -1, "W")],
)
def test_the_class_at_the_origin(a, b, kind, sense, repeated):
    """A bound that stands two or three times changes nothing."""
    found = mpcc_stationarity(origin(a, b, sense, repeated))
    assert found.kind == kind
    assert found.licq is True
    assert found.dependent == ()
    assert found.biactive == ("pair",)
    assert found.multipliers["pair"] == pytest.approx((-2 * a, -2 * b), abs=1e-6)
    assert found.b_stationary == (kind == "S")
    if kind != "S":
        along = {v.name: d for v, d in found.direction.items()}
        assert found.slope == pytest.approx(-2 * a * along.get("x", 0) - 2 * b * along.get("y", 0))
        assert along.get("x", 0) * along.get("y", 0) == 0


def test_ralph1_is_m_stationary_and_not_s():
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(bounds=(0, None), initialize=0), pyo.Var(initialize=0)
    m.pair = Complementarity(expr=complements(m.y >= 0, m.y - m.x >= 0))
    m.cost = pyo.Objective(expr=2 * m.x - m.y)
    found = mpcc_stationarity(m)
    assert found.kind == "M"
    assert found.b_stationary is True
    assert found.licq is False
    assert set(found.dependent) == {"x", "pair"}


def test_a_point_that_is_not_feasible_has_no_class():
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(bounds=(1, None), initialize=1), pyo.Var(bounds=(1, None), initialize=1)
    m.pair = Complementarity(expr=complements(m.x >= 0, m.y >= 0))
    m.cost = pyo.Objective(expr=m.x + m.y)
    found = mpcc_stationarity(m)
    assert found.kind == "none"
    assert found.b_stationary is None
    assert found.violation == 1.0


@pytest.mark.parametrize(("x", "kind", "b"), [(0.5, "none", False), (1.0, "S", True)])
def test_a_mixed_complementarity(x, kind, b):
    """0 <= x <= 1 _|_ y: at x = 1, y may be negative, and (x - 2)^2 + y^2 is least there."""
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(initialize=x), pyo.Var(initialize=0)
    m.pair = Complementarity(expr=complements(pyo.inequality(0, m.x, 1), m.y))
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2 + m.y**2)
    found = mpcc_stationarity(m)
    assert (found.kind, found.b_stationary) == (kind, b)


def many(k, seed):
    """Linear objectives on k pairs with a linear equation, at the origin."""
    rng = np.random.default_rng(seed)
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(range(k), initialize=0), pyo.Var(range(k), initialize=0)
    m.pair = Complementarity(range(k), rule=lambda m, i: complements(m.x[i] >= 0, m.y[i] >= 0))
    a, b, c = rng.normal(size=(3, k))
    m.row = pyo.Constraint(expr=sum(c[i] * (m.x[i] - m.y[i]) for i in range(k)) == 0)
    m.cost = pyo.Objective(expr=sum((a[i] + 1) * m.x[i] + (b[i] + 1) * m.y[i] for i in range(k)))
    return m, (a + 1, b + 1, c)


@pytest.mark.parametrize("seed", range(8))
def test_b_stationarity_agrees_with_all_branches(seed):
    """2^4 linear programs: each pair has one side at 0."""
    from scipy.optimize import linprog

    m, (a, b, c) = many(4, seed)
    slopes = []
    for chosen in itertools.product((0, 1), repeat=4):
        cost = np.where(chosen, b, a)
        row = np.where(chosen, -c, c)
        slopes.append(linprog(cost, A_eq=row[None], b_eq=[0.0], bounds=[(0, 1)] * 4).fun)
    found = mpcc_stationarity(m)
    assert found.b_stationary == (min(slopes) > -1e-9)
    if not found.b_stationary:
        assert found.slope < 0


def test_thirty_biactive_pairs_are_not_enumerated():
    m, _ = many(30, 0)
    m.cost.set_value(sum(m.x.values()) + sum(m.y.values()))
    found = mpcc_stationarity(m, node_limit=200)
    assert found.b_stationary is True
    assert found.kind == "S"
    assert len(found.biactive) == 30


def test_a_solved_bilevel_model_is_s_stationary():
    m = bard()
    solve_bilevel(m)
    found = mpcc_stationarity(m)
    assert (found.kind, found.b_stationary) == ("S", True)
    assert found.largest[0].startswith(("lower.", "stationarity of"))


def test_a_direction_of_descent_leads_on():
    """y = max(0, x): at the kink, the leader descends to the right and not to the left."""
    m = leader()
    m.x.setlb(-10)
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=(y - m.x) ** 2)
    m.cost = pyo.Objective(expr=(m.x - 1) ** 2 + (y - 1) ** 2)
    single = KKT(m, relaxation=None)
    single.program.leader[0].set_value(0.0)
    single.start(0, [0.0], [0.0])
    found = mpcc_stationarity(single)
    assert found.b_stationary is False
    assert found.direction[single.model.x] > 0
    assert found.direction[single.model.lower.y] > 0
    solve_bilevel(m, "kkt")
    assert (m.x.value, y.value) == pytest.approx((1, 1), abs=1e-5)


def test_what_has_no_complementarity_is_refused():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=0)
    m.cost = pyo.Objective(expr=m.x)
    for given, words in ((m, "without complementarity"), (5, "model: got int")):
        with pytest.raises(ArgumentError, match=words):
            mpcc_stationarity(given)
    m = origin(1, 1)
    m.x.set_value(None)
    with pytest.raises(ArgumentError, match="'x' without a value"):
        mpcc_stationarity(m)


@pytest.mark.parametrize("cost", [lambda m: abs(m.x), lambda m: 1 / m.x, lambda m: pyo.log(m.x)])
def test_a_point_without_derivatives_is_refused(cost):
    m = origin(1, 1)
    m.cost.set_value(cost(m))
    with pytest.raises(ArgumentError, match="no derivatives"):
        mpcc_stationarity(m)


def test_a_condition_with_three_limits_is_refused():
    m = origin(1, 1)
    m.other = Complementarity(expr=complements(m.x >= 0, pyo.inequality(0, m.y, 2)))
    with pytest.raises(ArgumentError, match="'other'"):
        mpcc_stationarity(m)


def test_a_kink_of_the_leader_ends_the_search_for_descent():
    m = leader()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=(y - m.x) ** 2)
    m.cost = pyo.Objective(expr=pyo.sqrt(y) + 0 * m.x)
    found = solve_bilevel(m, "kkt")
    assert (found.status, found.termination) == ("feasible", "converged")
    assert found.objective == pytest.approx(0, abs=1e-3)
