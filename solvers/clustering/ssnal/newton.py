"""The Newton system of SSNAL: (I + B'HB) D = R with H_e = diag(a_e) - v_e v_e'.

For few features the nd x nd matrix is factorised, and an old factorisation serves as preconditioner
of conjugate gradients (CG) as long as the matrix changes little. For many features CG is
preconditioned by n x n factorisations for the diagonals of the H_e.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from bilad.models.validation import FloatArray
from bilad.solvers.clustering.ssnal.edge_loops import hessian_times
from bilad.solvers.clustering.ssnal.linear_systems import Edges, System

DIRECT_FEATURES = 3  # number of features up to which the whole matrix is factorised
DIRECT_SIZE = 400  # number of unknowns up to which it is factorised for any d
CG_STEPS = 500
# In systems of at least REUSE_SIZE unknowns, an old factorisation is used for up to REUSE_STEPS
# steps of CG if a and v have changed by at most this share.
REUSE_SIZE, REUSE_CHANGE, REUSE_STEPS = 1000, 0.3, 8


def _conjugate_gradients(
    edges: Edges,
    a: FloatArray,
    v: FloatArray,
    R: FloatArray,
    rtol: float,
    steps: int,
    preconditioner: LinearOperator,
) -> tuple[FloatArray, bool]:
    """Return D and whether it has the wanted accuracy."""

    def times(flat: FloatArray) -> FloatArray:
        D, out = flat.reshape(R.shape), np.empty(R.shape)
        hessian_times(edges.tails, edges.heads, a, v, D, out)
        return out.ravel()

    matrix = LinearOperator((R.size, R.size), matvec=times, dtype=float)
    flat, info = cg(matrix, R.ravel(), rtol=rtol, maxiter=steps, M=preconditioner)
    return flat.reshape(R.shape), info == 0


class DirectNewton:
    """One factorisation of the nd x nd matrix."""

    def __init__(self, edges: Edges, d: int) -> None:
        self._edges = edges
        self.systems = [System(edges, d)]
        self._factorised: tuple[FloatArray, FloatArray] | None = None

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d) with a residual of about rtol ||R|| or less, for a and v (m, d)."""
        system = self.systems[0]
        if self._has_changed_little(a, v):
            inverse = LinearOperator((R.size, R.size), matvec=system.solve, dtype=float)
            D, accurate = _conjugate_gradients(self._edges, a, v, R, rtol, REUSE_STEPS, inverse)
            if accurate:
                return D
        blocks = -v[:, :, None] * v[:, None, :]
        k = np.arange(a.shape[1])
        blocks[:, k, k] += a
        system.update(blocks)
        self._factorised = a, v
        return system.solve(R)

    def _has_changed_little(self, a: FloatArray, v: FloatArray) -> bool:
        if self._factorised is None or self._edges.n * a.shape[1] < REUSE_SIZE:
            return False
        before_a, before_v = self._factorised
        change = np.hypot(np.linalg.norm(a - before_a), np.linalg.norm(v * v - before_v * before_v))
        return bool(change <= REUSE_CHANGE * np.linalg.norm(a))


class IterativeNewton:
    """CG preconditioned by a factorisation of the n x n diagonal block of each feature.

    For p = 2 a single factorisation, of the mean of the blocks, serves all features.
    """

    def __init__(self, edges: Edges, blocks: int) -> None:
        self._edges = edges
        self.systems = [System(edges, 1) for _ in range(blocks)]
        self._factorised: FloatArray | None = None

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d) with a residual of about rtol ||R|| or less, for a and v (m, d)."""
        diagonal = a - v * v
        if len(self.systems) == 1:
            diagonal = diagonal.mean(axis=1, keepdims=True)
        if not self._has_changed_little(diagonal):
            for k, system in enumerate(self.systems):
                system.update(diagonal[:, k, None, None])
            self._factorised = diagonal

        def precondition(flat: FloatArray) -> FloatArray:
            columns = flat.reshape(R.shape)
            if len(self.systems) == 1:
                return self.systems[0].solve(columns).ravel()
            parts = [s.solve(columns[:, k].copy()) for k, s in enumerate(self.systems)]
            return np.stack(parts, axis=1).ravel()

        inverse = LinearOperator((R.size, R.size), matvec=precondition, dtype=float)
        return _conjugate_gradients(self._edges, a, v, R, rtol, CG_STEPS, inverse)[0]

    def _has_changed_little(self, diagonal: FloatArray) -> bool:
        if self._factorised is None:
            return False
        change = np.linalg.norm(diagonal - self._factorised)
        return bool(change <= REUSE_CHANGE * np.linalg.norm(diagonal))


NewtonSystem = DirectNewton | IterativeNewton


def newton_system(edges: Edges, d: int, isotropic: bool) -> NewtonSystem:
    """Choose the method for a graph and d features; `isotropic` means p = 2."""
    if d <= DIRECT_FEATURES or edges.n * d <= DIRECT_SIZE:
        return DirectNewton(edges, d)
    return IterativeNewton(edges, 1 if isotropic else d)
