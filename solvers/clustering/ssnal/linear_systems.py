"""Factorisations of M + B' H B, with H block diagonal over the edges of the fusion graph.

M = diag(masses) of the points; all are 1, but in a contracted problem.

Small or nearly full systems are factorised densely (LAPACK's Cholesky), the others as sparse LDL'
(QDLDL: the pattern is the graph's, so the symbolic factorisation is made once). Where a
factorisation fails, conjugate gradients (CG) take its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import qdldl
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import cg

from bilad.models.validation import FloatArray, IntArray

DENSE_SIZE = 150  # unknowns; below, a dense factorisation is faster whatever the pattern
DENSE_FILL = 0.1  # share of the entries of the matrix that are not zero
FALLBACK_RTOL = 1e-12
FAILURES = (np.linalg.LinAlgError, RuntimeError, ValueError, MemoryError)


@dataclass(frozen=True)
class Edges:
    """Ends of the edges, (m,) each, of a graph on n points with masses (n,)."""

    n: int
    tails: IntArray
    heads: IntArray
    masses: FloatArray


class Factor(Protocol):
    """A way to solve (M + B' H B) D = R for edge blocks H_e of one size b.

    A right-hand side is any array of n b rows, when raveled: (n, b), or (n, d) if b = 1.
    """

    def update(self, blocks: FloatArray) -> None:
        """Take the edge blocks (m, b, b), symmetric and positive semidefinite."""
        ...

    def solve(self, R: FloatArray) -> FloatArray:
        """Return the solution, of the shape of the right-hand side."""
        ...


class System:
    """The factorisation chosen for a graph, and CG if it fails.

    Attributes
    ----------
    failed : bool
        Whether a factorisation failed, so that CG took over.
    factorisations : int
        Numeric factorisations so far.
    """

    def __init__(self, edges: Edges, block: int) -> None:
        self._edges, self._block = edges, block
        self._factor: Factor = _choose(edges, block)
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
        """Return the solution for the blocks last given."""
        return self._factor.solve(R)


def _choose(edges: Edges, block: int) -> Factor:
    fill = 2 * len(edges.tails) / edges.n**2
    if edges.n * block <= DENSE_SIZE or fill >= DENSE_FILL:
        return DenseFactor(edges, block)
    return SparseFactor(edges, block)


def _diagonal_blocks(edges: Edges, blocks: FloatArray) -> FloatArray:
    """Return M + the sum of the blocks of each point's edges: shape (n, b, b)."""
    n, b = edges.n, blocks.shape[1]
    result = np.empty((n, b, b))
    for k in range(b):
        for h in range(k + 1):
            values = blocks[:, k, h]
            total = np.bincount(edges.tails, values, n) + np.bincount(edges.heads, values, n)
            result[:, k, h] = result[:, h, k] = total + edges.masses if k == h else total
    return result


class DenseFactor:
    """LAPACK's Cholesky factorisation of the full matrix."""

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
    """Sparse LDL' (QDLDL), its symbolic factorisation made once."""

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
    """CG with the inverse of the diagonal as preconditioner: slow, and cannot break down."""

    def __init__(self, edges: Edges, block: int) -> None:
        self._upper = _UpperTriangle(edges, block)
        self._matrix: Any = None

    def update(self, blocks: FloatArray) -> None:
        """Take the edge blocks (m, b, b)."""
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


class _UpperTriangle:
    """The upper triangle of M + B' H B, of one pattern and changing values."""

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
