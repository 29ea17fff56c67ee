"""KKT conditions of a convex lower level that the learning model writes as a Pyomo block.

The block is called the follower. For min_y f(y, eps) s.t. g(y, eps) <= 0, with multipliers mu and
the Lagrangian L = f + sum_j mu_j g_j, the conditions are

    grad_y L(y, mu; eps) = 0,    0 <= mu_j _|_ -g_j(y, eps) >= 0.

Bounds of variables are treated as constraints; equality constraints have free multipliers. Convex
clustering registers conditions of its own, which exploit its structure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.core.expr import identify_variables
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from pyomo.core.expr.numvalue import is_potentially_variable
from scipy.optimize import lsq_linear

from bilad.formulations.complementarity import (
    RELAXATIONS,
    Complementarity,
    Side,
    penalty,
    relax,
)
from bilad.formulations.conditions import Conditions
from bilad.formulations.leader import add_eps, perturbed_parts
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.capability import Capability, CapabilityError
from bilad.models.learning.learning_model import LearningModel, write_follower
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothDeviation, SmoothPairs
from bilad.models.validation import FloatArray

ACTIVE = 1e-6  # relative; constraints with a smaller slack are regarded as active
NOT_WRITTEN = {"SOSConstraint", "LogicalConstraint", "Complementarity", "Disjunct", "Disjunction"}


@dataclass(frozen=True)
class FollowerRow:
    """A constraint of the follower: body = 0 or body <= 0.

    Attributes
    ----------
    body : Pyomo expression
    component : Pyomo constraint or variable data
        The constraint, or the variable whose bound it is.
    side : Side or None
        The expression -body >= 0; None for an equality.
    """

    body: Any
    component: Any
    side: Side | None


def _rows_of_constraint(row: Any) -> list[FollowerRow]:
    if row.equality or (row.has_lb() and row.has_ub() and row.lb == row.ub):
        return [FollowerRow(row.body - row.upper, row, None)]
    if row.has_lb() and row.has_ub():
        below, above = row.body - row.lower, row.upper - row.body
        sides = Side.at_row_limits(below, above, row)
        return [FollowerRow(-side.expression, row, side) for side in sides]
    body = row.body - row.upper if row.has_ub() else row.lower - row.body
    return [FollowerRow(body, row, Side.at_row(-body, row))]


def _rows_of_bounds(v: Any) -> list[FollowerRow]:
    if v.has_lb() and v.lb == v.ub:
        return [FollowerRow(v - v.lb, v, None)]
    rows = []
    if v.has_lb():
        rows.append(FollowerRow(v.lb - v, v, Side.at_lower_bound(v - v.lb, v)))
    if v.has_ub():
        rows.append(FollowerRow(v - v.ub, v, Side.at_upper_bound(v.ub - v, v)))
    return rows


class Follower:
    """The lower level as written by the learning model on a Pyomo block, after validation.

    Parameters
    ----------
    lower : LearningModel
        A model with the capability `write_follower`.
    model : pyomo.environ.ConcreteModel
        A model with `eps`. The block `follower` is added, and its objective is deactivated.
    problem : BilevelProblem

    Attributes
    ----------
    state : list of Pyomo variable
        The return value of `write_follower`.
    variables : list of Pyomo variable
        All variables of the block that are not fixed.
    objective : Pyomo expression
        The function f, which is minimised.
    rows : list of FollowerRow
        The constraints in their order, followed by the bounds of the variables.

    Raises
    ------
    CapabilityError
        If the block does not have exactly one objective, is not a continuous program in its own
        variables and eps, or the state contains something else than its own variables.
    """

    def __init__(self, lower: LearningModel, model: pyo.ConcreteModel, problem: BilevelProblem):
        model.follower = block = pyo.Block()
        try:
            state = write_follower(lower, block, perturbed_parts(model, problem))
        except Exception as error:  # third-party code can raise anything
            given = f"{type(error).__name__}: {error}"
            raise _wrong(given, "a list of the variables of the state") from error
        own = ComponentSet(block.component_data_objects(pyo.Var, active=True))
        self.state = _checked_state(state, own)
        self.variables = [v for v in own if not v.fixed]
        if not self.variables:
            raise _wrong("fixed variables only", "at least one variable that is not fixed")
        _check_kinds(block, self.variables)
        self.objective = _objective(block)
        constraints = list(block.component_data_objects(pyo.Constraint, active=True))
        known = own | ComponentSet(model.eps.values())
        for body in (self.objective, *(row.body for row in constraints)):
            for v in identify_variables(body, include_fixed=False):
                if v not in known:
                    raise _wrong(f"the variable {v.name!r}", "variables of its block and eps only")
        self.rows = [row for c in constraints for row in _rows_of_constraint(c)]
        self.rows += [row for v in self.variables for row in _rows_of_bounds(v)]


def _wrong(given: str, expected: str) -> CapabilityError:
    return CapabilityError("write_follower", given, expected)


def _checked_state(state: Any, own: ComponentSet) -> list[Any]:
    try:
        listed = list(state)
    except TypeError:
        raise _wrong(type(state).__name__, "a list of the variables of the state") from None
    for v in listed:
        if getattr(v, "ctype", None) is not pyo.Var or v not in own:
            raise _wrong(f"{v!s} in the state", "variables of its block only")
    if len(ComponentSet(listed)) < len(listed):
        raise _wrong("a state that repeats a variable", "distinct variables")
    return listed


def _check_kinds(block: Any, variables: list[Any]) -> None:
    for v in variables:
        if not v.is_continuous():
            raise _wrong(f"{v.name!r}, which is not continuous", "continuous variables")
    for kind in block.collect_ctypes(active=True):
        if kind.__name__ in NOT_WRITTEN:
            raise _wrong(f"a {kind.__name__}", "variables, constraints and one objective")


def _objective(block: Any) -> Any:
    """Return the function that the follower minimises, and deactivate its objective."""
    objectives = list(block.component_data_objects(pyo.Objective, active=True))
    if len(objectives) != 1:
        raise _wrong(f"{len(objectives)} active objectives", "exactly one")
    objectives[0].deactivate()
    return objectives[0].expr if objectives[0].sense == pyo.minimize else -objectives[0].expr


def check_follower(problem: BilevelProblem) -> None:
    """Validate the follower of a problem if the KKT conditions will be derived from it.

    Raises
    ------
    CapabilityError
        See `Follower`.
    """
    if write_follower.supports(problem.model) and not kkt.is_registered(problem.model):
        model = pyo.ConcreteModel()
        add_eps(model, problem)
        Follower(problem.model, model, problem)


class FollowerConditions:
    """KKT conditions of a follower, with relaxed complementarity constraints.

    Variables that are not part of the state start at the values that `write_follower` gave them,
    otherwise at the value nearest to 0 within their bounds.

    Parameters
    ----------
    lower : LearningModel
        The learning model of the problem, with the capability `write_follower`.
    model, problem, unit, baseline
        As in `Conditions`.
    relaxation : str, default "scholtes"
        A key of `RELAXATIONS`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its new components are the block `follower`, with inactive objective; the multipliers
        `multiplier[j]` of row j of the follower; the constraints `stationarity[v]` for variable v,
        and `relaxed[j, 0, q]`.
    follower : Follower

    Raises
    ------
    CapabilityError
        See `Follower`; also if the size of the state is not that of a solution, or the objective is
        unbounded, because it is linear in a variable that no constraint contains.
    """

    def __init__(
        self,
        lower: LearningModel,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        relaxation: str = "smoothing",
    ) -> None:
        self.model, self._relaxation = model, RELAXATIONS[relaxation]
        self.follower = Follower(lower, model, problem)
        state, shape = self.follower.state, np.shape(baseline.state)
        if len(state) != math.prod(shape):
            expected = f"{math.prod(shape)} variables, for a state of shape {shape}"
            raise _wrong(f"{len(state)} variables", expected)
        self._points = np.array(state, dtype=object).reshape(shape)
        self._first = ComponentMap((v, _start_of(v)) for v in self.follower.variables)
        model.multiplier = pyo.Var(range(len(self.follower.rows)), initialize=0.0)
        self._add_stationarity()
        self.pairs = self._complementarities()
        relax(model, self.pairs, self._relaxation)

    def _add_stationarity(self) -> None:
        model, follower = self.model, self.follower
        lagrangian = follower.objective + pyo.quicksum(
            model.multiplier[j] * row.body for j, row in enumerate(follower.rows)
        )
        slopes = differentiate(lagrangian, wrt_list=follower.variables, mode=Modes.reverse_symbolic)
        rows = {}
        for v, slope in enumerate(slopes):
            if is_potentially_variable(slope):
                rows[v] = slope
            elif pyo.value(slope) != 0:
                name = follower.variables[v].name
                raise _wrong(f"no constraint on {name!r}", "an objective with a finite optimum")
        model.stationarity = pyo.Constraint(list(rows), rule=lambda m, v: rows[v] == 0)

    def _complementarities(self) -> dict[tuple[int, int], Complementarity]:
        pairs = {}
        for j, row in enumerate(self.follower.rows):
            if row.side is None:
                continue
            multiplier = self.model.multiplier[j]
            multiplier.setlb(0.0)
            left = Side.at_lower_bound(multiplier, multiplier)
            pairs[j, 0] = Complementarity(multiplier * row.side.expression, left, row.side)
        return pairs

    def multipliers_of(self, component: Any) -> list[Any]:
        """Return the multiplier variables of a constraint, or of the bounds of a variable.

        Parameters
        ----------
        component : Pyomo constraint or variable data
            A component of the follower. If it has a lower and an upper limit, the result contains
            the multiplier of the lower limit, then that of the upper limit.
        """
        rows = enumerate(self.follower.rows)
        return [self.model.multiplier[j] for j, row in rows if row.component is component]

    def variables(self) -> list[Any]:
        """Return the state that `write_follower` returned."""
        return self.follower.state

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation unchanged.

        Raises
        ------
        CapabilityError
            If it is a function of distances of points, and the state does not have one row for each
            point.
        """
        if isinstance(deviation, SmoothPairs) and len(self._points) != len(deviation.labels):
            expected = f"a state of {len(deviation.labels)} rows, one for each point"
            raise _wrong(f"a state of shape {self._points.shape}", expected)
        return deviation

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression for ||x_i - x_j||^2, where x_i, x_j are rows i < j of the state."""
        ends = zip(np.ravel(self._points[i]), np.ravel(self._points[j]), strict=True)
        return sum((a - b) ** 2 for a, b in ends)

    def penalty(self, scale: float) -> Any:
        """Return `scale / (number of pairs)` times the sum of the penalty terms of all pairs."""
        total = penalty(self.model, self.pairs.values(), self._relaxation)
        return scale / max(len(self.pairs), 1) * total

    def set_stage(self, stage: ScheduleStage) -> None:
        """Do nothing, because no other parameter depends on the stage."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the state to a solution, and choose multipliers that minimise the KKT residual."""
        for v, value in self._first.items():
            v.set_value(value, skip_validation=True)
        for v, value in zip(self.follower.state, np.ravel(solution.state), strict=True):
            if not v.fixed:
                v.set_value(float(value), skip_validation=True)
        if self.follower.rows:
            self._start_multipliers()

    def _start_multipliers(self) -> None:
        """Solve a least-squares problem for the multipliers of the active constraints."""
        rows = self.follower.rows
        columns = np.column_stack([self._gradient(row.body) for row in rows])
        low = np.array([0.0 if row.side is not None else -np.inf for row in rows])
        slack = np.array([abs(pyo.value(row.body)) for row in rows])
        active = (low < 0) | (slack <= ACTIVE * (1 + slack.max()))
        found = np.zeros(len(rows))
        if active.any():
            steepest = -self._gradient(self.follower.objective)
            bounds = (low[active], np.inf)
            found[active] = lsq_linear(columns[:, active], steepest, bounds, method="bvls").x
        for j, value in enumerate(found):
            self.model.multiplier[j].set_value(float(value), skip_validation=True)

    def _gradient(self, expression: Any) -> FloatArray:
        wanted = self.follower.variables
        return np.array(differentiate(expression, wrt_list=wanted, mode=Modes.reverse_numeric))

    def violation(self) -> float:
        """Return the largest complementarity product."""
        return max((abs(pyo.value(pair.product)) for pair in self.pairs.values()), default=0.0)


def _start_of(v: Any) -> float:
    """Return the value of a variable, or the point nearest to 0 within its bounds."""
    low, high = (-math.inf if v.lb is None else v.lb), (math.inf if v.ub is None else v.ub)
    return float(min(max(0.0, low), high)) if v.value is None else float(v.value)


# kkt(learning model, model, problem, unit, baseline, relaxation="scholtes"): Conditions.
kkt: Capability[Conditions] = Capability("kkt", FollowerConditions, needs=write_follower)
