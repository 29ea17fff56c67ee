"""Problems whose numbers leave the range of doubles as soon as they are squared."""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError

SMALLEST, LARGEST = 1e-130, 1e150  # so that sums of squares neither vanish nor overflow


def check_magnitudes(problem: BilevelProblem) -> None:
    """Refuse a problem whose eps or perturbed parts cannot be squared in doubles.

    Raises
    ------
    ArgumentError
        If some eps, or an entry of a part that it makes, can be larger than 1e150, or none can be
        as large as 1e-130, from where fractions of it can be squared too.
    """
    low, high = problem.box
    farthest = np.maximum(-low, high)
    expected = f"entries of eps from {SMALLEST:g} to {LARGEST:g}, and parts at most {LARGEST:g}"
    longest = float(farthest.max(initial=0.0))
    if longest == 0:
        raise ArgumentError("problem", "bounds of eps that leave eps = 0 only", expected)
    if not SMALLEST <= longest <= LARGEST:
        raise ArgumentError("problem", f"entries of eps up to {longest:g}", expected)
    for name, part in problem.model.parts.items():
        with np.errstate(over="ignore", invalid="ignore"):
            change = abs(problem.operator(name)) @ farthest
            moved = np.abs(problem.model.scale(name)).ravel() * change + np.abs(part).ravel()
        if not moved.max(initial=0.0) <= LARGEST:
            raise ArgumentError("problem", f"perturbed {name} up to {moved.max():g}", expected)
