"""Blocks of points that stay together, and a radius within which the partition does not change.

Theorem. Let p = 2 or d = 1, and cut the clusters into blocks. If inside each block the flow of
module `cluster_flow` is feasible for every ||eps|| <= r, however the centroids move within the
bounds of module `contracted_problem`, then X*(eps) is constant on each block at every such eps.
If the blocks are the clusters and no two centroids meet either, the partition is that at eps = 0.
Proof: the contracted solution, with these flows, satisfies the optimality conditions.

`certified_radius` takes the clusters as blocks and searches for the largest r. `stable_blocks` is
given r and searches for large blocks. A single point needs no flow, so blocks that are small enough
always have a proof. But the smaller the blocks, the less is known about the forces between
them. Therefore each cluster is first tried as a whole. A block without a proof is cut in two: first
into the points that eps can move and those that it cannot, later by complete linkage.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.sparse.csgraph import connected_components

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.norms import conjugate
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.cluster_flow import ROUNDS, ClusterFlow
from bilad.solvers.certificates.contracted_problem import (
    MARGIN,
    CentroidMotion,
    ContractedSolution,
    Sensitivity,
)
from bilad.solvers.certificates.norm_ball import ROUNDOFF
from bilad.solvers.certificates.separable import lines
from bilad.solvers.clustering.result import Clustering

CUTS = 40  # rounds of cuts, after which blocks without a proof are cut into points
# Multiplications after which blocks without a proof are cut into single points; 10^9 take about a
# second.
QUICK_WORK, TIGHT_WORK = 5e8, 2e10
ONE_TRY = 3e6  # overhead of trying a block, in multiplications


def certified_radius(problem: BilevelProblem, clustering: Clustering) -> float:
    """Prove a radius, in the norm of eps, within which the partition does not change.

    Parameters
    ----------
    problem : BilevelProblem
        p = 1 or 2, or p = inf with d <= 2. Its budget, target and deviation have no effect.
    clustering : Clustering
        At eps = 0. Its partition need not be proved: a positive radius proves it.

    Returns
    -------
    float
        No shorter eps changes the partition. It is 0 if nothing is proved, and infinite if eps
        has no effect on the solution. It may exceed the bounds on eps.

    Raises
    ------
    ArgumentError
        If the model is a black box.
    UnsupportedError
        If p = inf and d > 2; no radius is known there.
    """
    return min(
        line.certified(_radius(line.problem, line.clustering))
        for line in lines(problem, clustering)
    )


def _radius(problem: BilevelProblem, clustering: Clustering) -> float:
    model = clustering_of(problem)
    solution = ContractedSolution.of(model, clustering.labels, clustering.X)
    sensitivity = Sensitivity.of(problem, solution)
    motion = CentroidMotion(solution, np.arange(len(solution.sizes)), sensitivity)
    is_line = model.d == 1
    still = np.zeros(len(solution.pairs))

    def turns(radius: float) -> FloatArray:
        """Bound the changes of zeta; on a line the order is kept, so that there is none."""
        return still if is_line else motion.turns(radius)

    least = _order_radius(solution, sensitivity) if is_line else motion.merging_radius()
    for block in np.flatnonzero(solution.sizes > 1):
        least = cluster_flow(solution, sensitivity, int(block)).radius(turns, least)
    return least


def _order_radius(solution: ContractedSolution, sensitivity: Sensitivity) -> float:
    """Return a radius within which the centroids on a line are distinct and keep their order.

    In the same order every zeta is the same sign, so that the centroids are affine in eps.
    """
    error = sensitivity.mean_error
    order = np.argsort(solution.centroids[:, 0])
    y, means = solution.centroids[order, 0], sensitivity.means[order, 0]
    gaps = np.diff(y) - 2 * solution.error
    approach = sensitivity.ball.support(means[:-1] - means[1:])
    speeds = (approach + error[order[:-1]] + error[order[1:]]) * MARGIN
    if (gaps <= 0).any():
        return 0.0
    moving = speeds > 0
    return float((gaps[moving] / speeds[moving]).min(initial=np.inf))


def cluster_flow(
    solution: ContractedSolution, sensitivity: Sensitivity, block: int, by_program: bool = True
) -> ClusterFlow:
    """Return the edges and supplies inside one block of a contracted solution."""
    model = solution.model
    points = np.flatnonzero(solution.blocks == block)
    edges = _edges_inside(solution, points)
    supply = solution.supply[points]
    forces = solution.forces[points]
    pairs = np.unique(forces.nonzero()[1]).astype(np.int64)
    own_forces = forces[:, pairs].toarray()
    size = np.abs(model.data).max() + np.abs(supply).max()
    size += np.abs(own_forces).sum(axis=1).max(initial=0.0)
    terms = model.d * (4 * model.n + model.d + 16)  # of the sums over edges, pairs and members
    return ClusterFlow(
        ball=sensitivity.ball,
        q=conjugate(model.p),
        incidence=model.graph.incidence[edges][:, points].tocsr(),
        capacities=model.radii[edges],
        loss=sensitivity.loss[edges],
        supply=supply,
        supply_map=sensitivity.supply[points],
        supply_error=sensitivity.supply_error[points],
        forces=own_forces,
        lost_forces=solution.end_sums(sensitivity.change)[points][:, pairs].toarray(),
        pairs=pairs,
        rounding=ROUNDOFF * terms * float(size),
        terms=model.n + model.d + 16,
        by_program=by_program,
    )


def _edges_inside(solution: ContractedSolution, points: IntArray) -> IntArray:
    """Return the edges of positive weight between some points."""
    model = solution.model
    member: BoolArray = np.zeros(model.n, dtype=bool)
    member[points] = True
    return np.flatnonzero(member[model.graph.edges].all(axis=1) & (model.radii > 0))


def stable_blocks(
    problem: BilevelProblem, clusters: ContractedSolution, radius: float, tight: bool = False
) -> CentroidMotion:
    """Cut proved clusters into blocks that stay together at every ||eps|| <= radius.

    With `tight`, flows are also found by conic programs, and more cuts are tried. The result is the
    motion of the blocks, which are `motion.solution.blocks`.
    """
    return _Search(problem, clusters, radius, tight).run()


class _Search:
    """A search for stable blocks, from whole clusters to single points."""

    def __init__(
        self, problem: BilevelProblem, clusters: ContractedSolution, radius: float, tight: bool
    ) -> None:
        self.problem, self.clusters, self.radius, self.tight = problem, clusters, radius, tight
        self.movable = _movable(problem)
        self.work_left = TIGHT_WORK if tight else QUICK_WORK
        self.passed: set[bytes] = set()

    def run(self) -> CentroidMotion:
        """Cut until every block has a proof; the last proofs are for the final blocks."""
        parts = [np.flatnonzero(self.clusters.blocks == k) for k in range(len(self.clusters.sizes))]
        for _ in range(CUTS):
            motion = self._motion(parts)
            pieces = self._tried(motion, parts, self.passed)
            if len(pieces) == len(parts) and self.passed:
                pieces = self._tried(motion, parts, set())
            if len(pieces) == len(parts):
                return motion
            parts = pieces
        return self._motion([np.array([i]) for i in range(self.clusters.model.n)])

    def _motion(self, parts: list[IntArray]) -> CentroidMotion:
        """Return the motion of the clusters, cut into parts."""
        blocks = np.empty(self.clusters.model.n, dtype=np.int64)
        for number, points in enumerate(parts):
            blocks[points] = number
        owner = self.clusters.blocks[[points[0] for points in parts]]
        solution = self.clusters.refined(blocks, owner)
        return CentroidMotion(solution, owner, Sensitivity.of(self.problem, solution))

    def _tried(
        self, motion: CentroidMotion, parts: list[IntArray], known: set[bytes]
    ) -> list[IntArray]:
        """Return the parts that have a proof, and the pieces into which the others are cut."""
        result, turns = [], motion.turns(self.radius)
        for number, points in enumerate(parts):
            if len(points) == 1 or points.tobytes() in known:
                result.append(points)
                continue
            flow = cluster_flow(motion.solution, motion.sensitivity, number, by_program=self.tight)
            overload = self._overload(flow, turns, len(parts))
            if overload is None:
                self.passed.add(points.tobytes())
                result.append(points)
            else:
                result += self._pieces(points, overload)
        return result

    def _overload(self, flow: ClusterFlow, turns: FloatArray, blocks: int) -> FloatArray | None:
        """Return the overload of the edges inside a part, or None if it has a proof."""
        # Entries of eps that move no supply of the block are omitted, except for one.
        columns = np.union1d([0], np.flatnonzero(flow.supply_map.any(axis=(0, 1))))
        flow = replace(flow, supply_map=flow.supply_map[:, :, columns])
        edges, points = flow.incidence.shape
        width = flow.supply_map[0].size + points + blocks
        work = ONE_TRY + ROUNDS * edges * points * width
        if work > self.work_left:
            return np.full(edges, np.inf)
        self.work_left -= work
        return flow.overload(self.radius, turns)

    def _pieces(self, points: IntArray, overload: FloatArray) -> list[IntArray]:
        """Cut a part that has no proof into pieces."""
        if self.work_left <= 0:
            return [np.array([i]) for i in points]
        moved = self.movable[points]
        if moved.any() and not moved.all():
            return self._linked(points[~moved]) + self._linked(points[moved])
        whole = self._linked(points)
        if len(whole) > 1:
            return whole
        if np.isfinite(overload).all():
            rest = self._relieved(points, overload)
            if 2 * len(rest) >= len(points):
                return self._linked(rest) + self._linked(np.setdiff1d(points, rest))
        side = cut_tree(linkage(self.clusters.supply[points], "complete"), [2])[:, 0]
        return self._linked(points[side == 0]) + self._linked(points[side == 1])

    def _linked(self, points: IntArray) -> list[IntArray]:
        """Return the connected components of the edges between some points."""
        inside = self.clusters.model.graph.edges[_edges_inside(self.clusters, points)]
        edges, size = np.searchsorted(points, inside), len(points)
        links = sp.coo_array((np.ones(len(edges)), edges.T), shape=(size, size))
        count, labels = connected_components(links, directed=False)
        return [points[labels == part] for part in range(count)]

    def _relieved(self, points: IntArray, overload: FloatArray) -> IntArray:
        """Remove points, greedily, until no overloaded edge is left."""
        over = overload > 0
        ends = self.clusters.model.graph.edges[_edges_inside(self.clusters, points)[over]]
        excess, taken = overload[over], np.zeros(self.clusters.model.n, dtype=bool)
        while len(ends):
            at_points = np.bincount(ends.T.ravel(), np.tile(excess, 2), len(taken))
            worst = int(at_points.argmax())
            taken[worst] = True
            left = (ends != worst).all(axis=1)
            ends, excess = ends[left], excess[left]
        return points[~taken[points]]


def _movable(problem: BilevelProblem) -> BoolArray:
    """Return which points eps moves, directly or by the weight of an edge: shape (n,)."""
    model = clustering_of(problem)
    rows = np.asarray(abs(problem.operator("data")).sum(axis=1)).reshape(model.n, model.d)
    moved: BoolArray = rows.sum(axis=1) > 0
    edges = np.asarray(abs(edge_operator(problem)).sum(axis=1)).ravel() > 0
    moved[model.graph.edges[edges]] = True
    return moved
