"""Projected gradient ascent in the ball of a problem, with a line search or with fixed steps.

Steps are taken along the direction of steepest ascent in the problem's own norm, and their lengths
are relative to the radius. The units of the deviation, of eps and of the data have no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models.problem import BilevelProblem, steepest
from bilad.models.validation import FloatArray
from bilad.solvers.upper.gradient.objective import Objective

GROWTH, SHRINKAGE = 2.0, 0.25  # factors of the length after a step that ascends, and otherwise
SHORTEST = 1e-3  # length, relative to the radius, at which the ascent with one width ends
LONGEST = 2.0
RENEWED = 0.25  # least length at the beginning of each width, relative to the first length


def projected_step(problem: BilevelProblem, eps: FloatArray, step: FloatArray) -> FloatArray:
    """Return eps + step, clipped to the bounds and then scaled back into the ball."""
    return problem.project(np.clip(eps + step, *problem.box))


@dataclass(frozen=True)
class LineSearchAscent:
    """Projected gradient ascent in which a step that does not increase the objective is shortened.

    Parameters
    ----------
    steps : int
        Number of trial steps for each width.
    step : float
        First length, relative to the radius.
    """

    steps: int
    step: float

    def __call__(
        self,
        objective: Objective,
        problem: BilevelProblem,
        start: FloatArray,
        widths: Sequence[float],
    ) -> FloatArray:
        """Ascend from a start (k,) with one width after another; return the last point."""
        eps, length = start, self.step
        for width in widths:
            length = max(length, RENEWED * self.step)
            here = objective.at(eps, width)
            for _ in range(self.steps):
                direction = steepest(problem, eps, here.gradient)
                trial = projected_step(problem, eps, length * problem.radius * direction)
                if length < SHORTEST or np.array_equal(trial, eps):
                    break
                there = objective.at(trial, width)
                if there.value > here.value:
                    eps, here, length = trial, there, min(GROWTH * length, LONGEST)
                else:
                    length *= SHRINKAGE
        return eps


@dataclass(frozen=True)
class FixedStepAscent:
    """Projected steps of one length, with momentum; the value of the objective is not used.

        g <- decay g + gradient / ||gradient||_1,        eps <- P(eps + step steepest(g))

    Parameters
    ----------
    steps : int
        Number of steps in all; they are divided equally among the widths.
    step : float
        Length, relative to the radius.
    decay : float
        Decay factor of the momentum; 0 means no momentum.
    """

    steps: int
    step: float
    decay: float

    def __call__(
        self,
        objective: Objective,
        problem: BilevelProblem,
        start: FloatArray,
        widths: Sequence[float],
    ) -> FloatArray:
        """Ascend from a start (k,) with one width after another; return the last point."""
        eps, momentum = start, np.zeros_like(start)
        for done in range(self.steps):
            gradient = objective.at(eps, widths[done * len(widths) // self.steps]).gradient
            total = float(np.abs(gradient).sum()) or 1.0
            momentum = self.decay * momentum + gradient / total
            direction = steepest(problem, eps, momentum)
            eps = projected_step(problem, eps, self.step * problem.radius * direction)
        return eps
