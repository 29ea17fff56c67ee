"""Rounded sums and products, their rounding errors, and their exact values.

References
----------
Ogita, Rump and Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26(6), 2005, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
import scipy

from bilad.models.validation import FloatArray

U = 2.0**-53
LEAST = 5e-324
SPLITTER = 2.0**27 + 1.0
# Of the magnitudes of factors and products between which the error of a product is exact.
SMALL, LARGE = 1e-280, 1e280
ABOVE = 1.0 + 1e-9  # for the rounding errors of a bound itself


def unknown() -> None:
    """Return None, in place of exact numbers."""


@dataclass(frozen=True)
class RoundedArray:
    """An array of rounded numbers.

    Attributes
    ----------
    values : ndarray
    errors : ndarray
        Bounds on the rounding errors, of the same shape; 0 where a value is exact.
    exact : callable, optional
        Returns the exact numbers, in the order of `ravel()`; by default they are not known.
    """

    values: FloatArray
    errors: FloatArray
    exact: Callable[[], list[Fraction] | None] = unknown


def matrix_product(
    T: scipy.sparse.csr_array, v: FloatArray, shape: tuple[int, ...]
) -> RoundedArray:
    """Return T v in another shape."""
    values, errors = np.asarray(T @ v), _matrix_product_errors(T, v)
    return RoundedArray(
        values.reshape(shape), errors.reshape(shape), partial(_exact_matrix_product, T, v)
    )


def array_sum(a: FloatArray, b: RoundedArray) -> RoundedArray:
    """Return a + b, where a is exact."""
    errors = b.errors + sum_errors(a, b.values)
    return RoundedArray(a + b.values, errors, partial(_exact_sum, a, b.exact))


def fractions(values: Iterable[float]) -> list[Fraction]:
    """Return floating-point numbers as rationals."""
    return [Fraction(float(value)) for value in values]


def sum_errors(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return |a + b - fl(a + b)|, exactly, by Knuth's TwoSum."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums = a + b
        shown = sums - a
        return np.abs((a - (sums - shown)) + (b - shown))


def product_errors(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return |a b - fl(a b)| by Dekker's product; a bound if numbers are very small or large."""
    with np.errstate(all="ignore"):
        products = a * b
        (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
        errors = a_low * b_low - (products - a_high * b_high - a_low * b_high - a_high * b_low)
        sizes = np.abs([np.broadcast_to(part, products.shape) for part in (a, b, products)])
        within = ((sizes > SMALL) & (sizes < LARGE)).all(axis=0) | (sizes[:2] == 0).any(axis=0)
        return np.where(within, np.abs(errors), U * sizes[2] + LEAST)


def _exact_matrix_product(T: scipy.sparse.csr_array, v: FloatArray) -> list[Fraction]:
    result = [Fraction(0)] * T.shape[0]
    rows = np.repeat(np.arange(T.shape[0]), np.diff(T.indptr))
    used = (T.data != 0) & (v[T.indices] != 0)
    factors = fractions(v)
    for i, j, value in zip(rows[used], T.indices[used], T.data[used], strict=True):
        result[i] += Fraction(float(value)) * factors[j]
    return result


def _exact_sum(a: FloatArray, b: Callable[[], list[Fraction] | None]) -> list[Fraction] | None:
    other = b()
    return other and [x + y for x, y in zip(fractions(a.ravel()), other, strict=True)]


def _matrix_product_errors(T: scipy.sparse.csr_array, v: FloatArray) -> FloatArray:
    """Return bounds on |T v - fl(T v)|, which are exact in rows with one entry."""
    counts, copies = np.diff(T.indptr), bool((np.abs(T.data) == 1).all())
    if copies and counts.max(initial=0) <= 1:
        return np.zeros(T.shape[0])
    factors = v[T.indices]
    terms = T.data * factors
    errors = np.zeros(len(terms)) if copies else product_errors(T.data, factors)
    rows = np.repeat(np.arange(T.shape[0]), counts)
    additions = np.bincount(rows, terms != 0, T.shape[0]) - 1.0
    sizes = np.bincount(rows, np.abs(terms), T.shape[0])
    own = np.bincount(rows, errors, T.shape[0])
    return ABOVE * (own + U * np.maximum(additions, 0.0) * sizes)


def _halves(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return two numbers of 26 bits whose sum is a."""
    scaled = SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high
