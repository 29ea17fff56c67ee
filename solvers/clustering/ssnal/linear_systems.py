"""Linear systems with I + B'HB, where H is block diagonal over the edges of the fusion graph.

The matrix is factorised (module `elimination`), with one symbolic factorisation for a graph. If a
factorisation fails, conjugate gradients (CG) replace it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.elimination.elimination import Cholesky, Elimination

FALLBACK_RTOL = 1e-12
FAILURES = (np.linalg.LinAlgError, RuntimeError, ValueError, MemoryError)


@dataclass(frozen=True)
class Edges:
    """The ends (m,) of the edges of a graph with n points."""

    n: int
    tails: IntArray
    heads: IntArray

    @cached_property
    def elimination(self) -> Elimination:
        """The elimination order, which all systems on these edges share."""
        return Elimination(self.n, self.tails, self.heads)

    def sum_at_ends(self, values: FloatArray) -> FloatArray:
        """Return the sum of the values (m,) over the edges of each point: shape (n,)."""
        ends = np.bincount(self.tails, values, self.n) + np.bincount(self.heads, values, self.n)
        return ends.astype(np.float64)


def _diagonal_blocks(edges: Edges, blocks: FloatArray) -> FloatArray:
    """Return the diagonal blocks of I + B'HB: shape (n, b, b)."""
    b = blocks.shape[1]
    result = np.empty((edges.n, b, b))
    for k in range(b):
        for h in range(k + 1):
            total = edges.sum_at_ends(blocks[:, k, h])
            result[:, k, h] = result[:, h, k] = total + 1.0 if k == h else total
    return result


class Factor:
    """The Cholesky factorisation."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges, self._block = edges, block

    @cached_property
    def _cholesky(self) -> Cholesky:
        return Cholesky(self._edges.elimination, self._block)

    def update(self, blocks: FloatArray) -> bool:
        """Factorise for edge blocks (m, b, b); return whether the matrix is positive definite."""
        cholesky, diagonal = self._cholesky, _diagonal_blocks(self._edges, blocks)
        cholesky.H[:] = blocks[cholesky.elimination.edges]
        cholesky.diagonal[:] = diagonal[cholesky.elimination.points]
        return cholesky.factorise()

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for a right-hand side."""
        X = self._cholesky.elimination.enter(R.reshape(self._edges.n, -1))
        self._cholesky.solve(X)
        return self._cholesky.elimination.leave(X).reshape(R.shape)


class ConjugateGradients:
    """CG preconditioned by the diagonal, which is slow but cannot break down."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges, self._block = edges, block

    def update(self, blocks: FloatArray) -> bool:
        """Set the edge blocks (m, b, b)."""
        self._blocks = blocks
        diagonal = np.diagonal(_diagonal_blocks(self._edges, blocks), axis1=1, axis2=2)
        self._inverse = 1.0 / diagonal.ravel()
        return True

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for a right-hand side."""
        size = self._edges.n * self._block
        matrix = LinearOperator((size, size), matvec=self._times, dtype=float)
        inverse = LinearOperator((size, size), matvec=lambda x: self._inverse * x, dtype=float)
        columns = R.reshape(size, -1).T
        solutions = [cg(matrix, column, rtol=FALLBACK_RTOL, M=inverse)[0] for column in columns]
        return np.stack(solutions, axis=1).reshape(R.shape)

    def _times(self, flat: FloatArray) -> FloatArray:
        edges, D = self._edges, flat.reshape(self._edges.n, self._block)
        flow = np.einsum("ekh,eh->ek", self._blocks, D[edges.tails] - D[edges.heads])
        result = D.copy()
        np.add.at(result, edges.tails, flow)
        np.subtract.at(result, edges.heads, flow)
        return result.ravel()


class System:
    """Solves (I + B'HB) D = R for edge blocks H_e of shape (b, b), symmetric and semidefinite.

    The right-hand side has shape (n, b), or (n, d) if b = 1.

    Attributes
    ----------
    failed : bool
        Whether a factorisation failed and CG replaced it.
    factorisations : int
        Number of numeric factorisations so far.
    """

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges, self._block = edges, block
        self._factor: Factor | ConjugateGradients = Factor(edges, block)
        self.failed = False
        self.factorisations = 0

    def update(self, blocks: FloatArray) -> None:
        """Factorise for edge blocks (m, b, b)."""
        self.factorisations += 1
        try:
            updated = self._factor.update(blocks)
        except FAILURES:
            if self.failed:
                raise
            updated = False
        if not updated:
            self.failed = True
            self._factor = ConjugateGradients(self._edges, self._block)
            self._factor.update(blocks)

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for the last edge blocks."""
        return self._factor.solve(R)
