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
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.interior_point.interior_point import InteriorPoint
from bilad.solvers.clustering.labels.block_flow import BlockFlow
from bilad.solvers.clustering.labels.components import components
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means, block_sums
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.result import MethodResult, SolveOptions
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.ssnal import solve_by_ssnal

COARSE_GAP, FINER = 1e-2, 1e-2  # the first gap of the whole problem, and the factor to the next
ROUNDS = 3
CAUTION = 1e-2  # share of the gap of an edge that its contraction assumes; a tenth in each round
BLOCK_GAP, LEAST_GAP = 1e-7, 1e-13  # of the contracted problem: the first gap and the last
SHORT_GAP = 1e-9  # gap below which short edges are taken as fused as well
SHORT = (0.0, 1e-6, 1e-4, 1e-2)  # multiples of the resolution
TRIES = 8  # calls of Newton's method for one contracted problem
FULL = 1e-3  # an edge with at most this share of its capacity unused is full


@dataclass(frozen=True)
class BlockSolution:
    """Blocks of a problem, their centroids, and a flow between them.

    Attributes
    ----------
    blocks : ndarray of int, shape (n,)
    centroids : ndarray, shape (K, d)
    Z : ndarray, shape (m, d)
        A flow on the edges of the problem.
    """

    blocks: IntArray
    centroids: FloatArray
    Z: FloatArray

    @classmethod
    def at(cls, blocks: IntArray, X: FloatArray, Z: FloatArray) -> BlockSolution:
        """Average X (n, d) on the blocks."""
        return cls(blocks, block_means(X, blocks), Z)

    @property
    def X(self) -> FloatArray:
        """The centroid of the block of each point: shape (n, d)."""
        return self.centroids[self.blocks]


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
            found = self._interior_solution(BlockSolution.at(blocks, X, Z), method.centre)
            _, partition = self._proved(found)
            if partition is not None or method.ended or self._budget.exhausted:
                break
            gap, caution = method.gap * FINER, 0.1 * caution
        return self._with_flow(found), partition

    def restart(self, start: BlockSolution) -> tuple[BlockSolution, Partition | None]:
        """Solve from the solution of a similar problem, on its blocks as far as they persist."""
        for _ in range(ROUNDS):
            found = self._smooth_solution(start) or self._interior_solution(start)
            balanced, partition = self._proved(found)
            if partition is not None:
                return self._with_flow(found), partition
            if balanced.all() or self._budget.exhausted:
                break
            start = BlockSolution.at(self._cut(found.blocks, balanced), found.X, found.Z)
        return self.solve()

    def _smooth_solution(self, start: BlockSolution) -> BlockSolution | None:
        """Solve on the blocks of the start by Newton's method, if no two of them are fused."""
        own, _ = self.problem.contracted(start.blocks)
        y = own.polished(start.centroids, self._budget.deadline)
        return BlockSolution(start.blocks, y, start.Z) if own.is_minimiser(y) else None

    def _interior_solution(
        self, start: BlockSolution, centre: float | None = None
    ) -> BlockSolution:
        """Solve on the blocks of the start by the interior-point method, and fuse them."""
        own, pairs = self.problem.contracted(start.blocks)
        if len(own.radii) == 0:
            return BlockSolution(start.blocks, own.means, start.Z)
        method = InteriorPoint(own, self._reference)
        method.start(start.centroids, centre)
        fused = self._fused(own, method)
        Z = start.Z.copy()
        shares = self.problem.radii[pairs.between] / own.radii[pairs.pair]
        Z[pairs.between] = pairs.signs * shares[:, None] * fused.Z[pairs.pair]
        return BlockSolution(fused.blocks[start.blocks], fused.centroids, Z)

    def _fused(self, problem: ContractedProblem, method: InteriorPoint) -> BlockSolution:
        """Reduce the gap until Newton's method succeeds on the blocks that are fused."""
        goal = BLOCK_GAP
        for _ in range(TRIES):
            method.solve(goal, self._budget)
            Y, F = method.pair()
            for blocks in _guesses(problem, method, Y, F):
                merged, _ = problem.contracted(blocks)
                sums = block_sums(problem.masses[:, None] * Y, blocks)
                y = merged.polished(sums / merged.masses[:, None], self._budget.deadline)
                found = BlockSolution(blocks, y, F)
                if merged.is_minimiser(y):
                    return found
            if method.ended or method.gap < LEAST_GAP or self._budget.exhausted:
                break
            goal = method.gap * FINER
        return found

    def _proved(self, found: BlockSolution) -> tuple[BoolArray, Partition | None]:
        """Return which blocks are balanced by a flow, and the partition if it is proved."""
        balanced = self.flow.lift(found.blocks, found.centroids, found.Z)
        return balanced, self.flow.partition()

    def _with_flow(self, found: BlockSolution) -> BlockSolution:
        return BlockSolution(found.blocks, found.centroids, self.flow.flow())

    def _cut(self, blocks: IntArray, balanced: BoolArray) -> IntArray:
        """Cut the blocks that are not balanced where edges are full, or into single points."""
        tails, heads, radii = self.problem.tails, self.problem.heads, self.problem.radii
        inside = blocks[tails] == blocks[heads]
        unused = radii - row_norms(self.flow.flow(), 2)
        for full in (FULL * radii, np.inf):
            joined = inside & (balanced[blocks[tails]] | (unused > full))
            pieces = components(tails, heads, joined, len(blocks))
            if pieces.max() > blocks.max():
                break
        return pieces


def _guesses(
    problem: ContractedProblem, method: InteriorPoint, Y: FloatArray, F: FloatArray
) -> Iterator[IntArray]:
    """Yield candidates for the blocks that are fused, from many blocks to few."""
    resolution, last = 2.0 * np.sqrt(method.absolute_gap), 0
    for short in SHORT if method.gap < SHORT_GAP else SHORT[:1]:
        blocks = problem.fused_components(Y, F, resolution, short)
        if blocks.max() != last or short == 0.0:
            yield blocks
        last = blocks.max()


def solve_interior_point(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve by the contracting interior-point method: p = 2 or d = 1, and few features.

    If the partition is not proved, the method continues with SSNAL from the last pair.
    """
    budget = Budget(options.max_iterations, options.deadline)
    positive = model.radii > 0
    if not positive.any():
        return solve_by_ssnal(model, options)
    last = options.reusable if isinstance(options.reusable, ContractingMethod) else None
    method = ContractingMethod(model, budget, options.reference, last)
    if options.start is None:
        found, partition = method.solve()
    else:
        X, Z = options.start
        Z = model.project_dual(Z)[positive]
        blocks = method.problem.fused_components(X, Z, 0.0, 0.0)
        found, partition = method.restart(BlockSolution.at(blocks, X, Z))
    Z = np.zeros((model.graph.m, model.d))
    Z[positive] = found.Z
    if partition is None:
        rest = replace(
            options,
            start=(found.X, Z),
            max_iterations=max(1, options.max_iterations - budget.newton_steps),
        )
        result = solve_by_ssnal(model, rest)
        return replace(result, iterations=result.iterations + budget.newton_steps)
    return MethodResult(
        X=found.X,
        make_dual=partial(np.asarray, model.project_dual(Z)),
        partition=partition,
        status="optimal",
        iterations=budget.newton_steps,
        reusable=method,
    )
