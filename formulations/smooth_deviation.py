"""Smooth deviation: "together" blurred to s_ij = w^2 / (w^2 + ||x_i - x_j||^2).

    U_w(X) = sum over ordered pairs of  1 - s_ij  if i, j are together at eps = 0,  s_ij  if not

which tends to delta as the width w goes to 0 (and, divided by n (n - 1), to 1 - Rand).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
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


def smooth_delta(
    squared_distance: Callable[[int, int], Any],
    labels: IntArray,
    width: Any,
    pair_scale: float = 1.0,
) -> Any:
    """Return `pair_scale` times U_w as a Pyomo expression.

    Parameters
    ----------
    squared_distance : callable(i, j)
        Expression of ||x_i - x_j||^2, i < j, in the reformulation's own variables.
    labels : ndarray of int, shape (n,)
        Labels at eps = 0.
    width : Pyomo variable
    """
    w2 = width**2
    terms = []
    for i, j in zip(*np.triu_indices(len(labels), k=1), strict=True):
        squared = squared_distance(int(i), int(j))
        numerator = squared if labels[i] == labels[j] else w2
        terms.append(2 * pair_scale * numerator / (w2 + squared))
    return pyo.quicksum(terms)
