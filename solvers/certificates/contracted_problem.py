"""The contracted problem, its sensitivity to eps, and how far its solution can move.

Merge the points of each block k into one centroid y_k of mass n_k:

    min_y  1/2 sum_k n_k ||y_k - abar_k||^2 + gamma sum_{k<l} w_kl ||y_k - y_l||_p

where abar_k is the mean of the data of block k and w_kl the sum of the weights between k and l. Let
p = 2 or d = 1. If the blocks are the clusters at eps = 0, then the solution of the original problem
is y_k on block k. Block l acts on point i of block k with the force gamma w_ij zeta_kl, summed over
the edges from i to l, where zeta_kl is a subgradient of the norm at y_k - y_l. The *supply* of a
point is its data minus the forces of other blocks; the flow inside a block has to route the
supplies, minus their mean (module `cluster_flow`).

Theorem. Cut the clusters into blocks, and let y'(eps) solve the problem contracted on these. With
D_k = y'_k(eps) - y'_k(0), and e_k the change of the mean data of block k,

    sum_k n_k ||D_k||^2 <= sum_k n_k <e_k, D_k>,

because a proximal map is firmly nonexpansive. So D lies in the ball with centre e / 2 and radius
||e|| / 2, in the norm with masses n_k. Therefore y_k - y_l moves by at most half of ||e_k - e_l||
plus half of the largest difference of two blocks that a vector of norm ||e|| can have. This holds
even if some blocks meet.

If eps changes weights, y'(0) also solves the problem with the new weights for other data, which
differ from the original ones by the change of the forces. Between clusters this is the change of
the weights times zeta. Between blocks of one cluster zeta may be any subgradient at 0; it is
shortened if the new weights are too small for the same force.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms, subgradient_rows
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.norm_ball import ROUNDOFF, NormBall
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.proof import sum_at_ends

MARGIN = 1 + 1e-12  # covers the rounding errors of a few operations
MOST_ENTRIES = 500_000  # largest number of entries of the maps from eps to differences of means


@dataclass(frozen=True)
class ContractedSolution:
    """An approximate solution of the contracted problem, with its subgradients.

    Attributes
    ----------
    model : ConvexClustering
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    sizes : ndarray, shape (K,)
    centroids : ndarray, shape (K, d)
        y.
    pairs : ndarray of int, shape (P, 2)
        Blocks k < l that are joined by an edge.
    zeta : ndarray, shape (P, d)
        Subgradients at y_k - y_l, with ||zeta||_2 <= 1.
    forces : sparse array, shape (n, P)
        gamma w_ij with its sign, summed over the edges of each pair. The forces on the points are
        `forces @ zeta`.
    error : float
        Bound on sqrt(sum_k n_k ||y_k - y*_k||^2), where y* is the exact solution. Also, y is the
        exact solution for data that differ from the given ones by at most this.
    """

    model: ConvexClustering
    blocks: IntArray
    sizes: FloatArray
    centroids: FloatArray
    pairs: IntArray
    zeta: FloatArray
    forces: sp.csr_array
    error: float

    @classmethod
    def of(cls, model: ConvexClustering, blocks: IntArray, X: FloatArray) -> ContractedSolution:
        """Contract the blocks of an approximate solution X (n, d), for p = 2 or d = 1."""
        sizes = np.bincount(blocks).astype(float)
        pairs, owner, signs, between = _block_pairs(model, blocks)
        centroids = _centroids(model, blocks, X)
        zeta = subgradient_rows(centroids[pairs[:, 0]] - centroids[pairs[:, 1]], model.p)
        forces = _forces(model, len(pairs), owner, signs, between)
        error = _distance(model, blocks, sizes, centroids, zeta, forces)
        return cls(model, blocks, sizes, centroids, pairs, zeta, forces, error)

    def refined(self, blocks: IntArray, owner: IntArray) -> ContractedSolution:
        """Cut the blocks into smaller ones (n,), where `owner` (L,) is the old block of each.

        Zeta is 0 between parts of one block, so that a true subgradient differs from it by at most
        1 there. The new y is a solution only if the blocks of `self` are the clusters.
        """
        model = self.model
        pairs, edge_pair, signs, between = _block_pairs(model, blocks)
        low, high = owner[pairs].T
        numbers = np.zeros((len(self.sizes), len(self.sizes)), dtype=np.int64)
        numbers[self.pairs[:, 0], self.pairs[:, 1]] = np.arange(len(self.pairs))
        zeta = np.zeros((len(pairs), model.d))
        across = low != high
        known = numbers[np.minimum(low, high), np.maximum(low, high)][across]
        zeta[across] = np.where(low < high, 1.0, -1.0)[across, None] * self.zeta[known]
        forces = _forces(model, len(pairs), edge_pair, signs, between)
        sizes = np.bincount(blocks).astype(float)
        return ContractedSolution(
            model, blocks, sizes, self.centroids[owner], pairs, zeta, forces, self.error
        )

    @cached_property
    def supply(self) -> FloatArray:
        """The data minus the forces of other blocks: shape (n, d)."""
        return self.model.data - self.forces @ self.zeta

    @cached_property
    def differences(self) -> FloatArray:
        """y_k - y_l of the joined pairs: shape (P, d)."""
        return self.centroids[self.pairs[:, 0]] - self.centroids[self.pairs[:, 1]]

    @cached_property
    def _joins(self) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
        return _block_pairs(self.model, self.blocks)

    def turns(self, shifts: FloatArray) -> FloatArray:
        """Bound ||zeta' - zeta||_2 for each joined pair, for p = 2 and d > 1: shape (P,).

        Zeta' is the subgradient at y'_k - y'_l, and the shifts (P,) bound the distance of this from
        y_k - y_l. The sine of the angle between both is at most the shift over ||y_k - y_l||.
        """
        lengths = row_norms(self.differences, 2) * (1 - (self.model.d + 8) * ROUNDOFF)
        sine = np.divide(shifts, lengths, out=np.ones_like(shifts), where=lengths > shifts)
        chords = 2 * np.sin(0.5 * np.arcsin(sine))
        return np.where(lengths > shifts, chords * (1 + 16 * ROUNDOFF), 2.0)

    def pair_sums(self, values: FloatArray) -> FloatArray:
        """Return for each pair of blocks the sum of the values (m,) of its edges: shape (P,)."""
        _, owner, _, between = self._joins
        return np.bincount(owner, values[between], len(self.pairs)).astype(float)

    def end_sums(self, values: FloatArray) -> sp.csr_array:
        """Return for each point and pair of blocks the sum of the values (m,) of edges: (n, P)."""
        shape = (self.model.n, len(self.pairs))
        if not values.any():
            return sp.csr_array(shape)
        _, owner, _, between = self._joins
        ends = self.model.graph.edges[between]
        places = (ends.T.ravel(), np.tile(owner, 2))
        return sp.coo_array((np.tile(values[between], 2), places), shape=shape).tocsr()


@dataclass(frozen=True)
class Sensitivity:
    """How supplies, means and capacities depend on eps while every zeta is held fixed.

    Attributes
    ----------
    ball : NormBall
        The unit ball of eps; all quantities are for one unit of ||eps||.
    supply : ndarray, shape (n, d, k)
        The supply of the points changes by `supply @ eps`.
    supply_error : ndarray, shape (n,)
        Bound on the error of `supply @ eps`, in any norm of R^d.
    means : ndarray, shape (K, d, k)
        The means of `supply` over the blocks, which move the solution of the contracted problem.
    mean_error : ndarray, shape (K,)
        Bound on the error of `means @ eps`, in the Euclidean norm.
    loss : ndarray, shape (m,)
        Bound on the decrease of the capacity gamma w_e of an edge.
    change : ndarray, shape (m,)
        Bound on the change of the capacity of an edge.
    """

    ball: NormBall
    supply: FloatArray
    supply_error: FloatArray
    means: FloatArray
    mean_error: FloatArray
    loss: FloatArray
    change: FloatArray

    @classmethod
    def of(cls, problem: BilevelProblem, solution: ContractedSolution) -> Sensitivity:
        """Return the sensitivity of a contracted solution to the eps of a problem."""
        model, ball = clustering_of(problem), NormBall.of(problem)
        n, d, blocks = model.n, model.d, solution.blocks
        supply = problem.operator("data").toarray().reshape(n, d, -1)
        supply_error = np.zeros(n)
        S = edge_operator(problem).toarray()
        loss, change = model.radii * ball.support(S), model.radii * ball.magnitudes(S)
        if change.any():
            supply = supply + _lost_forces(solution, edge_operator(problem))
            between = np.diff(blocks[model.graph.edges], axis=1)[:, 0] != 0
            ends = sum_at_ends(model, np.where(between, change, 0.0))
            supply_error = (n + d + 16) * ROUNDOFF * ends
        averages = sp.csr_array((1 / solution.sizes[blocks], (blocks, np.arange(n))))
        means = np.asarray(averages @ supply.reshape(n, -1)).reshape(-1, *supply.shape[1:])
        lengths = np.sqrt(d) * ball.magnitudes(np.abs(supply).reshape(n * d, -1))
        rounding = (n + 8) * ROUNDOFF * lengths.reshape(n, d).max(axis=1)
        mean_error = averages @ supply_error + averages @ rounding
        return cls(ball, supply, supply_error, means, mean_error, loss, change)


class CentroidMotion:
    """How far the centroids of blocks move, by the theorem of this module.

    Parameters
    ----------
    solution : ContractedSolution
        The solution on the clusters, or a refinement of it by `refined`.
    owner : ndarray of int, shape (K,)
        Cluster of each block.
    sensitivity : Sensitivity
        The sensitivity of the solution.

    Attributes
    ----------
    first, second : ndarray of int, shape (R,)
        Pairs of blocks of different clusters, first < second.
    distances : ndarray, shape (R,)
        Lower bounds on the distances of their centroids at eps = 0.
    """

    def __init__(
        self, solution: ContractedSolution, owner: IntArray, sensitivity: Sensitivity
    ) -> None:
        self.solution, self.sensitivity = solution, sensitivity
        sizes, K = solution.sizes, len(solution.sizes)
        first, second = np.triu_indices(K, 1)
        across = owner[first] != owner[second]
        self.first, self.second = first[across], second[across]
        place = np.full((K, K), -1)
        place[self.first, self.second] = np.arange(len(self.first))
        self._joined = place[solution.pairs[:, 0], solution.pairs[:, 1]]
        self._inside = self._joined < 0
        y = solution.centroids
        self.distances = row_norms(y[self.first] - y[self.second], 2) / MARGIN
        self._scale = np.sqrt(1 / sizes[self.first] + 1 / sizes[self.second]) * MARGIN
        self._error = solution.error * self._scale
        self._change = solution.pair_sums(sensitivity.change)

    def shifts(self, radius: float) -> FloatArray:
        """Bound the change of y_k - y_l of each pair at ||eps|| <= radius: shape (R,)."""
        return (self._error + np.where(self._speeds > 0, radius, 0.0) * self._speeds) * MARGIN

    def turns(self, radius: float) -> FloatArray:
        """Bound ||zeta' - zeta||_q of each joined pair at ||eps|| <= radius: shape (P,)."""
        return self._turns(self.shifts(radius))

    def apart(self, radius: float) -> BoolArray:
        """Return which pairs `first`, `second` never meet at ||eps|| <= radius: shape (R,)."""
        never: BoolArray = self.shifts(radius) < self.distances
        return never

    def merging_radius(self) -> float:
        """Return a radius within which no two clusters meet."""
        room = self.distances / MARGIN**2 - self._error
        if (room <= 0).any():
            return 0.0
        moving = self._speeds > 0
        lengths = room[moving] / self._speeds[moving]
        return float(lengths.min(initial=np.inf)) / MARGIN

    def total(self, radius: float) -> float:
        """Bound sqrt(sum_k n_k ||D_k||^2) at ||eps|| <= radius, minus a common translation."""
        return (radius * self._speed + self.solution.error) * MARGIN

    def _turns(self, shifts: FloatArray) -> FloatArray:
        """Bound the changes of zeta, which is 0 between blocks of one cluster: shape (P,)."""
        solution = self.solution
        own = np.full(len(solution.pairs), np.inf)
        own[~self._inside] = shifts[self._joined[~self._inside]]
        if solution.model.d == 1:
            turns = np.where(np.abs(solution.differences[:, 0]) > own, 0.0, 2.0)
        else:
            turns = solution.turns(own)
        return np.where(self._inside, 1.0, turns)

    @cached_property
    def _mean_error(self) -> FloatArray:
        """Bound the part of the motion of the means that `sensitivity` omits: shape (K,)."""
        if not self._change.any():
            return self.sensitivity.mean_error
        pairs, sizes = self.solution.pairs, self.solution.sizes
        unknown = self._change * np.where(self._inside, 1.0, self._turns(self._error))
        at_blocks = np.bincount(pairs.T.ravel(), np.tile(unknown, 2), len(sizes)) / sizes
        return self.sensitivity.mean_error + at_blocks * MARGIN

    @cached_property
    def _speed(self) -> float:
        """Bound ||e|| per unit of ||eps||, minus a common translation."""
        ball, means, sizes = self.sensitivity.ball, self.sensitivity.means, self.solution.sizes
        k, masses = means.shape[2], np.sqrt(sizes)[:, None, None]
        common = np.tensordot(sizes / sizes.sum(), means, axes=1)
        maps = (masses * (means - common), masses * means)
        least = min(ball.operator_norm(moved.reshape(-1, k)) for moved in maps)
        rows = ball.magnitudes((masses * np.abs(means)).reshape(-1, k))
        error = float(np.linalg.norm(masses[:, 0, 0] * self._mean_error))
        error += 4 * (len(sizes) + 8) * ROUNDOFF * float(np.linalg.norm(rows))
        return (least + error) * MARGIN

    @cached_property
    def _speeds(self) -> FloatArray:
        """Bound the motion of y_k - y_l of each pair per unit of ||eps||: shape (R,)."""
        ball, means = self.sensitivity.ball, self.sensitivity.means
        own = mean_speeds(ball, means, self._mean_error, self.first, self.second)
        return 0.5 * (own + self._speed * self._scale) * MARGIN


def mean_speeds(
    ball: NormBall, means: FloatArray, error: FloatArray, first: IntArray, second: IntArray
) -> FloatArray:
    """Bound how fast the means (K, d, k), with errors (K,), of pairs differ: shape (R,)."""
    _, d, k = means.shape
    if len(first) * d * k > MOST_ENTRIES:
        own = ball.operator_norms(means)
        return (own[first] + own[second] + error[first] + error[second]) * MARGIN
    speeds = ball.operator_norms(means[first] - means[second])
    return (speeds + error[first] + error[second]) * MARGIN


def _block_pairs(
    model: ConvexClustering, blocks: IntArray
) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """Return the pairs of joined blocks, and the pair, sign and number of the edges between."""
    ends = blocks[model.graph.edges]
    between = np.flatnonzero((ends[:, 0] != ends[:, 1]) & (model.radii > 0))
    chosen = ends[between]
    pairs, owner = np.unique(np.sort(chosen, axis=1), axis=0, return_inverse=True)
    signs = np.where(chosen[:, 0] < chosen[:, 1], 1.0, -1.0)
    return pairs.astype(np.int64), owner.ravel().astype(np.int64), signs, between


def _forces(
    model: ConvexClustering, count: int, owner: IntArray, signs: FloatArray, between: IntArray
) -> sp.csr_array:
    """Return gamma w_ij with its sign, summed over the edges of each pair: shape (n, count)."""
    places = (model.graph.edges[between].T.ravel(), np.tile(owner, 2))
    signed = signs * model.radii[between]
    values = np.concatenate([signed, -signed])
    return sp.coo_array((values, places), shape=(model.n, count)).tocsr()


def _centroids(model: ConvexClustering, blocks: IntArray, X: FloatArray) -> FloatArray:
    """Return accurate centroids: by Newton's method, or on a line by their order."""
    centroids = block_means(X, blocks)
    if model.d == 1:
        tails, heads = blocks[model.graph.edges].T
        signs = np.sign(centroids[tails, 0] - centroids[heads, 0])
        push = model.graph.adjoint((model.radii * signs)[:, None])
        return block_means(model.data - push, blocks)
    if model.p == 2 and len(centroids) > 1:
        problem = ContractedProblem.of(model, blocks)
        return problem.polished(centroids) if problem.small else centroids
    return centroids


def _distance(
    model: ConvexClustering,
    blocks: IntArray,
    sizes: FloatArray,
    centroids: FloatArray,
    zeta: FloatArray,
    forces: sp.csr_array,
) -> float:
    """Bound the distance from the exact solution by the residual; zeta is a subgradient."""
    masses = np.sqrt(sizes)[:, None]
    residual = masses * (centroids - block_means(model.data - forces @ zeta, blocks))
    size = np.abs(model.data).max(initial=0.0) + abs(forces).sum(axis=1).max(initial=0.0)
    rounding = ROUNDOFF * (16 + model.d + 4 * model.n) * np.sqrt(model.n * model.d) * size
    return float(np.linalg.norm(residual)) * (1 + residual.size * ROUNDOFF) + rounding


def _lost_forces(solution: ContractedSolution, S: sp.csr_array) -> FloatArray:
    """Return the derivative of the supplies through the weights w (1 - S eps): shape (n, d, k)."""
    model = solution.model
    _, owner, signs, between = _block_pairs(model, solution.blocks)
    zeta = np.zeros((model.graph.m, model.d))  # zeta of each edge, oriented like the edge
    zeta[between] = signs[:, None] * solution.zeta[owner]
    transpose = model.graph.incidence.T.tocsr()
    columns = [
        (transpose @ (sp.diags_array(model.radii * zeta[:, feature]) @ S)).toarray()
        for feature in range(model.d)
    ]
    return np.stack(columns, axis=1)
