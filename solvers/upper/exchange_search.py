"""Exchange search: local search among the binary eps of the norm "count".

An entry is set to one or to zero. When the budget is used, a new one takes the place of the one
that matters least, that is, whose removal reduces the deviation least.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel

ENOUGH = 1e-4  # relative increase that a continuous deviation must achieve


def exchange_search(lower: LowerLevel, start: FloatArray, rng: np.random.Generator) -> None:
    """Search from one eps until no change improves it.

    (BL1) is searched within the budget. (BL2) is searched for a larger deviation with one entry
    fewer than the best attack, where the search starts; once this is an attack, another entry is
    removed.
    """
    is_min = lower.problem.sense == "min"
    eps = lower.best.eps if is_min and lower.best is not None else start
    current: Evaluation | None = lower.evaluate(lower.problem.project(eps))
    while current is not None:
        current = _next(lower, current, rng)


def _next(lower: LowerLevel, current: Evaluation, rng: np.random.Generator) -> Evaluation | None:
    """Return the next eps of the search, or None if no change is an improvement."""
    removals = [lower.evaluate(eps) for eps in _changed(current.eps, 1.0, rng)]
    spare = max(removals, key=lambda seen: (seen.proved, seen.deviation), default=current)
    most = lower.problem.radius
    if lower.problem.sense == "min" and lower.best is not None:
        most = lower.best.size - 1
        if lower.counts(current):
            return spare if most > 0 else None
    if _improves(lower, spare, current):
        return spare
    base = current if current.size < most else spare
    for eps in _changed(base.eps, 0.0, rng):
        seen = lower.evaluate(eps)
        if _improves(lower, seen, current):
            return seen
    return None


def _changed(eps: FloatArray, value: float, rng: np.random.Generator) -> list[FloatArray]:
    """Return eps with one entry of this value, 0 or 1, changed to the other, in random order."""
    entries = rng.permutation(np.flatnonzero(eps == value))
    return [np.where(np.arange(len(eps)) == entry, 1.0 - value, eps) for entry in entries]


def _improves(lower: LowerLevel, new: Evaluation, old: Evaluation) -> bool:
    """Return whether the deviation increases sufficiently, or does not decrease with fewer ones."""
    share = 0.0 if lower.problem.deviation.is_discrete else ENOUGH
    larger = new.deviation > old.deviation * (1 + share)
    return new.proved and (larger or (new.deviation >= old.deviation and new.size < old.size))
