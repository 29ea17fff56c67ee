"""A radius that is a theorem: no eps shorter than it changes the partition.

*Apart.* On the blocks X* solves the contracted problem, a proximal map in the metric of the
masses, hence nonexpansive: ||M^(1/2) (y(eps) - y)||_F <= R ||eps||, with R the norm of the map from
eps to the block means, and from lost weights to the forces. On a line the forces are signs, and the
distance of neighbours is an affine function of eps as long as none meet.

*Together.* Module `fusion`: the flow inside each block follows eps and stays within its capacity.

Both hold for every eps shorter than the radius, so X*(eps) is constant on the same blocks, and
distinct between them. For p = 1 each feature is such a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from bilad.models.bilevel import BilevelProblem, MaxDeviation
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.perturbation import Perturbation
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.fusion import Drift, FusedBlock, Rule
from bilad.solvers.certificates.robustness.operator_norms import functional_norms, to_euclidean
from bilad.solvers.certificates.robustness.structure import ROUNDOFF, Structure
from bilad.solvers.lower.cluster import cluster
from bilad.solvers.lower.result import Clustering

TOL = 1e-10  # of the features' own solutions, p = 1
WIDTH = 1e-9  # relative, of the bracket in which a radius is looked for


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
        At eps = 0. The partition that it suggests need not be proved: if it is not, neither is a
        radius above zero.

    Returns
    -------
    CertifiedRadius
        0 where nothing can be proved; infinite where nothing that eps moves matters.
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
    return MaxDeviation(line, own, problem.radius, problem.norm)


def _radius(problem: BilevelProblem, structure: Structure) -> CertifiedRadius:
    drift = Drift.of(problem, structure)
    speed = _speed(problem, structure, drift)
    if structure.model.d == 1:
        merge = _merge_on_a_line(problem, structure, drift)
    else:
        merge = _merge(structure, speed)
    return CertifiedRadius(merge, _split(problem, structure, drift, speed, merge))


def _block_means(structure: Structure, felt: FloatArray) -> FloatArray:
    """Return the mean over each block of what eps adds: shape (K, d, k)."""
    n, d = structure.model.n, structure.model.d
    members = sp.csr_array(
        (1 / structure.sizes[structure.blocks], (structure.blocks, np.arange(n))),
        shape=(len(structure.sizes), n),
    )
    means = np.asarray(members @ felt.reshape(n, -1))
    return means.reshape(len(structure.sizes), d, -1)


def _speed(problem: BilevelProblem, structure: Structure, drift: Drift) -> float:
    """Bound M^(1/2) (y(eps) - y), per unit of ||eps||."""
    rows = np.sqrt(structure.sizes)[:, None, None] * _block_means(structure, drift.felt)
    flat = rows.reshape(-1, rows.shape[2])
    if structure.model.p == np.inf and structure.model.d > 1 and drift.capacity.any():
        # zeta is not known exactly there; whatever it is, it is no longer than 1.
        ends = structure.weakened(drift.capacity).sum(axis=1)
        lost = np.bincount(structure.blocks, ends) / np.sqrt(structure.sizes)
        data = problem.data_operator.toarray()
        rows = np.sqrt(structure.sizes)[:, None, None] * _block_means(structure, data)
        flat = rows.reshape(-1, rows.shape[2])
        return to_euclidean(flat, problem.norm) + float(np.linalg.norm(lost))
    return to_euclidean(flat, problem.norm)


def _merge(structure: Structure, speed: float) -> float:
    """Return the radius within which nonexpansiveness keeps all centroids distinct."""
    K = len(structure.sizes)
    if K == 1:
        return np.inf
    first, second = np.triu_indices(K, 1)
    distances = row_norms(structure.centroids[first] - structure.centroids[second], 2)
    distances *= 1 - 8 * structure.model.d * ROUNDOFF
    reach = (
        distances / np.sqrt(1 / structure.sizes[first] + 1 / structure.sizes[second])
        - structure.error
    )
    nearest = float(reach.min())
    if nearest <= 0:
        return 0.0
    return nearest / speed if speed else np.inf


def _merge_on_a_line(problem: BilevelProblem, structure: Structure, drift: Drift) -> float:
    """Return the radius within which no neighbours on the line meet."""
    order = np.argsort(structure.centroids[:, 0])
    means = _block_means(structure, drift.felt)[order, 0]
    gaps = np.diff(structure.centroids[order, 0]) - 2 * structure.error
    speeds = functional_norms(np.diff(means, axis=0), problem.norm) * (1 + 1e-12)
    if (gaps <= 0).any():
        return 0.0
    moving = speeds > 0
    return float((gaps[moving] / speeds[moving]).min(initial=np.inf))


def _split(
    problem: BilevelProblem, structure: Structure, drift: Drift, speed: float, merge: float
) -> float:
    """Return the radius within which the flow of each block fits, if no clusters merge."""
    least = np.inf
    for block in np.flatnonzero(structure.sizes > 1):
        fused = FusedBlock(problem, structure, drift, int(block))
        own = 0.0
        for rule in fused.rules():
            own = max(own, _held(structure, fused, rule, speed, min(merge, least)))
        least = min(least, own)
    return least


def _held(structure: Structure, block: FusedBlock, rule: Rule, speed: float, most: float) -> float:
    """Return the largest radius, up to `most`, within which a rule holds; to a relative 1e-9."""

    def holds(radius: float) -> bool:
        turns = structure.turns(structure.error + speed * radius)[block.pairs]
        return rule.holds(radius, turns)

    high = min(most, rule.least_radius)
    if high == np.inf or holds(high):
        return high
    low = 0.0
    if not holds(low):
        return 0.0
    while high - low > WIDTH * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
