"""PGD (Madry et al., 2018): projected gradient steps of one length, from random starts.

Steps go along steepest ascent in the problem's own norm, signs only if it is inf, and are
projected on its ball. The surrogate's value is never looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.problem import BilevelProblem
from bilad.models.validation import real_number, whole_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.gradient.ascents import FixedSteps
from bilad.solvers.upper.gradient.landscape import KERNEL, SMOOTHING, WIDTHS, Landscape
from bilad.solvers.upper.gradient.restarts import restarted

STEPS = 12
REACH = 3.0  # sum of all steps, in units of the radius: enough to cross the ball


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    step: float | None = None,
    widths: ArrayLike = WIDTHS,
    smoothing: float = SMOOTHING,
    kernel: str = KERNEL,
    derivative: str = "both",
    restarts: int | None = None,
) -> Work:
    """Take projected gradient steps of one length.

    Parameters
    ----------
    steps : int, default 12
        Of an ascent; the widths share them.
    step : float, optional
        Length of a step, > 0, in the problem's norm and in units of the radius; 3 / steps by
        default.
    widths, smoothing, kernel, derivative, restarts
        As for "hypergradient".
    """
    landscape = Landscape(kernel, widths, smoothing, derivative)
    return restarted(rng, restarts, landscape, fixed_steps(steps, step, decay=0.0))


def fixed_steps(steps: int, step: float | None, decay: float) -> FixedSteps:
    """Check the options, and return the ascent."""
    count = whole_number(steps, "steps", least=1)
    length = REACH / count if step is None else real_number(step, "step", above=0.0)
    return FixedSteps(count, length, real_number(decay, "decay", least=0.0))
