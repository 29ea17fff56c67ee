"""Points that no eps within a radius separates: clusters cut into blocks until each has a proof.

Contract the problem on blocks. Its solution is X* if inside each block what its members feel can be
routed (module `fusion`), whatever the others do (module `free_motion`). Single points need nothing
routed, so blocks that are small enough have a proof; but the smaller the blocks, the less is known
of the forces between them. So each cluster is tried whole, then what has no proof is cut in two:
first what eps can move and what it cannot, then as complete linkage would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.sparse.csgraph import connected_components

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.free_motion import FreeMotion
from bilad.solvers.certificates.robustness.fusion import FusedBlock
from bilad.solvers.certificates.robustness.structure import Structure

CUTS = 40  # in a row; then what has no proof is cut into points
# Multiplications spent on trying blocks, before what has no proof is cut into points; about a
# second for each 10^9.
QUICK_WORK, TIGHT_WORK = 5e8, 2e10
ROUNDS = 6  # of conductances, for the estimate of the work
ONE_TRY = 3e6  # what a try costs beside its multiplications


@dataclass(frozen=True)
class SteadyBlocks:
    """Blocks on which X*(eps) is constant at every ||eps|| <= radius.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        Block of each point.
    motion : FreeMotion
        Of the blocks.
    """

    labels: IntArray
    motion: FreeMotion


def steady_blocks(
    problem: BilevelProblem, clusters: Structure, radius: float, tight: bool = False
) -> SteadyBlocks:
    """Cut the clusters into blocks that stay together.

    Parameters
    ----------
    problem : BilevelProblem
        p = 2 or d = 1.
    clusters : Structure
        Of the proved clusters at eps = 0.
    radius : float
        Finite.
    tight : bool, default False
        Whether flows are found by conic programs too, and more work is spent.
    """
    return _Search(problem, clusters, radius, tight).run()


@dataclass
class _Cut:
    """One way to cut the clusters, and what is known of its motion."""

    structure: Structure
    drift: Drift
    motion: FreeMotion
    turns: FloatArray


class _Search:
    """Cutting, from whole clusters down."""

    def __init__(
        self, problem: BilevelProblem, clusters: Structure, radius: float, tight: bool
    ) -> None:
        self.problem, self.clusters, self.radius, self.tight = problem, clusters, radius, tight
        self.movable = _movable(problem)
        self.felt = clusters.model.data - clusters.forces @ clusters.zeta
        self.work_left = TIGHT_WORK if tight else QUICK_WORK
        self.passed: set[bytes] = set()

    def run(self) -> SteadyBlocks:
        """Cut until nothing fails; what passed once is tried again among the final blocks."""
        parts = [np.flatnonzero(self.clusters.blocks == k) for k in range(len(self.clusters.sizes))]
        for _ in range(CUTS):
            cut = self._cut(parts)
            pieces = self._tried(cut, parts, self.passed)
            if len(pieces) == len(parts) and self.passed:
                pieces = self._tried(cut, parts, set())
            if len(pieces) == len(parts):
                return SteadyBlocks(cut.structure.blocks, cut.motion)
            parts = pieces
        singles = [np.array([i]) for i in range(self.clusters.model.n)]
        cut = self._cut(singles)
        return SteadyBlocks(cut.structure.blocks, cut.motion)

    def _cut(self, parts: list[IntArray]) -> _Cut:
        blocks = np.empty(self.clusters.model.n, dtype=np.int64)
        for number, points in enumerate(parts):
            blocks[points] = number
        owner = self.clusters.blocks[[points[0] for points in parts]]
        structure = self.clusters.refined(blocks, owner)
        drift = Drift.of(self.problem, structure)
        motion = FreeMotion(structure, owner, drift)
        return _Cut(structure, drift, motion, motion.turns(self.radius))

    def _tried(self, cut: _Cut, parts: list[IntArray], known: set[bytes]) -> list[IntArray]:
        """Return the parts that stay together, and the pieces of the others."""
        result = []
        for number, points in enumerate(parts):
            if len(points) == 1 or points.tobytes() in known:
                result.append(points)
                continue
            overload = self._overload(cut, number, points)
            if overload is None:
                self.passed.add(points.tobytes())
                result.append(points)
            else:
                result += self._pieces(points, overload)
        return result

    def _overload(self, cut: _Cut, number: int, points: IntArray) -> FloatArray | None:
        """Return the overload of the edges inside a part, or None if it stays together."""
        inside = self._inside(points)
        # Columns that no point of the block feels need no looking at, but for one.
        columns = np.union1d([0], np.flatnonzero(cut.drift.felt[points].any(axis=(0, 1))))
        reached = self.clusters.model.d * len(columns)
        width = reached + len(points) + len(cut.structure.sizes)
        work = ONE_TRY + ROUNDS * len(inside) * len(points) * width
        if work > self.work_left:
            return np.full(len(inside), np.inf)
        self.work_left -= work
        drift = replace(cut.drift, felt=cut.drift.felt[:, :, columns])
        fused = FusedBlock(cut.structure, drift, number, by_program=self.tight)
        return fused.overload(self.radius, cut.turns)

    def _inside(self, points: IntArray) -> IntArray:
        """Return the edges between the points that carry something."""
        model = self.clusters.model
        member: BoolArray = np.zeros(model.n, dtype=bool)
        member[points] = True
        return np.flatnonzero(member[model.graph.edges].all(axis=1) & (model.radii > 0))

    def _pieces(self, points: IntArray, overload: FloatArray) -> list[IntArray]:
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
        side = cut_tree(linkage(self.felt[points], "complete"), [2])[:, 0]
        return self._linked(points[side == 0]) + self._linked(points[side == 1])

    def _linked(self, points: IntArray) -> list[IntArray]:
        """Return the points in parts that edges inside them connect."""
        edges = np.searchsorted(points, self.clusters.model.graph.edges[self._inside(points)])
        size = len(points)
        links = sp.coo_array((np.ones(len(edges)), edges.T), shape=(size, size))
        count, labels = connected_components(links, directed=False)
        return [points[labels == part] for part in range(count)]

    def _relieved(self, points: IntArray, overload: FloatArray) -> IntArray:
        """Return the points without a few that all overflowing edges end at, chosen by greed."""
        over = overload > 0
        ends = self.clusters.model.graph.edges[self._inside(points)[over]]
        excess, taken = overload[over], np.zeros(self.clusters.model.n, dtype=bool)
        while len(ends):
            at_points = np.bincount(ends.T.ravel(), np.tile(excess, 2), len(taken))
            worst = int(at_points.argmax())
            taken[worst] = True
            left = (ends != worst).all(axis=1)
            ends, excess = ends[left], excess[left]
        return points[~taken[points]]


def _movable(problem: BilevelProblem) -> BoolArray:
    """Return which points eps moves, or the weight of an edge of theirs: shape (n,)."""
    model = clustering_of(problem)
    rows = np.asarray(abs(problem.operator("data")).sum(axis=1)).reshape(model.n, model.d)
    moved: BoolArray = np.zeros(model.n, dtype=bool)
    moved[np.flatnonzero(rows.sum(axis=1))] = True
    edges = np.asarray(abs(edge_operator(problem)).sum(axis=1)).ravel() > 0
    moved[model.graph.edges[edges]] = True
    return moved
