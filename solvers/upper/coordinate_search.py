"""Coordinate search on the true staircase: one entry of eps at a time, to a bound or to zero.

The staircase has no slope, but what a budget can reach is mostly reached at its extremes; so each
entry is tried at its extremes and left out. Simple, and hard to beat (`corners`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.upper.line_search import least_attack

# Where a ray is looked at while no attack is known, in units of its length. The default limit of
# (BL2) is the size of the data, and an attack can be a thousand times shorter.
SCAN = np.geomspace(1e-3, 1.0, 32)
FEW = 16  # entries, up to which no corner is drawn twice
SHORTER = 1e-3  # relative; by how much a new direction must improve (BL2) to be followed
ENOUGH = 1e-4  # relative; the same of a deviation (BL1) that has no steps


def coordinate_search(lower: LowerLevel, start: FloatArray, rng: np.random.Generator) -> None:
    """Climb from one eps until no single entry improves it; entries come in random order.

    For (BL2) the extremes are the largest magnitude in eps, and what counts is the length to which
    the new direction can be shortened, if that beats the best attack so far.
    """
    current, eps, improved = try_direction(lower, start), start, True
    while improved:
        improved = False
        for entry in rng.permutation(lower.problem.perturbation.dim):
            for moved in _moves(lower.problem, eps, int(entry)):
                candidate = try_direction(lower, moved)
                if candidate is not None and _improves(lower, candidate, current):
                    current, eps, improved = candidate, candidate.eps, True


def _improves(lower: LowerLevel, new: Evaluation, old: Evaluation | None) -> bool:
    """Say whether an evaluation is better; (BL1) of parameters, by enough to end some day."""
    if not lower.is_better(new, old):
        return False
    problem = lower.problem
    if old is None or problem.sense == "min" or problem.deviation.compares == "labels":
        return True
    return new.deviation > old.deviation * (1 + ENOUGH)


def _moves(problem: BilevelProblem, eps: FloatArray, entry: int) -> Iterator[FloatArray]:
    for value in _extremes(problem, eps, entry):
        if value != eps[entry]:
            moved = eps.copy()
            moved[entry] = value
            yield moved


def _extremes(problem: BilevelProblem, eps: FloatArray, entry: int) -> list[float]:
    low, high = (float(bound[entry]) for bound in problem.box)
    largest = float(np.abs(eps).max())
    if problem.sense == "min" and largest > 0:
        low, high = max(low, -largest), min(high, largest)
    return [low, 0.0, high]


def random_corners(
    problem: BilevelProblem, rng: np.random.Generator, most: int
) -> Iterator[FloatArray]:
    """Draw corners of the box, a few without repetition where the box has few."""
    low, high = problem.box
    k = len(low)
    if k <= FEW:
        for number in rng.permutation(2**k)[:most]:
            yield np.where((number >> np.arange(k)) & 1, high, low)
    else:
        for _ in range(most):
            yield np.where(rng.random(k) < 0.5, low, high)


def corner_near(problem: BilevelProblem, eps: FloatArray) -> FloatArray:
    """Return the corner of the box in whose orthant eps lies; entries that are zero stay zero."""
    low, high = problem.box
    return np.where(eps > 0, high, np.where(eps < 0, low, 0.0))


def try_direction(lower: LowerLevel, eps: FloatArray) -> Evaluation | None:
    """Evaluate eps, moved into the ball; for (BL2) shorten it if it beats the best so far.

    Returns
    -------
    Evaluation or None
        What was learned; None for eps = 0, and for (BL2) if it does not beat the best so far.
    """
    problem = lower.problem
    eps = problem.project(eps)
    size = problem.size(eps)
    if size == 0:
        return None
    if problem.sense == "max":
        return lower.evaluate(eps)
    before, longest = lower.best, problem.largest_step(eps / size)
    if before is None:
        _scan(lower, eps / size, longest)
        return lower.best
    length = min(longest, before.size * (1 - SHORTER))
    if not lower.counts(lower.evaluate(problem.project(length * eps / size))):
        return None
    least_attack(lower, eps / size, length)
    return lower.best


def _scan(lower: LowerLevel, direction: FloatArray, longest: float) -> None:
    """(BL2): look along a ray from its beginning; bisect back from the first attack."""
    for length in longest * SCAN:
        if lower.counts(lower.evaluate(lower.problem.project(length * direction))):
            least_attack(lower, direction, length)
            return
