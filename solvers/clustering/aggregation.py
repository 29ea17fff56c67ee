"""Aggregation: fused points are replaced by one point, and the smaller problem is solved.

The contracted problem (module `contracted_problem`) has one point for each block of fused points.
Its solution Y gives X = y_k on block k, and the flow between two blocks is shared among their edges
in proportion to the weights. The flow inside the blocks is found by `electrical_flow`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.active_set import vanishing
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem, aggregate_edges
from bilad.solvers.clustering.labels.flow import block_means, block_sums
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace

# Tolerances of the contracted problem over that of the whole problem. The second one is used if
# Newton's method fails after the first, and shows better which blocks are fused.
TOL_SHARES, LEAST_TOL = (1e-2, 1e-4), 1e-13
# An edge is taken as fused if its length is at most SHORT times the resolution of the duality gap,
# or if it fell to FALLEN times its length at the last tolerance.
SHORT, FALLEN = 1e-4, 0.1
# Newton's method has succeeded when the gradient is at most the first number times the tolerance,
# or the second number times the size of the data.
NEWTON_SHARE, LEAST_GRADIENT = 1e-4, 1e-11
# Electrical flows computed one after the other, as long as each reduces the imbalance at least to
# STALLED times the last one.
CURRENTS, STALLED = 6, 0.7
# Largest conductance of an edge; the conductance from each point to the ground is 1.
CONDUCTANCE = 1e10
LEAST_CONDUCTANCE = 1e-9
BALANCED = 1e-8  # imbalance at a point, relative to the largest capacity


@dataclass(frozen=True)
class BlockSolution:
    """A pair X, Z of the whole problem, and blocks on which X is constant.

    Attributes
    ----------
    gamma : float
    X, Z : ndarray, shapes (n, d) and (m, d)
    blocks : ndarray of int, shape (n,)
    iterations : int
        Iterations that were needed for it.
    gap, residual : float
        Relative errors in the whole problem; inf before they are measured.
    """

    gamma: float
    X: FloatArray
    Z: FloatArray
    blocks: IntArray
    iterations: int = 0
    gap: float = np.inf
    residual: float = np.inf

    @property
    def error(self) -> float:
        """The larger of the two errors, which is compared with the tolerance."""
        return max(self.gap, self.residual)


class AggregatedProblem:
    """The contracted problem for one partition into blocks and any gamma.

    Parameters
    ----------
    model : ConvexClustering
    blocks : ndarray of int, shape (n,)
        0..K-1, K >= 2.
    """

    def __init__(self, model: ConvexClustering, blocks: IntArray) -> None:
        self.blocks = blocks
        self._whole = model.graph
        self._masses = np.bincount(blocks).astype(np.float64)
        self._means = block_means(model.data, blocks)
        self._pairs = pairs = aggregate_edges(model.graph, model.graph.weights, blocks)
        self._graph = FusionGraph(len(self._masses), pairs.ends, pairs.weights)
        weights = model.graph.weights[pairs.between]
        self._shares = (weights / pairs.weights[pairs.pair])[:, None]
        self._workspace: Workspace | None = None

    def fits(self, model: ConvexClustering, blocks: IntArray) -> bool:
        """Whether this is the problem for the given blocks and the weights of the model."""
        return self.blocks is blocks and self._whole is model.graph

    def solve(
        self,
        model: ConvexClustering,
        start: BlockSolution,
        tol: float,
        max_iterations: int,
        deadline: float,
        reference: float = 1.0,
    ) -> BlockSolution:
        """Solve to a smaller tolerance than `tol`, from a solution at another gamma.

        The flow between blocks that stay apart is at its capacity, so the start is multiplied by
        the ratio of the two gammas.
        """
        small = ConvexClustering(self._means, self._graph, model.gamma, model.p)
        if self._workspace is None or not self._workspace.fits(small):
            self._workspace = Workspace(small, self._masses)
        pairs, count = self._pairs, self._graph.m
        growth = model.gamma / start.gamma if start.gamma > 0 else 1.0
        Y = block_means(start.X, self.blocks)
        F = block_sums(growth * pairs.signs * start.Z[pairs.between], pairs.pair, count)
        size, iterations = 1.0 + model.primal(start.X), 0
        lengths = np.zeros(count)
        small_gradient = max(NEWTON_SHARE * tol, LEAST_GRADIENT) * (
            1.0 + float(np.linalg.norm(self._means))
        )
        for share in TOL_SHARES:
            aim = max(share * tol, LEAST_TOL)
            run = solve_ssnal(
                small, aim, (Y, F), self._workspace, max_iterations, deadline, reference
            )
            iterations += run.admm_steps + run.newton_steps
            before, lengths = lengths, row_norms(self._graph.differences(run.X), 2)
            fused = self._fused_blocks(small, run.Z, lengths, before, aim * size)
            Y, F, done = self._polished(small, run.X, run.Z, fused, small_gradient)
            if done or run.status != "optimal":
                break
        Z = start.Z.copy()
        Z[pairs.between] = pairs.signs * self._shares * F[pairs.pair]
        return BlockSolution(model.gamma, Y[self.blocks], Z, fused[self.blocks], iterations)

    def _fused_blocks(
        self,
        small: ConvexClustering,
        Z: FloatArray,
        lengths: FloatArray,
        before: FloatArray,
        gap: float,
    ) -> IntArray:
        """Number the components of the pairs of blocks that are taken as fused: shape (K,).

        A pair is fused by the rule of module `active_set`, or if its length has fallen with the
        tolerance: a solver may leave fused edges at full capacity.
        """
        unused = small.radii - row_norms(Z, conjugate(small.p))
        resolution = 2.0 * np.sqrt(gap)
        fused = vanishing(lengths, unused, small.radii, resolution, SHORT)
        return self._graph.components(fused | (lengths <= np.minimum(resolution, FALLEN * before)))

    def _polished(
        self,
        small: ConvexClustering,
        Y: FloatArray,
        Z: FloatArray,
        fused: IntArray,
        small_gradient: float,
    ) -> tuple[FloatArray, FloatArray, bool]:
        """Return Y, constant on the fused blocks, Z, and whether both are accurate.

        For p = 2 they are found by Newton's method on the problem with the fused blocks contracted.
        """
        masses = self._masses[:, None]
        y = block_sums(masses * Y, fused) / block_sums(masses, fused)
        problem = ContractedProblem(small, fused, self._masses)
        if small.p != 2 or small.d == 1 or len(problem.radii) == 0:
            return y[fused], Z, True
        better = problem.polished(y)
        if not problem.scaled_gradient_norm(better) <= small_gradient:
            return y[fused], Z, False
        Y = better[fused]
        U = self._graph.differences(Y)
        lengths = row_norms(U, 2)[:, None]
        apart = lengths > 0
        flow = small.radii[:, None] * np.divide(U, lengths, out=np.zeros_like(U), where=apart)
        return Y, np.where(apart, flow, Z), True


def electrical_flow(
    model: ConvexClustering, solution: BlockSolution, workspace: Workspace
) -> tuple[FloatArray, FloatArray]:
    """Add electrical flows inside the blocks until X = A - B'Z up to a constant on each block.

    The conductances are the unused capacities of the edges. Flow above a capacity is removed, and
    the next electrical flow replaces it.

    Returns
    -------
    Z : ndarray, shape (m, d)
        Dual feasible.
    imbalance : ndarray, shape (n,)
        Unbalanced flow at each point, relative to the largest capacity.
    """
    blocks = solution.blocks
    i, j = model.graph.edges.T
    inside = np.flatnonzero(workspace.positive & (blocks[i] == blocks[j]))
    radii, q, largest = model.radii[inside], conjugate(model.p), model.radii.max()
    Z, before = model.project_dual(solution.Z), np.inf
    for current in range(CURRENTS + 1):
        missing = solution.X - model.data + model.graph.adjoint(Z)
        missing -= block_means(missing, blocks)[blocks]
        imbalance = np.abs(missing).max(axis=1) / largest
        stalled = imbalance.max() > STALLED * before
        if current == CURRENTS or stalled or imbalance.max() <= BALANCED or len(inside) == 0:
            break
        before = imbalance.max()
        unused = np.maximum(radii - row_norms(Z[inside], q), LEAST_CONDUCTANCE * radii)
        conductances = np.zeros(model.graph.m)
        conductances[inside] = unused * (CONDUCTANCE / unused.max())
        workspace.point_system.update(conductances[workspace.positive, None, None])
        potentials = workspace.point_system.solve(missing)
        Z = model.project_dual(Z - conductances[:, None] * model.graph.differences(potentials))
    return Z, imbalance
