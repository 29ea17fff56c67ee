"""A radius that is a theorem: no eps shorter than it changes the partition.

*Apart.* On the blocks X* solves the contracted problem; module `motion` bounds how far its solution
moves, so that no two centroids meet.

*Together.* Module `fusion`: the flow inside each block follows eps and stays within its capacity.

*Ties*, p = inf and d > 1. Several features lead as a rule, and one zeta for each pair of blocks can
move along a face (module `faces`). Or all ties are proved to hold (module `held_ties`), then
parallel edges may differ; the better of the two counts.

Both hold for every eps shorter than the radius, so X*(eps) is constant on the same blocks, and
distinct between them. For p = 1 each feature is a line, on which all this is done by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.clustering_problem import clustering_of
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.fusion import FusedBlock
from bilad.solvers.certificates.robustness.held_ties import HeldTies
from bilad.solvers.certificates.robustness.lines import lines
from bilad.solvers.certificates.robustness.motion import Motion
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.lower.result import Clustering


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
    radii = [_radius(*line) for line in lines(problem, clustering)]
    return CertifiedRadius(min(r.merge for r in radii), min(r.split for r in radii))


def _radius(problem: BilevelProblem, clustering: Clustering) -> CertifiedRadius:
    structure = Structure.of(clustering_of(problem), clustering.labels, clustering.X, clustering.Z)
    drift = Drift.of(problem, structure)
    motion = Motion(structure, drift)
    merge = motion.merge()
    least = np.inf
    for block in np.flatnonzero(structure.sizes > 1):
        fused = FusedBlock(structure, drift, int(block))
        least = min(least, fused.radius(motion.turns, min(merge, least)))
    if least < merge and not structure.smooth and not drift.change.any():
        least = max(least, _with_ties(structure, drift, motion, merge))
    return CertifiedRadius(merge, least)


def _with_ties(structure: Structure, drift: Drift, motion: Motion, most: float) -> float:
    """Return a radius within which all ties hold and no cluster splits, at most `most`."""
    held = HeldTies.of(structure, motion.push)
    if held is None:
        return 0.0
    least = held.radius(most)
    for block in np.flatnonzero(structure.sizes > 1):
        if least == 0:
            break
        fused = FusedBlock(structure, drift, int(block), felt=held.felt)
        least = min(least, fused.radius(held.turns, least))
    return least
