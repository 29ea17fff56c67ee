"""Checks of arguments: one wording for every error that a wrong argument causes.

Each check returns its argument in the form the rest of the package relies on, or raises
`ArgumentError`, which names the argument, what was given, and what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class ArgumentError(ValueError):
    """An argument that cannot be used: its name, what was given, and what is expected."""

    def __init__(self, argument: str, given: object, expected: str) -> None:
        super().__init__(f"{argument}: got {given}, expected {expected}")
        self.argument = argument


def plain_array(value: Any, argument: str, expected: str) -> np.ndarray:
    """Return `value` as an array of whatever shape and type, if it is one."""
    try:
        return np.asarray(value)
    except ValueError:
        raise ArgumentError(argument, "rows of different lengths", expected) from None


def real_array(value: ArrayLike, argument: str, shape: tuple[int | None, ...]) -> FloatArray:
    """Return a read-only float64 copy of `value`; `None` in `shape` leaves a length free."""
    wanted = "x".join("any" if length is None else str(length) for length in shape)
    expected = f"a finite real array of shape {wanted}"
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(argument, type(value).__name__, expected) from None
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
    array.flags.writeable = False
    return array


def real_vector(value: ArrayLike, argument: str, length: int) -> FloatArray:
    """Return `value`, a number if the length is 1, as a read-only float64 array: (length,)."""
    array = plain_array(value, argument, f"a finite real array of shape {length}")
    return real_array(np.atleast_1d(array), argument, (length,))


def index_array(value: ArrayLike, argument: str, size: int | None = None) -> IntArray:
    """Return `value` as distinct integer indices into a sequence of length `size`, if given."""
    top = "on" if size is None else f"to {size - 1}"
    expected = f"distinct integers from 0 {top}"
    array = plain_array(value, argument, expected)
    if array.ndim != 1 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
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
    bound = "" if above is None else f" > {above:g}"
    bound += "" if least is None else f" >= {least:g}"
    expected = f"a finite number{bound}"
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(argument, repr(value), expected) from None
    too_low = (above is not None and number <= above) or (least is not None and number < least)
    if not np.isfinite(number) or too_low:
        raise ArgumentError(argument, number, expected)
    return number


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
