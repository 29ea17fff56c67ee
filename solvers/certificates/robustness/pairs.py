"""Pairs of points that no eps within a radius can flip: always together, or always apart.

Together: both in one steady block (module `steady`). Apart: their blocks never meet (module
`free_motion`; on a line also module `sandwich`). For p = 1 each feature is a line: together iff so
in every feature, apart if so in one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import BoolArray
from bilad.solvers.certificates.robustness.lines import lines
from bilad.solvers.certificates.robustness.sandwich import never_meet
from bilad.solvers.certificates.robustness.steady import steady_blocks
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.lower.cluster import cluster
from bilad.solvers.lower.result import Clustering

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
    """

    together: BoolArray
    apart: BoolArray


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
    """
    n = problem.white_box.n
    together, apart = np.ones((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    for line, solution in lines(problem, clustering):
        found = _settled(line, solution, radius, tight)
        together &= found.together
        apart |= found.apart
    return SettledPairs(together, apart)


def _settled(
    problem: BilevelProblem, clustering: Clustering, radius: float, tight: bool
) -> SettledPairs:
    if not clustering.proved:
        clustering = cluster(problem.white_box, tol=TOL, refine=True)
    n = problem.white_box.n
    if not clustering.proved:
        return SettledPairs(np.eye(n, dtype=bool), np.zeros((n, n), dtype=bool))
    clusters = Structure.of(problem.white_box, clustering.labels, clustering.X, clustering.Z)
    steady = steady_blocks(problem, clusters, radius, tight)
    motion, labels = steady.motion, steady.labels
    K = int(labels.max()) + 1
    apart = np.zeros((K, K), dtype=bool)
    never = motion.apart(radius)
    apart[motion.first[never], motion.second[never]] = True
    apart |= apart.T
    apart = apart[np.ix_(labels, labels)]
    never_on_line = never_meet(problem, radius)
    if never_on_line is not None:
        apart |= never_on_line
    return SettledPairs(labels[:, None] == labels, apart)
