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
        `goal`. For (BL2) `term_bound[i]`, at most the share, and `reach`, their sum at least the
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
        model.terms = pyo.RangeSet(0, len(parts) - 1)
        model.term = pyo.Expression(model.terms, rule=lambda m, i: parts[i])
        model.smooth_deviation = pyo.Expression(expr=pyo.quicksum(model.term.values()))
        self._add_goal()

    def _add_goal(self) -> None:
        model, problem = self.model, self.problem
        size = leader.add_norm(model, problem)
        if problem.sense == "max":
            largest = problem.deviation.largest(problem.model.n)
            penalty = self.conditions.penalty(largest if math.isfinite(largest) else self.unit)
            model.goal = pyo.Objective(expr=model.smooth_deviation - penalty, sense=pyo.maximize)
            return
        model.term_bound = pyo.Var(model.terms)
        model.term_bounded = pyo.Constraint(
            model.terms, rule=lambda m, i: m.term_bound[i] <= m.term[i]
        )
        model.target = pyo.Constraint(
            expr=pyo.quicksum(model.term_bound.values()) >= problem.target
        )
        penalty = self.conditions.penalty(problem.radius**2)
        model.goal = pyo.Objective(expr=size + penalty, sense=pyo.minimize)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the relaxation and the width, after `start_from` for the first stage."""
        model = self.model
        set_parameter(model.t, stage.relaxation)
        set_parameter(model.width, stage.width * self.unit)
        self.conditions.set_stage(stage)
        if model.component("term_bound") is not None:
            for i in model.terms:
                model.term_bound[i].set_value(pyo.value(model.term[i], exception=False))

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
