"""Attacks at vertices of the box: random search, and coordinate search from random vertices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, real_vector, whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.upper.coordinate_search import coordinate_search, random_vertices, try_direction
from bilad.solvers.upper.line_search import least_attack
from bilad.solvers.upper.multistart import multistart

CORNERS = 200  # default number of vertices


def prepare_random(
    problem: BilevelProblem, rng: np.random.Generator, *, corners: int = CORNERS
) -> Runner:
    """Evaluate random vertices of the box: the simplest baseline.

    Every entry of eps is at one of its bounds or zero. For the norms 1 and 2, a vertex outside the
    ball is scaled back along its ray. For (BL2), a vertex defines a ray, on which the attack is
    shortened. For the norm "count" random subsets are evaluated.

    Parameters
    ----------
    corners : int, default 200
        Largest number of vertices; a limit on solves or time may end the method earlier.
    """
    most = _count(problem, corners)

    def run(lower: LowerLevel, trace: Trace) -> None:
        vertices = random_vertices(problem, rng, most)
        for _, vertex in zip(_starts(lower, trace, most), vertices, strict=False):
            try_direction(lower, vertex)

    return run


def prepare_coordinates(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    corners: int = CORNERS,
    starts: Iterable[FloatArray] = (),
) -> Runner:
    """Evaluate random vertices, and start a coordinate search at each that is the best so far.

    The search sets one entry of eps at a time to one of its bounds or to zero; the vertices are
    those of "random". For the norm "count" it is an exchange search: an entry is set to 1 or to 0,
    and when the budget is used, a new one takes the place of another.

    Parameters
    ----------
    corners : int, default 200
        Largest number of random vertices; a limit on solves or time may end the method earlier.
    starts : iterable of ndarray, shape (k,), optional
        Points that are evaluated before the vertices. For (BL2), eps is lengthened along the ray
        of the first of them until it is an attack.
    """
    most = _count(problem, corners)
    if not isinstance(starts, Iterable):
        raise ArgumentError("starts", type(starts).__name__, "points eps")
    points: Iterable[FloatArray] = starts
    if not isinstance(starts, Iterator):  # the points of an iterator are computed in the search
        points = [real_vector(start, "starts", problem.perturbation.dim) for start in starts]

    def run(lower: LowerLevel, trace: Trace) -> None:
        for point in points:
            _try_start(lower, point)
        searched = None
        vertices = random_vertices(problem, rng, most)
        for _, vertex in zip(_starts(lower, trace, most), vertices, strict=False):
            try_direction(lower, vertex)
            if lower.best is not searched:
                coordinate_search(lower, vertex, rng)
                searched = lower.best

    return run


def _starts(lower: LowerLevel, trace: Trace, most: int) -> Iterable[object]:
    """Yield as many starts as vertices, even if they need no new solves."""
    return multistart(lower, trace, most, most_idle=math.inf)


def _try_start(lower: LowerLevel, eps: FloatArray) -> None:
    start = lower.problem.project(eps)
    size = lower.problem.size(start)
    if lower.best is None and lower.problem.sense == "min" and size > 0:
        least_attack(lower, start / size, size)
    else:
        try_direction(lower, start)


def _count(problem: BilevelProblem, corners: int) -> int:
    """Return the number of vertices to evaluate, at most the number of vertices of the box."""
    return min(whole_number(corners, "corners", least=0), 2**problem.perturbation.dim)
