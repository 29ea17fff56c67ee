"""The partition of a solution, and what is proved about it.

Points i and j share a cluster if and only if x_i* = x_j*. A solver returns only an approximation of
X*, so each pair of points is proved apart, proved together, or listed as undecided. Module `proof`
has the argument; `proof_l2` (p = 2, or d = 1) and `proof_linf` (p = inf) have its two cases. The
exact solvers bring a proof of their own (folder `exact`), and pairs that no rounding error allows
to decide are decided in rational arithmetic (`parametric.exact_labels`).

For p = 1 each feature is a separate one-dimensional problem: points are apart if some feature
proves them apart, and together if every feature proves them together. So are the sum and the
difference of the features for p = inf and d = 2 (`separable`), whose data are rounded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import (
    has_turned_lines,
    line_data,
    sums_and_differences,
)
from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.labels.active_set import ActiveSet, candidate_active_sets
from bilad.solvers.clustering.labels.flow import SPARED_CAPACITIES, balance_flow
from bilad.solvers.clustering.labels.proof import (
    Proof,
    Restriction,
    distance_by_gap,
    examine,
    sum_at_ends,
)
from bilad.solvers.clustering.labels.proof_l2 import EuclideanRestriction
from bilad.solvers.clustering.labels.proof_linf import PolyhedralRestriction

ROUNDOFF = float(np.finfo(float).eps)
RETRIED = 2  # number of candidates that are improved
TOO_LATE = "the time limit was reached before the proof"
CROWDED = 64  # close pairs for each block, above which blocks are joined by a coarser rule


@dataclass(frozen=True)
class Partition:
    """Labels, and the pairs that are not proved together or apart.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        0, 1, .. in the order of the first point of each cluster. Undecided pairs share a label.
    undecided : ndarray of int, shape (u, 2)
        Pairs i < j that are not proved together or apart; a pair connected by a chain of such pairs
        may be undecided too. Empty if and only if the partition is proved.
    why : str
        The reason why pairs are undecided; empty if there are none, or if it is not known.
    """

    labels: IntArray
    undecided: IntArray
    why: str = ""

    @property
    def proved(self) -> bool:
        """Whether every pair of points is proved to be together or apart."""
        return len(self.undecided) == 0


def make_partition(
    blocks: IntArray,
    centroids: FloatArray,
    resolution: float,
    doubtful: IntArray,
    exact: BoolArray | None = None,
) -> Partition:
    """Make the labels, joining blocks that are not proved apart.

    Parameters
    ----------
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    centroids : ndarray, shape (K, d)
    resolution : float
        Blocks whose centroids are farther apart than this are proved apart; 0 if they are exact.
    doubtful : ndarray of int, shape (u, 2)
        Pairs inside blocks that are not proved fused.
    exact : ndarray of bool, shape (K,), optional
        Which centroids are exact; by default all if the resolution is 0, else none.
    """
    exact = np.full(len(centroids), resolution == 0) if exact is None else exact
    near = near_pairs(centroids, resolution * (1 + (centroids.shape[1] + 4) * ROUNDOFF))
    why = ""
    if len(near):
        known = exact[near].all(axis=1)
        equal = (centroids[near[:, 0]] == centroids[near[:, 1]]).all(axis=1)
        open_pairs, near = near[~known], near[~known | equal]
        if len(open_pairs):
            member = np.unique(blocks, return_index=True)[1]
            doubtful = np.vstack([doubtful, np.sort(member[open_pairs], axis=1)])
            why = _why_not_apart(centroids, open_pairs, resolution)
        links = sp.coo_array((np.ones(len(near)), tuple(near.T)), shape=(len(centroids),) * 2)
        blocks = connected_components(links, directed=False)[1].astype(np.int64)[blocks]
    return Partition(numbered([blocks]), doubtful.astype(np.int64), why)


def numbered(columns: Sequence[IntArray]) -> IntArray:
    """Return labels (n,), equal if and only if equal in every column, numbered by first appearance.

    Parameters
    ----------
    columns : sequence of ndarray of int, shape (n,)
        Nonnegative.
    """
    numbers = columns[0]
    for column in columns[1:]:
        keys = numbers * (int(column.max()) + 1) + column
        numbers = np.unique(keys, return_inverse=True)[1]
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def combine(labels: Sequence[IntArray], together: Sequence[IntArray]) -> Partition:
    """Return the partition of all features: apart if apart in one, together if together in all.

    Parameters
    ----------
    labels, together : sequence of ndarray of int, shape (n,)
        For each feature: points with different `labels` are proved apart, points with the same
        number in `together` are proved together.
    """
    pieces, clusters = numbered(together), numbered(labels)
    if pieces.max() == clusters.max():  # nothing is undecided
        return Partition(clusters, np.empty((0, 2), dtype=np.int64))
    first = np.unique(pieces, return_index=True)[1]
    ordered = first[np.lexsort((first, clusters[first]))]  # a point of each piece
    doubtful = clusters[ordered[1:]] == clusters[ordered[:-1]]
    undecided = np.column_stack([ordered[:-1], ordered[1:]])[doubtful]
    return Partition(clusters, undecided.astype(np.int64))


def nothing_proved(n: int) -> Partition:
    """Return the partition of n points of which no pair is proved."""
    points = np.arange(n)
    return Partition(np.zeros(n, dtype=np.int64), np.column_stack([points[:-1], points[1:]]))


def _why_not_apart(centroids: FloatArray, near: IntArray, resolution: float) -> str:
    closest = np.linalg.norm(centroids[near[:, 0]] - centroids[near[:, 1]], axis=1).min()
    return (
        f"apart not proved: {len(near)} pairs of blocks, closest {closest:.1e} apart, "
        f"resolution {resolution:.1e}"
    )


def near_pairs(centroids: FloatArray, distance: float) -> IntArray:
    """Return the pairs at most `distance` apart, or pairs that connect the same blocks.

    If there are very many such pairs, blocks that are close in the first feature are connected:
    this may connect more blocks, never fewer.
    """
    if centroids.shape[1] > 1:
        tree = KDTree(centroids)
        if tree.count_neighbors(tree, distance) <= (2 * CROWDED + 1) * len(centroids):
            return tree.query_pairs(distance, output_type="ndarray")
    order = np.argsort(centroids[:, 0], kind="stable")
    close = np.flatnonzero(np.diff(centroids[order, 0]) <= distance)
    return np.column_stack([order[close], order[close + 1]])


def prove_partition(
    model: ConvexClustering, X: FloatArray, Z: FloatArray, deadline: float = float("inf")
) -> Partition:
    """Derive the partition from an approximate solution, and prove as much of it as possible.

    Parameters
    ----------
    model : ConvexClustering
        Scaled by `unit_scale`, so that squares neither overflow nor underflow.
    X, Z : ndarray, shapes (n, d) and (m, d)
        An approximate primal-dual solution, from any solver.
    deadline : float, default inf
        Value of `time.perf_counter()` after which nothing new is begun.
    """
    data, errors = line_data(model)
    if has_turned_lines(model):
        X, Z = sums_and_differences(X), sums_and_differences(Z)
    elif model.p != 1 or model.d == 1:
        return _prove_jointly(model, X, Z, row_norms(errors, 2), deadline)[0]
    features = []
    for k in range(model.d):
        column = slice(k, k + 1)
        line = ConvexClustering(data[:, column], model.graph, model.gamma, 1)
        features.append(_prove_jointly(line, X[:, column], Z[:, column], errors[:, k], deadline))
    return _meet(features)


def _prove_jointly(
    model: ConvexClustering, X: FloatArray, Z: FloatArray, errors: FloatArray, deadline: float
) -> tuple[Partition, IntArray]:
    """Return the first proved partition, or else the one with the fewest undecided pairs.

    The second array has equal numbers for points that are proved together: shape (n,). `errors`
    bounds the error of each row of the data.
    """
    free = sum_at_ends(model, model.radii) == 0  # there X* = A
    X = np.where(free[:, None], model.data, X)
    Z = model.project_dual(Z)
    if time.perf_counter() >= deadline:
        return _apart_by_gap(model, X, Z, errors, free & (errors == 0))
    attempts = []
    for proof in _proofs(model, X, Z, errors, deadline):
        exact = np.bincount(proof.blocks, ~free | (errors > 0)) == 0
        partition = make_partition(
            proof.blocks, proof.centroids, proof.resolution, proof.doubtful, exact
        )
        if partition.proved:
            return partition, partition.labels
        attempts.append((partition, proof))
        if time.perf_counter() >= deadline:
            break
    partition, proof = min(attempts, key=lambda attempt: len(attempt[0].undecided))
    late = TOO_LATE if time.perf_counter() >= deadline else proof.why_not_fused(model)
    why = "; ".join(filter(None, [late, partition.why]))
    alone = len(proof.fused) + np.arange(model.n)
    together = np.where(proof.fused[proof.blocks], proof.blocks, alone)
    return replace(partition, why=why), together


def _apart_by_gap(
    model: ConvexClustering, X: FloatArray, Z: FloatArray, errors: FloatArray, exact: BoolArray
) -> tuple[Partition, IntArray]:
    """Return the partition that the duality gap alone proves; it proves no pair together."""
    alone = np.arange(model.n)
    resolution = float(np.sqrt(2) * distance_by_gap(model, X, Z, errors))
    partition = make_partition(alone, X, resolution, np.empty((0, 2), dtype=np.int64), exact)
    if partition.proved:
        return partition, partition.labels
    return replace(partition, why=TOO_LATE), alone


def _proofs(
    model: ConvexClustering, X: FloatArray, Z: FloatArray, errors: FloatArray, deadline: float
) -> Iterator[Proof]:
    """Yield the proof of each candidate, and of the best candidates after improvements."""
    tried = []
    for candidate in candidate_active_sets(model, X, Z):
        restriction = _restrict(model, X, Z, candidate, deadline)
        restriction.data_errors = errors
        proof = examine(model, restriction)
        yield proof
        tried.append((restriction, proof))
    tried.sort(key=lambda attempt: attempt[1].resolution)
    for restriction, proof in tried[:RETRIED]:
        if restriction.polish(deadline):
            proof = examine(model, restriction)
            yield proof
        for spared in SPARED_CAPACITIES:
            if proof.balanced.all():
                break
            proof = _balance_flow(model, restriction, proof, spared, deadline)
            yield proof


def _balance_flow(
    model: ConvexClustering,
    restriction: Restriction,
    proof: Proof,
    spared: float,
    deadline: float,
) -> Proof:
    """Rebalance the flow inside unbalanced blocks; keep the new flow where it leads to a proof."""
    blocks, own = restriction.blocks, restriction.Z
    i, j = model.graph.edges.T
    restriction.Z = balance_flow(
        model, restriction.X, own, blocks, proof.balanced, spared, deadline
    )
    proof = examine(model, restriction)
    if proof.balanced.all():
        return proof
    failed = (blocks[i] == blocks[j]) & ~proof.balanced[blocks[i]]
    restriction.Z = np.where(failed[:, None], own, restriction.Z)
    return examine(model, restriction)


def _restrict(
    model: ConvexClustering, X: FloatArray, Z: FloatArray, candidate: ActiveSet, deadline: float
) -> Restriction:
    if model.p == np.inf and model.d > 1:
        return PolyhedralRestriction(model, X, Z, candidate, deadline)
    return EuclideanRestriction(model, X, Z, candidate.blocks)


def _meet(features: list[tuple[Partition, IntArray]]) -> Partition:
    """Combine the features and the reasons why pairs are undecided."""
    combined = combine(
        [partition.labels for partition, _ in features],
        [together for _, together in features],
    )
    reasons = [f"feature {k}: {part.why}" for k, (part, _) in enumerate(features) if part.why]
    return combined if combined.proved else replace(combined, why="; ".join(reasons))
