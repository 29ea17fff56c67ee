"""Bounds on the optimum of (BL1) and (BL2), from the pairs of points that no eps can flip.

(BL1) asks for the largest deviation within a budget, (BL2) for the shortest eps that reaches a
target deviation. A pair of points is *fixed* within a radius if it is proved that its points are
together at every ||eps|| <= radius, or apart at every such eps. They are together if they are in
one stable block (module `stable_blocks`). They are apart if their blocks never meet (modules
`contracted_problem` and `line_bounds`). If the model separates into lines, they are together if
they are so on every line, and apart if they are so on one.

Theorem. The deviation of every eps of the budget is at most what the pairs that are not fixed can
add up to (module `flip_bounds`). The least radius at which this reaches the target is a lower bound
for (BL2). Both claims follow from the definition of a fixed pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.learning_model import Proof
from bilad.models.learning.learning_model import bound as capability_bound
from bilad.models.learning.learning_model import radius as capability_radius
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.attack_directions import attack_directions
from bilad.solvers.certificates.contracted_problem import CentroidMotion, ContractedSolution
from bilad.solvers.certificates.exact_radius import ExactRadius, exact_radius
from bilad.solvers.certificates.flip_bounds import (
    flips_of_partitions,
    flips_within_motion,
    worth_within_budget,
)
from bilad.solvers.certificates.line_bounds import (
    SeparationCosts,
    cores_apart,
    moves_one_each,
    never_meet,
)
from bilad.solvers.certificates.separable import is_supported, lines
from bilad.solvers.certificates.stable_blocks import certified_radius, stable_blocks
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.errors import UnsupportedError

TOL = 1e-10  # of a new solution at eps = 0, computed if the given labels are not proved
ROUNDING = 1 + 1e-12  # covers the rounding errors of a sum of coefficients that are not integers
QUICK_TRIES, TIGHT_TRIES = 4, 12  # number of radii that are tried for (BL2)
LEAST_START = 1e-6  # relative to the limit: size of the first eps if nothing is proved
QUICK_POINTS, QUICK_NUMBERS = 500, 5_000_000  # no quick bound for larger n or n d k


def optimum_bound(
    problem: BilevelProblem, clustering: Clustering, tight: bool = False
) -> float | None:
    """Bound the optimum: from above for (BL1), from below for (BL2).

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    clustering : Clustering
        The solution at eps = 0; deviations refer to its labels.
    tight : bool, default False
        As in `fixed_pairs`; also bounds problems of any size.

    Returns
    -------
    float or None
        For (BL2) infinite if no eps within the limit reaches the target. None if p = inf and d > 2;
        also, if not `tight`, for n > 500 or n d k > 5,000,000.

    Raises
    ------
    ArgumentError
        If the model is a black box.
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
    """Bound the deviation of every eps with ||eps|| <= radius from above.

    Parameters
    ----------
    problem, clustering, tight
        As in `optimum_bound`.
    radius : float
        In the norm of the problem. Only eps within their bounds count.

    Returns
    -------
    float
        For a deviation that is additive over pairs, a bound on the sum over the pairs that are not
        fixed. For any other deviation, its largest value, or 0 if all pairs are fixed. For p = inf
        and d > 2, the largest value.

    Raises
    ------
    ArgumentError
        If the model is a black box.
    """
    if not is_supported(clustering_of(problem)):
        return float(problem.deviation.largest(problem.model.n))
    bounds = np.maximum(-problem.perturbation.lower, problem.perturbation.upper)
    radius = min(radius, problem.size(bounds))
    fixed = fixed_pairs(problem, clustering, radius, tight)
    return _largest_deviation(problem, clustering.labels, fixed, radius)


def norm_bound(problem: BilevelProblem, clustering: Clustering, tight: bool = False) -> float:
    """Bound the norm of every eps that reaches the target from below.

    Parameters
    ----------
    problem, clustering, tight
        As in `optimum_bound`.

    Returns
    -------
    float
        No shorter eps reaches the target; infinite if none within the limit does. For p = inf and
        d > 2 it is 0.
    """
    if not is_supported(clustering_of(problem)):
        return 0.0

    def unreached(radius: float) -> bool:
        return deviation_bound(problem, clustering, radius, tight) < problem.target

    limit = problem.radius
    low = certified_radius(problem, clustering)
    if low > limit:
        return math.inf
    if tight and unreached(limit):
        return math.inf
    pairs = problem.deviation.pairs
    least = 0.0 if pairs is None else float(pairs(problem.model.n)[1].min())
    if low == 0 or problem.target <= least:
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


@dataclass(frozen=True)
class FixedPairs:
    """Pairs of points whose relation is proved to be the same at every ||eps|| <= radius.

    Attributes
    ----------
    together, apart : ndarray of bool, shape (n, n)
        Symmetric; `together` is true on the diagonal. If nothing is proved about a pair, both are
        false for it.
    positions : ndarray, shape (n, d)
        The solution at eps = 0, up to an error that `motion` includes.
    motion : float
        Bound on the root of the sum of the squared motions of all points, minus a common
        translation; infinite if none is known.
    separation : SeparationCosts
        Pairs that are fixed as long as no point leaves its cluster.
    """

    together: BoolArray
    apart: BoolArray
    positions: FloatArray
    motion: float
    separation: SeparationCosts


def fixed_pairs(
    problem: BilevelProblem, clustering: Clustering, radius: float, tight: bool = False
) -> FixedPairs:
    """Find pairs of points that no eps of norm at most `radius` flips.

    Parameters
    ----------
    problem : BilevelProblem
        Its budget, target and deviation have no effect.
    clustering : Clustering
        At eps = 0. If its labels are not proved, the model is solved again; if they cannot be
        proved, no pair is fixed.
    radius : float
        In the norm of the problem; finite.
    tight : bool, default False
        Whether a conic program is solved for each block, and more cuts and radii are tried.

    Raises
    ------
    ArgumentError
        If the model is a black box.
    UnsupportedError
        If p = inf and d > 2.
    """
    found = [
        _fixed_on_line(line.problem, line.clustering, line.reach(radius), tight)
        for line in lines(problem, clustering)
    ]
    together = np.logical_and.reduce([line.together for line in found])
    apart = np.logical_or.reduce([line.apart for line in found])
    separations = [line.separation for line in found]
    if len(found) > 1 and not moves_one_each(problem.operator("data")):
        # One entry of eps can make points leave their clusters on several lines at the same cost.
        separation = SeparationCosts(np.full(len(together), np.inf), together, apart)
    else:
        separation = SeparationCosts(
            costs=np.minimum.reduce([line.costs for line in separations]),
            together=np.logical_and.reduce([line.together for line in separations]),
            apart=np.logical_or.reduce([line.apart for line in separations]),
        )
    return FixedPairs(
        together=together,
        apart=apart,
        positions=np.hstack([line.positions for line in found]),
        motion=math.hypot(*(line.motion for line in found)),
        separation=separation,
    )


def _fixed_on_line(
    problem: BilevelProblem, clustering: Clustering, radius: float, tight: bool
) -> FixedPairs:
    """Find fixed pairs for p = 2 or d = 1."""
    model, n = clustering_of(problem), clustering_of(problem).n
    if not clustering.proved:
        clustering = solve_lower(model, tol=TOL, refine=True)
    if not clustering.proved:
        together, apart = np.eye(n, dtype=bool), np.zeros((n, n), dtype=bool)
        separation = SeparationCosts.of(problem, np.arange(n), together, apart)
        return FixedPairs(together, apart, clustering.X, np.inf, separation)
    clusters = ContractedSolution.of(model, clustering.labels, clustering.X)
    motion = stable_blocks(problem, clusters, radius, tight)
    labels = motion.solution.blocks
    together = labels[:, None] == labels
    apart = _blocks_apart(motion, labels, radius)
    by_monotonicity = never_meet(problem, radius)
    if by_monotonicity is not None:
        apart |= by_monotonicity
    apart |= cores_apart(problem, clustering.labels, together, radius)
    return FixedPairs(
        together=together,
        apart=apart,
        positions=motion.solution.centroids[labels],
        motion=motion.total(radius),
        separation=SeparationCosts.of(problem, clustering.labels, together, apart),
    )


def _blocks_apart(motion: CentroidMotion, labels: IntArray, radius: float) -> BoolArray:
    """Return which points are in blocks that never meet: shape (n, n)."""
    K = int(labels.max()) + 1
    apart = np.zeros((K, K), dtype=bool)
    never = motion.apart(radius)
    apart[motion.first[never], motion.second[never]] = True
    apart |= apart.T
    return apart[np.ix_(labels, labels)]


def _largest_deviation(
    problem: BilevelProblem, labels: IntArray, fixed: FixedPairs, radius: float
) -> float:
    """Return the largest deviation if only open pairs flip."""
    function, n = problem.deviation, len(labels)
    if not _open(labels, fixed.together, fixed.apart).any():
        return 0.0
    largest = float(function.largest(n))
    if function.pairs is None:
        return largest
    pairs, coefficients = function.pairs(n)
    if len(pairs) == n * (n - 1) // 2 and (coefficients == coefficients[0]).all():
        flips = _largest_worth(problem, labels, fixed, radius, np.ones((n, n)))
        flips = min(flips, flips_of_partitions(labels, fixed.together, fixed.apart))
        if fixed.motion < math.inf:
            args = fixed.together, fixed.apart, fixed.positions, fixed.motion
            flips = min(flips, flips_within_motion(labels, *args))
        bound = math.floor(flips) * float(coefficients[0])
    else:
        worth = np.zeros((n, n))
        worth[pairs[:, 0], pairs[:, 1]] = coefficients
        bound = _largest_worth(problem, labels, fixed, radius, worth + worth.T)
    return min(largest, bound if bound == round(bound) else bound * ROUNDING)


def _open(labels: IntArray, together: BoolArray, apart: BoolArray) -> BoolArray:
    """Return which pairs may flip: shape (n, n)."""
    return ~np.where(labels[:, None] == labels, together, apart)


def _largest_worth(
    problem: BilevelProblem, labels: IntArray, fixed: FixedPairs, radius: float, worth: FloatArray
) -> float:
    """Bound the sum of `worth` (n, n) over the pairs that flip, by the better of two bounds."""
    separation = fixed.separation
    may = _open(labels, fixed.together, fixed.apart)
    always = _open(labels, separation.together, separation.apart)
    total = math.fsum(worth[np.triu(may)])
    by_leaving = np.where(may & ~always, worth, 0.0).sum(axis=1)
    in_any_case = math.fsum(worth[np.triu(always)])
    shared = worth_within_budget(by_leaving, in_any_case, separation.costs, problem.norm, radius)
    return min(total, shared)


@capability_bound.register(ConvexClustering)
def _bound(
    model: ConvexClustering, problem: BilevelProblem, baseline: Clustering, effort: str
) -> float | None:
    return optimum_bound(problem, baseline, tight=effort == "tight")


@capability_radius.register(ConvexClustering)
def _proof(model: ConvexClustering, problem: BilevelProblem, baseline: Clustering) -> Proof:
    """Prove a bound by the exact radius if it is known, and otherwise by fixed pairs."""
    exact = _exact_radius(problem)
    if exact is not None and exact.exact:
        return Proof(exact.radius, "facets", True, [exact.eps])
    lower = norm_bound(problem, baseline) if exact is None else exact.radius
    bounding = "flows and nonexpansiveness" if lower > 0 else "none"
    method = bounding if exact is None else "facets"
    return Proof(lower, method, False, _starts(problem, baseline, lower))


def _exact_radius(problem: BilevelProblem) -> ExactRadius | None:
    """Return the exact radius, if it is known and any change of the partition is an attack."""
    pairs, n = problem.deviation.pairs, problem.model.n
    if pairs is None or 2 * len(pairs(n)[0]) < n * (n - 1) or problem.target > pairs(n)[1].min():
        return None
    try:
        return exact_radius(problem)
    except UnsupportedError:
        return None


def _starts(problem: BilevelProblem, clustering: Clustering, lower: float) -> Iterator[FloatArray]:
    """Yield directions of attacks in the norm of the bound, below which there is no attack."""
    size = max(min(lower, problem.radius), LEAST_START * problem.radius)
    for eps in attack_directions(problem, clustering):
        yield size * eps
