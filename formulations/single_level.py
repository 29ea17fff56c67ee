"""What every smooth single-level reformulation shares: eps, its norm, X, and the smooth objective.

A reformulation is a plain Pyomo ConcreteModel plus the few calls a homotopy needs. Parameters that
change from stage to stage are variables with equal bounds: an NLP solver treats them as constants,
and the model need not be written again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import numpy as np
import pyomo.environ as pyo

from bilad.models.clustering_problem import clustering_of
from bilad.formulations import smooth_deviation, upper_level
from bilad.formulations.schedule import ScheduleStage, length_unit
from bilad.formulations.smooth_deviation import KERNELS, SmoothDeviation
from bilad.models.bilevel import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import subgradient_rows
from bilad.models.validation import FloatArray, IntArray, one_of


def set_parameter(variable: Any, value: float) -> None:
    """Fix a variable by its bounds, so that it stays in the written model."""
    variable.setlb(value)
    variable.setub(value)
    variable.set_value(value)


def scaled_dual(model: ConvexClustering, X: FloatArray, Z: FloatArray) -> FloatArray:
    """Return z with Z_e = r_e z_e, ||z_e||_q <= 1: shape (m, d).

    Where r_e = 0, a subgradient of the norm at u_e, which leaves no gap.
    """
    z = subgradient_rows(model.graph.differences(X), model.p)
    positive = model.radii > 0
    z[positive] = model.project_dual(Z)[positive] / model.radii[positive, None]
    return z


class SingleLevel(ABC):
    """A reformulation of one bilevel problem.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    labels : ndarray of int, shape (n,)
        Labels at eps = 0.
    X : ndarray, shape (n, d)
        Solution at eps = 0; sets the unit of length of the schedule.
    kernel : {"rational", "exponential"}
        Of the smooth deviation.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        `eps[k]`, `x[i, c]` (feature c of point i), `t` (relaxation), `width`; where a pair that
        counts is no edge, `pair_u[i, j, c]`, its difference; the Expressions `smooth_deviation`
        and `share[i]`, the part that point i has in it with later points; the objective `goal`,
        and the components of the subclass. Change it before you solve it.
    unit : float
        Unit of length of the schedule, in units of the data.
    choices : mapping
        The options of the constructor, and what each may be.

    Notes
    -----
    Every nonlinear term is written in the variables of one edge, or of one pair. The Hessian of
    the Lagrangian is then block diagonal, which makes it many times cheaper to set up than in
    terms of x.
    """

    choices: ClassVar[Mapping[str, Collection[Any]]] = {"kernel": KERNELS}

    def __init__(
        self,
        problem: BilevelProblem,
        labels: IntArray,
        X: FloatArray,
        *,
        kernel: str = "rational",
    ) -> None:
        self.problem = problem
        self.unit = length_unit(clustering_of(problem), X)
        self.model = model = pyo.ConcreteModel(name=type(self).__name__)
        n, d = clustering_of(problem).n, clustering_of(problem).d
        model.points, model.features = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, d - 1)
        upper_level.add_eps(model, problem)
        model.x = pyo.Var(model.points, model.features)
        model.t, model.width = pyo.Var(), pyo.Var()
        self.data = upper_level.perturbed_data(model, problem)
        self.radii = upper_level.perturbed_radii(model, problem)
        kept = np.flatnonzero(clustering_of(problem).radii > 0).tolist()
        ends = clustering_of(problem).graph.edges
        self.ends = {e: (int(ends[e, 0]), int(ends[e, 1])) for e in kept}
        self._edge_of = {pair: e for e, pair in self.ends.items()}
        self._add_lower_level()
        chosen = KERNELS[one_of(kernel, "kernel", KERNELS)]
        self._add_smooth_deviation(SmoothDeviation.of(problem, labels, X, chosen))
        self._add_goal()

    @staticmethod
    def refusal(problem: BilevelProblem) -> str | None:
        """Say why the reformulation does not apply to the problem, or None."""
        return smooth_deviation.refusal(problem)

    @abstractmethod
    def _add_lower_level(self) -> None:
        """Add the constraints that force x to solve the lower level as t goes to 0."""

    @abstractmethod
    def difference(self, e: int, c: int) -> Any:
        """Return an expression of the edge difference u_e,c."""

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression of ||x_i - x_j||^2, in the variables of the edge or the pair."""
        e = self._edge_of.get((i, j))
        if e is None:
            return sum(self.model.pair_u[i, j, c] ** 2 for c in self.model.features)
        return sum(self.difference(e, c) ** 2 for c in self.model.features)

    def _add_smooth_deviation(self, deviation: SmoothDeviation) -> None:
        model = self.model
        self._add_pairs([(i, j) for i, j in deviation.pairs.tolist()])
        rows = deviation.pairs[:, 0]
        order = np.argsort(rows, kind="stable")
        limits = np.searchsorted(rows[order], np.arange(clustering_of(self.problem).n + 1))

        def share(m: pyo.ConcreteModel, i: int) -> Any:
            chosen = order[limits[i] : limits[i + 1]].tolist()
            return deviation.share(chosen, self.squared_distance, m.width)

        model.share = pyo.Expression(model.points, rule=share)
        model.smooth_deviation = pyo.Expression(
            expr=pyo.quicksum(model.share[i] for i in model.points)
        )

    def _add_pairs(self, pairs: list[tuple[int, int]]) -> None:
        model = self.model
        model.pairs = pyo.Set(initialize=[p for p in pairs if p not in self._edge_of], dimen=2)
        model.pair_u = pyo.Var(model.pairs, model.features)
        model.pair_difference = pyo.Constraint(
            model.pairs,
            model.features,
            rule=lambda m, i, j, c: m.x[i, c] - m.x[j, c] == m.pair_u[i, j, c],
        )

    def _add_goal(self) -> None:
        model, problem = self.model, self.problem
        size = upper_level.add_norm(model, problem)
        if isinstance(problem, MaxDeviation):
            payment = self.payment(problem.deviation.largest(clustering_of(problem).n))
            model.goal = pyo.Objective(expr=model.smooth_deviation - payment, sense=pyo.maximize)
        elif isinstance(problem, MinPerturbation):
            # Point by point: one row with every variable in it would make the Jacobian's
            # colouring, and so the differentiation, a hundred times slower.
            model.reached = pyo.Var(model.points)
            model.reached_by_point = pyo.Constraint(
                model.points, rule=lambda m, i: m.reached[i] <= m.share[i]
            )
            total = pyo.quicksum(model.reached[i] for i in model.points)
            model.reach = pyo.Constraint(expr=total >= problem.target)
            model.goal = pyo.Objective(
                expr=size + self.payment(problem.radius**2), sense=pyo.minimize
            )

    def payment(self, scale: float) -> Any:
        """Return a penalty on the lower level's violation, 0 unless a relaxation asks for one.

        Parameters
        ----------
        scale : float
            The largest value of the objective.
        """
        return 0.0

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the relaxation and the width, after `start_from` for the first stage."""
        model = self.model
        set_parameter(model.t, stage.relaxation)
        set_parameter(model.width, stage.width * self.unit)
        if isinstance(self.problem, MinPerturbation):
            for i in model.points:
                model.reached[i].set_value(pyo.value(model.share[i], exception=False))

    def start_from(self, eps: FloatArray, X: FloatArray, Z: FloatArray) -> None:
        """Start the next solve at a lower-level solution X, Z for the given eps."""
        model = self.model
        upper_level.start_eps(model, eps)
        for (i, c), value in np.ndenumerate(X):
            model.x[i, c].set_value(float(value))
        for i, j in model.pairs:
            for c in model.features:
                model.pair_u[i, j, c].set_value(float(X[i, c] - X[j, c]))

    def eps(self) -> FloatArray:
        """Return the current eps, moved into the problem's ball if it is outside."""
        values = [pyo.value(self.model.eps[k]) for k in self.model.parameters]
        return self.problem.project(np.array(values))

    @abstractmethod
    def violation(self) -> float:
        """Return how far the current point is from solving the lower level, without unit, >= 0."""

    def X(self) -> FloatArray:
        """Return the current x: shape (n, d)."""
        values = [self.model.x[i, c].value for i in self.model.points for c in self.model.features]
        return np.array(values).reshape(clustering_of(self.problem).data.shape)
