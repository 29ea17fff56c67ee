"""Factorisations of M + B'HB, where H is block diagonal over the edges of the fusion graph.

M = diag(masses) is the identity except in a contracted problem. Small or nearly full matrices are
factorised densely (Cholesky, LAPACK), the others as sparse LDL' (QDLDL); the sparsity pattern is
that of the graph, so the symbolic factorisation is done once. If a factorisation fails, conjugate
gradients (CG) replace it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import qdldl
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import cg

from bilad.models.validation import FloatArray, IntArray

DENSE_SIZE = 150  # number of unknowns up to which a dense factorisation is faster in any case
DENSE_FILL = 0.1  # share of nonzero entries from which a dense factorisation is used
FALLBACK_RTOL = 1e-12
FAILURES = (np.linalg.LinAlgError, RuntimeError, ValueError, MemoryError)


@dataclass(frozen=True)
class Edges:
    """The ends (m,) of the edges of a graph, and the masses (n,) of its n points."""

    n: int
    tails: IntArray
    heads: IntArray
    masses: FloatArray


def _diagonal_blocks(edges: Edges, blocks: FloatArray) -> FloatArray:
    """Return the diagonal blocks of M + B'HB: shape (n, b, b)."""
    n, b = edges.n, blocks.shape[1]
    result = np.empty((n, b, b))
    for k in range(b):
        for h in range(k + 1):
            values = blocks[:, k, h]
            total = np.bincount(edges.tails, values, n) + np.bincount(edges.heads, values, n)
            result[:, k, h] = result[:, h, k] = total + edges.masses if k == h else total
    return result


class DenseFactor:
    """Dense Cholesky factorisation (LAPACK)."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges, self._block = edges, block
        self._factor: Any = None

    def update(self, blocks: FloatArray) -> None:
        """Factorise for edge blocks (m, b, b)."""
        n, b = self._edges.n, self._block
        points = np.arange(n)
        matrix = np.zeros((n, n, b, b))
        matrix[self._edges.heads, self._edges.tails] = -blocks  # the lower triangle is enough
        matrix[points, points] = _diagonal_blocks(self._edges, blocks)
        square = matrix.transpose(0, 2, 1, 3).reshape(n * b, n * b)
        self._factor = scipy.linalg.cho_factor(
            square, lower=True, overwrite_a=True, check_finite=False
        )

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for a right-hand side."""
        columns = R.reshape(self._edges.n * self._block, -1)
        return scipy.linalg.cho_solve(self._factor, columns, check_finite=False).reshape(R.shape)


class SparseFactor:
    """Sparse LDL' factorisation (QDLDL) with one symbolic factorisation."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._matrix = _UpperTriangle(edges, block)
        self._factor: Any = None

    def update(self, blocks: FloatArray) -> None:
        """Factorise for edge blocks (m, b, b)."""
        matrix = self._matrix.fill(blocks)
        if self._factor is None:
            self._factor = qdldl.Solver(matrix, upper=True)
        else:
            self._factor.update(matrix, upper=True)

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for a right-hand side."""
        columns = R.reshape(self._matrix.size, -1)
        if columns.shape[1] == 1:
            return np.asarray(self._factor.solve(columns[:, 0])).reshape(R.shape)
        solutions = [self._factor.solve(np.ascontiguousarray(column)) for column in columns.T]
        return np.stack(solutions, axis=1).reshape(R.shape)


class ConjugateGradients:
    """CG preconditioned by the diagonal, which is slow but cannot break down."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._upper = _UpperTriangle(edges, block)
        self._matrix: Any = None

    def update(self, blocks: FloatArray) -> None:
        """Set the edge blocks (m, b, b)."""
        upper = self._upper.fill(blocks)
        self._diagonal = upper.diagonal()
        self._matrix = (upper + sp.triu(upper, k=1).T).tocsr()

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for a right-hand side."""
        columns = R.reshape(self._upper.size, -1)
        inverse = sp.diags_array(1.0 / self._diagonal)
        solutions = [
            cg(self._matrix, column, rtol=FALLBACK_RTOL, M=inverse)[0] for column in columns.T
        ]
        return np.stack(solutions, axis=1).reshape(R.shape)


Factor = DenseFactor | SparseFactor | ConjugateGradients


class System:
    """Solves (M + B'HB) D = R for edge blocks H_e of shape (b, b), symmetric and semidefinite.

    The factorisation is chosen for the graph, and replaced by CG if it fails. The right-hand side
    has shape (n, b), or (n, d) if b = 1.

    Attributes
    ----------
    failed : bool
        Whether a factorisation failed and CG replaced it.
    factorisations : int
        Number of numeric factorisations so far.
    """

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges, self._block = edges, block
        self._factor = _choose(edges, block)
        self.failed = False
        self.factorisations = 0

    def update(self, blocks: FloatArray) -> None:
        """Factorise for edge blocks (m, b, b)."""
        self.factorisations += 1
        try:
            self._factor.update(blocks)
        except FAILURES:
            if self.failed:
                raise
            self.failed = True
            self._factor = ConjugateGradients(self._edges, self._block)
            self._factor.update(blocks)

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution for the last edge blocks."""
        return self._factor.solve(R)


def _choose(edges: Edges, block: int) -> Factor:
    fill = 2 * len(edges.tails) / edges.n**2
    if edges.n * block <= DENSE_SIZE or fill >= DENSE_FILL:
        return DenseFactor(edges, block)
    return SparseFactor(edges, block)


class _UpperTriangle:
    """The upper triangle of M + B'HB, with a fixed pattern and changing values."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges = edges
        n, b = edges.n, block
        self.size = n * b
        row, column = (index.ravel() for index in np.indices((b, b)))
        self._entries = np.triu_indices(b)
        points = np.arange(n)[:, None] * b
        rows = np.concatenate(
            [(edges.tails[:, None] * b + row).ravel(), (points + self._entries[0]).ravel()]
        )
        columns = np.concatenate(
            [(edges.heads[:, None] * b + column).ravel(), (points + self._entries[1]).ravel()]
        )
        self._order = np.lexsort((rows, columns))
        ends = np.cumsum(np.bincount(columns, minlength=self.size))
        self._matrix = sp.csc_matrix(
            (np.zeros(len(rows)), rows[self._order], np.concatenate([[0], ends])),
            shape=(self.size, self.size),
        )

    def fill(self, blocks: FloatArray) -> sp.csc_matrix:
        """Return the matrix for edge blocks (m, b, b)."""
        diagonal = _diagonal_blocks(self._edges, blocks)[:, self._entries[0], self._entries[1]]
        self._matrix.data = np.concatenate([-blocks.ravel(), diagonal.ravel()])[self._order]
        return self._matrix
