"""Line search along the ray through a candidate, with the true deviation.

The true deviation is piecewise constant. A relaxed and smoothed problem has breakpoints
slightly away from the true ones, mostly closer to eps = 0. The line search evaluates neighbours on
the ray; for (BL2), it bisects to the breakpoint.
"""

from __future__ import annotations

from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel

FIRST_STRETCH = 0.01  # relative increase of the length, which doubles with each trial


def line_search(lower: LowerLevel, candidates: list[FloatArray]) -> None:
    """Search along the rays through the best attack so far and through the candidates."""
    if lower.best is not None:
        candidates = [lower.best.eps, *candidates]
    search = least_attack if lower.problem.sense == "min" else _neighbours
    for eps in candidates:
        size = lower.problem.size(eps)
        if size > 0:
            search(lower, eps / size, size)


def _stretched(size: float, longest: float) -> list[float]:
    """Return lengths from `size` to `longest` whose differences grow geometrically."""
    lengths, stretch = [size], FIRST_STRETCH
    while lengths[-1] < longest:
        lengths.append(min(lengths[-1] * (1 + stretch), longest))
        stretch *= 2
    return lengths


def _neighbours(lower: LowerLevel, direction: FloatArray, size: float) -> None:
    """(BL1): evaluate longer multiples, up to the budget or a bound, and shorter multiples.

    There are as many shorter multiples as there would be longer ones without the bounds of eps.
    """
    problem = lower.problem
    longer = _stretched(size, problem.largest_step(direction))
    shorter = [size * size / length for length in _stretched(size, problem.radius)[1:]]
    for length in longer + shorter:
        lower.evaluate(problem.project(length * direction))


def least_attack(lower: LowerLevel, direction: FloatArray, size: float) -> None:
    """(BL2): increase the length until there is an attack, then bisect down to its breakpoint.

    The final bracket is at most half as wide as the excess that `MinPerturbation.excess` accepts as
    optimal, or it contains no floating-point number.
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
    # A bracket whose lower end is above the norm of the best attack cannot improve on it.
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
