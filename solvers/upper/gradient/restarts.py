"""Restarts of a gradient method: an ascent from one start after another, as the limits allow.

The first start is eps = 0, the others are random: at 0 the slope may vanish.

(BL1) Where an ascent ends, a short search along the ray polishes it (`upper.polish`).

(BL2) Every ascent looks for the largest deviation within a ball, as in (BL1). The first goes on
through growing balls until it has met an attack; from then on the ball is that of the best attack,
since what lies outside is no better, and every other ascent starts from that attack. While there
is none, balls are of any size. Where an ascent ends names a direction, which is shortened by
bisection if it beats the best attack, or looked along from its beginning while there is none
(`try_direction`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Journal, Work
from bilad.solvers.upper.coordinate_search import try_direction
from bilad.solvers.upper.gradient.landscape import Climb, Landscape
from bilad.solvers.upper.gradient.steps import random_point
from bilad.solvers.upper.gradient.surrogate import Surrogate
from bilad.solvers.upper.line_search import polish

DEFAULT_RESTARTS = 5  # ascents, where neither solves nor time are limited
GROWING = np.geomspace(1e-3, 1.0, 9)  # (BL2) balls of the first ascent, of the largest eps
IDLE = 3  # ascents in a row that solve nothing new, after which there is no more

# Climbs from a start, (k,), within the ball of a problem, through the widths; returns the end.
Ascent = Callable[[Surrogate, BilevelProblem, FloatArray, Sequence[float]], FloatArray]


def restarted(
    rng: np.random.Generator, restarts: int | None, landscape: Landscape, ascend: Ascent
) -> Work:
    """Return the work of restarting an ascent.

    Parameters
    ----------
    rng : numpy.random.Generator
    restarts : int or None
        Number of ascents; None: 5, or without end if solves or time are limited. In any case
        three ascents in a row without a new solve are the last.
    landscape : Landscape
        What is climbed.
    ascend : Ascent
    """
    given = None if restarts is None else whole_number(restarts, "restarts", least=1)

    def work(lower: LowerLevel, journal: Journal) -> None:
        climbs = landscape.climbs(lower)
        most = given or (math.inf if lower.is_limited else DEFAULT_RESTARTS)
        idle = 0
        for number in itertools.count():
            if number >= most or idle == IDLE:
                return
            solves, climb = lower.solves, climbs[number % len(climbs)]
            if number == 0:
                end = _first(lower, ascend, climb)
            else:
                within = _next_ball(lower, rng)
                start = _start(lower, within, rng, number)
                end = ascend(climb.surrogate, within, start, climb.widths)
            finish(lower, end)
            idle = idle + 1 if lower.solves == solves else 0
            journal.progress(number + 1, int(most) if math.isfinite(most) else number + 2)

    return work


def _first(lower: LowerLevel, ascend: Ascent, climb: Climb) -> FloatArray:
    """Climb from eps = 0; for (BL2) through growing balls, until there is an attack."""
    eps = np.zeros(lower.problem.perturbation.dim)
    shares = GROWING if lower.problem.sense == "min" else [1.0]
    for share in shares:
        within = lower.problem.within(share * lower.problem.radius)
        eps = ascend(climb.surrogate, within, eps, climb.widths)
        if lower.best is not None and lower.problem.sense == "min":
            return lower.best.eps
    return eps


def _start(
    lower: LowerLevel, within: BilevelProblem, rng: np.random.Generator, number: int
) -> FloatArray:
    """Return where an ascent begins: at random, for (BL2) every other time at the best attack."""
    if lower.problem.sense == "min" and lower.best is not None and number % 2:
        return lower.best.eps
    return random_point(within, rng)


def finish(lower: LowerLevel, end: FloatArray) -> None:
    """Search the true staircase along the ray through the end of an ascent, (k,)."""
    if lower.problem.sense == "min":
        try_direction(lower, end)
    else:
        polish(lower, [end])


def _next_ball(lower: LowerLevel, rng: np.random.Generator) -> BilevelProblem:
    """Return the problem; (BL2) within the best attack's ball, or one of any size if none is known.

    What lies outside the ball of an attack is no better.
    """
    if lower.best is not None:
        return lower.problem.within(lower.best.size)
    return lower.problem.within(lower.problem.radius * GROWING[0] ** rng.random())
