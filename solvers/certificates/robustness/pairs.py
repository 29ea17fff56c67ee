"""Pairs of points that no eps within a radius can flip: always together, or always apart.

Together: both in one steady block (module `steady`). Apart: their blocks never meet (module
`free_motion`; on a line also module `sandwich`). If the model separates into lines, two points are
together iff they are so on every line, and apart if they are so on one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.free_motion import FreeMotion
from bilad.solvers.certificates.robustness.leaving import Leaving, cores_apart, moves_one_each
from bilad.solvers.certificates.robustness.lines import lines
from bilad.solvers.certificates.robustness.sandwich import never_meet
from bilad.solvers.certificates.robustness.steady import steady_blocks
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.result import Clustering

TOL = 1e-10  # of the solution at eps = 0, where the given one does not prove its labels


@dataclass(frozen=True)
class SettledPairs:
    """What is proved of all pairs at every ||eps|| <= radius; neither, where nothing is.

    Attributes
    ----------
    together : ndarray of bool, shape (n, n)
        Symmetric, true on the diagonal.
    apart : ndarray of bool, shape (n, n)
        Symmetric.
    positions : ndarray, shape (n, d)
        About X*(0): within what `reach` allows for.
    reach : float
        What merges takes that much, squared and summed: see `counting`. Infinite if not known.
    leaving : Leaving
        What else is settled as long as nobody leaves his cluster, and what that costs.
    """

    together: BoolArray
    apart: BoolArray
    positions: FloatArray
    reach: float
    leaving: Leaving


def settled_pairs(
    problem: BilevelProblem, clustering: Clustering, radius: float, tight: bool = False
) -> SettledPairs:
    """Find pairs whose relation is the same at every eps of norm at most `radius`.

    Parameters
    ----------
    problem : BilevelProblem
        Its budget, target and deviation do not matter.
    clustering : Clustering
        At eps = 0. If its labels are not proved it is solved again; if they cannot be, no pair is
        settled.
    radius : float
        In the problem's norm, finite.
    tight : bool, default False
        Whether a conic program is solved for each block, and more work is spent.

    Returns
    -------
    SettledPairs

    Raises
    ------
    ArgumentError
        If the model is a black box.
    UnsupportedError
        For p = inf and d > 2.
    """
    found = [
        _settled(line.problem, line.clustering, line.reach(radius), tight)
        for line in lines(problem, clustering)
    ]
    together = np.logical_and.reduce([line.together for line in found])
    apart = np.logical_or.reduce([line.apart for line in found])
    return SettledPairs(
        together=together,
        apart=apart,
        positions=np.hstack([line.positions for line in found]),
        reach=math.hypot(*(line.reach for line in found)),
        leaving=_leaving(problem, [line.leaving for line in found], together, apart),
    )


def _leaving(
    problem: BilevelProblem, found: list[Leaving], together: BoolArray, apart: BoolArray
) -> Leaving:
    """Join the lines: who leaves in one has left. If one eps pays in several, nothing is known."""
    if len(found) > 1 and not moves_one_each(problem.operator("data")):
        return Leaving(np.full(len(together), np.inf), together, apart)
    return Leaving(
        costs=np.minimum.reduce([line.costs for line in found]),
        together=np.logical_and.reduce([line.together for line in found]),
        apart=np.logical_or.reduce([line.apart for line in found]),
    )


def _settled(
    problem: BilevelProblem, clustering: Clustering, radius: float, tight: bool
) -> SettledPairs:
    n = clustering_of(problem).n
    if not clustering.proved:
        clustering = solve_lower(clustering_of(problem), tol=TOL, refine=True)
    if not clustering.proved:
        together, apart = np.eye(n, dtype=bool), np.zeros((n, n), dtype=bool)
        leaving = Leaving.of(problem, np.arange(n), together, apart)
        return SettledPairs(together, apart, clustering.X, np.inf, leaving)
    clusters = Structure.of(clustering_of(problem), clustering.labels, clustering.X)
    steady = steady_blocks(problem, clusters, radius, tight)
    motion, labels = steady.motion, steady.labels
    together = labels[:, None] == labels
    apart = _apart(motion, labels, radius)
    never_on_line = never_meet(problem, radius)
    if never_on_line is not None:
        apart |= never_on_line
    apart |= cores_apart(problem, clustering.labels, together, radius)
    return SettledPairs(
        together=together,
        apart=apart,
        positions=motion.structure.centroids[labels],
        reach=motion.reach(radius),
        leaving=Leaving.of(problem, clustering.labels, together, apart),
    )


def _apart(motion: FreeMotion, labels: IntArray, radius: float) -> BoolArray:
    """Return which points are in blocks that never meet: shape (n, n)."""
    K = int(labels.max()) + 1
    apart = np.zeros((K, K), dtype=bool)
    never = motion.apart(radius)
    apart[motion.first[never], motion.second[never]] = True
    apart |= apart.T
    return apart[np.ix_(labels, labels)]
