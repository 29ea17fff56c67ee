"""The largest radius at which a condition holds that holds at every smaller one too."""

from __future__ import annotations

from collections.abc import Callable

WIDTH = 1e-9  # relative, of the bracket
DOUBLINGS, HALVINGS = 40, 80


def largest_radius(
    holds: Callable[[float], bool], guess: float, most: float = float("inf")
) -> float:
    """Return a radius at which a monotone condition holds, almost the largest; or 0.

    Parameters
    ----------
    holds : callable
        True up to some radius, false beyond.
    guess : float
        Where to begin, positive.
    most : float
        Larger radii are not wanted.
    """
    if most < float("inf") and holds(most):
        return most
    low, high = 0.0, min(guess, most)
    for _ in range(DOUBLINGS):
        if high >= most or not holds(high):
            break
        low, high = high, min(2 * high, most)
    if low == 0.0 and not holds(0.0):
        return 0.0
    for _ in range(HALVINGS):
        if high - low <= WIDTH * high:
            break
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
