"""Checks of arguments: one wording for every error that a wrong argument causes.

Each check returns its argument in the form the rest of the package relies on, or raises
`ArgumentError`, which names the argument, what was given, and what is expected.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# What arrays that are not real are said to hold, by NumPy's character of their kind.
KINDS = {
    "b": "Booleans",
    "c": "complex numbers",
    "m": "durations",
    "M": "dates",
    "S": "bytes",
    "T": "text",
    "U": "text",
    "V": "records",
}


class ArgumentError(ValueError):
    """An argument that cannot be used: its name, what was given, and what is expected."""

    def __init__(self, argument: str, given: object, expected: str) -> None:
        super().__init__(f"{argument}: got {given}, expected {expected}")
        self.argument = argument


def _numeric_array(value: Any, argument: str, expected: str) -> np.ndarray:
    """Return `value` as an array of integers or floating-point numbers, of whatever shape.

    Every array and every number that a caller gives passes here. Whatever is not a real number is
    refused, also where NumPy would convert it: complex numbers, masked entries, dates, durations,
    text and Booleans. Objects are taken if all are real numbers of Python, such as fractions.
    """
    try:
        array = value if isinstance(value, np.ndarray) else np.ma.asarray(value)
    except (TypeError, ValueError, OverflowError, UserWarning):
        raise ArgumentError(argument, "rows of different lengths or kinds", expected) from None
    if np.ma.is_masked(array):
        raise ArgumentError(argument, "masked entries", expected)
    array = np.asarray(array)
    if array.dtype.kind == "O":
        return _of_objects(array, argument, expected)
    if array.dtype.kind not in "iuf":
        content = KINDS.get(array.dtype.kind, str(array.dtype))
        raise ArgumentError(argument, content if array.ndim else reprlib.repr(value), expected)
    return array


def _of_objects(array: np.ndarray, argument: str, expected: str) -> FloatArray:
    """Return an array of objects as numbers, if each of them is a real number."""
    for where, entry in np.ndenumerate(array):
        if isinstance(entry, bool) or not isinstance(entry, Real):
            place = f" at index {where}" if where else ""
            raise ArgumentError(argument, reprlib.repr(entry) + place, expected)
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ArgumentError(argument, "a number beyond double precision", expected) from None


def number_array(value: Any, argument: str, expected: str) -> FloatArray:
    """Return a read-only float64 copy of `value`, of whatever shape; it may hold inf and NaN."""
    given = _numeric_array(value, argument, expected)
    with np.errstate(over="ignore"):  # of a number that is wider than float64
        array = np.array(given, dtype=np.float64)
    array.flags.writeable = False
    return array


def number_matrix(value: Any, argument: str, expected: str) -> sp.csr_array:
    """Return a float64 copy of a matrix, sparse or not; it may hold inf and NaN."""
    is_sparse = sp.issparse(value)
    if is_sparse and value.ndim == 2:
        given = value.tocoo()
        entries = number_array(given.data, argument, expected)
        return sp.csr_array((entries, (given.row, given.col)), shape=given.shape)
    array = number_array(value, argument, expected)
    if array.ndim != 2:
        raise ArgumentError(argument, f"shape {array.shape}", expected)
    return sp.csr_array(array)


def real_array(value: ArrayLike, argument: str, shape: tuple[int | None, ...]) -> FloatArray:
    """Return a read-only float64 copy of `value`; `None` in `shape` leaves a length free."""
    wanted = "x".join("any" if length is None else str(length) for length in shape)
    expected = f"a finite real array of shape {wanted}"
    array = number_array(value, argument, expected)
    fits = array.ndim == len(shape) and all(
        length is None or length == actual
        for length, actual in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ArgumentError(argument, f"shape {array.shape}", expected)
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        where = tuple(int(k) for k in bad)
        raise ArgumentError(argument, f"{array[where]} at index {where}", expected)
    return array


def point_array(value: ArrayLike, argument: str) -> FloatArray:
    """Return n >= 2 points with d >= 1 features, one a row, as a read-only float64 copy."""
    points = real_array(value, argument, (None, None))
    if len(points) < 2 or points.shape[1] < 1:
        raise ArgumentError(argument, f"shape {points.shape}", "n >= 2 rows, d >= 1 columns")
    return points


def real_vector(value: ArrayLike, argument: str, length: int) -> FloatArray:
    """Return `value`, a number if the length is 1, as a read-only float64 array: (length,)."""
    array = number_array(value, argument, f"a finite real array of shape {length}")
    return real_array(np.atleast_1d(array), argument, (length,))


def integer_array(value: ArrayLike, argument: str, expected: str) -> np.ndarray:
    """Return `value` as an array of integers, of whatever shape; an empty one has any type."""
    array = _numeric_array(value, argument, expected)
    if array.dtype.kind == "f" and array.size:
        raise ArgumentError(argument, f"{array.dtype} array of shape {array.shape}", expected)
    return array


def index_array(value: ArrayLike, argument: str, size: int | None = None) -> IntArray:
    """Return `value` as distinct integer indices into a sequence of length `size`, if given."""
    top = "on" if size is None else f"to {size - 1}"
    expected = f"distinct integers from 0 {top}"
    array = integer_array(value, argument, expected)
    if array.ndim != 1 or array.size == 0:
        raise ArgumentError(argument, f"{array.dtype} array of shape {array.shape}", expected)
    outside = (array < 0) | (array >= (np.inf if size is None else size))
    if outside.any():
        raise ArgumentError(argument, int(array[outside][0]), expected)
    values, counts = np.unique(array, return_counts=True)
    if (counts > 1).any():
        raise ArgumentError(argument, f"{int(values[counts > 1][0])} twice", expected)
    return array.astype(np.int64)


def real_number(
    value: Any, argument: str, *, above: float | None = None, least: float | None = None
) -> float:
    """Return `value` as a finite float, greater than `above` and not less than `least`."""
    number = value if type(value) is float else None  # as it is in the inner loops of searches
    if number is None or not _within(number, above, least):
        bound = "" if above is None else f" > {above:g}"
        bound += "" if least is None else f" >= {least:g}"
        expected = f"a finite number{bound}"
        array = number_array(value, argument, expected)
        if array.ndim:
            raise ArgumentError(argument, f"an array of shape {array.shape}", expected)
        number = float(array)
        if not _within(number, above, least):
            raise ArgumentError(argument, number, expected)
    return number


def _within(number: float, above: float | None, least: float | None) -> bool:
    too_low = (above is not None and number <= above) or (least is not None and number < least)
    return math.isfinite(number) and not too_low


def seconds_limit(
    value: Any, argument: str, *, above: float | None = None, least: float | None = None
) -> float:
    """Return a limit of time, in seconds; infinity and None say that there is none."""
    unlimited = value is None or (isinstance(value, Real) and value == float("inf"))
    return float("inf") if unlimited else real_number(value, argument, above=above, least=least)


def whole_number(value: Any, argument: str, *, least: int) -> int:
    """Return `value` as an int that is not less than `least`."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < least:
        raise ArgumentError(argument, repr(value), f"a whole number >= {least}")
    return int(value)


def one_of(value: Any, argument: str, known: Iterable[Any]) -> Any:
    """Return `value` if it is one of `known`."""
    choices = list(known)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str | int | float) or value not in choices:
        raise ArgumentError(argument, repr(value), "one of " + ", ".join(map(repr, choices)))
    return value
