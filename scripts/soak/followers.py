"""Bilevel models with a linear or convex quadratic follower: branching against the local methods.

    min_{x,y} c'x + d'y + h ||x - x0||^2   s.t.  0 <= x <= 5,  y in argmin of the follower,
    min_y     1/2 y'Qy + (q + C x)'y       s.t.  A y + B x >= b,  0 <= y <= 10.

The follower is feasible for every x. CVXPY and Clarabel, which no method uses in this form, solve
it again at each answer and at random x.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cvxpy as cp
import numpy as np
import pyomo.environ as pyo

from bilad.formulations import Follower
from bilad.models.validation import FloatArray
from bilad.scripts.soak.check import Instance, Verdict
from bilad.solvers import solve_bilevel
from bilad.solvers.followers.solve import BRANCHING, METHODS

MOST_X, MOST_Y = 5.0, 10.0
SAMPLES = 20  # of x
SECONDS = 20.0
TOL = 1e-4  # relative, of objectives: the points of local methods are feasible up to a tolerance


def draw(rng: np.random.Generator) -> Instance:
    """Draw a model; one solution of the follower's constraints holds for all x."""
    k, m, rows = (int(number) for number in rng.integers((1, 2, 1), (3, 4, 5)))
    A, B = rng.normal(size=(rows, m)), rng.normal(size=(rows, k))
    inside = rng.uniform(2, 8, m)
    b = A @ inside + MOST_X * np.minimum(B, 0).sum(axis=1) - rng.uniform(0, 2, rows)
    root = rng.normal(size=(m, m)) * rng.integers(2)
    given = {
        "c": rng.normal(size=k),
        "d": rng.normal(size=m),
        "h": rng.uniform(0, 1) * rng.integers(2),
        "x0": rng.uniform(0, MOST_X, k),
        "Q": root.T @ root,
        "q": rng.normal(size=m),
        "C": rng.normal(size=(m, k)),
        "A": A,
        "B": B,
        "b": b,
    }
    return {name: np.asarray(value).tolist() for name, value in given.items()}


def examine(given: Instance) -> Verdict:
    """Solve by every method; none may beat the bound of branching, nor may a sample of x."""
    verdict, own = Verdict(), _Model({name: np.array(value) for name, value in given.items()})
    found = {name: own.solve(name) for name in METHODS}
    tree = found[BRANCHING][0]
    verdict.hope(tree.status == "optimal", f"branching: {tree.status}, {tree.termination}")
    for name, (one, x, y) in found.items():
        if one.status not in ("optimal", "feasible"):
            verdict.hope(False, f"{name}: {one.status}, {one.termination}")
            verdict.expect(one.status != "infeasible", f"{name}: {one.status}, and it is feasible")
            continue
        value, best = own.leader(x, y), own.response(x)
        verdict.expect(_close(value, one.objective), f"{name}: the objective is {value:.9g}")
        verdict.expect(own.violation(x, y) <= TOL, f"{name}: the follower's constraints")
        excess = own.follower(x, y) - own.follower(x, best)
        verdict.expect(
            excess <= TOL * (1 + abs(own.follower(x, best))),
            f"{name}: the follower's objective is {excess:.3g} above its optimum",
        )
        _compare(verdict, tree, one.objective, name)
    for x in own.samples():
        _compare(verdict, tree, own.leader(x, own.response(x)), f"x = {x.tolist()}")
    return verdict


def _compare(verdict: Verdict, tree: Any, value: float, name: str) -> None:
    """Compare a value that is attained with the bound of branching, and with a proved optimum."""
    rivals = [tree.bound, tree.objective if tree.status == "optimal" else None]
    for rival in rivals:
        verdict.expect(
            rival is None or value >= rival or _close(value, rival),
            f"{name} attains {value:.9g}, and branching proves {rival}",
        )


def _close(value: float, other: float) -> bool:
    return abs(value - other) <= TOL * (1 + abs(other))


@dataclass(frozen=True)
class _Model:
    """The arrays of an instance, and what follows from them."""

    given: dict[str, FloatArray]

    def solve(self, method: str) -> tuple[Any, FloatArray, FloatArray]:
        """Return the result of a method, with x and y."""
        m = self._written()
        found = solve_bilevel(m, method, starts=2, time_limit=SECONDS)
        x, y = (np.array([v.value for v in part.values()]) for part in (m.x, m.lower.y))
        return found, x, y

    def leader(self, x: FloatArray, y: FloatArray) -> float:
        """Return the objective of the leader."""
        g = self.given
        return float(g["c"] @ x + g["d"] @ y + g["h"] * ((x - g["x0"]) ** 2).sum())

    def follower(self, x: FloatArray, y: FloatArray) -> float:
        """Return the objective of the follower."""
        g = self.given
        return float(y @ g["Q"] @ y / 2 + (g["q"] + g["C"] @ x) @ y)

    def violation(self, x: FloatArray, y: FloatArray) -> float:
        """Return the largest violation of a constraint of the follower."""
        g = self.given
        rows = g["b"] - g["A"] @ y - g["B"] @ x
        return float(max(rows.max(), -y.min(), y.max() - MOST_Y))

    def samples(self) -> list[FloatArray]:
        """Return the vertices of the box of x, and random points."""
        k = len(self.given["c"])
        corners = [np.array(one) for one in itertools.product((0.0, MOST_X), repeat=k)]
        return [*corners, *np.random.default_rng(0).uniform(0, MOST_X, (SAMPLES, k))]

    @cached_property
    def _program(self) -> tuple[cp.Problem, cp.Parameter, cp.Parameter, cp.Variable]:
        g = self.given
        y = cp.Variable(len(g["d"]))
        price, least = cp.Parameter(len(g["d"])), cp.Parameter(len(g["b"]))
        cost = cp.quad_form(y, cp.psd_wrap(g["Q"])) / 2 + price @ y
        rows = [g["A"] @ y >= least, y >= 0, y <= MOST_Y]
        return cp.Problem(cp.Minimize(cost), rows), price, least, y

    def response(self, x: FloatArray) -> FloatArray:
        """Return a solution of the follower by Clarabel."""
        problem, price, least, y = self._program
        price.value = self.given["q"] + self.given["C"] @ x
        least.value = self.given["b"] - self.given["B"] @ x
        problem.solve(solver=cp.CLARABEL)
        return np.asarray(y.value)

    def _written(self) -> pyo.ConcreteModel:
        g, m = self.given, pyo.ConcreteModel()
        m.x = pyo.Var(range(len(g["c"])), bounds=(0, MOST_X), initialize=1.0)
        m.lower = Follower()
        m.lower.y = pyo.Var(range(len(g["d"])), bounds=(0, MOST_Y), initialize=1.0)
        x, y = np.array(list(m.x.values())), np.array(list(m.lower.y.values()))
        m.cost = pyo.Objective(expr=g["c"] @ x + g["d"] @ y + g["h"] * ((x - g["x0"]) ** 2).sum())
        m.lower.cost = pyo.Objective(expr=y @ g["Q"] @ y / 2 + (g["q"] + g["C"] @ x) @ y)
        m.lower.rows = pyo.ConstraintList()
        for row in g["A"] @ y + g["B"] @ x - g["b"]:
            m.lower.rows.add(row >= 0)
        return m
