"""Continuation in gamma: each solve by SSNAL starts from the last, on fewer and fewer points.

Blocks that were fused at the last gamma are replaced by single points (module `aggregation`), and
errors are measured on the whole problem. If the flow inside a block cannot be balanced, the block
has to split, which is possible with general weights: it is cut where its edges have no unused
capacity, and the problem is solved again. If that fails too, the whole problem is solved.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import BoolArray, IntArray
from bilad.solvers.clustering.aggregation import (
    BALANCED,
    AggregatedProblem,
    BlockSolution,
    electrical_flow,
)
from bilad.solvers.clustering.labels.active_set import candidate_active_sets
from bilad.solvers.clustering.labels.partition import nothing_proved
from bilad.solvers.clustering.result import MethodResult
from bilad.solvers.clustering.ssnal.ssnal import Solution, solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace

MOST_BLOCKS = 0.8  # share of the points; with more blocks aggregation is slower
CUTS = 2  # number of times that blocks are cut; the last cut gives single points
ACCEPTED = 1e-5  # an accurate pair with an imbalance of at most this is not cut
FULL = 1e-3  # an edge with at most this share of its capacity unused is full


class Continuation:
    """Solves a model for increasing gamma, by SSNAL.

    Parameters
    ----------
    tol : float
        Largest relative gap and KKT residual of the whole problem.
    max_iterations : int
        Steps of ADMM and of Newton's method, for each attempt.
    reference : float, default 1
        As for `solve_ssnal`.
    """

    def __init__(self, tol: float, max_iterations: int, reference: float = 1.0) -> None:
        self._tol, self._max_iterations, self._reference = tol, max_iterations, reference
        self._last: BlockSolution | None = None
        self._workspace: Workspace | None = None
        self._aggregated: AggregatedProblem | None = None

    def solve(self, model: ConvexClustering, deadline: float) -> MethodResult:
        """Solve the next model, which differs from the last one in gamma only."""
        status, iterations, found = "optimal", 0, None
        if self._last is not None and model.radii.any():
            found, good, iterations = self._solve_aggregated(model, self._last, deadline)
            if not good:
                self._last, found = found, None
        if found is None:
            whole = self._solve_whole(model, deadline)
            status = whole.status
            iterations += whole.admm_steps + whole.newton_steps
            blocks = next(candidate_active_sets(model, whole.X, whole.Z)).blocks
            found = _measured(model, BlockSolution(model.gamma, whole.X, whole.Z, blocks))
            if status == "optimal" and model.radii.any():
                better, good, spent = self._solve_aggregated(model, found, deadline)
                found = better if good else found
                iterations += spent
        self._last = found
        if found.error > self._tol and status == "optimal":
            status = "inaccurate"
        return MethodResult(
            X=found.X,
            make_dual=partial(np.asarray, model.project_dual(found.Z)),
            partition=nothing_proved(model.n),
            status="optimal" if found.error <= self._tol else status,
            iterations=iterations,
            reusable=self._workspace,
            remark=self._workspace.remark if self._workspace else "",
        )

    def _solve_aggregated(
        self, model: ConvexClustering, start: BlockSolution, deadline: float
    ) -> tuple[BlockSolution, bool, int]:
        """Solve on blocks; return the last pair, whether it is accurate, and the iterations."""
        iterations, blocks, good = 0, start.blocks, None
        for cut in range(CUTS + 1):
            K = int(blocks.max()) + 1
            if MOST_BLOCKS * model.n < K or self._workspace is None:
                break
            if K == 1:
                X = np.tile(model.data.mean(axis=0), (model.n, 1))
                trial = BlockSolution(model.gamma, X, start.Z, blocks)
            else:
                if self._aggregated is None or not self._aggregated.fits(model, blocks):
                    self._aggregated = AggregatedProblem(model, blocks)
                trial = self._aggregated.solve(
                    model, start, self._tol, self._max_iterations, deadline, self._reference
                )
            iterations += trial.iterations
            Z, imbalance = electrical_flow(model, trial, self._workspace)
            start = _measured(model, replace(trial, Z=Z))
            if start.error <= self._tol:
                good = start
            worst = imbalance.max()
            if worst <= BALANCED or (good is not None and (cut or worst <= ACCEPTED)):
                break
            if time.perf_counter() >= deadline:
                break
            blocks = _cut(model, start, imbalance > BALANCED, into_points=cut == CUTS - 1)
        return good or start, good is not None, iterations

    def _solve_whole(self, model: ConvexClustering, deadline: float) -> Solution:
        start = None if self._last is None else (self._last.X, self._last.Z)
        solution = solve_ssnal(
            model,
            self._tol,
            start,
            self._workspace,
            self._max_iterations,
            deadline,
            self._reference,
        )
        self._workspace = solution.workspace
        return solution


def _measured(model: ConvexClustering, solution: BlockSolution) -> BlockSolution:
    """Measure the errors in the whole problem."""
    X, Z = solution.X, solution.Z
    return replace(solution, gap=model.gap(X, Z), residual=model.kkt_residual(X, Z))


def _cut(
    model: ConvexClustering, solution: BlockSolution, unbalanced: BoolArray, into_points: bool
) -> IntArray:
    """Cut the blocks of unbalanced points where edges are full, or into single points."""
    blocks = solution.blocks
    i, j = model.graph.edges.T
    bad = np.zeros(int(blocks.max()) + 1, dtype=bool)
    bad[blocks[unbalanced]] = True
    inside = (blocks[i] == blocks[j]) & (model.radii > 0)
    unused = model.radii - row_norms(solution.Z, conjugate(model.p))
    joined = inside & (~bad[blocks[i]] | ((unused > FULL * model.radii) & (not into_points)))
    return model.graph.components(joined)
