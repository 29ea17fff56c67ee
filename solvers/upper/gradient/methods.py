"""The gradient methods: projected ascent of a smoothed deviation, from several starts.

The first ascent starts at eps = 0, the others at random points, since the gradient may vanish at 0.
The true deviation is evaluated at the end of each width of "hypergradient", and at every point of
the other methods.

(BL1) A line search along the ray through the end of each ascent follows it.

(BL2) Every ascent maximises the deviation within a ball, as for (BL1). The first ascent uses
increasing balls until an attack is found. From then on the ball is that of the best attack, since
no eps outside it is better, and every other ascent starts at the best attack. As long as there is
no attack, the radius of the ball is random. The end of an ascent defines a ray: an attack on it is
shortened by bisection if it is better than the best, and the ray is searched from eps = 0 on as
long as no attack is known (`try_direction`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bilad.models.problem import BilevelProblem, steepest
from bilad.models.validation import FloatArray, real_number, whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.upper.coordinate_search import try_direction
from bilad.solvers.upper.gradient.ascent import (
    FixedStepAscent,
    SpectralAscent,
    projected_step,
)
from bilad.solvers.upper.gradient.objective import Objective, Smoothing
from bilad.solvers.upper.line_search import line_search
from bilad.solvers.upper.method import keywords
from bilad.solvers.upper.multistart import check_restarts, multistart

INCREASING = np.geomspace(1e-3, 1.0, 9)  # (BL2) radii of the first ascent, relative to the limit
FIXED_STEPS = 12
TOTAL_LENGTH = 3.0  # sum of the fixed steps, relative to the radius: they can cross the ball

# Maximises an objective from a start, (k,), within the ball of a problem; returns the last point.
Ascent = Callable[[Objective, BilevelProblem, FloatArray, Sequence[float]], FloatArray]
# Runs a method with the options of its smoothing.
SmoothedRun = Callable[[LowerLevel, Trace, Smoothing, np.random.Generator], None]


@dataclass(frozen=True)
class GradientMethod:
    """A method of the upper level that maximises a smoothed deviation.

    Attributes
    ----------
    make : callable(**options)
        Checks the options, which are its keyword-only parameters, and returns a `SmoothedRun`.
    """

    make: Callable[..., SmoothedRun]
    needs: ClassVar[tuple[str, ...]] = ("adjoint",)
    has_bound: ClassVar[bool] = False

    @property
    def documented(self) -> tuple[Callable[..., Any], ...]:
        """The functions whose docstrings describe the method and its options."""
        return self.make, Smoothing

    @property
    def options(self) -> list[str]:
        """Names of the method's own options, with those of `Smoothing`."""
        return [*keywords(self.make), *keywords(Smoothing)]

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return the reason why the deviation has no smooth form, or None."""
        return problem.deviation.smoothing_refusal()

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Runner:
        """Check the options and return the run of the method."""
        shared = {name: options.pop(name) for name in keywords(Smoothing) if name in options}
        run, smoothing = self.make(**options), Smoothing(**shared)
        return lambda lower, trace: run(lower, trace, smoothing, rng)


def hypergradient(
    *, steps: int = 12, step: float = 0.5, restarts: int | None = None
) -> SmoothedRun:
    """Ascend by spectral projected gradients, in eps alone, on a smoothed deviation.

    The gradient is the implicit derivative of the lower-level solution, and the width of the
    smoothing decreases. The true deviation is evaluated at the end of each width.

    Parameters
    ----------
    steps : int, default 12
        Number of trial points for each width.
    step : float, default 0.5
        Norm of the first step before its projection, > 0, relative to the radius.
    restarts : int, optional
        Number of ascents. The default is 5, or as many as the limits allow if the solves or the
        time are limited. Three ascents in a row without a new lower-level solve end the method in
        any case.

    References
    ----------
    Birgin, Martinez and Raydan, Nonmonotone spectral projected gradient methods on convex sets,
    SIAM J. Optim. 10, 2000.
    """
    length = real_number(step, "step", above=0.0)
    return _restarted(SpectralAscent(whole_number(steps, "steps", least=1), length), restarts)


def pgd(
    *, steps: int = FIXED_STEPS, step: float | None = None, restarts: int | None = None
) -> SmoothedRun:
    """Take projected gradient steps of one length on a smoothed deviation (PGD).

    Parameters
    ----------
    steps : int, default 12
        Number of steps of an ascent; they are divided equally among the widths.
    step : float, optional
        Length of a step, > 0, in the problem's norm and relative to the radius; the default is
        3 / steps.
    restarts : int, optional
        As for "hypergradient".

    References
    ----------
    Madry, Makelov, Schmidt, Tsipras and Vladu, Towards deep learning models resistant to
    adversarial attacks, ICLR 2018.
    """
    return _restarted(_fixed_steps(steps, step, decay=0.0), restarts)


def mi_fgsm(
    *,
    steps: int = FIXED_STEPS,
    step: float | None = None,
    decay: float = 1.0,
    restarts: int | None = None,
) -> SmoothedRun:
    """Take projected steps along the momentum of the gradients (MI-FGSM).

    The paper starts at eps = 0 only and uses step = 1 / steps.

    Parameters
    ----------
    steps, step, restarts
        As for "pgd".
    decay : float, default 1
        Decay factor of the momentum, at least 0.

    References
    ----------
    Dong, Liao, Pang, Su, Zhu, Hu and Li, Boosting adversarial attacks with momentum, CVPR 2018.
    """
    return _restarted(_fixed_steps(steps, step, decay), restarts)


def fgsm() -> SmoothedRun:
    """Take one step of steepest ascent, as long as the budget, from eps = 0 (FGSM).

        eps = P(a steepest(gradient at 0)),    which is a sign(gradient) for the infinity norm

    One step is taken for each width and each objective, since no width suits all problems; by
    default these are eight steps at most. A gradient of zero gives no step, as sign(0) = 0. The
    gradients at eps = 0 are not counted as solves.

    References
    ----------
    Goodfellow, Shlens and Szegedy, Explaining and harnessing adversarial examples, ICLR 2015.
    """
    return _one_step_each


def _fixed_steps(steps: int, step: float | None, decay: float) -> FixedStepAscent:
    count = whole_number(steps, "steps", least=1)
    length = TOTAL_LENGTH / count if step is None else real_number(step, "step", above=0.0)
    return FixedStepAscent(count, length, real_number(decay, "decay", least=0.0))


def _one_step_each(
    lower: LowerLevel, trace: Trace, smoothing: Smoothing, rng: np.random.Generator
) -> None:
    problem = lower.problem
    zero = np.zeros(problem.perturbation.dim)
    steps = list(itertools.product(smoothing.objectives(lower), smoothing.sequence))
    starts = multistart(lower, trace, len(steps), most_idle=math.inf)
    for _, (objective, width) in zip(starts, steps, strict=False):
        direction = steepest(problem, zero, objective.at(zero, width).gradient)
        _search_ray(lower, projected_step(problem, zero, problem.radius * direction))


def _restarted(ascend: Ascent, restarts: int | None) -> SmoothedRun:
    """Return the run that restarts an ascent."""
    most = check_restarts(restarts)

    def run(
        lower: LowerLevel, trace: Trace, smoothing: Smoothing, rng: np.random.Generator
    ) -> None:
        schedules = smoothing.schedules(lower)
        for start in multistart(lower, trace, most):
            objective, widths = schedules[start.number % len(schedules)]
            if start.number == 0:
                end = _first_ascent(lower, ascend, objective, widths)
            else:
                within = _next_ball(lower, rng)
                point = _starting_point(lower, within, rng, start.number)
                end = ascend(objective, within, point, widths)
            _search_ray(lower, end)

    return run


def _first_ascent(
    lower: LowerLevel, ascend: Ascent, objective: Objective, widths: Sequence[float]
) -> FloatArray:
    """Ascend from eps = 0; for (BL2) within increasing balls, until there is an attack."""
    eps = np.zeros(lower.problem.perturbation.dim)
    shares = INCREASING if lower.problem.sense == "min" else [1.0]
    for share in shares:
        within = lower.problem.within(share * lower.problem.radius)
        eps = ascend(objective, within, eps, widths)
        if lower.best is not None and lower.problem.sense == "min":
            return lower.best.eps
    return eps


def _next_ball(lower: LowerLevel, rng: np.random.Generator) -> BilevelProblem:
    """Return the problem in the ball of the next ascent; for (BL1) the ball does not change."""
    if lower.best is not None:
        return lower.problem.improving(lower.best.size)
    return lower.problem.within(lower.problem.radius * INCREASING[0] ** rng.random())


def _starting_point(
    lower: LowerLevel, within: BilevelProblem, rng: np.random.Generator, number: int
) -> FloatArray:
    """Return a random point of the ball; for (BL2) every other time the best attack."""
    if lower.problem.sense == "min" and lower.best is not None and number % 2:
        return lower.best.eps
    return random_point(within, rng)


def random_point(problem: BilevelProblem, rng: np.random.Generator) -> FloatArray:
    """Draw a uniform point of the box, and scale it into the ball."""
    return problem.project(rng.uniform(*problem.box))


def _search_ray(lower: LowerLevel, end: FloatArray) -> None:
    """Search along the ray through the end of an ascent, (k,), with the true deviation."""
    if lower.problem.sense == "min":
        try_direction(lower, end)
    else:
        line_search(lower, [end])
