"""The MILP of convex clustering as `write_milp` provides it: program, cells and emptiness test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.milp.closed_cell import ClosedCell
from bilad.formulations.clustering.milp.difference_bounds import DifferenceBounds
from bilad.formulations.clustering.milp.formulation import MilpFormulation, refusal
from bilad.formulations.clustering.milp.orders import separates, together_of
from bilad.models.learning.convex_clustering import ConvexClustering, ScaledClustering
from bilad.models.learning.learning_model import write_milp
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray

REDUCED_COST = 1e-9  # a smaller reduced cost is regarded as zero


class MarginProgram:
    """The linear relaxation of a MILP with the objective to maximise the margin of a cell.

    The margin is the smallest difference between points that are apart. If the binaries are fixed
    to a cell, the optimal margin is positive if and only if the cell is nonempty. If it is empty,
    no point satisfies the values of the binaries with nonzero reduced costs, for any values of the
    other binaries.

    Parameters
    ----------
    formulation : MilpFormulation
        Its model is copied, without the restrictions of `require` and `limit_size`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        The relaxed copy, with the variable `margin`.
    """

    def __init__(self, formulation: MilpFormulation) -> None:
        self._free = [index for index, v in formulation.model.order.items() if not v.fixed]
        self.model = model = formulation.model.clone()
        pyo.TransformationFactory("core.relax_integer_vars").apply_to(model)
        model.goal.deactivate()
        model.reached.deactivate()
        model.size.setub(formulation.problem.radius)
        model.margin = pyo.Var(bounds=(0.0, 1.0))
        upper = formulation.bounds.upper

        def strict(m: pyo.ConcreteModel, i: int, j: int, c: int) -> Any:
            slack = 1.0 + max(float(upper[j, i, c]), 0.0)
            if separates(formulation.problem):
                loose = m.order[j, i, c]
            else:
                loose = 1 - m.order[i, j, c] + together_of(m, i, j)
            return m.x[i, c] - m.x[j, c] >= m.margin - slack * loose

        model.strict = pyo.Constraint(model.ordered_pairs, model.features, rule=strict)
        model.widest = pyo.Objective(expr=model.margin, sense=pyo.maximize)

    def fix(self, orders: BoolArray) -> None:
        """Fix the binaries to a cell by their bounds."""
        for i, j, c in self._free:
            value = float(orders[c, i, j])
            self.model.order[i, j, c].setlb(value)
            self.model.order[i, j, c].setub(value)

    def conflict(self, reduced_costs: Any, orders: BoolArray) -> BoolArray:
        """Return the binaries with nonzero reduced costs: shape (d, n, n)."""
        literals = np.zeros_like(orders)
        for i, j, c in self._free:
            cost = reduced_costs[self.model.order[i, j, c]]
            literals[c, i, j] = abs(cost) > REDUCED_COST
        return literals


@write_milp.register(ConvexClustering, refusal)
class ClusteringMilp:
    """The MILP of one problem.

    Parameters
    ----------
    model : ConvexClustering
        The model of the problem.
    problem : BilevelProblem
        In normal form, because MILP solvers have absolute tolerances.
    baseline : ScaledClustering
        The lower-level solution at eps = 0.
    coincidences : bool
        As in `MilpFormulation`.

    Attributes
    ----------
    formulation : MilpFormulation
    """

    def __init__(
        self,
        model: ConvexClustering,
        problem: BilevelProblem,
        baseline: ScaledClustering,
        coincidences: bool,
    ) -> None:
        bounds = DifferenceBounds(problem, baseline.X, baseline.distance_bound)
        self._problem = problem
        self.formulation = MilpFormulation(problem, baseline.labels, bounds, coincidences)

    def cell(self) -> ClosedCell:
        """Return the closed cell of the current values."""
        return ClosedCell(self._problem, self.formulation.cell())

    def margin_program(self) -> MarginProgram:
        """Return the program that decides whether a cell is empty."""
        return MarginProgram(self.formulation)
