"""The contracting interior-point method: points are fused as soon as the gap shows it.

1. The interior-point method on the whole problem, to a coarse gap.
2. Points that are surely fused are contracted. The interior-point method on the contracted problem
   tells which of the blocks are fused; Newton's method on these reaches rounding accuracy.
3. The flow between blocks is shared among their edges, and currents balance it inside the blocks
   (module `block_flow`). Then the partition is proved, once.

If that fails, the whole problem is solved to a smaller gap and contracted more cautiously. A wrong
contraction costs time only, since the proof does not rely on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.interior_point.interior_point import InteriorPoint
from bilad.solvers.clustering.labels.block_flow import BlockFlow
from bilad.solvers.clustering.labels.components import components
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import (
    SPARED_CAPACITIES,
    balance_flow,
    block_means,
    block_sums,
)
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.ssnal.limits import Budget

COARSE_GAP, FINER = 1e-2, 1e-2  # the first gap of the whole problem, and the factor to the next
FEW_BLOCKS = 10  # that are balanced by projections if currents do not balance them
MOST_FEATURES = 5  # of the interior-point method, whose blocks have as many rows
ROUNDS, CUTS = 3, 2  # solves of the whole problem, and cuts of blocks after each
CAUTION = 1e-2  # share of the gap of an edge that its contraction assumes; a tenth in each round
# The gaps of the contracted problem: the first, the first after a cut, that from which short edges
# are taken as fused as well, and the last.
BLOCK_GAP, CUT_GAP, SHORT_GAP, LEAST_GAP = 1e-7, 1e-10, 1e-12, 1e-13
SHORT = (0.0, 1e-6, 1e-4, 1e-2, 1.0)  # multiples of the resolution
TRIES = 8  # calls of Newton's method for one contracted problem
FULL = 1e-3  # an edge with at most this share of its capacity unused is full


@dataclass(frozen=True)
class BlockSolution:
    """Blocks of a problem, their centroids, and a flow between them.

    Attributes
    ----------
    blocks : ndarray of int, shape (n,)
    centroids : ndarray, shape (2, K, d)
        Their sum is meant, as `ContractedProblem.minimiser` returns it.
    Z : ndarray, shape (m, d)
        A flow on the edges of the problem.
    """

    blocks: IntArray
    centroids: FloatArray
    Z: FloatArray

    @classmethod
    def at(cls, blocks: IntArray, X: FloatArray, Z: FloatArray) -> BlockSolution:
        """Average X (n, d) on the blocks."""
        means = block_means(X, blocks)
        return cls(blocks, np.stack([means, np.zeros_like(means)]), Z)

    @property
    def X(self) -> FloatArray:
        """The centroid of the block of each point: shape (n, d)."""
        return self.centroids.sum(axis=0)[self.blocks]


class ContractingMethod:
    """The method for one model.

    Parameters
    ----------
    model : ConvexClustering
        With p = 2 or d = 1, and some edge of positive capacity.
    budget : Budget
    reference : float, default 1
        Gaps are relative to reference^2 + |objective|.
    last : ContractingMethod, optional
        An earlier one, whose elimination order is used if the edges are the same.
    """

    def __init__(
        self,
        model: ConvexClustering,
        budget: Budget,
        reference: float = 1.0,
        last: ContractingMethod | None = None,
    ) -> None:
        self._model, self._positive = model, model.radii > 0
        self.problem = ContractedProblem.whole(model)
        if last is not None:
            self.problem.use_order_of(last.problem)
        self.flow = BlockFlow(self.problem)
        self._budget, self._reference = budget, reference

    def solve(self) -> tuple[BlockSolution, Partition | None]:
        """Solve from scratch; the partition is None if it is not proved."""
        problem, caution, gap = self.problem, CAUTION, COARSE_GAP
        method = InteriorPoint(problem, self._reference)
        method.start(problem.means)
        for _ in range(ROUNDS):
            method.solve(gap, self._budget)
            X, Z = method.pair()
            share = caution * method.absolute_gap / len(problem.radii)
            blocks = problem.fused_components(X, Z, 2.0 * np.sqrt(share), 0.0)
            start = BlockSolution.at(blocks, X, Z)
            found, partition = self._repaired(self._interior_solution(start, method.centre))
            if partition is not None or method.ended or self._budget.exhausted:
                break
            gap, caution = method.gap * FINER, 0.1 * caution
        return found, partition

    def restart(self, X: FloatArray, Z: FloatArray) -> tuple[BlockSolution, Partition | None]:
        """Solve from the solution of a similar model, on its blocks as far as they persist.

        Parameters
        ----------
        X, Z : ndarray, shapes (n, d) and (edges of the graph, d)
        """
        Z = Z[self._positive]
        blocks = self.problem.fused_components(X, Z, 0.0, 0.0)
        return self.restart_on(BlockSolution.at(blocks, X, Z))

    def restart_on(self, start: BlockSolution) -> tuple[BlockSolution, Partition | None]:
        """Do the same from given blocks."""
        found, partition = self._repaired(
            self._smooth_solution(start) or self._interior_solution(start)
        )
        if partition is not None or self._budget.exhausted:
            return found, partition
        return self.solve()

    def finish(self, X: FloatArray, Z: FloatArray) -> tuple[BlockSolution | None, Partition | None]:
        """Prove the partition from an approximate solution of another method.

        The pair that is returned is more accurate; it is None if the given one suffices.

        Parameters
        ----------
        X, Z : ndarray, shapes (n, d) and (edges of the graph, d)
        """
        gap, Z = self._model.absolute_gap(X, Z), self._model.project_dual(Z)[self._positive]
        for blocks in _guesses(self.problem, gap, X, Z, len(SHORT)):
            start = BlockSolution.at(blocks, X, Z)
            partition = self._proved(start)[2]
            if partition is not None:
                return None, partition
            found = self._smooth_solution(start)
            if found is not None:
                found, _, partition = self._proved(found)
                if partition is not None:
                    return found, partition
        if self.problem.d > MOST_FEATURES:
            return None, None
        resolution = 2.0 * np.sqrt(CAUTION * gap / len(self.problem.radii))
        blocks = self.problem.fused_components(X, Z, resolution, 0.0)
        return self._repaired(self._interior_solution(BlockSolution.at(blocks, X, Z)))

    def _repaired(self, found: BlockSolution) -> tuple[BlockSolution, Partition | None]:
        """Prove the partition; if flows inside blocks cannot be balanced, cut these and repeat."""
        for cut in range(CUTS + 1):
            found, balanced, partition = self._proved(found)
            if partition is None and cut and 0 < (~balanced).sum() <= FEW_BLOCKS:
                flow = self.everywhere(found.Z)
                args = self._model, found.X, flow, found.blocks, balanced, SPARED_CAPACITIES[1]
                Z = balance_flow(*args, self._budget.deadline)[self._positive]
                found, balanced, partition = self._proved(replace(found, Z=Z))
            if partition is not None or balanced.all() or self._budget.exhausted or cut == CUTS:
                break
            pieces = BlockSolution.at(self._cut(found, balanced), found.X, found.Z)
            found = self._interior_solution(pieces, goal=CUT_GAP)
        return found, partition

    def _proved(self, found: BlockSolution) -> tuple[BlockSolution, BoolArray, Partition | None]:
        """Balance the flow; return also which blocks are balanced, and the partition if proved."""
        balanced = self.flow.lift(found.blocks, found.centroids, found.Z)
        partition = self.flow.partition()
        return replace(found, Z=self.flow.flow()), balanced, partition

    def everywhere(self, Z: FloatArray) -> FloatArray:
        """Return a flow on all edges of the model: shape (edges of the graph, d)."""
        flow = np.zeros((len(self._positive), Z.shape[1]))
        flow[self._positive] = Z
        return flow

    def _smooth_solution(self, start: BlockSolution) -> BlockSolution | None:
        """Solve on the blocks of the start by Newton's method, if no two of them are fused."""
        own, _ = self.problem.contracted(start.blocks)
        if len(own.radii) and not own.small:
            return None
        y, found = own.minimiser(start.centroids.sum(axis=0), self._budget.deadline)
        return BlockSolution(start.blocks, y, start.Z) if found else None

    def _interior_solution(
        self, start: BlockSolution, centre: float | None = None, goal: float = BLOCK_GAP
    ) -> BlockSolution:
        """Solve on the blocks of the start by the interior-point method, and fuse them."""
        own, pairs = self.problem.contracted(start.blocks)
        if len(own.radii) == 0:
            return BlockSolution(start.blocks, own.minimiser(own.means)[0], start.Z)
        method = InteriorPoint(own, self._reference)
        method.start(start.centroids.sum(axis=0), centre)
        fused = self._fused(own, method, goal)
        Z = start.Z.copy()
        shares = self.problem.radii[pairs.between] / own.radii[pairs.pair]
        Z[pairs.between] = pairs.signs * shares[:, None] * fused.Z[pairs.pair]
        return BlockSolution(fused.blocks[start.blocks], fused.centroids, Z)

    def _fused(
        self, problem: ContractedProblem, method: InteriorPoint, goal: float
    ) -> BlockSolution:
        """Reduce the gap until Newton's method succeeds on the blocks that are fused."""
        for _ in range(TRIES):
            method.solve(goal, self._budget)
            Y, F = method.pair()
            final = method.ended or method.gap < SHORT_GAP
            for blocks in _guesses(problem, method.absolute_gap, Y, F, len(SHORT) if final else 1):
                merged, _ = problem.contracted(blocks)
                sums = block_sums(problem.masses[:, None] * Y, blocks)
                means, deadline = sums / merged.masses[:, None], self._budget.deadline
                y, accurate = merged.minimiser(means, deadline)
                found = BlockSolution(blocks, y, F)
                if accurate:
                    return found
            if method.ended or method.gap < LEAST_GAP or self._budget.exhausted:
                break
            goal = method.gap * FINER
        return found

    def _cut(self, found: BlockSolution, balanced: BoolArray) -> IntArray:
        """Cut the blocks that are not balanced where edges are full, or into single points."""
        tails, heads, radii = self.problem.tails, self.problem.heads, self.problem.radii
        blocks, unused = found.blocks, radii - row_norms(found.Z, 2)
        inside = blocks[tails] == blocks[heads]
        for full in (FULL * radii, np.inf):
            joined = inside & (balanced[blocks[tails]] | (unused > full))
            pieces = components(tails, heads, joined, len(blocks))
            if pieces.max() > blocks.max():
                break
        return pieces


def _guesses(
    problem: ContractedProblem, gap: float, Y: FloatArray, F: FloatArray, most: int
) -> Iterator[IntArray]:
    """Yield up to `most` candidates for the blocks that are fused, from many blocks to few."""
    resolution, last = 2.0 * np.sqrt(gap), -1
    for short in SHORT[:most]:
        blocks = problem.fused_components(Y, F, resolution, short)
        if blocks.max() != last:
            yield blocks
        last = blocks.max()
