"""What replaces the lower level in a single-level model, whatever the learning model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bilad.formulations.complementarity import Complementarity
from bilad.formulations.schedule import ScheduleStage
from bilad.models.smooth_deviation import SmoothDeviation
from bilad.models.validation import FloatArray


class Conditions(Protocol):
    """Constraints that force the state to solve the lower level as t goes to 0.

    Made by a capability of the learning model, such as `bilad.formulations.kkt.kkt`, from

        model     the Pyomo model, with `eps`, `t` and `width`, to which they are added
        problem   the bilevel problem
        unit      of length, of the state
        baseline  the solution at eps = 0

    Attributes
    ----------
    pairs : mapping of (int, int) to Complementarity
        The complementarities, if the conditions are made of such.
    """

    @property
    def pairs(self) -> Mapping[tuple[int, int], Complementarity]:
        """The complementarities, by constraint and number."""

    def variables(self) -> Sequence[Any]:
        """Return the state, entry by entry in the order of its `ravel()`."""

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation without terms that no eps changes; add what it is made of."""

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression of ||x_i - x_j||^2, for rows i < j of the state."""

    def penalty(self, scale: float) -> Any:
        """Return a penalty on the lower level's violation, 0 unless a relaxation asks for one.

        Parameters
        ----------
        scale : float
            The largest value of the objective.
        """

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set what depends on the stage, besides `t` and `width`."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Give the variables the values of a lower-level solution at eps."""

    def violation(self) -> float:
        """Return how far the current point is from solving the lower level, without unit, >= 0."""
