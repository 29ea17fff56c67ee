"""The global optimum for one parameter, computed from the parametric path.

The eps that is returned is a floating-point number inside an interval between two breakpoints. A
solver that is accurate to less than its distance from the ends finds the same partition:

- (BL1): among the intervals with the largest deviation, the distance to the nearer end is the
  smaller of half the length and `LENGTH_TOL` times the budget. The interval with the largest
  distance is chosen, and among equal ones that with the smallest |eps|.
- (BL2): the smallest |eps| that attains the target exceeds the infimum by the smaller of half the
  length and half the excess that `BilevelProblem.excess` accepts as optimal.

A breakpoint is chosen only if no interval attains the optimum, and if it is itself a
floating-point number. If the labels at eps cannot be proved, for example because A + eps V is
rounded, points farther inside the interval are evaluated, and then, for (BL1), intervals with the
next smaller deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from bilad.models.learning.learning_model import ray_steps
from bilad.models.problem import LENGTH_TOL, BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.clustering.parametric.optimum import Piece, all_pieces, deviation_and_margin
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath

Candidate = tuple[Piece, float]  # a piece, and a floating-point number in it
FARTHER = 10  # ratio of the distances of successive candidates from the end of a piece


def refusal(problem: BilevelProblem) -> str | None:
    """Return the reason why the method cannot be applied to the problem, or None."""
    if problem.is_binary:
        return "it is for a continuous eps, and with the norm 'count' eps is binary"
    return ray_steps.refusal(problem.model, problem.perturbation)


def prepare(problem: BilevelProblem, rng: np.random.Generator) -> Runner:
    """Compute the global optimum for one parameter, from every breakpoint of the deviation.

    For p = 1, d = 1, or p = inf with d = 2, all breakpoints of the piecewise constant deviation are
    rational numbers that are computed in exact arithmetic. The optimum of (BL1), or the infimum of
    (BL2), is the bound. The eps that is returned lies inside an interval between two breakpoints;
    `found.margin` is the distance by which it may change.
    """

    def run(lower: LowerLevel, trace: Trace) -> None:
        low, high = (float(bound[0]) for bound in problem.box)
        path: ParametricPath = ray_steps(problem.model, problem.perturbation, low, high)
        values = path.values(problem.deviation)
        trace.margin = lambda eps, value: _margin(path, values, float(eps[0]), value)
        trace.bound, candidates = _solve(problem, all_pieces(path, values))
        if problem.excludes(trace.bound):
            return
        for _, eps in candidates:
            seen = lower.evaluate(problem.project(eps))
            if lower.counts(seen):
                trace.attainable = problem.attains(trace.bound, seen.size, seen.deviation)
                return
        trace.attainable = False

    return run


def _solve(problem: BilevelProblem, pieces: list[Piece]) -> tuple[float, Iterator[Candidate]]:
    """Return the bound, and the candidates in decreasing order of quality."""
    if problem.sense == "min":
        return _least(problem, pieces)
    levels = sorted({piece.value for piece in pieces if piece.value > 0}, reverse=True)
    return max(levels, default=0.0), _largest(problem, pieces, levels)


def _largest(
    problem: BilevelProblem, pieces: list[Piece], levels: list[float]
) -> Iterator[Candidate]:
    """(BL1): order by decreasing deviation, then by distance from the ends, then by |eps|."""
    first = Fraction(LENGTH_TOL) * Fraction(problem.radius)
    for level in levels:
        group = [piece for piece in pieces if math.isclose(piece.value, level)]
        steps = [piece for piece in group if piece.start < piece.end]
        for distance in _distances(first, problem.radius):
            found = _doubles(steps, [distance])
            yield from sorted(found, key=lambda pair: (-pair[0].offset(distance), abs(pair[1])))
        yield from sorted(_doubles(group, [first]), key=lambda pair: abs(pair[1]))


def _least(problem: BilevelProblem, pieces: list[Piece]) -> tuple[float, Iterator[Candidate]]:
    """(BL2): order candidates within the tolerance first, then intervals, then by |eps|."""
    wanted = [piece for piece in pieces if piece.value >= problem.target]
    if not wanted:
        return math.inf, iter(())
    infimum = min(piece.start for piece in wanted)
    bound = math.nextafter(float(infimum), 0.0)
    tol = Fraction(LENGTH_TOL)
    excess = tol * max(infimum, tol * Fraction(problem.radius))

    def order(candidate: Candidate) -> tuple[bool, bool, float]:
        piece, eps = candidate
        is_near = problem.attains(bound, abs(eps), piece.value)
        return (not is_near, piece.start == piece.end, abs(eps))

    def candidates() -> Iterator[Candidate]:
        near = [piece for piece in wanted if piece.start <= infimum + excess]
        yield from sorted(_doubles(near, [excess / 2]), key=order)
        yield from sorted(_doubles(wanted, _distances(excess / 2, problem.radius)), key=order)

    return bound, candidates()


def _distances(first: Fraction, last: float) -> Iterator[Fraction]:
    """Yield distances from the start of an interval, each `FARTHER` times the previous one."""
    distance = first
    while distance < last:
        yield distance
        distance *= FARTHER


def _doubles(pieces: Iterable[Piece], distances: Iterable[Fraction]) -> list[Candidate]:
    """Return a double of each piece that has one, at each distance from its start."""
    pairs = [(piece, piece.double(distance)) for distance in distances for piece in pieces]
    return [(piece, eps) for piece, eps in pairs if eps is not None]


def _margin(
    path: ParametricPath, values: tuple[FloatArray, FloatArray], eps: float, value: float
) -> float | None:
    """Return the distance by which eps may change, or None without an attack or after rounding."""
    exact, room = deviation_and_margin(path, values, eps)
    return room if value > 0 and math.isclose(exact, value) else None
