"""The contracting interior-point method: points are fused as soon as the gap shows it.

1. The interior-point method on the whole problem, to a coarse gap.
2. Points that appear fused are contracted. The interior-point method on the contracted problem
   tells which of the blocks are fused; Newton's method on these reaches rounding accuracy.
3. The flow between blocks is shared among their edges, and currents balance it inside the blocks
   (module `block_flow`). Then the partition is proved, once. If a block cannot be balanced, the
   problem inside it, with the forces from outside fixed, shows how it splits, or a better flow.

If that fails, the whole problem is solved to a smaller gap and contracted more cautiously. A wrong
contraction costs time only, since the proof does not rely on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import subgradient_rows
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.elimination.elimination import Elimination
from bilad.solvers.clustering.interior_point.interior_point import InteriorPoint
from bilad.solvers.clustering.labels.block_flow import BlockFlow
from bilad.solvers.clustering.labels.contracted_problem import (
    SMALL_GRADIENT,
    BlockPairs,
    ContractedProblem,
)
from bilad.solvers.clustering.labels.flow import block_means, block_sums
from bilad.solvers.clustering.labels.partition import Partition, numbered
from bilad.solvers.clustering.ssnal.edge_loops import adjoint
from bilad.solvers.clustering.ssnal.limits import Budget

COARSE_GAP, FINER = 3e-2, 1e-3  # the first gap of the whole problem, and the factor to the next
MOST_FEATURES = 5  # of the interior-point method, whose blocks have as many rows
ROUNDS, SPLITS = 3, 4  # solves of the whole problem, and attempts of a proof after each
CAUTION = 1e-2  # share of the gap of an edge that its contraction assumes; a tenth in each round
# The gaps of the contracted problem: the first, the first after a split, that from which short
# edges are taken as fused as well, and the last.
BLOCK_GAP, SPLIT_GAP, SHORT_GAP, LEAST_GAP = 1e-8, 1e-10, 1e-12, 1e-13
SHORT = (0.0, 1e-6, 1e-4, 1e-2, 1.0)  # multiples of the resolution
TRIES = 8  # calls of Newton's method for one contracted problem
SPLIT_REFERENCE = 1e-6  # the gaps inside blocks are relative to its square plus the objective


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
    surplus : ndarray, shape (m,), optional
        Of an iterate of the interior-point method, t - ||u|| on the edges.
    """

    blocks: IntArray
    centroids: FloatArray
    Z: FloatArray
    surplus: FloatArray | None = None

    @classmethod
    def at(
        cls, blocks: IntArray, X: FloatArray, Z: FloatArray, surplus: FloatArray | None = None
    ) -> BlockSolution:
        """Average X (n, d) on the blocks."""
        means = block_means(X, blocks)
        return cls(blocks, np.stack([means, np.zeros_like(means)]), Z, surplus)

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
    order : Elimination, optional
        The elimination order of the edges of positive capacity, if it is known.
    """

    def __init__(
        self,
        model: ConvexClustering,
        budget: Budget,
        reference: float = 1.0,
        order: Elimination | None = None,
    ) -> None:
        self._model, self._positive = model, model.radii > 0
        self.problem = ContractedProblem.whole(model)
        if order is not None:
            self.problem.elimination = order
        self.flow = BlockFlow(self.problem, model.rounding)
        self._budget, self._reference = budget, reference

    @property
    def iterations(self) -> int:
        """The number of iterations so far."""
        return self._budget.newton_steps

    def order_for(self, model: ConvexClustering) -> Elimination | None:
        """Return the elimination order if it fits another model, else None."""
        fits = self.problem.is_joined_like(ContractedProblem.whole(model))
        return self.problem.elimination if fits else None

    def solve(self) -> tuple[BlockSolution, Partition | None]:
        """Solve from scratch; the partition is None if it is not proved."""
        problem, caution, gap = self.problem, CAUTION, COARSE_GAP
        method = InteriorPoint(problem, self._reference)
        method.start(problem.means)
        for _ in range(ROUNDS):
            method.solve(gap, self._budget)
            X, Z = method.pair()
            if self._budget.exhausted:
                return BlockSolution.at(np.arange(len(X)), X, Z), None
            share = caution * method.absolute_gap / len(problem.radii)
            blocks = problem.fused_components(X, Z, 2.0 * np.sqrt(share), 0.0)
            start = BlockSolution.at(blocks, X, Z, method.surplus())
            found, partition = self._repaired(self._interior_solution(start))
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
        return self.restart_on(self._start(X, Z))

    def restart_on(self, start: BlockSolution) -> tuple[BlockSolution, Partition | None]:
        """Do the same from given blocks."""
        found, partition = self._repaired(
            self._smooth_solution(start) or self._interior_solution(start)
        )
        if partition is not None or self._budget.exhausted:
            return found, partition
        return self.solve()

    def resume(self, X: FloatArray, Z: FloatArray) -> tuple[BlockSolution | None, Partition | None]:
        """Try the blocks of the solution of a similar model, as `restart` does first."""
        found = self._smooth_solution(self._start(X, Z))
        if found is None:
            return None, None
        found, _, partition = self._proved(found)
        return found, partition

    def _start(self, X: FloatArray, Z: FloatArray) -> BlockSolution:
        """Return a pair on the blocks of equal rows of X."""
        Z = self._on_positive(Z)
        return BlockSolution.at(self.problem.fused_components(X, Z, 0.0, 0.0), X, Z)

    def finish(self, X: FloatArray, Z: FloatArray) -> tuple[BlockSolution | None, Partition | None]:
        """Prove the partition from an approximate solution of another method.

        The pair that is returned is more accurate; it is None if the given one suffices.

        Parameters
        ----------
        X, Z : ndarray, shapes (n, d) and (edges of the graph, d)
        """
        gap, Z = self._model.absolute_gap(X, Z), self._on_positive(self._model.project_dual(Z))
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
        """Prove the partition; blocks that cannot be balanced are split, and all is repeated."""
        for _ in range(SPLITS):
            found, balanced, partition = self._proved(found)
            if partition is not None or balanced.all() or self._budget.exhausted:
                break
            pieces, Z = self._split(found, balanced)
            found = replace(found, Z=Z)
            if pieces.max() > found.blocks.max():
                owner = np.zeros(pieces.max() + 1, dtype=np.int64)
                owner[pieces] = found.blocks
                start = BlockSolution.at(pieces, found.X, Z)
                found = self._interior_solution(start, goal=SPLIT_GAP, owner=owner)
        return found, partition

    def _split(self, found: BlockSolution, balanced: BoolArray) -> tuple[IntArray, FloatArray]:
        """Solve inside the blocks that are not balanced, with the forces from outside fixed.

        Returns
        -------
        pieces : ndarray of int, shape (n,)
            The blocks, split where their points are apart in these solutions.
        Z : ndarray, shape (m, d)
            The flow, which is that of the solutions inside these blocks.
        """
        problem, blocks, Z = self.problem, found.blocks, found.Z.copy()
        inside = blocks[problem.tails] == blocks[problem.heads]
        inside &= ~balanced[blocks[problem.tails]]
        demand = found.X - problem.means
        adjoint(problem.tails, problem.heads, np.where(inside[:, None], 0.0, Z), demand)
        demand -= block_means(demand, blocks)[blocks]
        points = np.flatnonzero(~balanced[blocks])
        place = np.empty(len(blocks), dtype=np.int64)
        place[points] = np.arange(len(points))
        own = ContractedProblem(
            np.ones(len(points)),
            found.X[points] - demand[points],
            place[problem.tails[inside]],
            place[problem.heads[inside]],
            problem.radii[inside],
        )
        method = InteriorPoint(own, SPLIT_REFERENCE)
        method.start(own.means)
        method.solve(SHORT_GAP, self._budget)
        Y, Z[inside] = method.pair()
        resolution = 2.0 * np.sqrt(method.absolute_gap)
        piece = np.zeros(len(blocks), dtype=np.int64)
        piece[points] = own.fused_components(Y, Z[inside], resolution, 0.0)
        return numbered([blocks, piece]), Z

    def _proved(self, found: BlockSolution) -> tuple[BlockSolution, BoolArray, Partition | None]:
        """Balance the flow; return also which blocks are balanced, and the partition if proved."""
        balanced = self.flow.lift(found.blocks, found.centroids, found.Z)
        partition = self.flow.partition()
        return replace(found, Z=self.flow.flow()), balanced, partition

    def everywhere(self, Z: FloatArray) -> FloatArray:
        """Return a flow on all edges of the model: shape (edges of the graph, d)."""
        if len(Z) == len(self._positive):
            return Z
        flow = np.zeros((len(self._positive), Z.shape[1]))
        flow[self._positive] = Z
        return flow

    def _on_positive(self, Z: FloatArray) -> FloatArray:
        """Return a flow on the edges of positive capacity: shape (m, d)."""
        return Z if len(self.problem.radii) == len(Z) else Z[self._positive]

    def _smooth_solution(self, start: BlockSolution) -> BlockSolution | None:
        """Solve on the blocks of the start by Newton's method, if no two of them are fused."""
        own = self.problem.merged(start.blocks)
        if len(own.radii) and not own.small:
            return None
        y, gradient = own.minimiser(start.centroids.sum(axis=0), self._budget.deadline)
        return BlockSolution(start.blocks, y, start.Z) if gradient <= SMALL_GRADIENT else None

    def _interior_solution(
        self, start: BlockSolution, goal: float = BLOCK_GAP, owner: IntArray | None = None
    ) -> BlockSolution:
        """Solve on the blocks of the start by the interior-point method, and fuse them.

        Joined blocks of the same owner, shape (K,), are kept apart.
        """
        own, pairs = self.problem.contracted(start.blocks)
        if len(own.radii) == 0:
            return BlockSolution(start.blocks, own.minimiser(own.means)[0], start.Z)
        separate = np.zeros(len(own.radii), dtype=np.bool_)
        if owner is not None:
            separate = owner[own.tails] == owner[own.heads]
        method = self._begun(own, pairs, start)
        fused = self._fused(own, method, goal, separate)
        Z = start.Z.copy()
        shares = self.problem.radii[pairs.between] / own.radii[pairs.pair]
        Z[pairs.between] = pairs.signs * shares[:, None] * fused.Z[pairs.pair]
        return BlockSolution(fused.blocks[start.blocks], fused.centroids, Z)

    def _begun(
        self, own: ContractedProblem, pairs: BlockPairs, start: BlockSolution
    ) -> InteriorPoint:
        """Return the method on the contracted problem, at the start."""
        method, Y = InteriorPoint(own, self._reference), start.centroids.sum(axis=0)
        if start.surplus is None:
            method.start(Y)
            return method
        weighted = self.problem.radii[pairs.between] * start.surplus[pairs.between]
        flow = block_sums(pairs.signs * start.Z[pairs.between], pairs.pair)
        method.resume(Y, np.bincount(pairs.pair, weighted) / own.radii, flow)
        return method

    def _fused(
        self, problem: ContractedProblem, method: InteriorPoint, goal: float, separate: BoolArray
    ) -> BlockSolution:
        """Reduce the gap until Newton's method succeeds on the blocks that are fused.

        If it never does, the blocks with the smallest gradient at the last gap are returned.
        """
        for _ in range(TRIES):
            least = np.inf
            method.solve(goal, self._budget)
            Y, F = method.pair()
            U = Y[problem.tails[separate]] - Y[problem.heads[separate]]
            F[separate] = problem.radii[separate, None] * subgradient_rows(U, 2)  # no unused part
            final = method.ended or method.gap < SHORT_GAP
            for blocks in _guesses(problem, method.absolute_gap, Y, F, len(SHORT) if final else 1):
                merged = problem.merged(blocks)
                sums = block_sums(problem.masses[:, None] * Y, blocks)
                means, deadline = sums / merged.masses[:, None], self._budget.deadline
                y, gradient = merged.minimiser(means, deadline)
                if not gradient > least:  # also if it is not a number
                    found, least = BlockSolution(blocks, y, F), gradient
                if least <= SMALL_GRADIENT:
                    return found
            if method.ended or method.gap < LEAST_GAP or self._budget.exhausted:
                break
            goal = method.gap * FINER
        return found


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
