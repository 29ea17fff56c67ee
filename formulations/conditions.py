"""The interface of optimality conditions that replace the lower level, for any learning model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bilad.formulations.complementarity import Complementarity
from bilad.formulations.schedule import ScheduleStage
from bilad.models.smooth_deviation import SmoothDeviation
from bilad.models.validation import FloatArray


class Conditions(Protocol):
    """Constraints that force the state to solve the lower level as t tends to 0.

    The state is the array of lower-level variables. Conditions are created by a capability of the
    learning model, such as `bilad.formulations.kkt.kkt`, from the arguments

        model     the Pyomo model with the variables `eps`, `t` and `width`, which is extended
        problem   the bilevel problem
        unit      the unit of length of the state
        baseline  the lower-level solution at eps = 0

    Attributes
    ----------
    pairs : mapping of (int, int) to Complementarity
        The complementarity constraints; empty if the conditions have none.
    """

    @property
    def pairs(self) -> Mapping[tuple[int, int], Complementarity]:
        """The complementarity constraints, by the index of the constraint and a counter."""

    def variables(self) -> Sequence[Any]:
        """Return the variables of the state in the order of its `ravel()`."""

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation without its constant terms, and add what its terms need."""

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression for ||x_i - x_j||^2, where x_i, x_j are rows i < j of the state."""

    def penalty(self, scale: float) -> Any:
        """Return the penalty term of the objective: 0 unless the relaxation is a penalty method.

        Parameters
        ----------
        scale : float
            The largest value of the objective.
        """

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set all parameters of a stage except `t` and `width`."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the variables to a lower-level solution at eps."""

    def violation(self) -> float:
        """Return the violation of lower-level optimality at this point: dimensionless, >= 0."""
