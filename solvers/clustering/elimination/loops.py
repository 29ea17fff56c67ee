"""Compiled loops of the sparse block Cholesky factorisation A = LL'.

The factorisation is the up-looking one (Davis, Direct methods for sparse linear systems, 2006,
section 4.7) with blocks of shape (b, b) as entries. `features` is the tuple (0, .., b-1), whose
length the compiler knows, so that it unrolls the loops over a block. `diagonal` holds the diagonal
blocks of A, and later those of L with the inverses of their diagonal entries.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.kernel import Indices, fast_kernel, kernel


@kernel
def minimum_degree(n: int, tails: IntArray, heads: IntArray) -> IntArray:
    """Return an elimination order in which every point has the least degree at its turn."""
    joined = np.zeros((n, n), np.bool_)
    for e in range(len(tails)):
        joined[tails[e], heads[e]] = joined[heads[e], tails[e]] = True
    degrees, order, neighbours = joined.sum(axis=1), np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        point = np.argmin(degrees)
        order[k], count = point, 0
        for i in range(n):
            if joined[point, i]:
                neighbours[count] = i
                count += 1
                joined[i, point] = False
                degrees[i] -= 1
        degrees[point] = 2 * n
        for a in range(count):
            i = neighbours[a]
            for b in range(a):
                j = neighbours[b]
                if not joined[i, j]:
                    joined[i, j] = joined[j, i] = True
                    degrees[i] += 1
                    degrees[j] += 1
    return order


@kernel
def sort_stably(keys: IntArray | Indices, order: IntArray, count: int) -> IntArray:
    """Return the order sorted stably by keys in 0, .., count-1."""
    starts, result = np.zeros(count + 1, np.int64), np.empty_like(order)
    for place in order:
        starts[keys[place] + 1] += 1
    for key in range(count):
        starts[key + 1] += starts[key]
    for place in order:
        result[starts[keys[place]]] = place
        starts[keys[place]] += 1
    return result


@kernel
def enter_flow(edges: IntArray, signs: FloatArray, Z: FloatArray, result: FloatArray) -> None:
    """Write row e of the result, signs[e] times row edges[e] of Z."""
    for e in range(len(edges)):
        for k in range(Z.shape[1]):
            result[e, k] = signs[e] * Z[edges[e], k]


@kernel
def leave_flow(edges: IntArray, signs: FloatArray, Z: FloatArray, result: FloatArray) -> None:
    """Write row edges[e] of the result, signs[e] times row e of Z."""
    for e in range(len(edges)):
        for k in range(Z.shape[1]):
            result[edges[e], k] = signs[e] * Z[e, k]


@kernel
def pattern(
    starts: Indices,
    lows: Indices,
    parent: Indices,
    marks: Indices,
    row_counts: Indices,
    column_counts: Indices,
) -> None:
    """Write the elimination tree to `parent`, and the numbers of entries of the rows and columns.

    The edges that end at k are starts[k], .., starts[k+1] - 1, and lows are their other ends, all
    below k. A root is its own parent.
    """
    n = len(parent)
    for k in range(n):
        parent[k], marks[k] = k, k
        for e in range(starts[k], starts[k + 1]):
            i = lows[e]
            while marks[i] != k:
                if parent[i] == i:
                    parent[i] = k
                marks[i] = k
                row_counts[k] += np.uint32(1)
                column_counts[i] += np.uint32(1)
                i = parent[i]


@kernel
def fill_columns(
    starts: Indices, lows: Indices, parent: Indices, marks: Indices, ends: Indices, rows: Indices
) -> None:
    """Write the rows of the entries by columns, in ascending order.

    `ends` holds the starts of the columns, and their ends afterwards.
    """
    n = len(parent)
    marks[:] = n
    for k in range(n):
        marks[k] = k
        for e in range(starts[k], starts[k + 1]):
            i = lows[e]
            while marks[i] != k:
                marks[i] = k
                rows[ends[i]] = k
                ends[i] += np.uint32(1)
                i = parent[i]


@kernel
def fill_rows(
    column_starts: Indices, rows: Indices, ends: Indices, columns: Indices, places: Indices
) -> None:
    """Write the columns of the entries by rows, in ascending order, and their places in columns.

    Ascending order is a topological order of the elimination tree. `ends` holds the starts of the
    rows, and their ends afterwards.
    """
    for j in range(len(column_starts) - 1):
        for p in range(column_starts[j], column_starts[j + 1]):
            k = rows[p]
            columns[ends[k]], places[ends[k]] = j, p
            ends[k] += np.uint32(1)


@fast_kernel
def factorise(
    features: tuple[int, ...],
    starts: Indices,
    lows: Indices,
    row_starts: Indices,
    columns: Indices,
    places: Indices,
    column_starts: Indices,
    rows: Indices,
    H: FloatArray,
    diagonal: FloatArray,
    L: FloatArray,
    work: FloatArray,
) -> bool:
    """Factorise the matrix with off-diagonal blocks -H_e; return whether it is positive definite.

    Parameters
    ----------
    H : ndarray, shape (m, b, b)
    diagonal : ndarray, shape (n, b, b)
    L : ndarray, shape (entries, b, b)
    work : ndarray, shape (n, b, b)
        Overwritten.
    """
    b = len(features)
    work[:] = 0.0
    for k in range(len(diagonal)):
        for e in range(starts[k], starts[k + 1]):
            i = lows[e]
            for x in range(b):
                for y in range(b):
                    work[i, x, y] = -H[e, x, y]
        for q in range(row_starts[k], row_starts[k + 1]):
            j, place = columns[q], places[q]
            if b == 1 and work[j, 0, 0] == 0.0:  # as between blocks that no current joins
                L[place, 0, 0] = 0.0
                continue
            for y in range(b):
                for x in range(b):
                    value = work[j, x, y]
                    for z in range(x):
                        value -= diagonal[j, x, z] * L[place, y, z]
                    L[place, y, x] = value * diagonal[j, x, x]
                    work[j, x, y] = 0.0
            if b == 2:  # written out, since the compiler cannot keep the block in registers
                r00, r01 = L[place, 0, 0], L[place, 0, 1]
                r10, r11 = L[place, 1, 0], L[place, 1, 1]
                for p in range(column_starts[j], place):
                    i, l00, l01, l10, l11 = rows[p], L[p, 0, 0], L[p, 0, 1], L[p, 1, 0], L[p, 1, 1]
                    w00 = work[i, 0, 0] - (l00 * r00 + l01 * r01)
                    w01 = work[i, 0, 1] - (l00 * r10 + l01 * r11)
                    w10 = work[i, 1, 0] - (l10 * r00 + l11 * r01)
                    w11 = work[i, 1, 1] - (l10 * r10 + l11 * r11)
                    work[i, 0, 0], work[i, 0, 1], work[i, 1, 0], work[i, 1, 1] = w00, w01, w10, w11
            else:
                for p in range(column_starts[j], place):
                    i = rows[p]
                    for x in range(b):
                        for y in range(b):
                            value = work[i, x, y]
                            for z in range(b):
                                value -= L[p, x, z] * L[place, y, z]
                            work[i, x, y] = value
            for x in range(b):
                for y in range(x + 1):
                    value = diagonal[k, x, y]
                    for z in range(b):
                        value -= L[place, x, z] * L[place, y, z]
                    diagonal[k, x, y] = value
        for x in range(b):
            for y in range(x):
                value = diagonal[k, x, y]
                for z in range(y):
                    value -= diagonal[k, x, z] * diagonal[k, y, z]
                diagonal[k, x, y] = value * diagonal[k, y, y]
            pivot = diagonal[k, x, x]
            for z in range(x):
                pivot -= diagonal[k, x, z] ** 2
            if not 0.0 < pivot < np.inf:
                return False
            diagonal[k, x, x] = 1.0 / np.sqrt(pivot)
    return True


@fast_kernel
def solve_blocks(
    features: tuple[int, ...],
    column_starts: Indices,
    rows: Indices,
    L: FloatArray,
    diagonal: FloatArray,
    X: FloatArray,
) -> None:
    """Replace the right-hand side X, shape (n, b), by the solution."""
    b, n = len(features), len(X)
    if b == 2:  # written out, since the compiler cannot keep a row of X in registers
        for j in range(n):
            x0 = X[j, 0] * diagonal[j, 0, 0]
            x1 = (X[j, 1] - diagonal[j, 1, 0] * x0) * diagonal[j, 1, 1]
            X[j, 0], X[j, 1] = x0, x1
            for p in range(column_starts[j], column_starts[j + 1]):
                i = rows[p]
                X[i, 0] -= L[p, 0, 0] * x0 + L[p, 0, 1] * x1
                X[i, 1] -= L[p, 1, 0] * x0 + L[p, 1, 1] * x1
        for back in range(n):
            j = n - 1 - back
            x0, x1 = X[j, 0], X[j, 1]
            for p in range(column_starts[j], column_starts[j + 1]):
                i = rows[p]
                x0 -= L[p, 0, 0] * X[i, 0] + L[p, 1, 0] * X[i, 1]
                x1 -= L[p, 0, 1] * X[i, 0] + L[p, 1, 1] * X[i, 1]
            x1 *= diagonal[j, 1, 1]
            X[j, 0], X[j, 1] = (x0 - diagonal[j, 1, 0] * x1) * diagonal[j, 0, 0], x1
        return
    for j in range(n):
        for x in range(b):
            value = X[j, x]
            for z in range(x):
                value -= diagonal[j, x, z] * X[j, z]
            X[j, x] = value * diagonal[j, x, x]
        for p in range(column_starts[j], column_starts[j + 1]):
            i = rows[p]
            for x in range(b):
                for z in range(b):
                    X[i, x] -= L[p, x, z] * X[j, z]
    for back in range(n):
        j = n - 1 - back
        for p in range(column_starts[j], column_starts[j + 1]):
            i = rows[p]
            for x in range(b):
                for z in range(b):
                    X[j, z] -= L[p, x, z] * X[i, x]
        for above in range(b):
            x = b - 1 - above
            value = X[j, x]
            for z in range(x + 1, b):
                value -= diagonal[j, z, x] * X[j, z]
            X[j, x] = value * diagonal[j, x, x]


@fast_kernel
def solve_columns(
    features: tuple[int, ...],
    column_starts: Indices,
    rows: Indices,
    L: FloatArray,
    diagonal: FloatArray,
    X: FloatArray,
) -> None:
    """Replace the columns of X, shape (n, len(features)), by the solutions; b = 1."""
    width, n = len(features), len(X)
    for j in range(n):
        for x in range(width):
            X[j, x] *= diagonal[j, 0, 0]
        for p in range(column_starts[j], column_starts[j + 1]):
            i, value = rows[p], L[p, 0, 0]
            for x in range(width):
                X[i, x] -= value * X[j, x]
    for back in range(n):
        j = n - 1 - back
        for p in range(column_starts[j], column_starts[j + 1]):
            i, value = rows[p], L[p, 0, 0]
            for x in range(width):
                X[j, x] -= value * X[i, x]
        for x in range(width):
            X[j, x] *= diagonal[j, 0, 0]
