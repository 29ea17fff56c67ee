"""A radius that is a theorem: no eps shorter than it changes the partition.

*Apart.* On the blocks X* solves the contracted problem; module `free_motion` bounds how far its
solution moves, so that no two centroids meet. On a line forces are signs: as long as the order is
kept, the centroids are affine in eps.

*Together.* Module `fusion`: the flow inside each block follows eps and stays within its capacity.

Both hold for every eps shorter than the radius, so X*(eps) is constant on the same blocks, and
distinct between them. What separates into lines is proved on each of them (module `lines`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.free_motion import MARGIN, FreeMotion
from bilad.solvers.certificates.robustness.fusion import FusedBlock
from bilad.solvers.certificates.robustness.lines import lines
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.clustering.result import Clustering


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
        p = 1 or 2, or p = inf with d <= 2. Its budget, target and deviation do not matter.
    clustering : Clustering
        At eps = 0. Its partition need not be proved: a radius above zero proves it.

    Returns
    -------
    CertifiedRadius
        0 where nothing can be proved; infinite, or very large, where nothing that eps moves
        matters. Radii beyond the bounds of eps say that no eps within them matters.

    Raises
    ------
    ArgumentError
        If the model is a black box.
    UnsupportedError
        For p = inf and d > 2, of which no radius is known.
    """
    radii = []
    for line in lines(problem, clustering):
        found = _radius(line.problem, line.clustering)
        radii.append(CertifiedRadius(line.certified(found.merge), line.certified(found.split)))
    return CertifiedRadius(min(r.merge for r in radii), min(r.split for r in radii))


def _radius(problem: BilevelProblem, clustering: Clustering) -> CertifiedRadius:
    structure = Structure.of(clustering_of(problem), clustering.labels, clustering.X)
    drift = Drift.of(problem, structure)
    motion = FreeMotion(structure, np.arange(len(structure.sizes)), drift)
    is_line = clustering_of(problem).d == 1
    merge = _merge_on_a_line(structure, drift) if is_line else motion.merge()
    still = np.zeros(len(structure.pairs))

    def turns(radius: float) -> FloatArray:
        """Bound the turns of zeta within `merge`."""
        return still if is_line else motion.turns(radius)

    least = np.inf
    for block in np.flatnonzero(structure.sizes > 1):
        fused = FusedBlock(structure, drift, int(block))
        least = min(least, fused.radius(turns, min(merge, least)))
    return CertifiedRadius(merge, least)


def _merge_on_a_line(structure: Structure, drift: Drift) -> float:
    """Return a radius within which all centroids are distinct, in their order."""
    error = drift.mean_error
    order = np.argsort(structure.centroids[:, 0])
    y, means = structure.centroids[order, 0], drift.means[order, 0]
    gaps = np.diff(y) - 2 * structure.error
    approach = drift.ball.support(means[:-1] - means[1:])
    speeds = (approach + error[order[:-1]] + error[order[1:]]) * MARGIN
    if (gaps <= 0).any():
        return 0.0
    moving = speeds > 0
    return float((gaps[moving] / speeds[moving]).min(initial=np.inf))
