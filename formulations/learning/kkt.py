"""KKT conditions of support vector machines: the relaxation "smoothing" without multipliers.

The positive part in the loss is smoothed with the width t, so that the lower level has no
inequalities and its KKT conditions are

    penalty theta + sum_i l_t'(y_i, z_i) x_i = 0,        z_i = x_i'theta.

Other relaxations are applied to the complementarity constraints of the loss written with slacks.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from bilad.formulations.kkt import FollowerConditions, kkt
from bilad.formulations.leader import set_parameter
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.svm import SupportVectorMachine
from bilad.models.problem import BilevelProblem


@kkt.register(SupportVectorMachine)
class MarginConditions(FollowerConditions):
    """KKT conditions of a support vector machine.

    Parameters
    ----------
    lower, model, problem, unit, baseline, relaxation
        As in `FollowerConditions`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        With "smoothing" it has the parameter `smoothing_width`, and no complementarities.
    """

    def __init__(
        self,
        lower: SupportVectorMachine,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        relaxation: str = "smoothing",
    ) -> None:
        model.smoothing_width = pyo.Var(initialize=1.0)
        model.smoothing_width.fix()  # for the follower it is a constant
        if relaxation == "smoothing":
            lower = lower.with_smoothing(model.smoothing_width)
        super().__init__(lower, model, problem, unit, baseline, relaxation)
        model.smoothing_width.unfix()
        set_parameter(model.smoothing_width, 1.0)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the width of the smoothed positive part."""
        set_parameter(self.model.smoothing_width, stage.relaxation)

    def violation(self) -> float:
        """Return the largest complementarity product, or the width if there is none."""
        return super().violation() if self.pairs else float(self.model.smoothing_width.value)
