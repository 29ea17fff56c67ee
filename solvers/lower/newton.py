"""The Newton system of SSNAL: (I + B' H B) D = R with H_e = diag(a_e) - v_e v_e'.

For few features the nd x nd matrix is factorised; for many, CG is preconditioned by the n x n
matrix of the mean of the diagonal of each H_e.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from bilad.models.validation import FloatArray
from bilad.solvers.lower.kernels import hessian_times
from bilad.solvers.lower.linear_systems import Edges, System

DIRECT_FEATURES = 3
DIRECT_SIZE = 400  # unknowns up to which the whole matrix is factorised for any d
CG_STEPS = 500


class NewtonSystem(Protocol):
    """Solves (I + B' H B) D = R, H_e = diag(a_e) - v_e v_e'."""

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d), its residual at most rtol ||R||; a and v are (m, d)."""
        ...


def newton_system(edges: Edges, d: int, isotropic: bool) -> NewtonSystem:
    """Choose the way for a graph and a number of features."""
    if d <= DIRECT_FEATURES or edges.n * d <= DIRECT_SIZE:
        return DirectNewton(edges, d)
    return IterativeNewton(edges, 1 if isotropic else d)


class DirectNewton:
    """One nd x nd factorisation."""

    def __init__(self, edges: Edges, d: int) -> None:
        self.system = System(edges, d)

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d) for a and v (m, d)."""
        blocks = -v[:, :, None] * v[:, None, :]
        k = np.arange(a.shape[1])
        blocks[:, k, k] += a
        self.system.update(blocks)
        return self.system.solve(R)


class IterativeNewton:
    """CG with a factorisation of each feature's own n x n diagonal block as preconditioner.

    For p = 2 the blocks are replaced by their mean over the features, one factorisation for all.
    """

    def __init__(self, edges: Edges, blocks: int) -> None:
        self._edges = edges
        self.systems = [System(edges, 1) for _ in range(blocks)]

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d) for a and v (m, d)."""
        diagonal = a - v * v
        if len(self.systems) == 1:
            diagonal = diagonal.mean(axis=1, keepdims=True)
        for k, system in enumerate(self.systems):
            system.update(diagonal[:, k, None, None])
        shape = R.shape

        def times(flat: FloatArray) -> FloatArray:
            out = np.empty(shape)
            tails, heads = self._edges.tails, self._edges.heads
            hessian_times(tails, heads, a, v, flat.reshape(shape), out)
            return out.ravel()

        def precondition(flat: FloatArray) -> FloatArray:
            columns = flat.reshape(shape)
            if len(self.systems) == 1:
                return self.systems[0].solve(columns).ravel()
            parts = [s.solve(columns[:, k].copy()) for k, s in enumerate(self.systems)]
            return np.stack(parts, axis=1).ravel()

        size = (R.size, R.size)
        flat, _ = cg(
            LinearOperator(size, matvec=times, dtype=float),
            R.ravel(),
            rtol=rtol,
            maxiter=CG_STEPS,
            M=LinearOperator(size, matvec=precondition, dtype=float),
        )
        return flat.reshape(shape)
