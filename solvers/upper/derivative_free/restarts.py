"""Restarts: a search from one start after another, for as long as the limits allow.

The first start is eps = 0, the others are random. After each search the best attack is polished
along its ray. For (BL2) every further search is confined to the ball of the best attack so far:
what lies outside is no better.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Journal, Work
from bilad.solvers.upper.derivative_free.merit import Merit, PolishDueError
from bilad.solvers.upper.derivative_free.search_space import STRETCH, SearchSpace
from bilad.solvers.upper.line_search import polish

DEFAULT_RESTARTS = 5  # searches, where neither solves nor time are limited
IDLE = 3  # searches in a row that solve nothing new, after which there is no more
POLISH_SOLVES = 25  # kept for the polish of (BL2): a bisection to one in a million takes 20
POLISH_SHARE = 0.25  # of all solves, at most

# Minimises a merit from a start, shape (dim,); the last argument counts the searches before.
Search = Callable[[Merit, FloatArray, np.random.Generator, int], None]


def restarted(rng: np.random.Generator, restarts: int | None, search: Search) -> Work:
    """Return the work of restarting a search.

    Parameters
    ----------
    rng : numpy.random.Generator
    restarts : int or None
        Number of searches; None: 5, or without end if solves or time are limited. In any case
        three searches in a row without a new solve are the last.
    search : Search
    """
    given = None if restarts is None else whole_number(restarts, "restarts", least=1)

    def work(lower: LowerLevel, journal: Journal) -> None:
        most = given or (math.inf if lower.is_limited else DEFAULT_RESTARTS)
        last, idle = _last_before_polish(lower), 0
        for number in itertools.count():
            if number >= most or idle == IDLE:
                return
            solves = lower.solves
            space = SearchSpace(_within_best(lower))
            if space.dim == 0:
                return
            merit = Merit(lower, space, last, _progress(lower, journal, number, most))
            start = _start(space, lower, rng, number, idle)
            if not _ends(search, merit, start, rng, number):
                last = None
            polish(lower, [])
            idle = idle + 1 if lower.solves == solves else 0

    return work


def _start(
    space: SearchSpace, lower: LowerLevel, rng: np.random.Generator, number: int, idle: int
) -> FloatArray:
    if number == 0:
        return space.point(np.zeros(lower.problem.perturbation.dim))
    # A search that repeated another most likely started at the same bounds.
    return space.random(rng, STRETCH if idle == 0 else 1.0)


def _ends(
    search: Search, merit: Merit, start: FloatArray, rng: np.random.Generator, number: int
) -> bool:
    """Search; say whether to the end, or until the polish was due."""
    try:
        search(merit, start, rng, number)
    except BaseException:
        if merit.failure is None:  # the search's own, not what an evaluation raised in it
            raise
    if merit.failure is None:
        return True
    if isinstance(merit.failure, PolishDueError):
        return False
    raise merit.failure


def _within_best(lower: LowerLevel) -> BilevelProblem:
    """Return the problem; (BL2) with the size of the best attack so far as its limit."""
    return lower.problem if lower.best is None else lower.problem.within(lower.best.size)


def _last_before_polish(lower: LowerLevel) -> int | None:
    """Return the number of solves after which only those kept for the polish are left."""
    if lower.max_solves is None or lower.problem.sense == "max":
        return None
    return lower.max_solves - min(POLISH_SOLVES, int(POLISH_SHARE * lower.max_solves))


def _progress(lower: LowerLevel, journal: Journal, number: int, most: float) -> Callable[[], None]:
    """Return what tells of the solves, if these are limited, or else of the searches."""
    if lower.max_solves is not None:
        total = lower.max_solves
        return lambda: journal.progress(lower.solves, total)
    expected = int(most) if math.isfinite(most) else number + 1
    return lambda: journal.progress(number, expected)
