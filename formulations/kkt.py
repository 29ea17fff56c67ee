"""KKT conditions of a convex lower level that a learning model writes as a follower.

    grad_y L(y, mu; eps) = 0,    0 <= mu_j _|_ -g_j(y, eps) >= 0,    L = f + sum_j mu_j g_j

The follower is a Pyomo block with its own variables, one objective, and constraints, which stay as
they are; bounds of its variables count as constraints. A learning model with much structure, such
as convex clustering, registers conditions of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from scipy.optimize import lsq_linear

from bilad.formulations.complementarity import (
    RELAXATIONS,
    Complementarity,
    Side,
    penalty,
    relax,
)
from bilad.formulations.conditions import Conditions
from bilad.formulations.leader import moved_parts
from bilad.formulations.schedule import ScheduleStage
from bilad.models.bilevel import BilevelProblem
from bilad.models.capability import Capability
from bilad.models.learning_model import LearningModel, write_follower
from bilad.models.smooth_deviation import SmoothDeviation
from bilad.models.validation import FloatArray


@dataclass(frozen=True)
class FollowerRow:
    """A constraint of the follower as an equality, or as body <= 0.

    Attributes
    ----------
    body : Pyomo expression
    keeper : Pyomo constraint or variable data
        That holds it.
    side : Side or None
        -body >= 0, kept by the constraint or a bound; None for an equality.
    """

    body: Any
    keeper: Any
    side: Side | None


def follower_rows(block: Any, variables: list[Any]) -> list[FollowerRow]:
    """Return the constraints of a follower, and the bounds of its variables, row by row."""
    rows = []
    for row in block.component_data_objects(pyo.Constraint, active=True):
        if row.equality:
            rows.append(FollowerRow(row.body - row.upper, row, None))
            continue
        bodies = []
        if row.has_ub():
            bodies.append(row.body - row.upper)
        if row.has_lb():
            bodies.append(row.lower - row.body)
        rows += [FollowerRow(body, row, Side.at_row(-body, row)) for body in bodies]
    for v in variables:
        if v.has_lb():
            rows.append(FollowerRow(v.lb - v, v, Side.at_lower_bound(v - v.lb, v)))
        if v.has_ub():
            rows.append(FollowerRow(v - v.ub, v, Side.at_upper_bound(v.ub - v, v)))
    return rows


class FollowerConditions:
    """KKT conditions of a follower, its complementarities relaxed.

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
        model.follower = block = pyo.Block()
        self._state = list(write_follower(lower, block, moved_parts(model, problem)))
        self._own = [v for v in block.component_data_objects(pyo.Var, active=True) if not v.fixed]
        self._rows = follower_rows(block, self._own)
        model.multiplier = pyo.Var(range(len(self._rows)), initialize=0.0)
        self._add_stationarity(_objective(block))
        self.pairs = self._complementarities()
        relax(model, self.pairs, self._relaxation)

    def _add_stationarity(self, objective: Any) -> None:
        model = self.model
        lagrangian = objective + pyo.quicksum(
            model.multiplier[j] * row.body for j, row in enumerate(self._rows)
        )
        slopes = differentiate(lagrangian, wrt_list=self._own, mode=Modes.reverse_symbolic)
        model.stationarity = pyo.Constraint(range(len(slopes)), rule=lambda m, v: slopes[v] == 0)

    def _complementarities(self) -> dict[tuple[int, int], Complementarity]:
        pairs = {}
        for j, row in enumerate(self._rows):
            if row.side is None:
                continue
            multiplier = self.model.multiplier[j]
            multiplier.setlb(0.0)
            left = Side.at_lower_bound(multiplier, multiplier)
            pairs[j, 0] = Complementarity(multiplier * row.side.expression, left, row.side)
        return pairs

    def multiplier_of(self, constraint: Any) -> Any:
        """Return the variable that is the multiplier of a constraint of the follower.

        Raises
        ------
        KeyError
            The constraint is none of the follower's.
        """
        for j, row in enumerate(self._rows):
            if row.keeper is constraint:
                return self.model.multiplier[j]
        raise KeyError(constraint.name)

    def variables(self) -> list[Any]:
        """Return the state, as `write_follower` returned it."""
        return self._state

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation as it is."""
        return deviation

    def squared_distance(self, i: int, j: int) -> Any:
        """Refuse: the state of a follower has no rows that are points.

        Raises
        ------
        TypeError
        """
        raise TypeError("the state of a follower has no points, so no distances between them")

    def payment(self, scale: float) -> Any:
        """Return the exact penalty: per pair, `scale` over the number of pairs at product t."""
        total = penalty(self.model, self.pairs.values(), self._relaxation)
        return scale / max(len(self.pairs), 1) * total

    def set_stage(self, stage: ScheduleStage) -> None:
        """Leave everything as it is."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Start at a solution, and at the multipliers that leave the least residual."""
        for v, value in zip(self._state, np.ravel(solution.state), strict=True):
            v.set_value(float(value))
        if self._rows:
            self._start_multipliers()

    def _start_multipliers(self) -> None:
        """Solve for the multipliers of the rows that are active, in the least-squares sense."""
        model = self.model
        multipliers = [model.multiplier[j] for j in range(len(self._rows))]
        for multiplier in multipliers:
            multiplier.set_value(0.0)
        residual = np.array([pyo.value(model.stationarity[v].body) for v in model.stationarity])
        columns = np.zeros((len(residual), len(multipliers)))
        for j, multiplier in enumerate(multipliers):
            multiplier.set_value(1.0)
            with_one = [pyo.value(model.stationarity[v].body) for v in model.stationarity]
            columns[:, j] = np.array(with_one) - residual
            multiplier.set_value(0.0)
        low = np.array([0.0 if row.side is not None else -np.inf for row in self._rows])
        slack = np.array([abs(pyo.value(row.body)) for row in self._rows])
        high = np.where((low < 0) | (slack <= ACTIVE * (1 + slack.max())), np.inf, 1e-300)
        found = lsq_linear(columns, -residual, bounds=(low, high)).x
        for multiplier, value in zip(multipliers, found, strict=True):
            multiplier.set_value(float(value))

    def violation(self) -> float:
        """Return the largest complementarity product."""
        return max((abs(pyo.value(pair.product)) for pair in self.pairs.values()), default=0.0)


ACTIVE = 1e-6  # relative; of a slack that is zero


def _objective(block: Any) -> Any:
    """Return what the follower minimises, and deactivate its objective."""
    objectives = list(block.component_data_objects(pyo.Objective, active=True))
    if len(objectives) != 1:
        raise ValueError(f"write_follower gave {len(objectives)} objectives, expected one")
    objectives[0].deactivate()
    return objectives[0].expr if objectives[0].sense == pyo.minimize else -objectives[0].expr


# kkt(learning model, model, problem, unit, baseline, relaxation="scholtes"): Conditions.
kkt: Capability[Conditions] = Capability("kkt", FollowerConditions, needs=write_follower)
