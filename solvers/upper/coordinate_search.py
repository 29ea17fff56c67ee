"""Coordinate search: one entry of eps at a time is set to a bound or to zero.

The deviation is piecewise constant and has no useful gradient, but the largest deviation within a
budget is mostly reached at extreme values of eps. The search therefore tries the extreme values of
each entry, and zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.upper.exchange_search import ENOUGH, exchange_search
from bilad.solvers.upper.line_search import least_attack

# Lengths at which a ray is evaluated as long as no attack is known, relative to its whole length.
# The default limit of (BL2) is the size of the data, and an attack can be a thousand times shorter.
SCAN = np.geomspace(1e-3, 1.0, 32)
FEW = 16  # entries, up to which no vertex is drawn twice
SHORTER = 1e-3  # relative reduction of the norm (BL2) that a new direction must achieve


def coordinate_search(lower: LowerLevel, start: FloatArray, rng: np.random.Generator) -> None:
    """Search from one eps until no change of a single entry improves it.

    The entries are tried in random order. For (BL2) the extreme values of an entry are plus and
    minus the largest absolute value in eps, and a change is an improvement if the new direction can
    be shortened to less than the norm of the best attack. For the norm "count" see
    `exchange_search`.
    """
    if lower.problem.is_binary:
        return exchange_search(lower, start, rng)
    current, eps, improved = try_direction(lower, start), start, True
    while improved:
        improved = False
        for entry in rng.permutation(lower.problem.perturbation.dim):
            for moved in _moves(lower.problem, eps, int(entry)):
                candidate = try_direction(lower, moved)
                if candidate is not None and _improves(lower, candidate, current):
                    current, eps, improved = candidate, candidate.eps, True


def _improves(lower: LowerLevel, new: Evaluation, old: Evaluation | None) -> bool:
    """Return whether an evaluation is better; a continuous deviation must increase sufficiently."""
    if not lower.is_better(new, old):
        return False
    problem = lower.problem
    if old is None or problem.sense == "min" or problem.deviation.is_discrete:
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


def random_vertices(
    problem: BilevelProblem, rng: np.random.Generator, most: int
) -> Iterator[FloatArray]:
    """Draw vertices of the box; with at most 16 entries none is drawn twice.

    For the norm "count" see `BilevelProblem.random_vertex`.
    """
    low, high = problem.box
    k = len(low)
    if k <= FEW and not problem.is_binary:
        numbers = rng.permutation(2**k)[:most]
        return (np.where((number >> np.arange(k)) & 1, high, low) for number in numbers)
    return (problem.random_vertex(rng) for _ in range(most))


def vertex_near(problem: BilevelProblem, eps: FloatArray) -> FloatArray:
    """Return the vertex of the box in the orthant of eps; entries that are zero remain zero.

    For the norm "count" it is eps itself, whose entries are rounded in their order.
    """
    if problem.is_binary:
        return eps
    low, high = problem.box
    return np.where(eps > 0, high, np.where(eps < 0, low, 0.0))


def try_direction(lower: LowerLevel, eps: FloatArray) -> Evaluation | None:
    """Evaluate eps, projected on the ball; for (BL2), shorten it if it beats the best attack.

    Returns
    -------
    Evaluation or None
        The evaluation of (BL1), or the best attack of (BL2). None for eps = 0, and for (BL2) if the
        direction does not beat the best attack.
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
    length = problem.shortened(before.size, 1 - SHORTER)
    if problem.size(problem.rounded(eps)) < before.size:  # a shorter point is tried itself
        length = max(size, length)
    length = min(longest, length)
    if not lower.counts(lower.evaluate(problem.project(length * eps / size))):
        return None
    least_attack(lower, eps / size, length)
    return lower.best


def _scan(lower: LowerLevel, direction: FloatArray, longest: float) -> None:
    """(BL2): evaluate a ray outwards; at the first attack, bisect towards eps = 0."""
    for length in longest * SCAN:
        if lower.counts(lower.evaluate(lower.problem.project(length * direction))):
            least_attack(lower, direction, length)
            return
