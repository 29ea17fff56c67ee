"""Bounds for (BL1) and (BL2) from the pairs that no eps within the budget can flip."""

from __future__ import annotations

import math

import numpy as np

from bilad.models.deviation import DeviationFunction
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.counting import (
    most_of_leavers,
    most_of_partitions,
    most_within_reach,
)
from bilad.solvers.certificates.robustness.lines import is_supported
from bilad.solvers.certificates.robustness.pairs import SettledPairs, settled_pairs
from bilad.solvers.certificates.robustness.radius import certified_radius
from bilad.solvers.clustering.result import Clustering

ROUNDING = 1 + 1e-12  # of a sum of coefficients that are no integers
QUICK_TRIES, TIGHT_TRIES = 4, 12  # of radii, to bound (BL2)
QUICK_POINTS, QUICK_NUMBERS = 500, 5_000_000  # beyond, there is no quick bound: n, and n d k


def optimum_bound(
    problem: BilevelProblem, clustering: Clustering, tight: bool = False
) -> float | None:
    """Bound the optimum: from above for (BL1), from below for (BL2).

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    clustering : Clustering
        At eps = 0; deviations are from its labels.
    tight : bool, default False
        As in `settled_pairs`, and for problems of any size.

    Returns
    -------
    float or None
        None if the model is a black box, or p = inf and d > 2; also if not `tight`, and n > 500 or
        n d k > 5,000,000.
        For (BL2) infinite if no eps within the limit reaches the target.
    """
    if not is_supported(clustering_of(problem)):
        return None
    n, numbers = problem.model.n, problem.model.data.size * problem.perturbation.dim
    if not tight and (n > QUICK_POINTS or numbers > QUICK_NUMBERS):
        return None
    if problem.sense == "min":
        return norm_bound(problem, clustering, tight)
    return deviation_bound(problem, clustering, problem.radius, tight)


def deviation_bound(
    problem: BilevelProblem, clustering: Clustering, radius: float, tight: bool = False
) -> float:
    """Bound the deviation of every eps of norm at most `radius` from above.

    Parameters
    ----------
    problem, clustering, tight
        As in `optimum_bound`.
    radius : float
        In the problem's norm; eps beyond their bounds do not count.

    Returns
    -------
    float
        For a deviation additive over pairs, the most that those which are not settled can add up
        to; for others its largest value, or 0 if all pairs are settled. For p = inf and d > 2 the
        largest value.

    Raises
    ------
    ArgumentError
        If the model is a black box.
    """
    if not is_supported(clustering_of(problem)):
        return float(problem.deviation.largest(problem.model.n))
    bounds = np.maximum(-problem.perturbation.lower, problem.perturbation.upper)
    radius = min(radius, problem.size(bounds))
    settled = settled_pairs(problem, clustering, radius, tight)
    return _most(problem, clustering.labels, settled, radius)


def norm_bound(problem: BilevelProblem, clustering: Clustering, tight: bool = False) -> float:
    """Bound the norm of every eps that reaches the target from below.

    Parameters
    ----------
    problem, clustering, tight
        As in `optimum_bound`.

    Returns
    -------
    float
        No eps shorter than this reaches the target; infinite if none within the limit does. For
        p = inf and d > 2 it is 0.
    """
    if not is_supported(clustering_of(problem)):
        return 0.0

    def unreached(radius: float) -> bool:
        return deviation_bound(problem, clustering, radius, tight) < problem.target

    limit = problem.radius
    low = certified_radius(problem, clustering).radius
    if low > limit:
        return math.inf
    if tight and unreached(limit):
        return math.inf
    if low == 0 or problem.target <= _least(problem.deviation, problem.model.n):
        return low
    high = math.inf
    for _ in range(TIGHT_TRIES if tight else QUICK_TRIES):
        middle = min(2 * low, limit) if high == math.inf else 0.5 * (low + high)
        if not unreached(middle):
            high = middle
        elif middle == limit:
            return math.inf
        else:
            low = middle
    return low


def _least(function: DeviationFunction, n: int) -> float:
    """Return the least positive value of a deviation that is additive over pairs, or 0."""
    return 0.0 if function.pairs is None else float(function.pairs(n)[1].min())


def _most(problem: BilevelProblem, labels: IntArray, settled: SettledPairs, radius: float) -> float:
    """Return the most that a deviation can be if only pairs may flip that are not settled."""
    function, n = problem.deviation, len(labels)
    if not _open(labels, settled.together, settled.apart).any():
        return 0.0
    largest = float(function.largest(n))
    if function.pairs is None:
        return largest
    pairs, coefficients = function.pairs(n)
    if len(pairs) == n * (n - 1) // 2 and (coefficients == coefficients[0]).all():
        flips = _most_worth(problem, labels, settled, radius, np.ones((n, n)))
        bound = math.floor(min(flips, _most_flips(labels, settled))) * float(coefficients[0])
    else:
        worth = np.zeros((n, n))
        worth[pairs[:, 0], pairs[:, 1]] = coefficients
        bound = _most_worth(problem, labels, settled, radius, worth + worth.T)
    return min(largest, bound if bound == round(bound) else bound * ROUNDING)


def _open(labels: IntArray, together: BoolArray, apart: BoolArray) -> BoolArray:
    """Return which pairs may flip: shape (n, n)."""
    return ~np.where(labels[:, None] == labels, together, apart)


def _most_worth(
    problem: BilevelProblem,
    labels: IntArray,
    settled: SettledPairs,
    radius: float,
    worth: FloatArray,
) -> float:
    """Bound what flips, pair by pair, or by points that leave their clusters and share a budget.

    Parameters
    ----------
    worth : ndarray, shape (n, n)
        Of each pair; symmetric.
    """
    leaving = settled.leaving
    may = _open(labels, settled.together, settled.apart)
    always = _open(labels, leaving.together, leaving.apart)
    total = math.fsum(worth[np.triu(may)])
    of_leavers = np.where(may & ~always, worth, 0.0).sum(axis=1)
    shared = most_of_leavers(
        of_leavers, math.fsum(worth[np.triu(always)]), leaving.costs, problem.norm, radius
    )
    return min(total, shared)


def _most_flips(labels: IntArray, settled: SettledPairs) -> float:
    """Bound the number of pairs that flip, since what is together after is a partition."""
    flips: float = most_of_partitions(labels, settled.together, settled.apart)
    if settled.reach < math.inf:
        args = settled.together, settled.apart, settled.positions, settled.reach
        flips = min(flips, most_within_reach(labels, *args))
    return flips
