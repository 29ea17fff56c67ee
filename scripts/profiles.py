"""Performance and data profiles of methods.

A performance profile (Dolan and More, Math. Program. 91, 2002) shows on how many problems a method
is within a given factor of the fastest method; a data profile (More and Wild, SIAM J. Optim. 20,
2009) on how many it is done within a given cost. A problem that a method does not solve has
infinite cost and remains in the count.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bilad.models.validation import ArgumentError, FloatArray

LEAST_SECONDS = 1e-3  # shorter times are not distinguished
Curves = Mapping[str, tuple[FloatArray, FloatArray]]


def ratios(costs: FloatArray, least: float = LEAST_SECONDS) -> FloatArray:
    """Return costs over the least cost of each problem, infinite for unsolved problems.

    Parameters
    ----------
    costs : ndarray, shape (problems, methods)
        Infinite where a method failed. A problem that no method solves is infinite for all.
    least : float
        Smaller costs are replaced by this value.
    """
    floored = np.maximum(costs, least)
    best = floored.min(axis=1, keepdims=True)
    return np.where(np.isinf(floored), np.inf, floored / np.where(np.isinf(best), 1.0, best))


def solved_within(ratio: FloatArray, factors: FloatArray) -> FloatArray:
    """Return the share of the problems with a ratio of at most each factor."""
    return np.searchsorted(np.sort(ratio), factors, side="right") / len(ratio)


def performance_profile(costs: Mapping[str, FloatArray], least: float = LEAST_SECONDS) -> Curves:
    """Return, for each method, factors and the share of the problems solved within them.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        The costs of each method, with the problems in the same order.
    least : float
        As in `ratios`.
    """
    return _curves(dict(zip(costs, ratios(_columns(costs), least).T, strict=True)), 1.0)


def data_profile(costs: Mapping[str, FloatArray], least: float = LEAST_SECONDS) -> Curves:
    """Return, for each method, costs and the share of the problems solved within them.

    The parameters are those of `performance_profile`.
    """
    return _curves(dict(zip(costs, np.maximum(_columns(costs), least).T, strict=True)), least)


def _columns(costs: Mapping[str, FloatArray]) -> FloatArray:
    if not costs or not len(next(iter(costs.values()))):
        raise ArgumentError("costs", "no problem with an attack", "at least one")
    return np.column_stack(list(costs.values()))


def _curves(table: Mapping[str, FloatArray], first: float) -> Curves:
    finite = [cost for costs in table.values() for cost in costs if np.isfinite(cost)]
    axis = np.geomspace(first, max([2.0 * first, *finite]) * 1.2, 400)
    return {name: (axis, solved_within(costs, axis)) for name, costs in table.items()}
