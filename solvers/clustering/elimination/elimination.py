"""The Cholesky factorisation of M + B'HB, with one symbolic factorisation for a graph.

Many points are eliminated in the approximate minimum degree order of QDLDL. Everything else is
compiled (module `loops`), since a Newton step in d features needs blocks, and a flow needs several
right-hand sides at once. Matrices of more than a few points that are nearly full are factorised
by LAPACK.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import qdldl
import scipy.linalg
import scipy.sparse as sp

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.elimination import loops
from bilad.solvers.clustering.kernel import Indices

DENSE_SIZE, DENSE_FILL = 60, 0.1  # points, and share of nonzero blocks, from which LAPACK is used

Array = TypeVar("Array", FloatArray, IntArray)
FEW_POINTS = 300  # up to which exact minimum degrees are faster than the start of QDLDL


class Elimination:
    """An elimination order of the points of a graph, and the pattern of L.

    Parameters
    ----------
    n : int
        The number of points.
    tails, heads : ndarray of int, shape (m,)
        The ends of the edges, without loops or repetitions.
    points : ndarray of int, shape (n,), optional
        An order to be used; by default the points are ordered by (approximate) minimum degree.

    Attributes
    ----------
    points : ndarray of int, shape (n,)
        The point that is eliminated k-th.
    edges : ndarray of int, shape (m,)
        The edges, ordered by the end that is eliminated last, and then by the other.
    lows, highs : ndarray of uint32, shape (m,)
        Ends of the ordered edges, as numbers in the elimination order; lows < highs.
    signs : ndarray, shape (m,)
        1 if the tail of an ordered edge is its low end, else -1.
    entries : int
        The number of blocks of L below the diagonal; 0 if the matrix is dense.
    is_dense : bool
        Whether the matrix is treated as full, and the order is that of the points.
    """

    def __init__(
        self, n: int, tails: IntArray, heads: IntArray, points: IntArray | None = None
    ) -> None:
        self.is_dense = n > DENSE_SIZE and 2 * len(tails) >= DENSE_FILL * n**2
        if self.is_dense:
            points = np.arange(n)
        self.points = _minimum_degree(n, tails, heads) if points is None else points
        place = np.empty(n, dtype=np.uint32)
        place[self.points] = np.arange(n, dtype=np.uint32)
        first, second = place[tails], place[heads]
        lows, highs = np.minimum(first, second), np.maximum(first, second)
        by_lows = loops.sort_stably(lows, np.arange(len(tails)), n)
        self.edges = loops.sort_stably(highs, by_lows, n)
        self.lows, self.highs = lows[self.edges], highs[self.edges]
        self.signs = np.where(first < second, 1.0, -1.0)[self.edges]
        self.entries = 0
        if not self.is_dense:
            self._make_pattern(n)

    def _make_pattern(self, n: int) -> None:
        starts = _starts(np.bincount(self.highs, minlength=n))
        parent, marks, *counts = np.zeros((4, n), dtype=np.uint32)
        loops.pattern(starts, self.lows, parent, marks, *counts)
        row_starts, column_starts = map(_starts, counts)
        self.entries = int(row_starts[-1])
        columns, rows, places = np.empty((3, self.entries), dtype=np.uint32)
        loops.fill_columns(starts, self.lows, parent, marks, column_starts[:-1].copy(), rows)
        loops.fill_rows(column_starts, rows, row_starts[:-1].copy(), columns, places)
        self._pattern = starts, self.lows, row_starts, columns, places
        self._columns = column_starts, rows

    def contracted_order(self, blocks: IntArray) -> IntArray:
        """Return the blocks (n,) in the order in which their last points are eliminated.

        If the blocks are connected, two of them are joined in L of the contracted graph only if
        points of theirs are joined in this L.
        """
        last = np.empty(int(blocks.max()) + 1, dtype=np.int64)
        last[blocks[self.points]] = np.arange(len(blocks))
        return np.argsort(last)

    def enter(self, X: Array) -> Array:
        """Return the rows of X, shape (n, ..), in elimination order."""
        return cast(Array, np.ascontiguousarray(X[self.points]))

    def leave(self, X: Array) -> Array:
        """Return the rows of X in the order of the points."""
        result = np.empty_like(X)
        result[self.points] = X
        return result

    def enter_flow(self, Z: FloatArray) -> FloatArray:
        """Return a flow on the edges, shape (m, d), on the ordered edges from low to high."""
        result = np.empty_like(Z, order="C")
        loops.enter_flow(self.edges, self.signs, Z, result)
        return result

    def leave_flow(self, Z: FloatArray) -> FloatArray:
        """Return a flow on the ordered edges in the order and direction of the edges."""
        result = np.empty_like(Z, order="C")
        loops.leave_flow(self.edges, self.signs, Z, result)
        return result


class Cholesky:
    """The factor L of M + B'HB for changing edge blocks H_e, in elimination order.

    Parameters
    ----------
    elimination : Elimination
    block : int
        The number b of rows of the blocks.

    Attributes
    ----------
    H : ndarray, shape (m, b, b)
        The blocks of the ordered edges, to be set before `factorise`.
    diagonal : ndarray, shape (n, b, b)
        The diagonal blocks of M + B'HB, to be set before `factorise`, which overwrites them.
    """

    def __init__(self, elimination: Elimination, block: int) -> None:
        self.elimination, self._features = elimination, tuple(range(block))
        n, square = len(elimination.points), (block, block)
        self.H = np.empty((len(elimination.edges), *square))
        self.diagonal, self._work = np.empty((2, n, *square))
        self._L = np.empty((elimination.entries, *square))
        self._dense: Any = None

    def factorise(self) -> bool:
        """Return whether the matrix is positive definite to rounding."""
        if self.elimination.is_dense:
            return self._factorise_dense()
        pattern = self.elimination._pattern + self.elimination._columns
        return loops.factorise(self._features, *pattern, self.H, self.diagonal, self._L, self._work)

    def _factorise_dense(self) -> bool:
        n, b, _ = self.diagonal.shape
        lows, highs = self.elimination.lows, self.elimination.highs
        matrix, points = np.zeros((n, b, n, b)), np.arange(n)
        matrix[highs, :, lows] = -self.H  # the lower triangle is enough
        matrix[points, :, points] = self.diagonal
        try:
            self._dense = scipy.linalg.cho_factor(
                matrix.reshape(n * b, n * b), lower=True, overwrite_a=True, check_finite=False
            )
        except np.linalg.LinAlgError:
            return False
        return bool(np.isfinite(self._dense[0].diagonal()).all())

    def solve(self, X: FloatArray) -> None:
        """Replace X, shape (n, b), or (n, d) if b = 1, by the solution."""
        if self.elimination.is_dense:
            columns = X.reshape(self.diagonal.shape[0] * len(self._features), -1)
            solution = scipy.linalg.cho_solve(self._dense, columns, check_finite=False)
            X[:] = solution.reshape(X.shape)
            return
        width = tuple(range(X.shape[1]))
        solve = loops.solve_blocks if width == self._features else loops.solve_columns
        solve(width, *self.elimination._columns, self._L, self.diagonal, X)


def _minimum_degree(n: int, tails: IntArray, heads: IntArray) -> IntArray:
    """Return the order of minimum degree, approximate if there are many points."""
    if n <= FEW_POINTS:
        return loops.minimum_degree(n, tails, heads)
    points = np.arange(n)
    degrees = np.bincount(tails, minlength=n) + np.bincount(heads, minlength=n)
    values = np.concatenate([np.full(len(tails), -1.0), degrees + 1.0])
    rows, columns = np.concatenate([tails, points]), np.concatenate([heads, points])
    upper = sp.csc_matrix(
        (values, (np.minimum(rows, columns), np.maximum(rows, columns))), shape=(n, n)
    )
    return np.asarray(qdldl.Solver(upper, upper=True).factors()[2])


def _starts(counts: IntArray | Indices) -> Indices:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
