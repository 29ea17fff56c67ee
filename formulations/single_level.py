"""What every single-level reformulation shares: eps, its norm, X, and the smooth objective.

A reformulation is a plain Pyomo ConcreteModel plus the few calls a homotopy needs. Parameters that
change from stage to stage are variables with equal bounds: an NLP solver treats them as constants,
and the model need not be written again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations import smooth_deviation
from bilad.formulations.schedule import ScheduleStage, length_unit
from bilad.models.bilevel import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray


def set_parameter(variable: Any, value: float) -> None:
    """Fix a variable by its bounds, so that it stays in the written model."""
    variable.setlb(value)
    variable.setub(value)
    variable.set_value(value)


class SingleLevel(ABC):
    """A reformulation of one bilevel problem.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    labels : ndarray of int, shape (n,)
        Labels at eps = 0.
    X : ndarray, shape (n, d)
        Solution at eps = 0; sets the unit of length of the schedule.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        `eps[k]`, `x[i, c]` (feature c of point i), `t` (relaxation), `width`; the Expressions
        `smooth_deviation` and `share[i]`, the part that point i has in it with later points; the
        objective `goal`, and the constraints of the subclass. Change it before you solve it.
    unit : float
        Unit of length of the schedule, in units of the data.
    """

    def __init__(self, problem: BilevelProblem, labels: IntArray, X: FloatArray) -> None:
        self.problem = problem
        self.unit = length_unit(problem.model, X)
        self.model = model = pyo.ConcreteModel(name=type(self).__name__)
        n, d, k = problem.model.n, problem.model.d, problem.perturbation.dim
        model.points, model.features = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, d - 1)
        model.parameters = pyo.RangeSet(0, k - 1)
        model.eps = pyo.Var(model.parameters, initialize=0.0)
        model.x = pyo.Var(model.points, model.features)
        model.t, model.width = pyo.Var(), pyo.Var()
        self.data = _perturbed_data(model, problem)
        self._add_lower_level()
        self._add_smooth_deviation(labels)
        _add_upper_level(model, problem)

    def _add_smooth_deviation(self, labels: IntArray) -> None:
        model, n = self.model, self.problem.model.n
        scale = 1.0 if self.problem.deviation.name == "delta" else 1.0 / (n * (n - 1))
        width = model.width

        def share(m: pyo.ConcreteModel, i: int) -> Any:
            return scale * smooth_deviation.share(self.squared_distance, labels, i, width)

        model.share = pyo.Expression(model.points, rule=share)
        model.smooth_deviation = pyo.Expression(
            expr=pyo.quicksum(model.share[i] for i in model.points)
        )

    @abstractmethod
    def _add_lower_level(self) -> None:
        """Add the constraints that force x to solve the lower level as t goes to 0."""

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression of ||x_i - x_j||^2."""
        x = self.model.x
        return sum((x[i, c] - x[j, c]) ** 2 for c in self.model.features)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the relaxation and the width, after `start_from` for the first stage."""
        set_parameter(self.model.t, stage.relaxation * self.unit)
        self._set_width(stage.width)

    def _set_width(self, width: float) -> None:
        model = self.model
        set_parameter(model.width, width * self.unit)
        if isinstance(self.problem, MinPerturbation):
            for i in model.points:
                model.reached[i].set_value(pyo.value(model.share[i], exception=False))

    def start_from(self, eps: FloatArray, X: FloatArray, Z: FloatArray) -> None:
        """Start the next solve at a lower-level solution X, Z for the given eps."""
        for k, value in enumerate(eps):
            self.model.eps[k].set_value(float(value))
        self._start_norm(np.abs(eps))
        for (i, c), value in np.ndenumerate(X):
            self.model.x[i, c].set_value(float(value))

    def _start_norm(self, magnitudes: FloatArray) -> None:
        magnitude, largest = map(self.model.component, ("magnitude", "largest"))
        if magnitude is not None:
            for k, value in enumerate(magnitudes):
                magnitude[k].set_value(float(value))
        if largest is not None:
            largest.set_value(float(magnitudes.max()))

    def eps(self) -> FloatArray:
        """Return the current eps, scaled back if it is outside the problem's ball."""
        values = [pyo.value(self.model.eps[k]) for k in self.model.parameters]
        return self.problem.project(np.array(values))


def _add_upper_level(model: Any, problem: BilevelProblem) -> None:
    """Add the ball of the problem's radius, and the objective of (BL1) or (BL2)."""
    size = _add_norm(model, problem)
    if isinstance(problem, MaxDeviation):
        model.goal = pyo.Objective(expr=model.smooth_deviation, sense=pyo.maximize)
    elif isinstance(problem, MinPerturbation):
        # Point by point: one row with every variable in it would make the Jacobian's colouring,
        # and so the differentiation, a hundred times slower.
        model.reached = pyo.Var(model.points)
        model.reached_by_point = pyo.Constraint(
            model.points, rule=lambda m, i: m.reached[i] <= m.share[i]
        )
        total = pyo.quicksum(model.reached[i] for i in model.points)
        model.reach = pyo.Constraint(expr=total >= problem.target)
        model.goal = pyo.Objective(expr=size, sense=pyo.minimize)


def _add_norm(model: Any, problem: BilevelProblem) -> Any:
    """Bound ||eps|| by the radius; return an expression to minimise, monotone in ||eps||."""
    a = problem.radius
    model.eps.setlb(-a)
    model.eps.setub(a)
    if problem.norm == 2 or problem.perturbation.dim == 1:
        squared = pyo.quicksum(model.eps[k] ** 2 for k in model.parameters)
        if problem.perturbation.dim > 1:
            model.ball = pyo.Constraint(expr=squared <= a**2)
        return squared
    magnitude = pyo.Var(model.parameters, bounds=(0.0, a), initialize=0.0)
    model.magnitude = magnitude
    model.above = pyo.Constraint(model.parameters, rule=lambda m, k: m.eps[k] <= magnitude[k])
    model.below = pyo.Constraint(model.parameters, rule=lambda m, k: -m.eps[k] <= magnitude[k])
    if problem.norm == 1:
        total = pyo.quicksum(magnitude[k] for k in model.parameters)
        model.ball = pyo.Constraint(expr=total <= a)
        return total
    model.largest = pyo.Var(bounds=(0.0, a), initialize=0.0)
    model.ball = pyo.Constraint(model.parameters, rule=lambda m, k: magnitude[k] <= m.largest)
    return model.largest


def _perturbed_data(model: Any, problem: BilevelProblem) -> dict[tuple[int, int], Any]:
    """Return A + T eps, entry by entry: a number where no eps acts."""
    data = problem.model.data
    entries: dict[tuple[int, int], Any] = {index: float(a) for index, a in np.ndenumerate(data)}
    operator = problem.perturbation.operator.tocoo()
    for row, k, value in zip(operator.row, operator.col, operator.data, strict=True):
        entries[divmod(int(row), data.shape[1])] += float(value) * model.eps[int(k)]
    return entries


def check_supported(problem: BilevelProblem) -> str | None:
    """Say why no reformulation of this package takes the problem, or None."""
    model: ConvexClustering = problem.model
    if model.p != 2 and model.d > 1:
        return f"the reformulations are for p = 2 (any p if d = 1), the model has p = {model.p:g}"
    return smooth_deviation.refusal(problem)
