"""Smooth deviation: "together" blurred to s_ij = w^2 / (w^2 + ||x_i - x_j||^2).

    U_w(X) = sum over ordered pairs of  1 - s_ij  if i, j are together at eps = 0,  s_ij  if not

which tends to delta as the width w goes to 0 (and, divided by n (n - 1), to 1 - Rand).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyomo.environ as pyo

from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import IntArray

SMOOTHED = ("delta", "rand")


def refusal(problem: BilevelProblem) -> str | None:
    """Say why the problem's deviation cannot be smoothed, or None."""
    name = problem.deviation.name
    if name in SMOOTHED:
        return None
    return f"only the deviations {' and '.join(SMOOTHED)} are smoothed, the problem has {name!r}"


def share(squared_distance: Callable[[int, int], Any], labels: IntArray, i: int, width: Any) -> Any:
    """Return the terms of U_w that pair point i with later points, as a Pyomo expression.

    Parameters
    ----------
    squared_distance : callable(i, j)
        Expression of ||x_i - x_j||^2, i < j, in the reformulation's own variables.
    labels : ndarray of int, shape (n,)
        Labels at eps = 0.
    i : int
    width : Pyomo variable
    """
    w2 = width**2
    terms = []
    for j in range(i + 1, len(labels)):
        squared = squared_distance(i, j)
        numerator = squared if labels[i] == labels[j] else w2
        terms.append(2 * numerator / (w2 + squared))
    return pyo.quicksum(terms)
