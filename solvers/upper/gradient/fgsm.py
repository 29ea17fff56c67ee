"""FGSM (Goodfellow, Shlens and Szegedy, 2015): one step of the budget's size from eps = 0.

    eps = P(a steepest(gradient at 0)),    a sign(gradient) if the norm is inf

One step for each width and each derivative, since no one width suits all problems; at most eight
with the default options. Where a gradient vanishes there is no step, as sign(0) = 0: if all do,
"no attack found". The gradients, all at eps = 0, are not counted as solves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.problem import BilevelProblem
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Journal, Work
from bilad.solvers.upper.gradient.landscape import KERNEL, SMOOTHING, WIDTHS, Landscape
from bilad.solvers.upper.gradient.restarts import finish
from bilad.solvers.upper.gradient.steps import moved, steepest


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    widths: ArrayLike = WIDTHS,
    smoothing: float = SMOOTHING,
    kernel: str = KERNEL,
    derivative: str = "both",
) -> Work:
    """Take one step for each width; for (BL2) it names a ray, along which the attack is shortened.

    Parameters
    ----------
    widths, smoothing, kernel, derivative
        As for "hypergradient".
    """
    landscape = Landscape(kernel, widths, smoothing, derivative)

    def work(lower: LowerLevel, journal: Journal) -> None:
        zero = np.zeros(problem.perturbation.dim)
        surrogates = landscape.surrogates(lower)
        total = len(surrogates) * len(landscape.annealing)
        for done, width in enumerate(landscape.annealing * len(surrogates)):
            slope = surrogates[done // len(landscape.annealing)].at(zero, width)
            direction = steepest(problem, zero, slope.gradient)
            finish(lower, moved(problem, zero, problem.radius * direction))
            journal.progress(done + 1, total)

    return work
