"""The ways to climb: by projected gradients with a line search, with fixed steps, with momentum.

Every step has a length in the problem's own norm, in units of the radius, along the direction of
steepest ascent in that norm: the unit of the deviation, of eps and of the data do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.upper.gradient.steps import moved, steepest
from bilad.solvers.upper.gradient.surrogate import Surrogate

GROWTH, SHRINKAGE = 2.0, 0.25  # of the length, after a step that climbs and one that does not
SHORTEST = 1e-3  # length, in units of the radius, at which a width is done
LONGEST = 2.0
RENEWED = 0.25  # of the first length, with which each width begins at least


@dataclass(frozen=True)
class LineSearch:
    """Projected gradient ascent; a step that does not climb is shortened.

    Parameters
    ----------
    steps : int
        Trial steps for each width.
    step : float
        First length, in units of the radius.
    """

    steps: int
    step: float

    def __call__(
        self,
        surrogate: Surrogate,
        problem: BilevelProblem,
        start: FloatArray,
        widths: Sequence[float],
    ) -> FloatArray:
        """Climb from a start (k,) through the widths; return where it ended."""
        eps, length = start, self.step
        for width in widths:
            length = max(length, RENEWED * self.step)
            slope = surrogate.at(eps, width)
            for _ in range(self.steps):
                direction = steepest(problem, eps, slope.gradient)
                trial = moved(problem, eps, length * problem.radius * direction)
                if length < SHORTEST or np.array_equal(trial, eps):
                    break
                seen = surrogate.at(trial, width)
                if seen.value > slope.value:
                    eps, slope, length = trial, seen, min(GROWTH * length, LONGEST)
                else:
                    length *= SHRINKAGE
        return eps


@dataclass(frozen=True)
class FixedSteps:
    """Steps of one length, whether they climb or not, with or without momentum.

        g <- decay g + gradient / ||gradient||_1,        eps <- P(eps + step steepest(g))

    Parameters
    ----------
    steps : int
        In all; the widths share them.
    step : float
        Length, in units of the radius.
    decay : float
        Of the momentum; 0 for none.
    """

    steps: int
    step: float
    decay: float

    def __call__(
        self,
        surrogate: Surrogate,
        problem: BilevelProblem,
        start: FloatArray,
        widths: Sequence[float],
    ) -> FloatArray:
        """Climb from a start (k,) through the widths; return where it ended."""
        eps, momentum = start, np.zeros_like(start)
        for done in range(self.steps):
            gradient = surrogate.at(eps, widths[done * len(widths) // self.steps]).gradient
            total = float(np.abs(gradient).sum()) or 1.0
            momentum = self.decay * momentum + gradient / total
            direction = steepest(problem, eps, momentum)
            eps = moved(problem, eps, self.step * problem.radius * direction)
        return eps
