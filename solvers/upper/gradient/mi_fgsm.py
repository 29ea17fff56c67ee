"""MI-FGSM (Dong et al., CVPR 2018): PGD along the momentum of the gradients.

g <- decay g + gradient / ||gradient||_1,        eps <- P(eps + step steepest(g))

steepest and P are those of the problem's own norm: signs and clipping if it is inf.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.problem import BilevelProblem
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.gradient.landscape import KERNEL, SMOOTHING, WIDTHS, Landscape
from bilad.solvers.upper.gradient.pgd import STEPS, fixed_steps
from bilad.solvers.upper.gradient.restarts import restarted

DECAY = 1.0


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    step: float | None = None,
    decay: float = DECAY,
    widths: ArrayLike = WIDTHS,
    smoothing: float = SMOOTHING,
    kernel: str = KERNEL,
    derivative: str = "both",
    restarts: int | None = None,
) -> Work:
    """Take projected steps of one length along the momentum.

    Parameters
    ----------
    decay : float, default 1
        Of the momentum, from 0 on.
    steps, step
        As for "pgd". In the paper, which starts at eps = 0 only, step = 1 / steps.
    widths, smoothing, kernel, derivative, restarts
        As for "hypergradient".
    """
    landscape = Landscape(kernel, widths, smoothing, derivative)
    return restarted(rng, restarts, landscape, fixed_steps(steps, step, decay))
