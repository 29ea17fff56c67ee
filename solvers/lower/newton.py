"""The Newton system of SSNAL: (I + B' H B) D = R with H_e = diag(a_e) - v_e v_e'.

Three ways: where the features separate (v = 0), an n x n matrix for each of them; for few
features, the nd x nd matrix; for many, CG preconditioned by the n x n matrix of the mean of the
diagonal of each H_e.
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


def newton_system(edges: Edges, d: int, separable: bool) -> NewtonSystem:
    """Choose the way for a graph and a number of features."""
    if separable:
        return SeparableNewton(edges)
    if d <= DIRECT_FEATURES or edges.n * d <= DIRECT_SIZE:
        return DirectNewton(edges, d)
    return IterativeNewton(edges)


class SeparableNewton:
    """One n x n factorisation for each feature."""

    def __init__(self, edges: Edges) -> None:
        self.system = System(edges, 1)

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d) for a (m, d) and v = 0."""
        D = np.empty_like(R)
        for k in range(R.shape[1]):
            self.system.update(a[:, k, None, None])
            D[:, k] = self.system.solve(R[:, k])
        return D


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
    """CG with an n x n factorisation as preconditioner, the same for every feature."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self.system = System(edges, 1)

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return D (n, d) for a and v (m, d)."""
        self.system.update((a - v * v).mean(axis=1)[:, None, None])
        shape, out = R.shape, np.empty_like(R)

        def times(flat: FloatArray) -> FloatArray:
            tails, heads = self._edges.tails, self._edges.heads
            hessian_times(tails, heads, a, v, flat.reshape(shape), out)
            return out.ravel().copy()

        size = (R.size, R.size)
        matrix = LinearOperator(size, matvec=times, dtype=float)
        preconditioner = LinearOperator(
            size, matvec=lambda flat: self.system.solve(flat.reshape(shape)).ravel(), dtype=float
        )
        flat, _ = cg(matrix, R.ravel(), rtol=rtol, maxiter=CG_STEPS, M=preconditioner)
        return flat.reshape(shape)
