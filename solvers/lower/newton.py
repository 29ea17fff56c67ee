"""The Newton system of SSNAL: (I + sigma B' H B) D = R, H block diagonal over the edges.

The pattern is the fusion graph's and never changes, so memory and the symbolic factorisation are
made once. Small or nearly full systems are factorised densely, the others by a sparse LDL'.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import qdldl
import scipy.linalg
import scipy.sparse as sp

from bilad.models.fusion_graph import FusionGraph
from bilad.models.validation import FloatArray

DENSE_SIZE = 150  # unknowns; below, a dense factorisation is faster whatever the pattern
DENSE_FILL = 0.1  # share of the entries of the matrix that are not zero


class NewtonSystem(Protocol):
    """Solves (I + B' blocks B) D = R."""

    def solve(self, blocks: FloatArray, R: FloatArray) -> FloatArray:
        """Return D (n, d) for edge blocks sigma H_e (m, d, d), symmetric and semidefinite."""
        ...


def newton_system(graph: FusionGraph, d: int) -> NewtonSystem:
    """Choose the factorisation for a graph and a number of features."""
    fill = 2 * graph.m / graph.n**2
    if graph.n * d <= DENSE_SIZE or fill >= DENSE_FILL:
        return DenseNewton(graph, d)
    return SparseNewton(graph, d)


def _diagonal_blocks(graph: FusionGraph, blocks: FloatArray) -> FloatArray:
    """Return I + the sum of the blocks of each point's edges: shape (n, d, d)."""
    i, j = graph.edges.T
    n, d = graph.n, blocks.shape[1]
    result = np.empty((n, d, d))
    for a in range(d):
        for b in range(a + 1):
            values = blocks[:, a, b]
            total = np.bincount(i, values, n) + np.bincount(j, values, n)
            result[:, a, b] = result[:, b, a] = total + (a == b)
    return result


class DenseNewton:
    """LAPACK's Cholesky factorisation of the full matrix."""

    def __init__(self, graph: FusionGraph, d: int) -> None:
        self.graph, self.d = graph, d

    def solve(self, blocks: FloatArray, R: FloatArray) -> FloatArray:
        """Return D (n, d) for edge blocks (m, d, d)."""
        n, d = self.graph.n, self.d
        i, j = self.graph.edges.T
        points = np.arange(n)
        matrix = np.zeros((n, n, d, d))
        matrix[j, i] = -blocks  # the lower triangle is enough
        matrix[points, points] = _diagonal_blocks(self.graph, blocks)
        square = matrix.transpose(0, 2, 1, 3).reshape(n * d, n * d)
        factor = scipy.linalg.cho_factor(square, lower=True, overwrite_a=True, check_finite=False)
        return scipy.linalg.cho_solve(factor, R.ravel(), check_finite=False).reshape(n, d)


class SparseNewton:
    """Sparse LDL' (QDLDL): the symbolic factorisation is made once, then updated."""

    def __init__(self, graph: FusionGraph, d: int) -> None:
        self.graph, self.d = graph, d
        i, j = graph.edges.T
        a, b = (index.ravel() for index in np.indices((d, d)))
        upper_a, upper_b = np.triu_indices(d)
        points = np.arange(graph.n)
        rows = np.concatenate(
            [(i[:, None] * d + a).ravel(), (points[:, None] * d + upper_a).ravel()]
        )
        columns = np.concatenate(
            [(j[:, None] * d + b).ravel(), (points[:, None] * d + upper_b).ravel()]
        )
        self._order = np.lexsort((rows, columns))
        size = graph.n * d
        ends = np.cumsum(np.bincount(columns, minlength=size))
        self._matrix = sp.csc_matrix(
            (np.zeros(len(rows)), rows[self._order], np.concatenate([[0], ends])),
            shape=(size, size),
        )
        self._upper = (upper_a, upper_b)
        self._factor: Any = None

    def solve(self, blocks: FloatArray, R: FloatArray) -> FloatArray:
        """Return D (n, d) for edge blocks (m, d, d)."""
        diagonal = _diagonal_blocks(self.graph, blocks)[:, self._upper[0], self._upper[1]]
        self._matrix.data = np.concatenate([-blocks.ravel(), diagonal.ravel()])[self._order]
        if self._factor is None:
            self._factor = qdldl.Solver(self._matrix, upper=True)
        else:
            self._factor.update(self._matrix, upper=True)
        return np.asarray(self._factor.solve(R.ravel())).reshape(R.shape)
