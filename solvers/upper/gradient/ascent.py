"""Projected gradient ascent in the ball of a problem, with a line search or with fixed steps.

Lengths are relative to the radius. The units of the deviation, of eps and of the data have no
effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from bilad.models.problem import BilevelProblem, steepest
from bilad.models.validation import FloatArray
from bilad.solvers.upper.gradient.objective import Objective

GROWTH, LONGEST = 4.0, 100.0  # of s g where the objective is not concave; its largest norm
SHRINKAGE, SHORTEST = 0.25, 1e-3  # of a step that does not ascend; the least share of it
MEMORY, ARMIJO = 5, 1e-4
FLAT = 1e-6  # slope, relative to the value, at which the ascent with one width ends


def projected_step(problem: BilevelProblem, eps: FloatArray, step: FloatArray) -> FloatArray:
    """Return eps + step, clipped to the bounds and then scaled back into the ball."""
    return problem.project(np.clip(eps + step, *problem.box))


def nearest(problem: BilevelProblem, eps: FloatArray) -> FloatArray:
    """Return the admissible point that is nearest to eps in the Euclidean norm: shape (k,).

    It is eps scaled (2-norm) or soft-thresholded (1-norm), and then clipped to its bounds, for the
    one parameter with which it lies on the sphere.
    """
    size, largest = np.abs(eps), float(np.abs(eps).max(initial=0.0))

    def shortened(share: float) -> FloatArray:
        by_one = np.sign(eps) * np.maximum(size - (1.0 - share) * largest, 0.0)
        return np.clip(by_one if problem.norm == 1 else share * eps, *problem.box)

    share = 1.0
    if problem.size(shortened(share)) > problem.radius:
        share = brentq(lambda part: problem.size(shortened(part)) / problem.radius - 1, 0, 1)
    return problem.project(shortened(share))


@dataclass(frozen=True)
class SpectralAscent:
    """Spectral projected gradient ascent with a nonmonotone line search.

        d = P(eps + s g) - eps,        eps <- eps + t d,        0 < t <= 1,

    where g is the gradient, P the projection on the admissible set, and s the inverse of the
    curvature along the last step (Birgin, Martinez and Raydan, SIAM J. Optim. 10(4), 2000). t is
    divided by 4 until the value exceeds the least of the last five values. Between the widths, the
    true deviation is evaluated.

    Parameters
    ----------
    steps : int
        Number of trial points for each width.
    step : float
        Norm of the first s g, relative to the radius.
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
        eps = start
        for width in widths:
            eps = self._ascend(objective, problem, eps, width)
            objective.evaluate(eps)
        return eps

    def _ascend(
        self, objective: Objective, problem: BilevelProblem, eps: FloatArray, width: float
    ) -> FloatArray:
        """Return the best point for one width; lengths are relative to the radius."""
        radius, here = problem.radius, objective.at(eps, width)
        scale = self.step / (problem.size(radius * here.gradient) or 1.0)
        best, values, share = (here.value, eps), [here.value], 1.0
        for _ in range(self.steps):
            gradient = radius * here.gradient
            if share == 1.0:
                scale = min(scale, LONGEST / (problem.size(gradient) or 1.0))
                direction = (nearest(problem, eps + radius * scale * gradient) - eps) / radius
                slope = float(gradient @ direction)
            if share < SHORTEST or not slope > FLAT * abs(here.value):
                break
            trial = problem.project(eps + share * radius * direction)
            there = objective.at(trial, width)
            if not there.value >= min(values[-MEMORY:]) + ARMIJO * share * slope:
                share *= SHRINKAGE
                continue
            change = float((gradient - radius * there.gradient) @ direction)
            scale = share * float(direction @ direction) / change if change > 0 else GROWTH * scale
            eps, here, share = trial, there, 1.0
            values.append(here.value)
            best = max(best, (here.value, eps), key=lambda pair: pair[0])
        return best[1]


@dataclass(frozen=True)
class FixedStepAscent:
    """Projected steps of one length, with momentum; the value of the objective is not used.

    The direction is that of steepest ascent in the problem's own norm.

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
            objective.evaluate(eps)
            gradient = objective.at(eps, widths[done * len(widths) // self.steps]).gradient
            total = float(np.abs(gradient).sum()) or 1.0
            momentum = self.decay * momentum + gradient / total
            direction = steepest(problem, eps, momentum)
            eps = projected_step(problem, eps, self.step * problem.radius * direction)
        return eps
