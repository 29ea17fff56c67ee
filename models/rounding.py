"""Rounded sums and products, their rounding errors, and their exact values.

References
----------
Ogita, Rump and Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26(6), 2005, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial

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

    Parameters
    ----------
    values : ndarray
    make_errors : callable
        Returns `errors`, which not every model needs.
    exact : callable, optional
        Returns the exact numbers, in the order of `ravel()`; by default they are not known.

    Attributes
    ----------
    errors : ndarray
        Bounds on the rounding errors, of the shape of the values; 0 where a value is exact.
    """

    values: FloatArray
    make_errors: Callable[[], FloatArray]
    exact: Callable[[], list[Fraction] | None] = unknown

    @cached_property
    def errors(self) -> FloatArray:
        """The bounds; infinite where they overflow."""
        with np.errstate(all="ignore"):
            errors = self.make_errors().reshape(self.values.shape)
        return np.where(np.isnan(errors), np.inf, errors)


def with_errors(
    values: FloatArray, errors: FloatArray, exact: Callable[[], list[Fraction] | None] = unknown
) -> RoundedArray:
    """Return values with given bounds on their errors."""
    return RoundedArray(values, partial(np.asarray, errors), exact)


def matrix_product(
    T: scipy.sparse.csr_array, v: FloatArray, shape: tuple[int, ...]
) -> RoundedArray:
    """Return T v in another shape."""
    values = np.asarray(T @ v).reshape(shape)
    return RoundedArray(
        values, partial(_matrix_product_errors, T, v), partial(_exact_matrix_product, T, v)
    )


def array_sum(a: FloatArray, b: RoundedArray) -> RoundedArray:
    """Return a + b, where a is exact."""
    values = a + b.values
    return RoundedArray(values, partial(_sum_errors, a, b), partial(_exact_sum, a, b.exact))


def fractions(values: Iterable[float]) -> list[Fraction]:
    """Return floating-point numbers as rationals."""
    return [Fraction(float(value)) for value in values]


def sum_errors(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return |a + b - fl(a + b)| by Knuth's TwoSum; a bound if an intermediate sum overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums = a + b
        shown = sums - a
        errors = np.abs((a - (sums - shown)) + (b - shown))
        return np.where(np.isfinite(errors), errors, U * np.abs(sums))


def product_errors(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return |a b - fl(a b)| by Dekker's product; a bound if numbers are very small or large."""
    with np.errstate(all="ignore"):
        products = a * b
        (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
        errors = a_low * b_low - (products - a_high * b_high - a_low * b_high - a_high * b_low)
        sizes = np.abs([np.broadcast_to(part, products.shape) for part in (a, b, products)])
        within = ((sizes > SMALL) & (sizes < LARGE)).all(axis=0)
        errors = np.where(within, np.abs(errors), U * sizes[2] + LEAST)
        return np.where((a == 0) | (b == 0), 0.0, errors)


def scaled_bounds(bounds: FloatArray, factor: FloatArray | float) -> FloatArray:
    """Return bounds times nonnegative factors, which are positive also where they underflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = ABOVE * (bounds * factor) + LEAST
        return np.where((bounds == 0) | (np.asarray(factor) == 0), 0.0, scaled)


def _exact_matrix_product(T: scipy.sparse.csr_array, v: FloatArray) -> list[Fraction]:
    result = [Fraction(0)] * T.shape[0]
    rows = np.repeat(np.arange(T.shape[0]), np.diff(T.indptr))
    used = (T.data != 0) & (v[T.indices] != 0)
    factors = fractions(v)
    for i, j, value in zip(rows[used], T.indices[used], T.data[used], strict=True):
        result[i] += Fraction(float(value)) * factors[j]
    return result


def _sum_errors(a: FloatArray, b: RoundedArray) -> FloatArray:
    own = sum_errors(a, b.values)
    return np.where(b.errors > 0, ABOVE * (b.errors + own), own)


def _exact_sum(a: FloatArray, b: Callable[[], list[Fraction] | None]) -> list[Fraction] | None:
    other = b()
    return other and [x + y for x, y in zip(fractions(a.ravel()), other, strict=True)]


def _matrix_product_errors(T: scipy.sparse.csr_array, v: FloatArray) -> FloatArray:
    """Return bounds on |T v - fl(T v)|, which are exact in rows with one entry."""
    counts, errors = np.diff(T.indptr), np.zeros(T.shape[0])
    single = T.indptr[:-1][counts == 1]
    factors = T.data[single]
    if not (np.abs(factors) == 1).all():
        errors[counts == 1] = product_errors(factors, v[T.indices[single]])
    if (counts > 1).any() and v.any():
        sizes = scipy.sparse.csr_array((np.abs(T.data), T.indices, T.indptr), T.shape) @ np.abs(v)
        bounds = counts * (ABOVE * U * sizes + LEAST)
        errors = np.where(counts > 1, bounds, errors)
    return errors


def _halves(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return two numbers of 26 bits whose sum is a."""
    scaled = SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high
