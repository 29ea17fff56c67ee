"""Refusal of problems whose squared numbers overflow or underflow in double precision."""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError

SMALLEST, LARGEST = 1e-130, 1e150  # sums of squares then neither underflow nor overflow


def check_magnitudes(problem: BilevelProblem) -> None:
    """Refuse a problem whose eps or perturbed parts cannot be squared in double precision.

    Raises
    ------
    ArgumentError
        If an entry of eps or of a perturbed part can be larger than 1e150, or if no entry of eps
        can be as large as 1e-130; fractions of such an entry can still be squared.
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
