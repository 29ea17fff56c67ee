"""What a gradient method climbs: a smooth deviation, as a function of eps.

Two lower levels can stand between. Both cost one `lower.evaluate(eps)`, which is counted, and
scores the eps by the true deviation.

"smoothed": U_w of the state of a lower level that is smooth, with mu in proportion to w. For convex
clustering fused points are a little apart there, so there is a slope along which a cluster tears.
It is solved besides the evaluation: one solve in `max_solves` is then two, of the true and of the
smoothed lower level.

"solution": U_w of the solution's own state, by its implicit derivative. Fused points feel nothing:
it moves clusters and what has parted already, from an eps where something has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from bilad.models.learning.learning_model import LearningModel, adjoint, smoothed
from bilad.models.smooth_deviation import length_unit
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel


@dataclass(frozen=True)
class Slope:
    """The surrogate at one eps: its value and its gradient, shape (k,)."""

    value: float
    gradient: FloatArray


class Surrogate(Protocol):
    """A smooth function of eps, the sharper the smaller the width."""

    def at(self, eps: FloatArray, width: float) -> Slope:
        """Return value and gradient at eps (k,); the width > 0 is in units of `length_unit`.

        Raises
        ------
        BudgetSpentError
            If the limit on solves or on time has come.
        """


class SolutionSurrogate:
    """U_w of the solution's state.

    Parameters
    ----------
    lower : LowerLevel
    kernel : str
        Of the smooth deviation.
    """

    def __init__(self, lower: LowerLevel, kernel: str) -> None:
        self._lower = lower
        baseline, problem = lower.baseline, lower.problem
        self._unit = length_unit(baseline.state, problem.model.data)
        self._deviation = problem.deviation.smoothed(baseline.outcome, kernel)

    def at(self, eps: FloatArray, width: float) -> Slope:
        """Return value and gradient at eps."""
        solution = self._lower.solve(eps)
        return self._slope(self._model(eps), solution, width * self._unit)

    def _model(self, eps: FloatArray) -> LearningModel:
        return self._lower.problem.perturbation.apply(self._lower.problem.model, eps)

    def _slope(self, model: LearningModel, solution: Any, width: float) -> Slope:
        """Carry the slope in the state to eps by the adjoint, one linear system."""
        problem = self._lower.problem
        value, direction = self._deviation.at(solution.state, width)
        parts = adjoint(model, solution, direction, tuple(problem.perturbation.operators))
        return Slope(value, problem.gradient(parts))


class SmoothedSurrogate(SolutionSurrogate):
    """U_w of the state of the smoothed lower level.

    Parameters
    ----------
    lower, kernel
        As in `SolutionSurrogate`.
    smoothing : float
        mu / w.
    """

    def __init__(self, lower: LowerLevel, kernel: str, smoothing: float) -> None:
        super().__init__(lower, kernel)
        self._smoothing = smoothing
        self._last: Any = None

    def at(self, eps: FloatArray, width: float) -> Slope:
        """Return value and gradient at eps."""
        self._lower.evaluate(eps)
        self._lower.seconds_left()
        model, w = self._model(eps), width * self._unit
        self._last = smoothed(model, self._smoothing * w, self._last, self._lower.deadline)
        return self._slope(model, self._last, w)
