"""Continuation: one SSNAL solve after the other as gamma grows, on ever fewer points.

Blocks that were fused at the last gamma are taken as single points. The lifted solution is measured
on the whole problem: if its gap and its KKT residual are small, it is as good as any other. If the
flow inside a block cannot be balanced the block wants to split, as with general weights clusters
can; it is cut where its edges are full, and the problem is solved again. When that does not help,
the whole problem is solved, from there.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import BoolArray, IntArray
from bilad.solvers.clustering.aggregation import BALANCED, Contraction, Lifted, balance
from bilad.solvers.clustering.labels.active_set import guesses
from bilad.solvers.clustering.labels.partition import nothing_proved
from bilad.solvers.clustering.methods import Outcome
from bilad.solvers.clustering.ssnal.ssnal import Solution, solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace

MOST_BLOCKS = 0.8  # share of the points; with more blocks contraction does not pay
CUTS = 2  # times that blocks are cut, the last time into points
NEARLY = 1e-5  # an accurate pair with less flow missing than this is not cut
FULL = 1e-3  # an edge with this share of its capacity unused, or less, is full


class Continuation:
    """Solves a model for growing gamma, by SSNAL.

    Parameters
    ----------
    tol : float
        Largest relative gap and KKT residual of the whole problem.
    max_iterations : int
        Steps of ADMM and Newton, for each attempt.
    one : float
        As for `solve_ssnal`.
    """

    def __init__(self, tol: float, max_iterations: int, one: float = 1.0) -> None:
        self._tol, self._max_iterations, self._one = tol, max_iterations, one
        self._last: Lifted | None = None
        self._workspace: Workspace | None = None
        self._contraction: Contraction | None = None

    def solve(self, model: ConvexClustering, deadline: float) -> Outcome:
        """Solve the next model: the last one's data, graph and norm, and any gamma."""
        status, iterations, found = "optimal", 0, None
        if self._last is not None and model.radii.any():
            found, good, iterations = self._contracted(model, self._last, deadline)
            if not good:
                self._last, found = found, None
        if found is None:
            whole = self._whole(model, deadline)
            status = whole.status
            iterations += whole.admm_steps + whole.newton_steps
            blocks = next(guesses(model, whole.X, whole.Z)).blocks
            found = _measured(model, Lifted(model.gamma, whole.X, whole.Z, blocks))
            if status == "optimal" and model.radii.any():
                better, good, spent = self._contracted(model, found, deadline)
                found = better if good else found
                iterations += spent
        self._last = found
        accurate = found.error <= self._tol
        return Outcome(
            X=found.X,
            make_dual=partial(np.asarray, model.project_dual(found.Z)),
            partition=nothing_proved(model.n),
            status="optimal" if accurate else status if status != "optimal" else "inaccurate",
            iterations=iterations,
            kept=self._workspace,
            remark=self._workspace.remark if self._workspace else "",
        )

    def _contracted(
        self, model: ConvexClustering, start: Lifted, deadline: float
    ) -> tuple[Lifted, bool, int]:
        """Solve contracted; return the last pair, whether it is accurate, and the iterations."""
        iterations, blocks, good = 0, start.blocks, None
        for cut in range(CUTS + 1):
            K = int(blocks.max()) + 1
            if MOST_BLOCKS * model.n < K or self._workspace is None:
                break
            trial = start
            if K == 1:
                X = np.tile(model.data.mean(axis=0), (model.n, 1))
                trial = Lifted(model.gamma, X, start.Z, blocks)
            else:
                if self._contraction is None or not self._contraction.fits(model, blocks):
                    self._contraction = Contraction(model, blocks)
                trial = self._contraction.solve(
                    model, start, self._tol, self._max_iterations, deadline, self._one
                )
            iterations += trial.iterations
            Z, missing = balance(model, trial, self._workspace)
            start = _measured(model, replace(trial, Z=Z))
            if start.error <= self._tol:
                good = start
            worst = missing.max()
            if worst <= BALANCED or (good is not None and (cut or worst <= NEARLY)):
                break
            if time.perf_counter() >= deadline:
                break
            blocks = _cut(model, start, missing > BALANCED, into_points=cut == CUTS - 1)
        return good or start, good is not None, iterations

    def _whole(self, model: ConvexClustering, deadline: float) -> Solution:
        start = None if self._last is None else (self._last.X, self._last.Z)
        solution = solve_ssnal(
            model, self._tol, start, self._workspace, self._max_iterations, deadline, self._one
        )
        self._workspace = solution.workspace
        return solution


def _measured(model: ConvexClustering, pair: Lifted) -> Lifted:
    """Measure a pair on the whole problem."""
    gap, residual = model.gap(pair.X, pair.Z), model.kkt_residual(pair.X, pair.Z)
    return replace(pair, gap=gap, residual=residual)


def _cut(
    model: ConvexClustering, lifted: Lifted, unbalanced: BoolArray, into_points: bool
) -> IntArray:
    """Cut the blocks that are not balanced where edges are full, or into points."""
    blocks = lifted.blocks
    i, j = model.graph.edges.T
    bad = np.zeros(int(blocks.max()) + 1, dtype=bool)
    bad[blocks[unbalanced]] = True
    inside = (blocks[i] == blocks[j]) & (model.radii > 0)
    unused = model.radii - row_norms(lifted.Z, conjugate(model.p))
    kept = inside & (~bad[blocks[i]] | ((unused > FULL * model.radii) & (not into_points)))
    return model.graph.components(kept)
