"""Bilevel models in Pyomo with known solutions, as many forms of writing a follower as possible."""

from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo

from bilad.formulations import Follower


def leader(high=10.0):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, high))
    m.lower = Follower()
    return m


def bard():
    """Bard 5.1.1: (4, 4) with the value -12; it has another local solution."""
    m = leader(None)
    m.x.set_value(3.0)
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=y)
    m.lower.c1 = pyo.Constraint(expr=-m.x - y <= -3)
    m.lower.c2 = pyo.Constraint(expr=-2 * m.x + y <= 0)
    m.lower.c3 = pyo.Constraint(expr=2 * m.x + y <= 12)
    m.lower.c4 = pyo.Constraint(expr=3 * m.x - 2 * y <= 4)
    m.cost = pyo.Objective(expr=m.x - 4 * y)
    return m


def maximised():
    """Both levels maximise: y = min(x, 6 - x / 2), and y - x / 2 is largest at x = 4."""
    m = leader()
    m.lower.y = y = pyo.Var()
    m.lower.gain = pyo.Objective(expr=y, sense=pyo.maximize)
    m.lower.rows = pyo.ConstraintList()
    m.lower.rows.add(y <= m.x)
    m.lower.rows.add(y + m.x / 2 <= 6)
    m.gain = pyo.Objective(expr=y - m.x / 2, sense=pyo.maximize)
    return m


def ranges():
    """A range, a fixed variable, a mutable Param, an Expression, and a row without y."""
    m = leader()
    m.p = pyo.Param(initialize=2.0, mutable=True)
    m.lower.y = y = pyo.Var(["a", "b", "c"])
    y["a"].setub(3)
    y["b"].setlb(-1)
    y["c"].fix(1.5)
    squares = (y["a"] - m.x) ** 2 + (y["b"] - m.p) ** 2
    m.lower.loss = pyo.Expression(expr=squares + y["c"] * y["a"])
    m.lower.cost = pyo.Objective(expr=m.lower.loss)
    m.lower.between = pyo.Constraint(expr=(-1, y["a"] - y["b"], 1))
    m.lower.of_leader = pyo.Constraint(expr=m.x <= 8)
    m.cost = pyo.Objective(expr=(y["a"] - 2) ** 2 + (m.x - 3) ** 2 + y["b"])
    return m


def equality():
    """y_i = x / i / (1 + 1/2 + 1/3); the leader fits y_0 = 1 for a small price of x."""
    m = leader()
    m.lower.y = y = pyo.Var(range(3))
    m.lower.total = pyo.Constraint(expr=sum(y.values()) == m.x)
    m.lower.cost = pyo.Objective(expr=sum((i + 1) * y[i] ** 2 for i in range(3)))
    m.cost = pyo.Objective(expr=(y[0] - 1) ** 2 + m.x / 100)
    return m


def nested():
    m = leader()
    m.lower.part = pyo.Block([1, 2])
    for i, part in m.lower.part.items():
        part.y = pyo.Var(bounds=(0, 5))
        part.row = pyo.Constraint(expr=part.y >= i * m.x - 2)
    m.lower.cost = pyo.Objective(expr=sum(part.y for part in m.lower.part.values()))
    m.cost = pyo.Objective(expr=m.lower.part[2].y - m.x)
    return m


def elsewhere():
    """The follower's variable is declared by the leader, and is a constant in no way."""
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(bounds=(0, 4)), pyo.Var(bounds=(0, None))
    m.lower = Follower(variables=[m.y], leader=[m.x])
    m.lower.cost = pyo.Objective(expr=(m.y - m.x) ** 2)
    m.cost = pyo.Objective(expr=(m.y - 1) ** 2 + 0 * m.x)
    return m


def repeated_bounds():
    """y >= 0 stands three times; the follower wants y large from x = 5 on."""
    m = leader()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.rows = pyo.ConstraintList()
    for limit in (y >= 0, y >= 0, y <= 7):
        m.lower.rows.add(limit)
    m.lower.cost = pyo.Objective(expr=y * (1 - m.x / 5))
    m.cost = pyo.Objective(expr=-y - m.x / 10)
    return m


def indifferent():
    """The follower does not care: the leader's best is -1 and its worst 0."""
    m = leader()
    m.lower.y = pyo.Var(bounds=(0, 1))
    m.lower.cost = pyo.Objective(expr=0)
    m.cost = pyo.Objective(expr=m.x - m.lower.y)
    return m


def entropy():
    """A nonlinear follower: y = 1 / x from min y x - log y."""
    m = leader()
    m.x.setlb(0.1)
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=y * m.x - pyo.log(y))
    m.cost = pyo.Objective(expr=(y - 0.5) ** 2 + 0.0 * m.x)
    return m


def cournot():
    """A Stackelberg leader before two Cournot followers: 6, 2, 2 and the profit 12."""
    m = pyo.ConcreteModel()
    m.Q, m.q = pyo.Var(bounds=(0, 20), initialize=1), pyo.Var([1, 2], bounds=(0, None))
    price = 13 - m.q[1] - m.q[2] - m.Q

    def rule(b, i):
        b.profit = pyo.Objective(expr=(price - 1) * m.q[i], sense=pyo.maximize)

    m.F = Follower([1, 2], rule=rule, variables=lambda model, i: [model.q[i]])
    m.profit = pyo.Objective(expr=(price - 1) * m.Q, sense=pyo.maximize)
    return m


def price():
    """The leader is paid the marginal cost 2 y + 1 of the follower, who serves 10 - x."""
    m = leader()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.demand = pyo.Constraint(expr=y == 10 - m.x)
    m.lower.cost = pyo.Objective(expr=y**2 + y)
    paid = -m.lower.multiplier_of(m.lower.demand)
    m.gain = pyo.Objective(expr=paid * m.x, sense=pyo.maximize)
    return m


@dataclass(frozen=True)
class Known:
    write: Any
    value: float
    branches: bool = True
    value_function: bool = True


MODELS = {
    "Bard": Known(bard, -12.0),
    "maximised": Known(maximised, 2.0),
    "ranges": Known(ranges, 2.03125),
    "equality": Known(equality, 0.01824930555),
    "nested": Known(nested, -1.0),
    "elsewhere": Known(elsewhere, 0.0),
    "repeated bounds": Known(repeated_bounds, -8.0),
    "indifferent": Known(indifferent, -1.0),
    "entropy": Known(entropy, 0.0, branches=False),
    "Cournot": Known(cournot, 12.0, branches=False, value_function=False),
    "price": Known(price, 55.125, branches=False, value_function=False),
}
