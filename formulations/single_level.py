"""A single-level model of a bilevel problem: leader, conditions of the lower level, deviation.

It is a plain Pyomo ConcreteModel plus the few calls that a continuation needs. Parameters that
change from stage to stage are variables with equal bounds: an NLP solver treats them as constants,
and the model need not be written again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations import leader
from bilad.formulations.conditions import Conditions
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.smooth_deviation import shares
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import length_unit
from bilad.models.validation import FloatArray


def set_parameter(variable: Any, value: float) -> None:
    """Fix a variable by its bounds, so that it stays in the written model."""
    variable.setlb(value)
    variable.setub(value)
    variable.set_value(value)


class SingleLevel:
    """A single-level model of one bilevel problem.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        Best in normal form.
    baseline : Solution
        Of the lower level at eps = 0; its state sets the unit of length of the schedule.
    replace : callable(model, problem, unit, baseline)
        Adds the conditions of the lower level, and returns them.
    kernel : {"rational", "exponential"}, default "rational"
        Of the smooth deviation, if that is additive over pairs.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        `eps[k]`, `t` (relaxation), `width`, the components of the conditions; `shares` and the
        Expressions `share[i]`, which add up to the Expression `smooth_deviation`; the objective
        `goal`. For (BL2) `reached[i]`, at most the share, and `reach`, their sum at least the
        target. Change it before you solve it.
    conditions : Conditions
    unit : float
        Unit of length of the schedule, in units of the state.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        baseline: Any,
        replace: Callable[[pyo.ConcreteModel, BilevelProblem, float, Any], Conditions],
        kernel: str = "rational",
    ) -> None:
        self.problem = problem
        self.unit = length_unit(baseline.state, problem.model.data)
        self.model = model = pyo.ConcreteModel()
        leader.add_eps(model, problem)
        model.t, model.width = pyo.Var(), pyo.Var()
        self.conditions = replace(model, problem, self.unit, baseline)
        smooth = problem.deviation.smoothed(baseline.outcome, kernel)
        parts = shares(self.conditions.relevant(smooth), self.conditions, model.width)
        model.shares = pyo.RangeSet(0, len(parts) - 1)
        model.share = pyo.Expression(model.shares, rule=lambda m, i: parts[i])
        model.smooth_deviation = pyo.Expression(expr=pyo.quicksum(model.share.values()))
        self._add_goal()

    def _add_goal(self) -> None:
        model, problem = self.model, self.problem
        size = leader.add_norm(model, problem)
        if problem.sense == "max":
            largest = problem.deviation.largest(problem.model.n)
            payment = self.conditions.payment(largest if math.isfinite(largest) else self.unit)
            model.goal = pyo.Objective(expr=model.smooth_deviation - payment, sense=pyo.maximize)
            return
        model.reached = pyo.Var(model.shares)
        model.reached_by_share = pyo.Constraint(
            model.shares, rule=lambda m, i: m.reached[i] <= m.share[i]
        )
        model.reach = pyo.Constraint(expr=pyo.quicksum(model.reached.values()) >= problem.target)
        payment = self.conditions.payment(problem.radius**2)
        model.goal = pyo.Objective(expr=size + payment, sense=pyo.minimize)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the relaxation and the width, after `start_from` for the first stage."""
        model = self.model
        set_parameter(model.t, stage.relaxation)
        set_parameter(model.width, stage.width * self.unit)
        self.conditions.set_stage(stage)
        if model.component("reached") is not None:
            for i in model.shares:
                model.reached[i].set_value(pyo.value(model.share[i], exception=False))

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Start the next solve at a lower-level solution for the given eps."""
        leader.start_eps(self.model, eps)
        self.conditions.start_from(eps, solution)

    def eps(self) -> FloatArray:
        """Return the current eps, moved into the problem's ball if it is outside."""
        values = [pyo.value(self.model.eps[k]) for k in self.model.parameters]
        return self.problem.project(np.array(values))

    def state(self, like: FloatArray) -> FloatArray:
        """Return the current state, of the shape of another."""
        values = [pyo.value(entry) for entry in self.conditions.variables()]
        return np.array(values).reshape(like.shape)

    def violation(self) -> float:
        """Return how far the current point is from solving the lower level, without unit, >= 0."""
        return self.conditions.violation()
