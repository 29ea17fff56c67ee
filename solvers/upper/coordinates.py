"""Coordinate search on the true staircase: one entry of eps at a time, to a bound or to zero.

The staircase has no slope, but what a budget can reach is mostly reached at its extremes; so each
entry is tried at its extremes and left out. Simple, and hard to beat (`corners`).
"""

from __future__ import annotations

import numpy as np

from bilad.models.bilevel import BilevelProblem, MinPerturbation
from bilad.models.validation import FloatArray
from bilad.solvers.upper.lower_level import LowerLevel
from bilad.solvers.upper.polish import least_attack

SHORTER = 1e-3  # relative; by how much a new direction must improve (BL2) to be followed


def coordinate_search(lower: LowerLevel, rng: np.random.Generator) -> None:
    """Improve the best attack so far, or eps = 0, until no single entry improves it.

    Entries come in random order. For (BL2) the extremes are the largest magnitude in eps, and
    what counts is the length to which the new direction can be shortened.
    """
    improved = True
    while improved:
        improved = False
        for entry in rng.permutation(lower.problem.perturbation.dim):
            improved |= _try_entry(lower, int(entry))


def _try_entry(lower: LowerLevel, entry: int) -> bool:
    before = lower.best
    eps = np.zeros(lower.problem.perturbation.dim) if before is None else before.eps
    for value in _extremes(lower.problem, eps, entry):
        if value != eps[entry]:
            moved = eps.copy()
            moved[entry] = value
            try_direction(lower, moved)
    return lower.best is not before


def _extremes(problem: BilevelProblem, eps: FloatArray, entry: int) -> list[float]:
    low, high = (float(bound[entry]) for bound in problem.box)
    largest = float(np.abs(eps).max())
    if isinstance(problem, MinPerturbation) and largest > 0:
        low, high = max(low, -largest), min(high, largest)
    return [low, 0.0, high]


def corner_near(problem: BilevelProblem, eps: FloatArray) -> FloatArray:
    """Return the corner of the box in whose orthant eps lies; entries that are zero stay zero."""
    low, high = problem.box
    return np.where(eps > 0, high, np.where(eps < 0, low, 0.0))


def try_direction(lower: LowerLevel, eps: FloatArray) -> None:
    """Evaluate eps, moved into the ball; for (BL2) shorten it if it beats the best so far."""
    problem = lower.problem
    eps = problem.project(eps)
    size = problem.size(eps)
    if size == 0:
        return
    if not isinstance(problem, MinPerturbation):
        lower.evaluate(eps)
        return
    if lower.best is not None:
        length = min(lower.best.size * (1 - SHORTER), problem.reach(eps / size))
    else:
        length = problem.reach(eps / size)
    seen = lower.evaluate(problem.project(length * eps / size))
    if seen.proved and problem.is_attack(seen.size, seen.deviation):
        least_attack(lower, eps / size, length)
