"""Along a ray, exactly: every step of the staircase is known, so the answer is global.

For one eps, and p = 1 or d = 1. The optimum of (BL1), or the infimum of (BL2), is decided in exact
arithmetic and is the bound. The eps returned is a double inside a step, so that a solver that is
accurate to less than its distance from the ends finds the same partition:

- (BL1): of the steps with the largest deviation, the distance from the nearer end is the smaller of
  half the step and `LENGTH_TOL` times the budget. The step that leaves the largest distance is
  taken, then that with the least |eps|.
- (BL2): of the least |eps| that reach the target, the excess over the infimum is the smaller of
  half the step and half of what `MinPerturbation.excess` lets pass as optimal.

A break is taken only where no step has the optimum, if it is a double: eps may not move then. Where
A + eps V, rounded to doubles, has not the partition that exact arithmetic finds, points farther
inside are tried, and then for (BL1) the next lower deviation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from bilad.models.bilevel import LENGTH_TOL, BilevelProblem, MinPerturbation
from bilad.models.validation import FloatArray
from bilad.solvers.rational import ray
from bilad.solvers.staircase import Staircase, staircase
from bilad.solvers.staircase.sites import Site, all_sites, plateau
from bilad.solvers.upper.journal import Journal, Work
from bilad.solvers.upper.lower_level import LowerLevel

Candidate = tuple[Site, float]  # a site, and a double in it
FARTHER = 10  # how much farther inside the steps the next candidates are


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    return ray.refusal(problem.white_box, problem.perturbation)


def prepare(problem: BilevelProblem, rng: np.random.Generator) -> Work:
    """Follow the steps; there is nothing to choose."""

    def work(lower: LowerLevel, journal: Journal) -> None:
        low, high = (float(bound[0]) for bound in problem.box)
        stairs = staircase(problem.white_box, problem.perturbation, low, high)
        values = stairs.values(problem.deviation)
        journal.margin = lambda eps, value: _margin(stairs, values, float(eps[0]), value)
        journal.bound, candidates = _solve(problem, all_sites(stairs, values))
        if problem.excludes(journal.bound):
            return
        for site, eps in candidates:
            seen = lower.evaluate(problem.project(eps))
            if lower.counts(seen) and math.isclose(seen.deviation, site.value):
                journal.attainable = problem.attains(journal.bound, seen.size, seen.deviation)
                return
        journal.attainable = False

    return work


def _solve(problem: BilevelProblem, sites: list[Site]) -> tuple[float, Iterator[Candidate]]:
    """Return the bound, and eps to try, the best first."""
    if isinstance(problem, MinPerturbation):
        return _least(problem, sites)
    levels = sorted({site.value for site in sites if site.value > 0}, reverse=True)
    return max(levels, default=0.0), _largest(problem, sites, levels)


def _largest(
    problem: BilevelProblem, sites: list[Site], levels: list[float]
) -> Iterator[Candidate]:
    """(BL1): of each deviation, the larger first, the eps with most room, then the least."""
    distance = Fraction(LENGTH_TOL) * Fraction(problem.radius)
    for level in levels:
        group = [site for site in sites if math.isclose(site.value, level)]
        yield from _inside(group, distance, problem.radius, lambda room, eps: (-room, abs(eps)))


def _least(problem: MinPerturbation, sites: list[Site]) -> tuple[float, Iterator[Candidate]]:
    """(BL2): of what is within the tolerance, steps before breaks; then the least eps."""
    wanted = [site for site in sites if site.value >= problem.target]
    if not wanted:
        return math.inf, iter(())
    infimum = min(site.start for site in wanted)
    bound = math.nextafter(float(infimum), 0.0)

    def order(room: Fraction, eps: float) -> tuple[bool, bool, float]:
        near = problem.attains(bound, abs(eps), problem.target)
        return (not near, room == 0, abs(eps))

    tol = Fraction(LENGTH_TOL)
    excess = tol * max(infimum, tol * Fraction(problem.radius))
    return bound, _inside(wanted, excess / 2, problem.radius, order)


def _margin(
    stairs: Staircase, values: tuple[FloatArray, FloatArray], eps: float, value: float
) -> float | None:
    """Return how far eps may move; None without an attack, or if rounding gave another value."""
    exact, room = plateau(stairs, values, eps)
    return room if value > 0 and math.isclose(exact, value) else None


def _inside(
    sites: list[Site],
    distance: Fraction,
    radius: float,
    order: Callable[[Fraction, float], Any],
) -> Iterator[Candidate]:
    """Yield a double in each site that has one, in order; then the same from farther inside."""
    while True:
        found = [(site, eps) for site in sites if (eps := site.double(distance)) is not None]
        yield from sorted(found, key=lambda pair: order(pair[0].room(distance), pair[1]))
        if distance >= radius:
            return
        distance *= FARTHER
