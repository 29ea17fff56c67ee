"""A lower level that the learning model writes as a Pyomo block, as a part of conditions.

Conditions of any follower derive from `FollowerState`. Convex clustering registers conditions of
its own, which exploit its structure.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from scipy.optimize import lsq_linear

from bilad.formulations.complementarity import Complementarity
from bilad.formulations.follower import FollowerProgram, ModelError
from bilad.formulations.leader import perturbed_parts
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.capability import CapabilityError
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
            raise wrong(given, "a list of the variables of the state") from error
        own = ComponentSet(block.component_data_objects(pyo.Var, active=True))
        self.state = _checked_state(state, own)
        if all(v.fixed for v in own):
            raise wrong("fixed variables only", "at least one variable that is not fixed")
        with errors_of_follower():
            self.program = FollowerProgram(block, own)
        for v in self.program.parameters:
            if v.parent_component() is not model.eps:
                raise wrong(f"the variable {v.name!r}", "variables of its block and eps only")


@contextmanager
def errors_of_follower() -> Iterator[None]:
    """Raise the errors of a program as errors of the function that wrote it."""
    try:
        yield
    except ModelError as error:
        raise wrong(error.given, error.expected) from error


def wrong(given: str, expected: str) -> CapabilityError:
    """Return the error that the function `write_follower` of a learning model is unusable."""
    return CapabilityError("write_follower", given, expected)


def _checked_state(state: Any, own: ComponentSet) -> list[Any]:
    try:
        listed = list(state)
    except TypeError:
        raise wrong(type(state).__name__, "a list of the variables of the state") from None
    for v in listed:
        if getattr(v, "ctype", None) is not pyo.Var or v not in own:
            raise wrong(f"{v!s} in the state", "variables of its block only")
    if len(ComponentSet(listed)) < len(listed):
        raise wrong("a state that repeats a variable", "distinct variables")
    return listed


class FollowerState(ABC):
    """Base class of the `Conditions` of a follower that the learning model has written.

    Variables that are not part of the state start at the values that `write_follower` gave them,
    otherwise at the value nearest to 0 within their bounds, unless `complete_follower` sets them.

    Parameters
    ----------
    lower : LearningModel
        The learning model of the problem, with the capability `write_follower`.
    model, problem, baseline
        As in `Conditions`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its new component is the block `follower`.
    follower : WrittenFollower
    pairs : mapping of (int, int) to Complementarity

    Raises
    ------
    CapabilityError
        See `WrittenFollower`; also if the size of the state is not that of a solution.
    """

    pairs: Mapping[tuple[int, int], Complementarity]

    def __init__(
        self, lower: LearningModel, model: pyo.ConcreteModel, problem: BilevelProblem, baseline: Any
    ) -> None:
        self.model, self._lower = model, lower
        self.follower = WrittenFollower(lower, model, problem)
        state, shape = self.follower.state, np.shape(baseline.state)
        if len(state) != math.prod(shape):
            expected = f"{math.prod(shape)} variables, for a state of shape {shape}"
            raise wrong(f"{len(state)} variables", expected)
        self._points = np.array(state, dtype=object).reshape(shape)
        variables = self.follower.program.variables
        self._first = ComponentMap((v, _start_of(v)) for v in variables)

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
            raise wrong(f"a state of shape {self._points.shape}", expected)
        return deviation

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression for ||x_i - x_j||^2, where x_i, x_j are rows i < j of the state."""
        ends = zip(np.ravel(self._points[i]), np.ravel(self._points[j]), strict=True)
        return sum((a - b) ** 2 for a, b in ends)

    def penalty(self, scale: float) -> Any:
        """Return 0; a subclass may have a penalty term."""
        return 0.0

    def set_stage(self, stage: ScheduleStage) -> None:  # noqa: B027 (a subclass may need it)
        """Do nothing; a subclass may have parameters that depend on the stage."""

    @abstractmethod
    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the variables to a lower-level solution at eps."""

    @abstractmethod
    def violation(self) -> float:
        """Return the violation of lower-level optimality at this point: dimensionless, >= 0."""

    def set_solution(self, solution: Any) -> None:
        """Set the variables of the follower to a solution."""
        for v, value in self._first.items():
            v.set_value(value, skip_validation=True)
        for v, value in zip(self.follower.state, np.ravel(solution.state), strict=True):
            if not v.fixed:
                v.set_value(float(value), skip_validation=True)
        complete_follower(self._lower, self.model.follower)

    def multipliers(self) -> FloatArray:
        """Return multipliers of all rows that minimise the KKT residual at the current values."""
        rows = self.follower.program.rows
        low = np.array([-np.inf if row.side == "equal" else 0.0 for row in rows])
        slack = np.array([abs(pyo.value(row.body)) for row in rows])
        active = (low < 0) | (slack <= ACTIVE * (1 + slack.max(initial=0.0)))
        found = np.zeros(len(rows))
        if active.any():
            columns = [
                self.gradient(row.body)
                for row, is_active in zip(rows, active, strict=True)
                if is_active
            ]
            steepest = -self.gradient(self.follower.program.cost)
            bounds = (low[active], np.inf)
            found[active] = lsq_linear(np.column_stack(columns), steepest, bounds, method="bvls").x
        return found

    def gradient(self, expression: Any) -> FloatArray:
        """Return the gradient of an expression in the variables of the follower."""
        wanted = self.follower.program.variables
        return np.array(differentiate(expression, wrt_list=wanted, mode=Modes.reverse_numeric))


def _start_of(v: Any) -> float:
    """Return the value of a variable, or the point nearest to 0 within its bounds."""
    low, high = (-math.inf if v.lb is None else v.lb), (math.inf if v.ub is None else v.ub)
    return float(min(max(0.0, low), high)) if v.value is None else float(v.value)
