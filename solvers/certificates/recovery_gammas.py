"""Exact recovery: at which gammas convex clustering returns a given partition.

The test of one gamma is the proof of the labels of a solution. Unlike Theorem 1 of the paper it is
not only sufficient: weights may be zero, points and centroids may coincide, and clusters may have
different sizes. The interval around one gamma is found by bisection.

Is the set of these gammas an interval? Not in general: clusters can split as gamma grows, and merge
again. It is known in these cases:

- The graph is complete with equal weights, and p = 1, p = 2 or d <= 2. Then clusters never split
  (for p = 1 by sorting each feature; for p = 2 see Chiquet, Gutierrez and Rigaill, JCGS 26(1),
  2017; p = inf in the plane is p = 1 in rotated coordinates). The set is one interval, which
  contains its lower end and not its upper one.
- d = 1, with any weights. For a fixed order of the centroids the optimality conditions are linear
  in (gamma, X, Z) jointly. So every gamma between two with the same partition in the same order
  returns this partition.
- No weight joins two clusters. Then the centroids do not move, and a flow that is feasible at one
  gamma is feasible at every larger one. The set is an interval without an upper end.

Otherwise nothing is proved between the tested gammas, and the result says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation import delta
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.recovery import cluster_numbers, recovery_interval
from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_number
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.result import Clustering

FIRST_STEP = math.log(1.1)  # first step of log gamma away from the interval; it is doubled
LARGEST_STEP = 32.0
TURNS = 60  # largest number of gammas in the search by direction
LEAST_RATIO = 1 + 1e-9  # ratio of two gammas at which this search ends
NUDGES = (1e-3, -1e-3, 1e-6, -1e-6)  # relative steps away from a gamma with undecided labels
GRID, REACH = 65, 100.0  # gammas of the grid around the last one; its largest factor
SPLITS = (0.5, 0.4)  # shares at which a bracket is divided; the second if the first is undecided


@dataclass(frozen=True, repr=False)
class ExactInterval(Represented):
    """An interval of gammas at which a partition is returned.

    Its lower end is in [below, low], its upper end in [high, above].

    Attributes
    ----------
    low, high : float
        Gammas that are proved to return the partition. high is inf if all larger ones do.
    below, above : float
        Gammas that are proved not to return it, or on a line not with its centroids in this order.
        below = low = 0 if the data without fusion have the partition; above is inf if no larger
        gamma is proved not to return it.
    gapless : bool
        Whether it is proved that all gammas from low to high return it. Otherwise only the tested
        ones are known to.
    complete : bool
        Whether it is proved that no gamma below `below` or above `above` returns it.
    solves : int
        Number of lower-level solves.
    """

    low: float
    high: float
    below: float
    above: float
    gapless: bool
    complete: bool
    solves: int


def is_recovered(model: ConvexClustering, labels: ArrayLike) -> bool | None:
    """Decide whether convex clustering returns a partition.

    Parameters
    ----------
    model : ConvexClustering
    labels : array_like of int, shape (n,)
        Points with the same label are together.

    Returns
    -------
    bool or None
        True and False are proved for the floating-point numbers of the model. None means that
        neither is: the partition is at a tie, or too near one for double precision.

    Raises
    ------
    ArgumentError
        If the model is not a ConvexClustering or the labels are not n integers.
    """
    return _test(model, labels).returns(model.gamma)


def exact_recovery_interval(
    model: ConvexClustering, labels: ArrayLike, width: float = 1e-6
) -> ExactInterval | None:
    """Find an interval of gammas at which convex clustering returns a partition, by bisection.

    It contains the gamma of the model, if that returns the partition; otherwise the middle of the
    interval of Theorem 1; otherwise the first gamma that a search finds, first by direction
    (smaller gammas separate, larger ones join) and then on a grid.

    Parameters
    ----------
    model : ConvexClustering
    labels : array_like of int, shape (n,)
        Points with the same label are together.
    width : float, default 1e-6
        Each end is bracketed within this relative width; the bracket is wider where nothing is
        proved inside it, or no double lies in it.

    Returns
    -------
    ExactInterval or None
        None if no such gamma was found, which does not prove that there is none.

    Raises
    ------
    ArgumentError
        If the model is not a ConvexClustering, the labels are not n integers, or the width is not
        positive.
    """
    test = _test(model, labels)
    width = real_number(width, "width", above=0.0)
    inside = _find(test)
    if inside is None:
        return None
    below, low = _lower_end(test, inside, width)
    high, above = _upper_end(test, inside, width)
    monotone = _never_splits(model)
    gapless = monotone or model.d == 1 or test.unjoined
    return ExactInterval(low, high, below, above, gapless, monotone or test.unjoined, test.solves)


def _test(model: ConvexClustering, labels: ArrayLike) -> RecoveryTest:
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    return RecoveryTest(model, cluster_numbers(labels, model.n))


class RecoveryTest:
    """Tests of one partition, numbered 0..K-1, at any gamma.

    Each solve starts from the previous one; `solves` counts them. `unjoined` says whether no weight
    joins two clusters.
    """

    def __init__(self, model: ConvexClustering, clusters: IntArray) -> None:
        self.model, self.clusters = model, clusters
        i, j = clusters[model.graph.edges].T
        self.unjoined = not ((i != j) & (model.graph.weights > 0)).any()
        self.solves = 0
        self._last: Clustering | None = None
        self._order: bytes | None = None

    def returns(self, gamma: float) -> bool | None:
        """Decide whether the partition is returned; on a line also in the order found first."""
        for refine in (False, True):
            solved = self.solve(gamma, refine)
            returned = _compare(solved.partition, self.clusters)
            if returned is not None:
                return returned and self._in_order(solved.X)
        return None

    def solve(self, gamma: float, refine: bool = False) -> Clustering:
        """Solve the lower level, unless the last solve was this one."""
        if self._last is None or self._last.model.gamma != gamma or refine:
            self.solves += 1
            model = ConvexClustering(self.model.data, self.model.graph, gamma, self.model.p)
            self._last = solve_lower(model, start=self._last, refine=refine)
        return self._last

    def _in_order(self, X: FloatArray) -> bool:
        if self.model.d > 1:
            return True
        order = np.argsort(block_means(X, self.clusters)[:, 0]).tobytes()
        self._order = order if self._order is None else self._order
        return order == self._order


def _compare(partition: Partition, clusters: IntArray) -> bool | None:
    """Decide whether the proved pairs of a partition determine or exclude the given clusters."""
    pairs = np.unique(np.column_stack([clusters, partition.labels]), axis=0)
    if len(pairs) > clusters.max() + 1:
        return False  # points with different labels are proved apart
    settled = ~np.isin(pairs[:, 1], partition.labels[partition.undecided])
    if (np.bincount(pairs[settled, 1]) > 1).any():
        return False
    return True if partition.proved else None


def _never_splits(model: ConvexClustering) -> bool:
    """Return whether it is proved that clusters only merge as gamma grows."""
    equal = model.graph.uniform_weight is not None
    return equal and (model.p in (1, 2) or model.d <= 2)


def _find(test: RecoveryTest) -> float | None:
    """Return a gamma at which the partition is returned, or None."""
    own = test.model.gamma
    if test.returns(own):
        return own
    theorem = recovery_interval(test.model, test.clusters)
    if theorem.holds_c2:  # an infinite gamma_max is replaced by a finite gamma
        middle = min(0.5 * (theorem.gamma_min + theorem.gamma_max), 2 * theorem.gamma_min + own)
        if test.returns(middle):
            return middle
    last = own or 1.0
    for gamma in _by_direction(test, last):
        last = gamma
        if _looks_returned(test, gamma):
            return gamma
    if _never_splits(test.model):
        return None
    grid = last * np.exp(np.linspace(-1, 1, GRID) * math.log(REACH))
    nearest_first = grid[np.argsort(np.abs(np.log(grid / last)), kind="stable")]
    return next((float(gamma) for gamma in nearest_first if _looks_returned(test, gamma)), None)


def _looks_returned(test: RecoveryTest, gamma: float) -> bool:
    """Return whether the partition is returned; tested only if the labels are equal to it."""
    looks_so = delta(test.solve(gamma).labels, test.clusters) == 0
    return looks_so and test.returns(gamma) is True


def _by_direction(test: RecoveryTest, gamma: float) -> Iterator[float]:
    """Yield gammas between one at which clusters are split and one at which they are merged."""
    least, most = 0.0, math.inf
    for _ in range(TURNS):
        yield gamma
        found = test.solve(gamma).labels
        if delta(found, test.clusters) == 0:  # not proved: gamma may be an end of the interval
            yield from (gamma * (1 + nudge) for nudge in NUDGES)
        pairs = len(np.unique(np.column_stack([test.clusters, found]), axis=0))
        split, joined = pairs > test.clusters.max() + 1, pairs > found.max() + 1
        if (split and joined) or most <= least * LEAST_RATIO:
            return
        least, most = (gamma, most) if split else (least, gamma)
        gamma = _between(least, most, 0.5)


def _between(least: float, most: float, share: float) -> float:
    """Return a gamma between two, on a logarithmic scale where that is possible."""
    if most == math.inf:
        return 8 * least
    return least ** (1 - share) * most**share if least > 0 else most / 8


def _lower_end(test: RecoveryTest, inside: float, width: float) -> tuple[float, float]:
    """Return below and low."""
    yes, step = inside, FIRST_STEP
    while step <= LARGEST_STEP and yes > 0:
        gamma = inside * math.exp(-step)
        returned = test.returns(gamma)
        if returned is False:
            return _bisect(test, gamma, yes, width)
        yes = gamma if returned else yes
        step *= 2
    return (0.0, 0.0) if test.returns(0.0) else (0.0, yes)


def _upper_end(test: RecoveryTest, inside: float, width: float) -> tuple[float, float]:
    """Return high and above."""
    if test.unjoined:
        return math.inf, math.inf
    yes, step = inside, FIRST_STEP
    while step <= LARGEST_STEP:
        gamma = (inside or 1.0) * math.exp(step)
        returned = test.returns(gamma)
        if returned is False:
            no, yes = _bisect(test, gamma, yes, width)
            return yes, no
        yes = gamma if returned else yes
        step *= 2
    return yes, math.inf


def _bisect(test: RecoveryTest, no: float, yes: float, width: float) -> tuple[float, float]:
    """Bisect between a gamma that does not return the partition and one that does."""
    while abs(yes - no) > width * max(yes, no):
        least, most = min(no, yes), max(no, yes)
        for share in SPLITS:
            gamma = _between(least, most, share)
            returned = test.returns(gamma) if least < gamma < most else None
            if returned is not None:
                break
        else:
            break
        no, yes = (no, gamma) if returned else (gamma, yes)
    return no, yes
