"""A radius that is a theorem: no eps shorter than it changes the partition.

*Apart.* On the blocks X* solves the contracted problem; module `motion` bounds how far its solution
moves, so that no two centroids meet.

*Together.* Module `fusion`: the flow inside each block follows eps and stays within its capacity.

Both hold for every eps shorter than the radius, so X*(eps) is constant on the same blocks, and
distinct between them. For p = 1 each feature is a line, on which all this is done by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bilad.models.bilevel import BilevelProblem, MaxDeviation
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.fusion import FusedBlock
from bilad.solvers.certificates.robustness.motion import Motion
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.lower.cluster import cluster
from bilad.solvers.lower.result import Clustering

TOL = 1e-10  # of the features' own solutions, p = 1


@dataclass(frozen=True)
class CertifiedRadius:
    """What is proved of every eps that is short enough.

    Attributes
    ----------
    merge : float
        No clusters merge at any eps shorter than this, unless one splits.
    split : float
        No cluster splits at any eps shorter than this, unless two merge.
    """

    merge: float
    split: float

    @property
    def radius(self) -> float:
        """The partition is the same at every eps shorter than this, in the problem's norm."""
        return min(self.merge, self.split)


def certified_radius(problem: BilevelProblem, clustering: Clustering) -> CertifiedRadius:
    """Prove a radius, in the problem's norm of eps, within which the partition does not change.

    Parameters
    ----------
    problem : BilevelProblem
        Its budget, target and deviation do not matter.
    clustering : Clustering
        At eps = 0. Its partition need not be proved: a radius above zero proves it.

    Returns
    -------
    CertifiedRadius
        0 where nothing can be proved; infinite, or very large, where nothing that eps moves
        matters. Radii beyond the bounds of eps say that no eps within them matters.
    """
    radii = [_radius(*line) for line in _lines(problem, clustering)]
    return CertifiedRadius(min(r.merge for r in radii), min(r.split for r in radii))


def _lines(
    problem: BilevelProblem, clustering: Clustering
) -> Iterator[tuple[BilevelProblem, Structure]]:
    """Yield the problem with its structure; for p = 1 one for each feature."""
    model, X, Z = problem.white_box, clustering.X, clustering.Z
    if model.p != 1 or model.d == 1:
        yield problem, Structure.of(model, clustering.labels, X, Z)
        return
    for feature in range(model.d):
        line = _feature_problem(problem, feature)
        found = cluster(line.white_box, tol=TOL, refine=True)
        yield line, Structure.of(line.white_box, found.labels, found.X, found.Z)


def _feature_problem(problem: BilevelProblem, feature: int) -> MaxDeviation:
    """Return the problem of one feature, for p = 1: a line with the same eps."""
    model, given = problem.white_box, problem.perturbation
    line = ConvexClustering(model.data[:, [feature]], model.graph, model.gamma, model.p)
    rows = problem.data_operator[feature :: model.d]
    own = Perturbation(
        (model.n, 1), rows, given.graph, given.edge_operator, given.lower, given.upper
    )
    return MaxDeviation(line, own, 1.0, problem.norm)


def _radius(problem: BilevelProblem, structure: Structure) -> CertifiedRadius:
    drift = Drift.of(problem, structure)
    motion = Motion(structure, drift)
    merge = motion.merge()
    least = np.inf
    for block in np.flatnonzero(structure.sizes > 1):
        fused = FusedBlock(structure, drift, int(block))
        least = min(least, fused.radius(motion.turns, min(merge, least)))
    return CertifiedRadius(merge, least)
