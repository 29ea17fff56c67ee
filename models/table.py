"""A table of points: from a text or Parquet file, an array of NumPy's, or a data frame of pandas.

What a file means is read off the file where there is no doubt, and refused where there is.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import reprlib
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_array, real_number

if TYPE_CHECKING:
    from pandas import DataFrame

LABEL_COLUMNS = ("label", "labels", "class", "target", "variety", "species")
TEXT_FILES = (".csv", ".tsv", ".txt", ".data")
FILES = (*TEXT_FILES, ".parquet", ".npy")
SPACES = r"\s+"
SEPARATORS = ("\t", ";", ",", "|", SPACES)  # of those that fit as many rows, the first
SNIFFED = 200  # lines of a file, to find its separator
QUOTED = re.compile(r'"[^"]*"')
MISSING = ("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null")  # a label, in lower case
UNNAMED = re.compile(r"(Unnamed: \d+)?")  # as pandas names a column without a name

# The longer byte order marks first: that of UTF-32 begins as that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class DatasetError(ValueError):
    """A data set that could not be read, fetched or verified."""


@dataclass(frozen=True)
class Dataset:
    """A table of points.

    Attributes
    ----------
    name : str
    data : ndarray, shape (n, d)
        One row per point, float64, in the source's own units.
    feature_names : tuple of str
        d names; as in the source, so perhaps not distinct.
    labels : ndarray of int, shape (n,), or None
        The known classes, numbered 0, 1, .. in the order of their values if these are numbers,
        else of their names.
    """

    name: str
    data: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray | None


def is_frame(source: object) -> bool:
    """Say whether this is a data frame of pandas, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame)


def read_frame(frame: DataFrame, label: str | int | None, name: str, source: str) -> Dataset:
    """Return the points of a data frame, whose columns have their types and names."""
    numbered = frame.set_axis(range(1, len(frame) + 1))
    return _Table(source, list(map(str, frame.columns)), numbered, numbered).dataset(name, label)


def read_file(path: Path, header: bool | None, label: str | int | None) -> Dataset:
    """Return the points of a file, of a kind that its suffix tells; see `load_dataset`."""
    suffix = path.suffix.lower()
    if header is not None and not isinstance(header, bool):
        raise ArgumentError("header", repr(header), "True, False or None")
    if not os.path.isfile(path):  # false also of a name that is too long
        raise ArgumentError("name", reprlib.repr(str(path)), "a file that exists")
    if suffix not in TEXT_FILES and header is not None:
        raise ArgumentError("header", header, f"None for a file {suffix}, whose columns have names")
    try:
        if suffix in TEXT_FILES:
            return _read_text(path, header).dataset(path.stem, label)
        frame = _read_array(path) if suffix == ".npy" else _read_parquet(path)
        return read_frame(frame, label, path.stem, str(path))
    except (ArgumentError, DatasetError):
        raise
    except (OSError, ValueError, NotImplementedError) as cause:  # of pandas, pyarrow and NumPy
        raise DatasetError(f"{path}: {cause}") from None


@dataclass(frozen=True)
class _Table:
    """Columns with titles; their cells as they are, and as numbers, where a text is one.

    The index of both frames numbers the rows as a message names them.
    """

    source: str
    titles: list[str]
    cells: DataFrame
    numbers: DataFrame

    def dataset(self, name: str, label: str | int | None) -> Dataset:
        """Return the points, with the classes in the column that `label` tells."""
        classes = self._label_column(label)
        columns = [k for k in range(len(self.titles)) if k != classes]
        while columns and self._is_index(columns[0]):
            del columns[0]
        if len(self.cells) == 0 or not columns:
            given = f"{len(self.cells)} rows, and {len(columns)} columns beside the label"
            raise self._refusal(f"got {given}, expected a header line, then rows of numbers")
        data = np.column_stack([self._feature(k) for k in columns])
        data.flags.writeable = False
        labels = None if classes is None else self._classes(classes)
        return Dataset(name, data, tuple(self.titles[k] for k in columns), labels)

    def _label_column(self, label: str | int | None) -> int | None:
        """Return which column holds the classes, if any."""
        titles = self.titles
        if label is None:
            found = [k for k, title in enumerate(titles) if title.lower() in LABEL_COLUMNS]
            if len(found) > 1:
                named = ", ".join(repr(titles[k]) for k in found)
                raise self._refusal(f"got {named}, expected at most one column of labels")
            return found[0] if found else None
        if isinstance(label, str):
            found = [k for k, title in enumerate(titles) if title == label]
        elif isinstance(label, int | np.integer) and not isinstance(label, bool):
            found = [k for k in range(len(titles)) if label in (k, k - len(titles))]
        else:
            found = []
        if len(found) != 1:
            names = ", ".join(map(repr, titles))
            raise ArgumentError("label", repr(label), f"the name or the place of one of {names}")
        return found[0]

    def _is_index(self, k: int) -> bool:
        """Whether a column is the index that pandas and R write: without a name, it counts."""
        if not UNNAMED.fullmatch(self.titles[k]):
            return False
        values, counted = self.numbers.iloc[:, k].to_numpy(), np.arange(len(self.numbers))
        return any(np.array_equal(values, counted + first) for first in (0, 1))

    def _feature(self, k: int) -> FloatArray:
        """Return a column of numbers, which must all be there."""
        title, column = self.titles[k], self.numbers.iloc[:, k]
        if UNNAMED.fullmatch(title):
            raise self._refusal(f"column {k + 1} has no name, and does not count the rows")
        try:
            return real_array(column.to_numpy(), f"column {title!r}", (None,))
        except ArgumentError as cause:
            for row, value in column.items():
                if not _is_number(value):
                    raise self._cell(row, k, "a finite number") from None
            raise self._refusal(str(cause)) from None

    def _classes(self, k: int) -> IntArray:
        """Return the numbers of the classes in a column."""
        values = self.numbers.iloc[:, k].to_numpy()
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            column = self.cells.iloc[:, k]
            for row, missing in column.isna().items():
                if missing or str(column[row]).strip().lower() in MISSING:
                    raise self._cell(row, k, "a label")
            values = np.array([str(value).strip() for value in column])
        return np.unique(values, return_inverse=True)[1].astype(np.int64)

    def _cell(self, row: Any, k: int, expected: str) -> DatasetError:
        cell = self.cells.iloc[:, k][row]
        given = repr(cell.item() if isinstance(cell, np.generic) else cell)
        return self._refusal(
            f"row {row}, column {self.titles[k]!r}: got {given}, expected {expected}"
        )

    def _refusal(self, message: str) -> DatasetError:
        return DatasetError(f"{self.source}: {message}")


def _is_number(value: object) -> bool:
    try:
        real_number(value, "cell")
    except ArgumentError:
        return False
    return True


def _read_parquet(path: Path) -> DataFrame:
    import pandas  # slow to import, as in every function here

    return pandas.read_parquet(path, engine="pyarrow")


def _read_array(path: Path) -> DataFrame:
    import pandas

    with path.open("rb") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if array.ndim != 2:
        raise ValueError(f"got an array of shape {array.shape}, expected shape (n, d)")
    return pandas.DataFrame(array)


def _read_text(path: Path, header: bool | None) -> _Table:
    """Read a text file; nothing but the text of each cell is left to pandas to decide."""
    import pandas

    text = _decode(path.read_bytes()).strip("\r\n")
    if not text.strip() or "\0" in text:
        raise ValueError("got an empty or a binary file, expected a header line, then rows")
    separator = _separator(text)
    cells = pandas.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        dtype=object,
        keep_default_na=False,
        skipinitialspace=True,
        skip_blank_lines=False,
    )
    cells.index += 1
    cells = cells[(cells != "").any(axis=1)]
    numbers = _numbers(cells, decimal_comma="," in text and separator != ",")
    if header is False:
        return _Table(str(path), list(map(str, cells.columns)), cells, numbers)
    titles = [str(title).strip() for title in cells.iloc[0]]
    named = np.isfinite(numbers.iloc[0].to_numpy())
    if header is None and named.any():
        raise ValueError(
            f"row 1 holds the number {titles[int(named.argmax())]}, expected names of columns; "
            "`header=False` says that the file has no header line, `header=True` that numbers "
            "are names"
        )
    return _Table(str(path), titles, cells.iloc[1:], numbers.iloc[1:])


def _decode(content: bytes) -> str:
    """Return a text whose encoding is told by its mark, or is the first that fits."""
    marked = [encoding for mark, encoding in MARKS.items() if content.startswith(mark)]
    if b"\0" in content:  # of UTF-16 without a mark, every other byte is mostly zero
        is_little = content[1::2].count(0) > content[::2].count(0)
        marked.append("utf-16-le" if is_little else "utf-16-be")
    if marked:
        return content.decode(marked[0])
    for encoding in ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    return content.decode("latin-1")


def _separator(text: str) -> str:
    """Return what separates as many fields in most rows as in the first; a comma if nothing."""
    rows = [QUOTED.sub("q", line) for line in text.splitlines()[:SNIFFED] if line.strip()]
    best, most = ",", 1
    for separator in SEPARATORS:
        counts = [
            len(row.split()) if separator == SPACES else row.count(separator) + 1 for row in rows
        ]
        alike = counts.count(counts[0]) if counts[0] > 1 else 0
        if alike > most:
            best, most = separator, alike
    return best


def _numbers(cells: DataFrame, decimal_comma: bool) -> DataFrame:
    """Return the cells as numbers, NaN where a cell is none."""
    import pandas

    if not decimal_comma:
        return cells.apply(pandas.to_numeric, errors="coerce").astype(np.float64)
    numbers = _numbers(cells.apply(lambda column: column.str.replace(",", ".")), False)
    commas, points = (
        cells.apply(lambda column, mark=mark: column.str.contains(mark, regex=False)).to_numpy()
        & numbers.notna().to_numpy()
        for mark in (",", ".")
    )
    if commas.any() and points.any():
        row, k = np.argwhere(commas)[0]
        raise ValueError(
            f"row {cells.index[row]}, column {k + 1}: got {cells.iat[row, k]!r}, "
            "expected decimal commas or decimal points, not both"
        )
    return numbers
