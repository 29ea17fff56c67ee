"""Along a ray, exactly: every step of the staircase is known, so the answer is global.

For one eps, and p = 1, d = 1, or p = inf with d = 2. The optimum of (BL1), or the infimum of (BL2),
is decided in exact arithmetic and is the bound. The eps returned is a double inside a step, so that
a solver that is accurate to less than its distance from the ends finds the same partition:

- (BL1): of the steps with the largest deviation, the distance from the nearer end is the smaller of
  half the step and `LENGTH_TOL` times the budget. The step that leaves the largest distance is
  taken, then that with the least |eps|.
- (BL2): of the least |eps| that reach the target, the excess over the infimum is the smaller of
  half the step and half of what `BilevelProblem.excess` lets pass as optimal.

A break is taken only where no step has the optimum, if it is a double: eps may not move then. Where
A + eps V, rounded to doubles, has not the partition that exact arithmetic finds, points farther
inside are tried, and then for (BL1) the next lower deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from bilad.models.learning.learning_model import ray_steps
from bilad.models.problem import LENGTH_TOL, BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.trace import Journal, Work
from bilad.solvers.clustering.parametric.optimum import Piece, all_pieces, deviation_and_margin
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath

Candidate = tuple[Piece, float]  # a site, and a double in it
FARTHER = 10  # how much farther inside the steps the next candidates are


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    return ray_steps.refusal(problem.model, problem.perturbation)


def prepare(problem: BilevelProblem, rng: np.random.Generator) -> Work:
    """Follow the steps; there is nothing to choose."""

    def work(lower: LowerLevel, journal: Journal) -> None:
        low, high = (float(bound[0]) for bound in problem.box)
        stairs: ParametricPath = ray_steps(problem.model, problem.perturbation, low, high)
        values = stairs.values(problem.deviation)
        journal.margin = lambda eps, value: _margin(stairs, values, float(eps[0]), value)
        journal.bound, candidates = _solve(problem, all_pieces(stairs, values))
        if problem.excludes(journal.bound):
            return
        others: list[Evaluation] = []  # where the rounding of A + eps V decides, whatever it says
        for site, eps in candidates:
            seen = lower.evaluate(problem.project(eps))
            if lower.counts(seen) and math.isclose(seen.deviation, site.value):
                lower.set_aside(others, seen)
                journal.attainable = problem.attains(journal.bound, seen.size, seen.deviation)
                return
            others.append(seen)
        journal.attainable = False

    return work


def _solve(problem: BilevelProblem, sites: list[Piece]) -> tuple[float, Iterator[Candidate]]:
    """Return the bound, and eps to try, the best first."""
    if problem.sense == "min":
        return _least(problem, sites)
    levels = sorted({site.value for site in sites if site.value > 0}, reverse=True)
    return max(levels, default=0.0), _largest(problem, sites, levels)


def _largest(
    problem: BilevelProblem, sites: list[Piece], levels: list[float]
) -> Iterator[Candidate]:
    """(BL1): of each deviation, the larger first, the eps with most room, then the least."""
    first = Fraction(LENGTH_TOL) * Fraction(problem.radius)
    for level in levels:
        group = [site for site in sites if math.isclose(site.value, level)]
        steps = [site for site in group if site.start < site.end]
        for distance in _distances(first, problem.radius):
            found = _doubles(steps, [distance])
            yield from sorted(found, key=lambda pair: (-pair[0].offset(distance), abs(pair[1])))
        yield from sorted(_doubles(group, [first]), key=lambda pair: abs(pair[1]))


def _least(problem: BilevelProblem, sites: list[Piece]) -> tuple[float, Iterator[Candidate]]:
    """(BL2): of what is within the tolerance, steps before breaks; then the least eps."""
    wanted = [site for site in sites if site.value >= problem.target]
    if not wanted:
        return math.inf, iter(())
    infimum = min(site.start for site in wanted)
    bound = math.nextafter(float(infimum), 0.0)
    tol = Fraction(LENGTH_TOL)
    excess = tol * max(infimum, tol * Fraction(problem.radius))

    def order(candidate: Candidate) -> tuple[bool, bool, float]:
        site, eps = candidate
        is_near = problem.attains(bound, abs(eps), site.value)
        return (not is_near, site.start == site.end, abs(eps))

    def candidates() -> Iterator[Candidate]:
        near = [site for site in wanted if site.start <= infimum + excess]
        yield from sorted(_doubles(near, [excess / 2]), key=order)
        yield from sorted(_doubles(wanted, _distances(excess / 2, problem.radius)), key=order)

    return bound, candidates()


def _distances(first: Fraction, last: float) -> Iterator[Fraction]:
    """Yield distances from the start of a step, each `FARTHER` times the one before."""
    distance = first
    while distance < last:
        yield distance
        distance *= FARTHER


def _doubles(sites: Iterable[Piece], distances: Iterable[Fraction]) -> list[Candidate]:
    """Return the double in each site that has one, at each distance from its start."""
    pairs = [(site, site.double(distance)) for distance in distances for site in sites]
    return [(site, eps) for site, eps in pairs if eps is not None]


def _margin(
    stairs: ParametricPath, values: tuple[FloatArray, FloatArray], eps: float, value: float
) -> float | None:
    """Return how far eps may move; None without an attack, or if rounding gave another value."""
    exact, room = deviation_and_margin(stairs, values, eps)
    return room if value > 0 and math.isclose(exact, value) else None
