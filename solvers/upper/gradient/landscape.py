"""What the gradient methods have in common: whom they refuse, and what they climb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from bilad.models.learning.learning_model import smoothed
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import KERNELS
from bilad.models.validation import ArgumentError, one_of, real_array, real_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.upper.gradient.surrogate import (
    SmoothedSurrogate,
    SolutionSurrogate,
    Surrogate,
)

KERNEL = "exponential"
WIDTHS = (0.3, 0.1, 0.03, 0.01)
SMOOTHING = 0.3
DERIVATIVES = ("both", "smoothed", "solution")


@dataclass(frozen=True)
class Climb:
    """A surrogate, and the widths through which it is sharpened."""

    surrogate: Surrogate
    widths: Sequence[float]


def refusal(problem: BilevelProblem) -> str | None:
    """Say why these methods cannot take the problem, or None."""
    return problem.deviation.smoothing_refusal()


@dataclass(frozen=True)
class Landscape:
    """What is climbed, as the options say; checked when made.

    Parameters
    ----------
    kernel : {"exponential", "rational"}
    widths : sequence of float
        From wide to narrow, > 0, in units of the typical distance between points of the solution
        (`length_unit`).
    smoothing : float
        mu / w of the smoothed lower level, > 0.
    derivative : {"both", "smoothed", "solution"}
        Through which lower level; with "both" they take turns. A learning model without a smoothed
        one has the solution's own only.
    """

    kernel: str = KERNEL
    widths: ArrayLike = WIDTHS
    smoothing: float = SMOOTHING
    derivative: str = "both"

    def __post_init__(self) -> None:
        one_of(self.kernel, "kernel", KERNELS)
        one_of(self.derivative, "derivative", DERIVATIVES)
        real_number(self.smoothing, "smoothing", above=0.0)
        if not self.annealing or min(self.annealing) <= 0:
            raise ArgumentError("widths", self.annealing, "positive numbers, at least one")

    @property
    def annealing(self) -> list[float]:
        """The widths."""
        return real_array(self.widths, "widths", (None,)).tolist()

    def climbs(self, lower: LowerLevel) -> list[Climb]:
        """Return what successive ascents climb, in turns.

        Through either lower level, first from the widest, then through the narrower half of the
        widths only: wide ones lead to merged clusters, from any start to much the same, narrow
        ones find what is near.
        """
        widths, surrogates = self.annealing, self.surrogates(lower)
        whole = [Climb(surrogate, widths) for surrogate in surrogates]
        narrow = [Climb(surrogate, widths[len(widths) // 2 :]) for surrogate in surrogates]
        return whole + narrow

    def surrogates(self, lower: LowerLevel) -> list[Surrogate]:
        """Return the surrogates of one attack."""
        found: list[Surrogate] = []
        has_smoothed = smoothed.supports(lower.problem.model)
        if self.derivative != "solution" and has_smoothed:
            found.append(SmoothedSurrogate(lower, self.kernel, self.smoothing))
        if self.derivative != "smoothed" or not has_smoothed:
            found.append(SolutionSurrogate(lower, self.kernel))
        return found
