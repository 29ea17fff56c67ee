"""Checks of arguments, with one wording for all error messages.

Each check returns its argument in the form that the rest of the package expects, or raises
`ArgumentError`, whose message names the argument, the given value and the expected value.
"""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from bilad.models.frame import is_frame

if TYPE_CHECKING:
    from pandas import DataFrame

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LARGEST = np.iinfo(np.int64).max
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxlong = SHORT.maxother = 100  # characters of a value in a message

# Descriptions of arrays that are not real, by the NumPy character of their kind.
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
    """An argument is invalid: "<argument>: got <given>, expected <expected>".

    Attributes
    ----------
    argument : str
        The name of the argument.
    given, expected : str
        The other parts of the message.
    """

    def __init__(self, argument: str, given: object, expected: str) -> None:
        super().__init__(f"{argument}: got {given}, expected {expected}")
        self.argument, self.given, self.expected = argument, str(given), expected


def shown(value: Any) -> str:
    """Return the representation of a value that was given, cut to a readable length."""
    return " ".join(SHORT.repr(value).split())


def _numeric_array(value: Any, argument: str, expected: str) -> np.ndarray:
    """Return `value` as an array of integers or floating-point numbers, of any shape.

    All arrays and numbers that a caller passes are checked here. Values that are not real numbers
    are an error even where NumPy would convert them: complex numbers, masked entries, dates,
    durations, text and Booleans. An array of objects is accepted if all of them are real numbers,
    such as fractions.
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
        raise ArgumentError(argument, content if array.ndim else shown(value), expected)
    return array


def _of_objects(array: np.ndarray, argument: str, expected: str) -> FloatArray:
    """Return an array of objects as float64, if each of them is a real number."""
    for where, entry in np.ndenumerate(array):
        if isinstance(entry, bool) or not isinstance(entry, Real):
            place = f" at index {where}" if where else ""
            raise ArgumentError(argument, shown(entry) + place, expected)
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ArgumentError(argument, "a number beyond double precision", expected) from None


def number_array(value: Any, argument: str, expected: str) -> FloatArray:
    """Return a read-only float64 copy of `value`, of any shape; inf and NaN are allowed."""
    given = _numeric_array(value, argument, expected)
    with np.errstate(over="ignore"):  # a number outside the range of float64 becomes inf
        array = np.array(given, dtype=np.float64)
    array.flags.writeable = False
    return array


def number_matrix(value: Any, argument: str, expected: str) -> scipy.sparse.csr_array:
    """Return a float64 copy of a dense or sparse matrix; inf and NaN are allowed."""
    is_sparse = scipy.sparse.issparse(value)
    if is_sparse and value.ndim == 2:
        given = value.tocoo()
        entries = number_array(given.data, argument, expected)
        return scipy.sparse.csr_array((entries, (given.row, given.col)), shape=given.shape)
    array = number_array(value, argument, expected)
    if array.ndim != 2:
        raise ArgumentError(argument, f"shape {array.shape}", expected)
    return scipy.sparse.csr_array(array)


def real_array(value: ArrayLike, argument: str, shape: tuple[int | None, ...]) -> FloatArray:
    """Return a read-only float64 copy of `value`, which must be finite and have the given shape.

    An entry None of `shape` allows any length.
    """
    wanted = " x ".join("any" if length is None else str(length) for length in shape)
    expected = f"a finite real array of shape {wanted}"
    if is_frame(value):
        _check_columns(value, argument)
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


def _check_columns(frame: DataFrame, argument: str) -> None:
    """Check the columns of a data frame one by one, so that a fault names its column."""
    for name, column in frame.items():
        try:
            real_array(column.to_numpy(), argument, (None,))
        except ArgumentError as error:
            given = f"{error.given} in column {name!r}"
            raise ArgumentError(argument, given, "finite numbers in every column") from None


def point_array(value: ArrayLike, argument: str) -> FloatArray:
    """Return n >= 2 points with d >= 1 features as a read-only float64 copy of shape (n, d)."""
    points = real_array(value, argument, (None, None))
    if len(points) < 2 or points.shape[1] < 1:
        raise ArgumentError(argument, f"shape {points.shape}", "n >= 2 rows, d >= 1 columns")
    return points


def real_vector(value: ArrayLike, argument: str, length: int) -> FloatArray:
    """Return a read-only float64 copy of shape (length,); a number is accepted if length = 1."""
    if type(value) is np.ndarray and value.dtype == np.float64 and value.shape == (length,):
        copy = value.copy()
        with np.errstate(over="ignore"):
            is_finite = math.isfinite(copy.dot(copy))  # a fast test, for inner loops
        if is_finite:
            copy.flags.writeable = False
            return copy
    array = number_array(value, argument, f"a finite real array of shape {length}")
    return real_array(np.atleast_1d(array), argument, (length,))


def integer_array(value: ArrayLike, argument: str, expected: str) -> np.ndarray:
    """Return `value` as an array of integers, of any shape; an empty array may have any type."""
    array = _numeric_array(value, argument, expected)
    if array.dtype.kind == "f" and array.size:
        raise ArgumentError(argument, f"{array.dtype} array of shape {array.shape}", expected)
    return array


def index_array(value: ArrayLike, argument: str, size: int | None = None) -> IntArray:
    """Return `value` as distinct integer indices, below `size` if that is given."""
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
    """Return `value` as a finite float that is > `above` and >= `least`, where these are given."""
    number = value if type(value) is float else None  # a fast test, for inner loops
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
    """Return a time limit in seconds; None and infinity mean that there is no limit."""
    unlimited = value is None or (isinstance(value, Real) and value == float("inf"))
    return float("inf") if unlimited else real_number(value, argument, above=above, least=least)


def whole_number(value: Any, argument: str, *, least: int, most: float = LARGEST) -> int:
    """Return `value` as an int from `least` to `most`, by default the largest index of an array."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < least:
        raise ArgumentError(argument, shown(value), f"a whole number >= {least}")
    if value > most:
        raise ArgumentError(argument, shown(value), f"a whole number <= {most}")
    return int(value)


def seed_number(value: Any, argument: str = "seed") -> int:
    """Return the seed of a random number generator, a whole number of any length."""
    return whole_number(value, argument, least=0, most=math.inf)


def boolean(value: Any, argument: str) -> bool:
    """Return `value` if it is True or False, else raise `ArgumentError`."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(argument, shown(value), "True or False")
    return bool(value)


def one_of(value: Any, argument: str, known: Iterable[Any]) -> Any:
    """Return `value` if it is one of `known`, else raise `ArgumentError`."""
    choices = list(known)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str | int | float) or value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ArgumentError(
            argument, shown(value), f"one of {listed}{did_you_mean(value, choices)}"
        )
    return value


def names_among(value: Any, argument: str, known: Iterable[Any]) -> list[Any]:
    """Return one or more distinct members of `known`; a text is one of them."""
    if not isinstance(value, Iterable):
        raise ArgumentError(argument, shown(value), "one or more names")
    choices = list(known)
    given = [value] if isinstance(value, str) else list(value)
    names = [one_of(name, argument, choices) for name in given]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(argument, shown(names), "one or more names, each once")
    return names


def did_you_mean(value: Any, known: Iterable[Any]) -> str:
    """Return "; did you mean ...?" with the names that are most similar to a text, or ""."""
    names = [name for name in known if isinstance(name, str)]
    near = difflib.get_close_matches(value, names) if isinstance(value, str) else []
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
