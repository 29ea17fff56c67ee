"""KKT conditions of a convex lower level that a learning model writes as a follower.

    grad_y L(y, mu; eps) = 0,    0 <= mu_j _|_ -g_j(y, eps) >= 0,    L = f + sum_j mu_j g_j

The follower is a Pyomo block with its own variables, one objective, and constraints, which stay as
they are; bounds of its variables count as constraints. A learning model with much structure, such
as convex clustering, registers conditions of its own.
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

ACTIVE = 1e-6  # relative; of a slack that is zero
NOT_WRITTEN = {"SOSConstraint", "LogicalConstraint", "Complementarity", "Disjunct", "Disjunction"}


@dataclass(frozen=True)
class FollowerRow:
    """A constraint of the follower as an equality, or as body <= 0.

    Attributes
    ----------
    body : Pyomo expression
    component : Pyomo constraint or variable data
        That holds it.
    side : Side or None
        -body >= 0, kept by the constraint or a bound; None for an equality.
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
    """A follower as a learning model has written it, checked.

    Parameters
    ----------
    lower : LearningModel
        With the capability `write_follower`.
    model : pyomo.environ.ConcreteModel
        With `eps`; gets `follower`, the block, its objective inactive.
    problem : BilevelProblem

    Attributes
    ----------
    state : list of Pyomo variable
        As `write_follower` returned it.
    variables : list of Pyomo variable
        All that are not fixed.
    objective : Pyomo expression
        To be minimised.
    rows : list of FollowerRow
        Of the constraints, in their order, then of the bounds of the variables.

    Raises
    ------
    CapabilityError
        If it has not one objective, or a state that is not of its own variables; if it is no
        continuous program of its own variables and eps.
    """

    def __init__(self, lower: LearningModel, model: pyo.ConcreteModel, problem: BilevelProblem):
        model.follower = block = pyo.Block()
        try:
            state = write_follower(lower, block, perturbed_parts(model, problem))
        except Exception as error:  # whatever a stranger's code raises
            given = f"{type(error).__name__}: {error}"
            raise _wrong(given, "the variables of the state, once they are written") from error
        own = ComponentSet(block.component_data_objects(pyo.Var, active=True))
        self.state = _checked_state(state, own)
        self.variables = [v for v in own if not v.fixed]
        if not self.variables:
            raise _wrong("no variable that is not fixed", "at least one")
        _check_kinds(block, self.variables)
        self.objective = _objective(block)
        constraints = list(block.component_data_objects(pyo.Constraint, active=True))
        known = own | ComponentSet(model.eps.values())
        for body in (self.objective, *(row.body for row in constraints)):
            for v in identify_variables(body, include_fixed=False):
                if v not in known:
                    raise _wrong(f"the variable {v.name!r}", "variables on its block and the parts")
        self.rows = [row for c in constraints for row in _rows_of_constraint(c)]
        self.rows += [row for v in self.variables for row in _rows_of_bounds(v)]


def _wrong(given: str, expected: str) -> CapabilityError:
    return CapabilityError("write_follower", given, expected)


def _checked_state(state: Any, own: ComponentSet) -> list[Any]:
    try:
        listed = list(state)
    except TypeError:
        raise _wrong(type(state).__name__, "a list of variables, the state") from None
    for v in listed:
        if getattr(v, "ctype", None) is not pyo.Var or v not in own:
            raise _wrong(f"{v!s} in the state", "variables on its block")
    if len(ComponentSet(listed)) < len(listed):
        raise _wrong("a variable twice in the state", "each once")
    return listed


def _check_kinds(block: Any, variables: list[Any]) -> None:
    for v in variables:
        if not v.is_continuous():
            raise _wrong(f"{v.name!r}, which is not continuous", "continuous variables")
    for kind in block.collect_ctypes(active=True):
        if kind.__name__ in NOT_WRITTEN:
            raise _wrong(f"a {kind.__name__}", "variables, constraints and one objective")


def _objective(block: Any) -> Any:
    """Return what the follower minimises, and deactivate its objective."""
    objectives = list(block.component_data_objects(pyo.Objective, active=True))
    if len(objectives) != 1:
        raise _wrong(f"{len(objectives)} active objectives", "one")
    objectives[0].deactivate()
    return objectives[0].expr if objectives[0].sense == pyo.minimize else -objectives[0].expr


def check_follower(problem: BilevelProblem) -> None:
    """Write the follower of a problem on a model of its own, if the KKT conditions are made of it.

    Raises
    ------
    CapabilityError
        As `Follower`.
    """
    if write_follower.supports(problem.model) and not kkt.is_registered(problem.model):
        model = pyo.ConcreteModel()
        add_eps(model, problem)
        Follower(problem.model, model, problem)


class FollowerConditions:
    """KKT conditions of a follower, its complementarities relaxed.

    Variables that are not of the state start at the values that `write_follower` gives them, else
    as near to 0 as their bounds allow.

    Parameters
    ----------
    lower : LearningModel
        That of the problem; it has the capability `write_follower`.
    model, problem, unit, baseline
        As in `Conditions`.
    relaxation : str, default "scholtes"
        A name of `RELAXATIONS`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Gets `follower`, the block as it was written, its objective inactive; `multiplier[j]`, of
        its j-th row; `stationarity[v]`; `relaxed[j, 0, q]`.
    follower : Follower

    Raises
    ------
    CapabilityError
        As `Follower`; if the state has another size than that of a solution; if the objective has
        no finite optimum, as it is linear in a variable that nothing else limits.
    """

    def __init__(
        self,
        lower: LearningModel,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        relaxation: str = "scholtes",
    ) -> None:
        self.model, self._relaxation = model, RELAXATIONS[relaxation]
        self.follower = Follower(lower, model, problem)
        state, shape = self.follower.state, np.shape(baseline.state)
        if len(state) != math.prod(shape):
            raise _wrong(f"{len(state)} variables", f"a state of shape {shape}, entry by entry")
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
                raise _wrong(f"no limit on {name!r}", "an objective with a finite optimum")
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
        """Return the variables that are the multipliers of a constraint, or of bounds, in order.

        Parameters
        ----------
        component : Pyomo constraint or variable data
            Of the follower. With two limits it has two multipliers: of the lower, of the upper one.
        """
        rows = enumerate(self.follower.rows)
        return [self.model.multiplier[j] for j, row in rows if row.component is component]

    def variables(self) -> list[Any]:
        """Return the state, as `write_follower` returned it."""
        return self.follower.state

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation as it is.

        Raises
        ------
        CapabilityError
            If it is a function of distances of points, and the state has no row for each of them.
        """
        if isinstance(deviation, SmoothPairs) and len(self._points) != len(deviation.labels):
            expected = f"a state of {len(deviation.labels)} rows, whose distances the deviation has"
            raise _wrong(f"a state of shape {self._points.shape}", expected)
        return deviation

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression of ||x_i - x_j||^2, for rows i < j of the state."""
        ends = zip(np.ravel(self._points[i]), np.ravel(self._points[j]), strict=True)
        return sum((a - b) ** 2 for a, b in ends)

    def penalty(self, scale: float) -> Any:
        """Return the exact penalty: per pair, `scale` over the number of pairs at product t."""
        total = penalty(self.model, self.pairs.values(), self._relaxation)
        return scale / max(len(self.pairs), 1) * total

    def set_stage(self, stage: ScheduleStage) -> None:
        """Leave everything as it is."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Start at a solution, and at the multipliers that leave the least residual."""
        for v, value in self._first.items():
            v.set_value(value, skip_validation=True)
        for v, value in zip(self.follower.state, np.ravel(solution.state), strict=True):
            if not v.fixed:
                v.set_value(float(value), skip_validation=True)
        if self.follower.rows:
            self._start_multipliers()

    def _start_multipliers(self) -> None:
        """Solve for the multipliers of the rows that are active, in the least-squares sense."""
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
    """Return the value of a variable, or what is nearest to 0 within its bounds."""
    low, high = (-math.inf if v.lb is None else v.lb), (math.inf if v.ub is None else v.ub)
    return float(min(max(0.0, low), high)) if v.value is None else float(v.value)


# kkt(learning model, model, problem, unit, baseline, relaxation="scholtes"): Conditions.
kkt: Capability[Conditions] = Capability("kkt", FollowerConditions, needs=write_follower)
