"""The smooth objectives of the gradient methods: a smoothed deviation as a function of eps.

U_w denotes the smooth deviation of width w. It can be evaluated at two lower-level solutions:

"smoothed"
    The minimiser of a smoothed lower level, whose smoothing parameter mu is proportional to w. For
    convex clustering its fused points differ slightly, so the gradient also shows how a cluster
    can be split. `max_solves` does not count the solves of the smoothed lower level; the time
    limit does.
"solution"
    The lower-level solution itself, with its implicit derivative. The derivative is zero for
    fused points, so this objective moves clusters and points that are already separate.

`evaluate` records the true deviation at an eps, and counts its solve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import ArrayLike

from bilad.models.learning.learning_model import LearningModel, adjoint, smoothed
from bilad.models.smooth_deviation import KERNELS, width_unit
from bilad.models.validation import ArgumentError, FloatArray, one_of, real_array, real_number
from bilad.solvers.bilevel.oracle import LowerLevel

DERIVATIVES = ("both", "smoothed", "solution")


@dataclass(frozen=True)
class ValueAndGradient:
    """The value of an objective at one eps, and its gradient, shape (k,)."""

    value: float
    gradient: FloatArray


class Objective(Protocol):
    """A smooth function of eps, which approaches the deviation as the width goes to zero."""

    def at(self, eps: FloatArray, width: float) -> ValueAndGradient:
        """Return value and gradient at eps (k,); the width > 0 is in units of `width_unit`.

        Raises
        ------
        BudgetSpentError
            If the limit on solves or on time is reached.
        """

    def evaluate(self, eps: FloatArray) -> None:
        """Evaluate the true deviation at eps, which counts a solve and records the attack."""


class SolutionObjective:
    """The smooth deviation of the lower-level solution.

    Parameters
    ----------
    lower : LowerLevel
    kernel : str
        The kernel of the smooth deviation.
    """

    def __init__(self, lower: LowerLevel, kernel: str) -> None:
        self._lower = lower
        baseline, problem = lower.baseline, lower.problem
        self._deviation = problem.deviation.smoothed(baseline.outcome, kernel)
        self._unit = width_unit(self._deviation, baseline.state, problem.model.data)

    def evaluate(self, eps: FloatArray) -> None:
        """Evaluate the true deviation."""
        self._lower.evaluate(eps)

    def at(self, eps: FloatArray, width: float) -> ValueAndGradient:
        """Return value and gradient at eps."""
        solution = self._lower.solve(eps)
        return self._differentiate(self._model(eps), solution, width * self._unit)

    def _model(self, eps: FloatArray) -> LearningModel:
        return self._lower.problem.perturbation.apply(self._lower.problem.model, eps)

    def _differentiate(self, model: LearningModel, solution: Any, width: float) -> ValueAndGradient:
        """Compute the gradient in eps by the adjoint method, which solves one linear system."""
        problem = self._lower.problem
        value, direction = self._deviation.at(solution.state, width)
        parts = adjoint(model, solution, direction, tuple(problem.perturbation.operators))
        return ValueAndGradient(value, problem.gradient(parts))


class SmoothedObjective(SolutionObjective):
    """The smooth deviation of the minimiser of the smoothed lower level.

    Parameters
    ----------
    lower, kernel
        As in `SolutionObjective`.
    smoothing : float
        The ratio mu / w.
    """

    def __init__(self, lower: LowerLevel, kernel: str, smoothing: float) -> None:
        super().__init__(lower, kernel)
        self._smoothing = smoothing
        self._last: Any = None

    def at(self, eps: FloatArray, width: float) -> ValueAndGradient:
        """Return value and gradient at eps."""
        self._lower.seconds_left()
        model, w = self._model(eps), width * self._unit
        self._last = smoothed(model, self._smoothing * w, self._last, self._lower.deadline)
        return self._differentiate(model, self._last, w)


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """The options of the smoothing, which all gradient methods share; they are checked here.

    Parameters
    ----------
    widths : sequence of float, default (0.3, 0.1, 0.03, 0.01)
        Decreasing widths > 0 of the smooth deviation, in units of the typical distance between
        points of the solution (`width_unit`). Every other pair of ascents uses the second half of
        the sequence only.
    smoothing : float, default 0.3
        Smoothing parameter of the lower level, > 0, relative to the width.
    kernel : {"exponential", "rational"}, default "exponential"
        The kernel of the smooth deviation.
    derivative : {"both", "smoothed", "solution"}, default "both"
        The lower level through which the deviation is differentiated; "both" alternates. For a
        learning model without a smoothed lower level it is always the solution itself.

    Raises
    ------
    ArgumentError
        If an option is wrong.
    """

    widths: ArrayLike = (0.3, 0.1, 0.03, 0.01)
    smoothing: float = 0.3
    kernel: str = "exponential"
    derivative: str = "both"

    def __post_init__(self) -> None:
        one_of(self.kernel, "kernel", KERNELS)
        one_of(self.derivative, "derivative", DERIVATIVES)
        real_number(self.smoothing, "smoothing", above=0.0)
        if not self.sequence or min(self.sequence) <= 0:
            raise ArgumentError("widths", self.sequence, "positive numbers, at least one")

    @property
    def sequence(self) -> list[float]:
        """The widths as a list."""
        return real_array(self.widths, "widths", (None,)).tolist()

    def schedules(self, lower: LowerLevel) -> list[tuple[Objective, Sequence[float]]]:
        """Return the objective and the widths of successive ascents, which are used cyclically.

        Each objective is maximised through all widths first, and then through the smaller half of
        them: large widths lead to merged clusters, and to almost the same point from every start;
        small ones lead to a local maximum near the start.
        """
        widths, objectives = self.sequence, self.objectives(lower)
        narrow = widths[len(widths) // 2 :]
        return [(objective, part) for part in (widths, narrow) for objective in objectives]

    def objectives(self, lower: LowerLevel) -> list[Objective]:
        """Return the objectives of one attack."""
        found: list[Objective] = []
        has_smoothed = smoothed.supports(lower.problem.model)
        if self.derivative != "solution" and has_smoothed:
            found.append(SmoothedObjective(lower, self.kernel, self.smoothing))
        if self.derivative != "smoothed" or not has_smoothed:
            found.append(SolutionObjective(lower, self.kernel))
        return found
