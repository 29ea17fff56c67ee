"""A follower solved on its own, at fixed values of all variables that are not its own.

A linear or convex quadratic program is solved by HiGHS or Clarabel, any other one by IPOPT.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.core.expr.calculus.derivatives import Modes, differentiate

from bilad.formulations.follower import FollowerProgram
from bilad.formulations.leader import set_parameter
from bilad.models.validation import FloatArray
from bilad.solvers.followers.convex_program import (
    ConvexProgram,
    linear_rows,
    quadratic_function,
)
from bilad.solvers.nlp import IpoptSession

# The second set of options is tried if IPOPT does not converge with the first one.
NLP_OPTIONS = (
    {"tol": 1e-10, "acceptable_tol": 1e-8, "max_iter": 300, "bound_relax_factor": 0.0},
    {"tol": 1e-8, "acceptable_tol": 1e-7, "max_iter": 1000, "mu_strategy": "adaptive"},
)
ACTIVE = 1e-7  # relative; larger multipliers make a constraint active in all solutions
FACE = 1e-9  # relative width of the face of solutions


@dataclass(frozen=True)
class LowerAnswer:
    """A solution of a follower on its own.

    Attributes
    ----------
    status : {"optimal", "infeasible", "unbounded", "unknown"}
        The second and third are proved.
    value : float
        The optimal value v of the minimised objective; NaN without a solution.
    y : ndarray
        In the order of the follower's variables; empty without a solution.
    multipliers : ndarray
        One for each row of the follower.
    program : ConvexProgram or None
        The linear or convex quadratic program that was solved; None for a nonlinear one.
    """

    status: str
    value: float
    y: FloatArray
    multipliers: FloatArray
    program: ConvexProgram | None

    @property
    def is_unique(self) -> bool:
        """Whether the objective is strongly convex, by its quadratic form."""
        program = self.program
        if program is None or program.is_linear:
            return False
        return program.P.shape[0] <= 500 and bool(
            np.linalg.eigvalsh(program.P.toarray())[0] > 1e-9 * abs(program.P).max()
        )

    def face(self) -> tuple[Any, FloatArray, FloatArray]:
        """Return rows A, l, u that describe all solutions.

        These are the constraints; those with positive multipliers as equations; and P y = P y*.
        """
        assert self.program is not None
        least = ACTIVE * max(1.0, float(np.abs(self.multipliers).max(initial=0.0)))
        active = np.flatnonzero(self.multipliers > least)
        quadratic = np.unique(self.program.P.tocoo().row)
        (low, high), P = self.program.rows, self.program.P
        A = sp.vstack([self.program.A, self.program.A[active], P[quadratic]], format="csr")
        right = np.r_[high[active], (P @ self.y)[quadratic]]
        width = FACE * (1.0 + np.abs(right))
        return A, np.r_[low, right - width], np.r_[high, right + width]


class LowerProblem:
    """A follower of a model, solved at the model's current values.

    Parameters
    ----------
    follower : FollowerProgram
    model : Pyomo model
        The model of the follower. Its values are read, and not changed.
    """

    def __init__(self, follower: FollowerProgram, model: Any) -> None:
        self.follower, self._model = follower, model
        self._nlp: _NonlinearFollower | None = None

    def solve(self) -> LowerAnswer:
        """Solve the follower at the current values of its parameters."""
        try:
            return self._solve()
        except (ArithmeticError, ValueError):  # an expression is not defined at these values
            return _failed("unknown", None)

    def _solve(self) -> LowerAnswer:
        follower = self.follower
        if not follower.variables:
            nothing = np.zeros(0)
            return LowerAnswer("optimal", value_of(follower.cost), nothing, nothing, None)
        program = self.program()
        if program is not None and program.curvature_on_equations < 0:
            return _failed("unknown", program)  # IPOPT would return a local solution
        if program is None or not program.is_convex:
            self._nlp = self._nlp or _NonlinearFollower(follower, self._model)
            return self._nlp.solve(follower)
        found = program.solve()
        if found.status != "optimal":
            return _failed(found.status, program)
        multipliers = np.array(
            [
                -dual if row.side == "equal" else max(0.0, -dual)
                for row, dual in zip(follower.rows, found.row_duals, strict=True)
            ]
        )
        return LowerAnswer("optimal", found.value, found.z, multipliers, program)

    def program(self) -> ConvexProgram | None:
        """Return the program in the follower's variables; None if it is not an LP or QP."""
        follower = self.follower
        with fixed(follower.parameters):
            goal = quadratic_function(follower.variables, follower.cost)
            rows = linear_rows(follower.variables, [row.body for row in follower.rows])
        if goal is None or rows is None:
            return None
        A, b = rows
        low = np.array([0.0 if row.side == "equal" else -math.inf for row in follower.rows])
        free = np.full(len(follower.variables), math.inf)
        integer = np.zeros(len(free), dtype=bool)
        return ConvexProgram(*goal, A, (low - b, -b), (-free, free), integer)

    def slopes(self, answer: LowerAnswer) -> FloatArray:
        """Return dv/dx at the current values: the gradient of the Lagrangian at the solution."""
        follower = self.follower
        if not follower.parameters:
            return np.zeros(0)
        with holding(follower.variables, answer.y):
            return gradient(lagrangian(follower, answer.multipliers), follower.parameters)


def lagrangian(follower: FollowerProgram, multipliers: Iterable[float]) -> Any:
    """Return f + sum_j multiplier_j body_j at numeric multipliers."""
    terms = zip(multipliers, follower.rows, strict=True)
    return follower.cost + pyo.quicksum(float(mu) * row.body for mu, row in terms if mu != 0)


def gradient(expression: Any, variables: list[Any]) -> FloatArray:
    """Return the gradient of an expression at the current values."""
    if not getattr(expression, "is_potentially_variable", lambda: False)():
        return np.zeros(len(variables))
    found = differentiate(expression, wrt_list=variables, mode=Modes.reverse_numeric)
    return np.array(found, dtype=float)


def value_of(expression: Any) -> float:
    """Return the value of an expression; NaN where it is not defined."""
    try:
        value = pyo.value(expression, exception=False)
    except (ArithmeticError, ValueError):
        return math.nan
    return math.nan if value is None or isinstance(value, complex) else float(value)


@contextlib.contextmanager
def fixed(variables: Iterable[Any]) -> Iterator[None]:
    """Fix variables at their values within the block."""
    free = [v for v in variables if not v.fixed]
    try:
        for v in free:
            v.fix()
        yield
    finally:
        for v in free:
            v.unfix()


@contextlib.contextmanager
def holding(variables: list[Any], values: Iterable[float]) -> Iterator[None]:
    """Give variables other values within the block."""
    before = [v.value for v in variables]
    try:
        set_values(variables, values)
        yield
    finally:
        for v, value in zip(variables, before, strict=True):
            v.set_value(value, skip_validation=True)


def set_values(variables: Iterable[Any], values: Iterable[float]) -> None:
    """Set the values of variables that are not fixed; NaN leaves a variable unchanged."""
    for v, value in zip(variables, values, strict=True):
        if not v.fixed and not math.isnan(value):
            v.set_value(float(value), skip_validation=True)


def _failed(status: str, program: ConvexProgram | None) -> LowerAnswer:
    known = status if status in {"infeasible", "unbounded"} else "unknown"
    return LowerAnswer(known, math.nan, np.zeros(0), np.zeros(0), program)


class _NonlinearFollower:
    """A follower alone in IPOPT: a clone of its model in which nothing else is active."""

    def __init__(self, follower: FollowerProgram, model: Any) -> None:
        clone = model.clone()
        block = clone.find_component(pyo.ComponentUID(follower.block, context=model))
        own = FollowerProgram(block, block.own_variables())
        for kind in (pyo.Constraint, pyo.Objective):
            for component in list(clone.component_data_objects(kind, active=True)):
                component.deactivate()
        clone.bilad_alone = alone = pyo.Block()
        rows = {j: row for j, row in enumerate(own.rows) if not row.is_bound}
        alone.row = pyo.Constraint(
            list(rows),
            rule=lambda b, j: (0.0 if rows[j].side == "equal" else None, rows[j].body, 0.0),
        )
        alone.cost = pyo.Objective(expr=own.cost)
        for v in own.parameters:
            v.domain = pyo.Reals
        self._own, self._row = own, alone.row
        for x, given in zip(own.parameters, follower.parameters, strict=True):
            set_parameter(x, given.value)
        self._sessions = [IpoptSession(clone, options) for options in NLP_OPTIONS]

    def solve(self, follower: FollowerProgram) -> LowerAnswer:
        own = self._own
        for x, given in zip(own.parameters, follower.parameters, strict=True):
            set_parameter(x, given.value)
        for session in self._sessions:
            for v, given in zip(own.variables, follower.variables, strict=True):
                v.set_value(given.value or 0.0, skip_validation=True)
            result = session.solve()
            if result.objective is not None and result.status.value in {"optimal", "acceptable"}:
                y = np.array([v.value for v in own.variables])
                multipliers = np.array([self._multiplier(result, j) for j in range(len(own.rows))])
                return LowerAnswer("optimal", result.objective, y, multipliers, None)
        return _failed("unknown", None)

    def _multiplier(self, result: Any, j: int) -> float:
        row = self._own.rows[j]
        if not row.is_bound:
            dual = -float(result.duals[self._row[j]])
            return dual if row.side == "equal" else max(0.0, dual)
        cost = float(result.reduced_costs.get(row.component, 0.0))
        return -cost if row.side == "equal" else max(0.0, cost if row.side == "lower" else -cost)
