"""Hypergradient: projected ascent by implicit derivatives, the smoothing annealed.

The deviation is smoothed so that it has a slope, the derivative of the lower level's solution
carries the slope to eps, and the smoothing goes to zero. The true deviation is evaluated at every
trial eps; the surrogate's value only decides whether a step has climbed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.problem import BilevelProblem
from bilad.models.validation import real_number, whole_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.gradient.ascents import LineSearch
from bilad.solvers.upper.gradient.landscape import KERNEL, SMOOTHING, WIDTHS, Landscape
from bilad.solvers.upper.gradient.restarts import restarted

STEPS, STEP = 6, 0.5


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    step: float = STEP,
    widths: ArrayLike = WIDTHS,
    smoothing: float = SMOOTHING,
    kernel: str = KERNEL,
    derivative: str = "both",
    restarts: int | None = None,
) -> Work:
    """Climb with a step length that doubles after a success and is quartered after a failure.

    Parameters
    ----------
    steps : int, default 6
        Trial steps for each width.
    step : float, default 0.5
        First length, > 0, in the problem's norm and in units of the radius.
    widths : sequence of float, default (0.3, 0.1, 0.03, 0.01)
        Of the smooth deviation, in units of the typical distance between points. Every other pair
        of ascents begins at half of the sequence.
    smoothing : float, default 0.3
        Of the lower level, in units of the width.
    kernel : {"exponential", "rational"}, default "exponential"
        Of the smooth deviation.
    derivative : {"both", "smoothed", "solution"}, default "both"
        Of the smoothed lower level, of the lower level's own solution, or in turns.
    restarts : int, optional
        Ascents, from eps = 0 and then random starts; 5, or as many as the limits allow.
    """
    ascend = LineSearch(whole_number(steps, "steps", least=1), real_number(step, "step", above=0.0))
    landscape = Landscape(kernel, widths, smoothing, derivative)
    return restarted(rng, restarts, landscape, ascend)
