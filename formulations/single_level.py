"""The single-level model: upper level, conditions that replace the lower level, smooth deviation.

It wraps a Pyomo ConcreteModel with the operations that a continuation needs. Parameters that change
from stage to stage are variables with equal bounds. NLP solvers treat these as constants, and the
model need not be written again for each stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations import leader
from bilad.formulations.conditions import Conditions
from bilad.formulations.leader import set_parameter
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.smooth_deviation import written
from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem, check_problem
from bilad.models.smooth_deviation import SmoothDeviation, SmoothPairs, width_unit
from bilad.models.validation import FloatArray, IntArray


class SingleLevel:
    """A single-level reformulation of a bilevel problem.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        Preferably in normal form, because NLP solvers have absolute tolerances.
    baseline : Solution
        The lower-level solution at eps = 0. Its state determines the unit of length.
    replace : callable(model, problem, unit, baseline)
        Adds the conditions of the lower level to the model, and returns them.
    kernel : {"rational", "exponential"}, default "exponential"
        The kernel of the smooth deviation, if it is additive over pairs.
    block_of : ndarray of int, shape (n,), optional
        The block of each row of the state, if the conditions hold the rows of a block equal.
    states : sequence of ndarray, optional
        States at some eps, that at eps = 0 among them.
    reach : float, default inf
        In units of length. A pair of rows that is apart at eps = 0 is left out of the smooth
        deviation if its distance is larger in all of these states. This is no proof that the pair
        stays apart.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its components are the variables `eps[k]`, `t` (relaxation), `width` and `radius`, the last
        three with equal bounds; the components of the conditions; the Expression
        `smooth_deviation`; the objective `goal`; and for (BL2) the constraint `target`, which
        requires the smooth deviation to be at least delta_0. Users may change the model before
        they solve it.
    conditions : Conditions
    unit : float
        The unit of length of the schedule, in the unit of the state.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        baseline: Any,
        replace: Callable[[pyo.ConcreteModel, BilevelProblem, float, Any], Conditions],
        kernel: str = "exponential",
        block_of: IntArray | None = None,
        states: Sequence[FloatArray] = (),
        reach: float = math.inf,
    ) -> None:
        check_problem(problem)
        self.problem, self.block_of = problem, block_of
        smooth = problem.deviation.smoothed(baseline.outcome, kernel)
        self.unit = width_unit(smooth, baseline.state, problem.model.data)
        self.model = model = pyo.ConcreteModel()
        leader.add_eps(model, problem)
        model.t, model.width = pyo.Var(), pyo.Var()
        self.conditions = replace(model, problem, self.unit, baseline)
        relevant = self._within_reach(self.conditions.relevant(smooth), states, reach)
        expression = written(relevant, self.conditions, model.width)
        model.smooth_deviation = pyo.Expression(expr=expression)
        self._add_goal()
        self.set_stage(ScheduleStage(1.0, 1.0))

    def _add_goal(self) -> None:
        model, problem = self.model, self.problem
        size = leader.add_norm(model, problem)
        if problem.sense == "max":
            largest = problem.deviation.largest(problem.model.n)
            penalty = self.conditions.penalty(largest if math.isfinite(largest) else self.unit)
            model.goal = pyo.Objective(expr=model.smooth_deviation - penalty, sense=pyo.maximize)
            return
        model.target = pyo.Constraint(expr=model.smooth_deviation >= problem.target)
        penalty = self.conditions.penalty(problem.radius**2)
        model.goal = pyo.Objective(expr=size + penalty, sense=pyo.minimize)

    def set_radius(self, radius: float) -> None:
        """Bound ||eps|| by a radius, > 0 and at most that of the problem."""
        leader.set_radius(self.model, self.problem, radius)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the relaxation, the width and the smoothing."""
        model = self.model
        set_parameter(model.t, stage.relaxation)
        set_parameter(model.width, stage.width * self.unit)
        self.conditions.set_stage(stage)

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the starting point of the next solve to a lower-level solution at the given eps."""
        leader.start_eps(self.model, eps)
        self.conditions.start_from(eps, solution)

    def eps(self) -> FloatArray:
        """Return the current eps, projected onto the admissible set."""
        values = [pyo.value(self.model.eps[k]) for k in self.model.parameters]
        eps = self.problem.project(np.array(values))
        size, radius = self.problem.size(eps), self.model.radius.value
        return eps if size <= radius else eps * (radius / size) * (1 - 1e-15)

    def represents(self, solution: Any, reach: float = math.inf) -> bool:
        """Return whether a lower-level solution has the structure that the model takes for granted.

        All rows of each block have the same label, and no pair of rows that the model leaves out is
        closer than `reach`, in units of length.
        """
        if self._omitted.size and (self._distances(solution.state, self._omitted) < reach).any():
            return False
        if self.block_of is None:
            return True
        classes = np.unique(np.column_stack([self.block_of, solution.outcome]), axis=0)
        return len(classes) == self.block_of.max() + 1

    def _within_reach(
        self, deviation: SmoothDeviation, states: Sequence[FloatArray], reach: float
    ) -> SmoothDeviation:
        self._omitted = np.empty((0, 2), dtype=np.int64)
        if not isinstance(deviation, SmoothPairs) or math.isinf(reach):
            return deviation
        near = [self._distances(state, deviation.pairs) <= reach for state in states]
        kept = deviation.together | np.any(near, axis=0)
        self._omitted = deviation.pairs[~kept]
        return deviation.restricted(kept)

    def _distances(self, state: FloatArray, pairs: IntArray) -> FloatArray:
        """Return the distances of pairs of blocks in units of length."""
        first = slice(None) if self.block_of is None else np.unique(self.block_of, True)[1]
        rows = state[first]
        return row_norms(rows[pairs[:, 0]] - rows[pairs[:, 1]], 2) / self.unit

    def state(self, like: FloatArray) -> FloatArray:
        """Return the current state, in the shape of the array `like`."""
        values = [pyo.value(entry) for entry in self.conditions.variables()]
        return np.array(values).reshape(like.shape)

    def violation(self) -> float:
        """Return the violation of lower-level optimality at this point: dimensionless, >= 0."""
        return self.conditions.violation()
