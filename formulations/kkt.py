"""KKT conditions of a convex lower level that the learning model writes as a Pyomo block.

They are those of any follower (`KktSystem`). Convex clustering registers conditions of its own,
which exploit its structure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from scipy.optimize import lsq_linear

from bilad.formulations.complementarity import RELAXATIONS, penalty, relax
from bilad.formulations.conditions import Conditions
from bilad.formulations.follower import FollowerProgram, ModelError
from bilad.formulations.kkt_system import KktSystem
from bilad.formulations.leader import add_eps, perturbed_parts
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.capability import Capability, CapabilityError
from bilad.models.learning.learning_model import LearningModel, complete_follower, write_follower
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothDeviation, SmoothPairs
from bilad.models.validation import FloatArray

ACTIVE = 1e-6  # relative; constraints with a smaller slack are regarded as active


class WrittenFollower:
    """The lower level as written by the learning model on a Pyomo block, after validation.

    Parameters
    ----------
    lower : LearningModel
        A model with the capability `write_follower`.
    model : pyomo.environ.ConcreteModel
        A model with `eps`. The block `follower` is added.
    problem : BilevelProblem

    Attributes
    ----------
    state : list of Pyomo variable
        The return value of `write_follower`.
    program : FollowerProgram
        Its variables are all variables of the block that are not fixed.

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
        if all(v.fixed for v in own):
            raise _wrong("fixed variables only", "at least one variable that is not fixed")
        with _errors_of_follower():
            self.program = FollowerProgram(block, own)
        for v in self.program.parameters:
            if v.parent_component() is not model.eps:
                raise _wrong(f"the variable {v.name!r}", "variables of its block and eps only")


@contextmanager
def _errors_of_follower() -> Iterator[None]:
    """Raise the errors of a program as errors of the function that wrote it."""
    try:
        yield
    except ModelError as error:
        raise _wrong(error.given, error.expected) from error


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


def check_follower(problem: BilevelProblem) -> None:
    """Validate the follower of a problem if the KKT conditions will be derived from it.

    Raises
    ------
    CapabilityError
        See `WrittenFollower`.
    """
    if write_follower.supports(problem.model) and not kkt.is_registered(problem.model):
        model = pyo.ConcreteModel()
        add_eps(model, problem)
        WrittenFollower(problem.model, model, problem)


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
        Its new components are the block `follower`, with inactive objective; those of `KktSystem`;
        and the constraints `relaxed[j, 0, q]`.
    follower : WrittenFollower
    system : KktSystem

    Raises
    ------
    CapabilityError
        See `WrittenFollower`; also if the size of the state is not that of a solution, or the
        objective is unbounded, because it is linear in a variable that no constraint contains.
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
        self.model, self._lower, self._relaxation = model, lower, RELAXATIONS[relaxation]
        self.follower = WrittenFollower(lower, model, problem)
        state, shape = self.follower.state, np.shape(baseline.state)
        if len(state) != math.prod(shape):
            expected = f"{math.prod(shape)} variables, for a state of shape {shape}"
            raise _wrong(f"{len(state)} variables", expected)
        self._points = np.array(state, dtype=object).reshape(shape)
        variables = self.follower.program.variables
        self._first = ComponentMap((v, _start_of(v)) for v in variables)
        with _errors_of_follower():
            self.system = KktSystem(model, self.follower.program)
        self.pairs = {(j, 0): pair for j, pair in self.system.pairs.items()}
        relax(model, self.pairs, self._relaxation)

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
        complete_follower(self._lower, self.model.follower)
        if self.follower.program.rows:
            self._start_multipliers()

    def _start_multipliers(self) -> None:
        """Start the slacks; find multipliers of the active constraints by least squares."""
        rows = self.follower.program.rows
        columns = np.column_stack([self._gradient(row.body) for row in rows])
        low = np.array([-np.inf if row.side == "equal" else 0.0 for row in rows])
        slack = np.array([abs(pyo.value(row.body)) for row in rows])
        active = (low < 0) | (slack <= ACTIVE * (1 + slack.max()))
        found = np.zeros(len(rows))
        if active.any():
            steepest = -self._gradient(self.follower.program.cost)
            bounds = (low[active], np.inf)
            found[active] = lsq_linear(columns[:, active], steepest, bounds, method="bvls").x
        for multiplier, value in zip(self.system.multipliers, found, strict=True):
            multiplier.set_value(float(value), skip_validation=True)
        self.system.start_slacks()

    def _gradient(self, expression: Any) -> FloatArray:
        wanted = self.follower.program.variables
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
