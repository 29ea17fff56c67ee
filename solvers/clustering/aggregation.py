"""Contraction: blocks of points taken as single points, solved, and lifted again.

    min_Y  1/2 sum_k n_k ||y_k - abar_k||^2 + gamma sum_{k<l} w^(k,l) ||y_k - y_l||_p

has one point per block, with the block's mass. Its solution is lifted: X = Y on each block, and
the flow between two blocks is shared among their edges in proportion to w_e. The flow inside the
blocks is another matter: see `balance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace

# Tolerances of the contracted problem over that of the whole, tried until Newton finds the last
# digits; what is merged is seen better at the second.
DIGITS = (1e-2, 1e-4)
LEAST_TOL = 1e-13
# Merged by length: up to this share of what the gap leaves open, or of the length at the last
# tolerance.
SHORT, FALLEN = 1e-4, 0.1
# Newton's method has done its work when the gradient is this share of the tolerance, or so small.
POLISHED, LEAST_REACH = 1e-4, 1e-11
NEWTON_STEPS, HALVINGS, NEWTON_RTOL = 20, 8, 1e-10
TIE = 1e9  # stiffness that holds together what is merged
# Currents sent through the blocks, while each leaves no more than this share missing.
CURRENTS, STALLED = 6, 0.7
CONDUCTANCE = 1e10  # of the best edge, against 1 from each point to the ground
LEAST_CONDUCTANCE = 1e-9
BALANCED = 1e-8  # missing flow at a point, relative to the largest capacity


@dataclass(frozen=True)
class Lifted:
    """A pair X, Z of the whole problem, and the blocks on which X is constant.

    Attributes
    ----------
    gamma : float
    X, Z : ndarray, shapes (n, d) and (m, d)
    blocks : ndarray of int, shape (n,)
    iterations : int
        Spent on it.
    gap, residual : float
        Relative, of the whole problem; infinite before they are measured.
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
        """What is compared with the tolerance."""
        return max(self.gap, self.residual)


class Contraction:
    """The problem of the blocks, for one partition and any gamma.

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
        K = len(self._masses)
        tails, heads = blocks[model.graph.edges].T
        self._between = (tails != heads) & (model.graph.weights > 0)
        tails, heads = tails[self._between], heads[self._between]
        weights = model.graph.weights[self._between]
        self._signs = np.where(tails < heads, 1.0, -1.0)[:, None]
        keys = np.minimum(tails, heads) * K + np.maximum(tails, heads)
        pairs, self._pair = np.unique(keys, return_inverse=True)
        summed = np.bincount(self._pair, weights, len(pairs))
        self._graph = FusionGraph(K, np.column_stack(np.divmod(pairs, K)), summed)
        self._shares = (weights / summed[self._pair])[:, None]
        self._workspace: Workspace | None = None

    def fits(self, model: ConvexClustering, blocks: IntArray) -> bool:
        """Whether it is for these blocks of the model, and these weights."""
        return self.blocks is blocks and self._whole is model.graph

    def solve(
        self,
        model: ConvexClustering,
        start: Lifted,
        tol: float,
        max_iterations: int,
        deadline: float,
        one: float = 1.0,
    ) -> Lifted:
        """Solve to more digits than `tol`, from a solution of the whole problem at another gamma.

        The flow between blocks is at its capacity, so it starts in proportion to gamma.
        """
        small = ConvexClustering(self._means, self._graph, model.gamma, model.p)
        if self._workspace is None or not self._workspace.fits(small):
            self._workspace = Workspace(small, self._masses)
        growth = model.gamma / start.gamma if start.gamma > 0 else 1.0
        flows = self._signs * start.Z[self._between] * growth
        count = self._graph.m
        Y = block_means(start.X, self.blocks)
        F: FloatArray = np.empty((count, model.d))
        for k, flow in enumerate(flows.T):
            F[:, k] = np.bincount(self._pair, flow, count)
        size, iterations = 1.0 + model.primal(start.X), 0
        lengths = np.zeros(count)
        reach = max(POLISHED * tol, LEAST_REACH) * (1.0 + float(np.linalg.norm(self._means)))
        for share in DIGITS:
            aim = max(share * tol, LEAST_TOL)
            run = solve_ssnal(small, aim, (Y, F), self._workspace, max_iterations, deadline, one)
            iterations += run.admm_steps + run.newton_steps
            before, lengths = lengths, row_norms(self._graph.differences(run.X), 2)
            merged = self._merged(small, run.Z, lengths, before, aim * size)
            Y, F, done = self._polished(small, run.X, run.Z, merged, reach)
            if done or run.status != "optimal":
                break
        Z = start.Z.copy()
        Z[self._between] = self._signs * self._shares * F[self._pair]
        return Lifted(model.gamma, Y[self.blocks], Z, merged[self.blocks], iterations)

    def _merged(
        self,
        small: ConvexClustering,
        Z: FloatArray,
        lengths: FloatArray,
        before: FloatArray,
        gap: float,
    ) -> IntArray:
        """Number the components of the edges that are guessed fused: shape (K,).

        By strict complementarity; or as they are very short; or as their lengths fell with the
        tolerance, from those before: solvers leave some fused edges at full capacity.
        """
        unused = small.radii - row_norms(Z, conjugate(small.p))
        open_length = 2.0 * np.sqrt(gap)
        complementary = lengths * small.radii < open_length * unused
        short = np.maximum(SHORT * open_length, FALLEN * before)
        return self._graph.components(
            (lengths <= open_length) & (complementary | (lengths <= short))
        )

    def _averaged(self, Y: FloatArray, merged: IntArray) -> FloatArray:
        masses = np.bincount(merged, self._masses)
        sums = [np.bincount(merged, column) for column in (self._masses[:, None] * Y).T]
        return (np.stack(sums, axis=1) / masses[:, None])[merged]

    def _polished(
        self,
        small: ConvexClustering,
        Y: FloatArray,
        Z: FloatArray,
        merged: IntArray,
        reach: float,
    ) -> tuple[FloatArray, FloatArray, bool]:
        """Return Y constant on what is merged, and Z, by Newton's method where that gets to reach.

        If p = 2 the objective is smooth where merged blocks stay apart, and the flow between them
        is r u / ||u||. Ties hold together what is merged.
        """
        i, j = self._graph.edges.T
        apart = merged[i] != merged[j]
        Y = self._averaged(Y, merged)
        if small.p != 2 or small.d == 1 or not apart.any():
            return Y, Z, True
        assert self._workspace is not None
        point = self._smooth_point(small, Y, merged, apart)
        for _ in range(NEWTON_STEPS if np.isfinite(point.size) else 0):
            curvature = np.where(apart, small.radii / point.lengths, TIE)[:, None]
            step = self._workspace.newton_system.solve(
                np.tile(curvature, small.d),
                np.sqrt(curvature) * point.unit,
                -self._masses[:, None] * point.missing,
                NEWTON_RTOL,
            )
            for _ in range(HALVINGS):
                trial = self._smooth_point(
                    small, self._averaged(point.Y + step, merged), merged, apart
                )
                if trial.size < point.size or point.size <= reach:
                    break
                step = 0.5 * step
            else:
                break
            if point.size <= reach and trial.size > 0.5 * point.size:
                break
            point = trial
        flow = np.where(apart[:, None], small.radii[:, None] * point.unit, Z)
        return (point.Y, flow, True) if point.size <= reach else (Y, Z, False)

    def _smooth_point(
        self, small: ConvexClustering, Y: FloatArray, merged: IntArray, apart: BoolArray
    ) -> _SmoothPoint:
        U = self._graph.differences(Y)
        lengths = np.where(apart, np.linalg.norm(U, axis=1), 1.0)
        if (lengths == 0).any():
            return _SmoothPoint(Y, lengths, U, Y, np.inf)
        unit = np.where(apart, 1.0 / lengths, 0.0)[:, None] * U
        forces = self._graph.adjoint(small.radii[:, None] * unit) / self._masses[:, None]
        missing = self._averaged(Y - self._means + forces, merged)
        size = float(np.linalg.norm(np.sqrt(self._masses)[:, None] * missing))
        return _SmoothPoint(Y, lengths, unit, missing, size)


@dataclass(frozen=True)
class _SmoothPoint:
    """Y, and for the edges of blocks apart the lengths and directions of u; M^-1 gradient."""

    Y: FloatArray
    lengths: FloatArray
    unit: FloatArray
    missing: FloatArray
    size: float


def balance(
    model: ConvexClustering, lifted: Lifted, workspace: Workspace
) -> tuple[FloatArray, FloatArray]:
    """Send currents inside the blocks until X = A - B'Z, up to what is constant on blocks.

    Conductances are the unused capacities; what a current puts above a capacity is cut off, and
    the next current makes up for it.

    Returns
    -------
    ndarray, shape (m, d)
        Dual feasible.
    ndarray, shape (n,)
        Flow still missing at each point, over the largest capacity.
    """
    blocks = lifted.blocks
    i, j = model.graph.edges.T
    inside = np.flatnonzero(workspace.kept & (blocks[i] == blocks[j]))
    radii, q, largest = model.radii[inside], conjugate(model.p), model.radii.max()
    Z, before = model.project_dual(lifted.Z), np.inf
    for current in range(CURRENTS + 1):
        missing = lifted.X - model.data + model.graph.adjoint(Z)
        missing -= block_means(missing, blocks)[blocks]
        worst = np.abs(missing).max(axis=1) / largest
        stalled = worst.max() > STALLED * before
        if current == CURRENTS or stalled or worst.max() <= BALANCED or len(inside) == 0:
            break
        before = worst.max()
        unused = np.maximum(radii - row_norms(Z[inside], q), LEAST_CONDUCTANCE * radii)
        conductances = np.zeros(model.graph.m)
        conductances[inside] = unused * (CONDUCTANCE / unused.max())
        workspace.point_system.update(conductances[workspace.kept, None, None])
        potentials = workspace.point_system.solve(missing)
        Z = model.project_dual(Z - conductances[:, None] * model.graph.differences(potentials))
    return Z, worst
