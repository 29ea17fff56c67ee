"""The gammas at which convex clustering returns a partition, by bisection on the exact test.

*Is the set of these gammas an interval?* Not in general: clusters can split again as gamma grows,
and form once more. But:

- Complete graph, equal weights, and p = 1, p = 2 or d <= 2: clusters never split (on a line by
  sorting, so for p = 1 in every feature; p = 2: Chiquet, Gutierrez and Rigaill, JCGS 26(1), 2017;
  p = inf in the plane is p = 1 after a turn). So the set is one interval, which contains its lower
  end and not its upper.
- d = 1, any weights: with the order of the centroids held, the conditions of optimality are linear
  in (gamma, X, Z) jointly. So between two gammas with the same partition in the same order lie
  only such.
- No weight between clusters: the centroids do not move, and the flow that serves one gamma serves
  all greater ones. So the set is an interval without an upper end.
- Else nothing is proved between the gammas tested, and the result says so.
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
from bilad.models.validation import real_number
from bilad.solvers.certificates.recovery import Verdicts

FIRST_STEP = math.log(1.1)  # of log gamma, away from a gamma that is in the interval; then doubled
LARGEST_STEP = 32.0
TURNS = 60  # tries to find a first gamma by its direction
LEAST_RATIO = 1 + 1e-9  # of two such gammas, at which to give up
NUDGES = (1e-3, -1e-3, 1e-6, -1e-6)  # relative, from a gamma at a tie
GRID, REACH = 65, 100.0  # gammas then tried around the last, up to this factor away
SPLITS = (0.5, 0.4)  # of a bracket, until one is decided


@dataclass(frozen=True)
class ExactInterval:
    """An interval of gammas at which a partition is returned.

    Its lower end is in [below, low], its upper end in [high, above].

    Attributes
    ----------
    low, high : float
        Proved to return the partition. high is inf if all greater gammas do.
    below, above : float
        Proved not to return it, or on a line not with its centroids in this order. below = low = 0
        if the data without fusion have the partition; above is inf if no gamma was proved greater.
    gapless : bool
        Whether it is proved that all gammas from low to high return it. If not, only those tested.
    complete : bool
        Whether it is proved that none below `below` and above `above` does.
    solves : int
        Of the lower level.
    """

    low: float
    high: float
    below: float
    above: float
    gapless: bool
    complete: bool
    solves: int


def exact_recovery_interval(
    model: ConvexClustering, labels: ArrayLike, width: float = 1e-6
) -> ExactInterval | None:
    """Find an interval of gammas at which convex clustering returns a partition, by bisection.

    It is the one around the model's gamma, if that returns the partition; else around the middle
    of Theorem 1's interval; else around the first gamma that a search finds, by direction (smaller
    gammas separate, greater ones join) and then on a grid.

    Parameters
    ----------
    model : ConvexClustering
    labels : array_like of int, shape (n,)
        Points with the same label are together.
    width : float, default 1e-6
        Each end is bracketed within this share of itself, or more widely where nothing is proved
        nearer, or no double is nearer.

    Returns
    -------
    ExactInterval or None
        None if no gamma was found; that does not prove that there is none.

    Raises
    ------
    ArgumentError
        If the labels are not n integers, or the width is not positive.
    """
    clusters = cluster_numbers(labels, model.n)
    width = real_number(width, "width", above=0.0)
    verdicts = Verdicts(model, clusters)
    inside = _find(verdicts)
    if inside is None:
        return None
    below, low = _lower_end(verdicts, inside, width)
    high, above = _upper_end(verdicts, inside, width)
    monotone = _never_splits(model)
    gapless = monotone or model.d == 1 or verdicts.unjoined
    return ExactInterval(
        low, high, below, above, gapless, monotone or verdicts.unjoined, verdicts.solves
    )


def _never_splits(model: ConvexClustering) -> bool:
    """Whether it is proved that clusters only merge as gamma grows."""
    equal = model.graph.uniform_weight is not None
    return equal and (model.p in (1, 2) or model.d <= 2)


def _find(verdicts: Verdicts) -> float | None:
    """Return a gamma at which the partition is returned, or None."""
    own = verdicts.model.gamma
    if verdicts.verdict(own):
        return own
    theorem = recovery_interval(verdicts.model, verdicts.clusters)
    if theorem.holds_c2:  # and if gamma_max is inf, so is the interval
        middle = min(0.5 * (theorem.gamma_min + theorem.gamma_max), 2 * theorem.gamma_min + own)
        if verdicts.verdict(middle):
            return middle
    last = own or 1.0
    for gamma in _by_direction(verdicts, last):
        last = gamma
        if _returns(verdicts, gamma):
            return gamma
    if _never_splits(verdicts.model):
        return None
    grid = last * np.exp(np.linspace(-1, 1, GRID) * math.log(REACH))
    nearest_first = grid[np.argsort(np.abs(np.log(grid / last)), kind="stable")]
    return next((float(gamma) for gamma in nearest_first if _returns(verdicts, gamma)), None)


def _returns(verdicts: Verdicts, gamma: float) -> bool:
    """Whether the partition is proved to be returned; tried only if the labels look so."""
    looks_so = delta(verdicts.solve(gamma).labels, verdicts.clusters) == 0
    return looks_so and verdicts.verdict(gamma) is True


def _by_direction(verdicts: Verdicts, gamma: float) -> Iterator[float]:
    """Yield gammas between one that separates too much and one that joins too much."""
    least, most = 0.0, math.inf
    for _ in range(TURNS):
        yield gamma
        found = verdicts.solve(gamma).labels
        if delta(found, verdicts.clusters) == 0:  # not proved: perhaps the end of the interval
            yield from (gamma * (1 + nudge) for nudge in NUDGES)
        pairs = len(np.unique(np.column_stack([verdicts.clusters, found]), axis=0))
        torn, joined = pairs > verdicts.clusters.max() + 1, pairs > found.max() + 1
        if (torn and joined) or most <= least * LEAST_RATIO:
            return
        least, most = (gamma, most) if torn else (least, gamma)
        gamma = _between(least, most, 0.5)


def _between(least: float, most: float, share: float) -> float:
    """Return a gamma between two, on the scale of logarithms where both have one."""
    if most == math.inf:
        return 8 * least
    return least ** (1 - share) * most**share if least > 0 else most / 8


def _lower_end(verdicts: Verdicts, inside: float, width: float) -> tuple[float, float]:
    """Return below and low."""
    yes, step = inside, FIRST_STEP
    while step <= LARGEST_STEP and yes > 0:
        gamma = inside * math.exp(-step)
        verdict = verdicts.verdict(gamma)
        if verdict is False:
            return _bisect(verdicts, gamma, yes, width)
        yes = gamma if verdict else yes
        step *= 2
    return (0.0, 0.0) if verdicts.verdict(0.0) else (0.0, yes)


def _upper_end(verdicts: Verdicts, inside: float, width: float) -> tuple[float, float]:
    """Return high and above."""
    if verdicts.unjoined:
        return math.inf, math.inf
    yes, step = inside, FIRST_STEP
    while step <= LARGEST_STEP:
        gamma = (inside or 1.0) * math.exp(step)
        verdict = verdicts.verdict(gamma)
        if verdict is False:
            no, yes = _bisect(verdicts, gamma, yes, width)
            return yes, no
        yes = gamma if verdict else yes
        step *= 2
    return yes, math.inf


def _bisect(verdicts: Verdicts, no: float, yes: float, width: float) -> tuple[float, float]:
    """Return a no and a yes, nearer to each other: to `width`, or till no double is between."""
    while abs(yes - no) > width * max(yes, no):
        least, most = min(no, yes), max(no, yes)
        for share in SPLITS:
            gamma = _between(least, most, share)
            verdict = verdicts.verdict(gamma) if least < gamma < most else None
            if verdict is not None:
                break
        else:
            break
        no, yes = (no, gamma) if verdict else (gamma, yes)
    return no, yes
