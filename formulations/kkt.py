"""KKT conditions of a convex lower level that the learning model writes as a Pyomo block.

They are those of any follower (`KktSystem`). Convex clustering registers conditions of its own,
which exploit its structure.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from bilad.formulations.complementarity import RELAXATIONS, penalty, relax
from bilad.formulations.conditions import Conditions
from bilad.formulations.follower_state import FollowerState, errors_of_follower
from bilad.formulations.kkt_system import KktSystem
from bilad.models.learning.capability import Capability
from bilad.models.learning.learning_model import LearningModel, write_follower
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


class FollowerConditions(FollowerState):
    """KKT conditions of a follower, with relaxed complementarity constraints.

    Parameters
    ----------
    lower, model, problem, baseline
        As in `FollowerState`.
    unit
        As in `Conditions`.
    relaxation : str, default "smoothing"
        A key of `RELAXATIONS`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its new components are the block `follower`, with inactive objective; those of `KktSystem`;
        and the constraints `relaxed[j, 0, q]`.
    system : KktSystem

    Raises
    ------
    CapabilityError
        See `FollowerState`; also if the objective is unbounded, because it is linear in a variable
        that no constraint contains.
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
        super().__init__(lower, model, problem, baseline)
        self._relaxation = RELAXATIONS[relaxation]
        with errors_of_follower():
            self.system = KktSystem(model, self.follower.program)
        self.pairs = {(j, 0): pair for j, pair in self.system.pairs.items()}
        relax(model, self.pairs, self._relaxation)

    def penalty(self, scale: float) -> Any:
        """Return `scale / (number of pairs)` times the sum of the penalty terms of all pairs."""
        total = penalty(self.model, self.pairs.values(), self._relaxation)
        return scale / max(len(self.pairs), 1) * total

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the state to a solution, and choose multipliers that minimise the KKT residual."""
        self.set_solution(solution)
        self._start_multipliers()

    def _start_multipliers(self) -> None:
        found = self.multipliers()
        for multiplier, value in zip(self.system.multipliers, found, strict=True):
            multiplier.set_value(float(value), skip_validation=True)
        self.system.start_slacks()

    def violation(self) -> float:
        """Return the largest complementarity product."""
        return max((abs(pyo.value(pair.product)) for pair in self.pairs.values()), default=0.0)


# kkt(learning model, model, problem, unit, baseline, relaxation="scholtes"): Conditions.
kkt: Capability[Conditions] = Capability("kkt", FollowerConditions, needs=write_follower)
