"""Attacks at the corners: every entry of eps at a bound or zero, at random or by coordinates.

Simple searches that clever methods must beat. A corner outside the ball of norm 1 or 2 is scaled
back onto it; for (BL2) a corner names a direction, which is then shortened.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Journal, Work
from bilad.solvers.upper.coordinate_search import coordinate_search, random_corners, try_direction
from bilad.solvers.upper.line_search import least_attack

CORNERS = 200  # that are tried where nothing else limits the search


def prepare_random(
    problem: BilevelProblem, rng: np.random.Generator, *, corners: int = CORNERS
) -> Work:
    """Try random corners, every entry at a bound.

    Parameters
    ----------
    corners : int, default 200
        Number of corners; a limit on solves or time may come first.
    """
    most = _count(problem, corners)

    def work(lower: LowerLevel, journal: Journal) -> None:
        for done, corner in enumerate(random_corners(problem, rng, most)):
            try_direction(lower, corner)
            journal.progress(done + 1, most)

    return work


def prepare_coordinates(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    corners: int = CORNERS,
    starts: Iterable[FloatArray] = (),
) -> Work:
    """Try a random corner, and change single entries of the best as long as that is better.

    Parameters
    ----------
    corners : int, default 200
        Number of random corners in all; a limit on solves or time may come first.
    starts : iterable of ndarray, shape (k,), optional
        Other eps, tried before the corners; for (BL2) the first is followed outwards to an attack.
    """
    most = _count(problem, corners)

    def work(lower: LowerLevel, journal: Journal) -> None:
        for start in starts:
            _try_start(lower, start)
        searched = None
        for done, corner in enumerate(random_corners(problem, rng, most)):
            try_direction(lower, corner)
            if lower.best is not searched:
                coordinate_search(lower, corner, rng)
                searched = lower.best
            journal.progress(done + 1, most)

    return work


def _try_start(lower: LowerLevel, eps: FloatArray) -> None:
    start = lower.problem.project(eps)
    size = lower.problem.size(start)
    if lower.best is None and lower.problem.sense == "min" and size > 0:
        least_attack(lower, start / size, size)
    else:
        try_direction(lower, start)


def _count(problem: BilevelProblem, corners: int) -> int:
    """Return how many corners to try: no more than there are."""
    return min(whole_number(corners, "corners", least=0), 2**problem.perturbation.dim)
