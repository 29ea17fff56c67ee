"""Multistart: a search is run from one start after another, for as long as the limits allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bilad.models.validation import whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Trace

DEFAULT_STARTS = 5  # searches, if neither the solves nor the time are limited
MOST_IDLE = 3  # searches in a row without a new lower-level solve, after which the method ends


@dataclass(frozen=True)
class Start:
    """One of the searches of a method.

    Attributes
    ----------
    number : int
        Number of searches before this one.
    idle : int
        Number of searches immediately before this one that needed no new lower-level solve.
    progress : callable()
        Reports the progress; a long search calls it before each evaluation.
    """

    number: int
    idle: int
    progress: Callable[[], None]


def check_restarts(restarts: int | None) -> int | None:
    """Return the option `restarts`, which is an integer of at least 1, or None.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    return None if restarts is None else whole_number(restarts, "restarts", least=1)


def multistart(
    lower: LowerLevel, trace: Trace, most: int | None, most_idle: float = MOST_IDLE
) -> Iterator[Start]:
    """Yield one `Start` for each search; the caller runs the search between two of them.

    Parameters
    ----------
    lower : LowerLevel
    trace : Trace
        Receives the progress after each search: the number of lower-level solves if that is
        limited, and otherwise the number of searches.
    most : int or None
        Largest number of searches. None stands for 5, or for an unlimited number if the solves or
        the time are limited.
    most_idle : float, default 3
        Number of searches in a row without a new lower-level solve after which no other follows.
    """
    limit = (math.inf if lower.is_limited else DEFAULT_STARTS) if most is None else most
    number = idle = 0

    def progress() -> None:
        if lower.max_solves is not None:
            trace.progress(lower.solves, lower.max_solves)
        else:
            trace.progress(number, int(limit) if math.isfinite(limit) else number + 1)

    while number < limit and idle < most_idle:
        solves = lower.solves
        yield Start(number, idle, progress)
        number += 1
        idle = idle + 1 if lower.solves == solves else 0
        progress()
