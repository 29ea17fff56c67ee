"""Polishing: a short search on the true staircase, along the ray through a candidate.

A relaxed and smoothed problem puts the steps of the staircase a little off where they are, mostly
too near. So try neighbours on the ray; for (BL2), bisect back to the step.
"""

from __future__ import annotations

from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel

FIRST_STRETCH = 0.01  # relative; doubled at each trial


def polish(lower: LowerLevel, candidates: list[FloatArray]) -> None:
    """Evaluate points on the rays through the candidates and through the best attack so far."""
    if lower.best is not None:
        candidates = [lower.best.eps, *candidates]
    search = least_attack if lower.problem.sense == "min" else _neighbours
    for eps in candidates:
        size = lower.problem.size(eps)
        if size > 0:
            search(lower, eps / size, size)


def _stretched(size: float, longest: float) -> list[float]:
    """Return lengths from `size` to `longest`, in steps that double."""
    lengths, stretch = [size], FIRST_STRETCH
    while lengths[-1] < longest:
        lengths.append(min(lengths[-1] * (1 + stretch), longest))
        stretch *= 2
    return lengths


def _neighbours(lower: LowerLevel, direction: FloatArray, size: float) -> None:
    """(BL1): evaluate longer multiples, up to the budget or a bound, and shorter ones.

    There are as many shorter ones as longer within the budget, wherever the bounds are.
    """
    problem = lower.problem
    longer = _stretched(size, problem.largest_step(direction))
    shorter = [size * size / length for length in _stretched(size, problem.radius)[1:]]
    for length in longer + shorter:
        lower.evaluate(problem.project(length * direction))


def least_attack(lower: LowerLevel, direction: FloatArray, size: float) -> None:
    """(BL2): lengthen to the first attack, then bisect between it and the last that was none.

    The final bracket is half as wide as `MinPerturbation.excess` lets pass as optimal, or has no
    double inside.
    """
    problem = lower.problem

    def is_attack(length: float) -> bool:
        seen = lower.evaluate(problem.project(length * direction))
        return lower.counts(seen)

    below = 0.0
    for above in _stretched(size, problem.largest_step(direction)):
        if is_attack(above):
            break
        below = above
    else:
        return
    # A bracket that starts above the best attack known cannot improve on it.
    while above - below > 0.5 * problem.length_tolerance(above) and (
        lower.best is None or below < lower.best.size
    ):
        middle = 0.5 * (below + above)
        if not below < middle < above:
            return
        if is_attack(middle):
            above = middle
        else:
            below = middle
