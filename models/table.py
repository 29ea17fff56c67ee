"""Reading a table of points from a text file, a Parquet file, a NumPy array or a data frame.

Where the meaning of a file is ambiguous, the readers raise an error rather than guess.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bilad.models.frame import point_frame
from bilad.models.representation import Represented
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    did_you_mean,
    real_array,
    real_number,
    shown,
)

if TYPE_CHECKING:
    from pandas import DataFrame

LABEL_COLUMNS = ("label", "labels", "class", "target", "variety", "species")
TEXT_FILES = (".csv", ".tsv", ".txt", ".data")
FILES = (*TEXT_FILES, ".parquet", ".npy")
SPACES = r"\s+"
SEPARATORS = ("\t", ";", ",", "|", SPACES)  # the first one is used if several fit equally well
SNIFFED = 200  # number of lines from which the separator is determined
QUOTED = re.compile(r'"[^"]*"')
MISSING = ("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null")  # missing labels in lower case
UNNAMED = re.compile(r"(Unnamed: \d+)?")  # the names that pandas gives unnamed columns

# Byte order marks. UTF-32 precedes UTF-16, because its mark begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class DatasetError(ValueError):
    """A data set could not be read, downloaded or verified."""


@dataclass(frozen=True, repr=False)
class Dataset(Represented):
    """A table of points.

    Attributes
    ----------
    name : str
    data : ndarray, shape (n, d)
        One row per point, float64, in the units of the source.
    feature_names : tuple of str
        d names from the source, which may contain duplicates.
    labels : ndarray of int, shape (n,), or None
        The known classes, numbered 0, 1, .. in increasing order if they are numbers, otherwise in
        alphabetical order.
    """

    name: str
    data: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray | None

    def summary(self) -> dict[str, Any]:
        """Return the name, the sizes, and the number of classes if they are known."""
        n, d = self.data.shape
        classes = {} if self.labels is None else {"classes": len(np.unique(self.labels))}
        return {"name": self.name, "n": n, "d": d, **classes, "features": self.feature_names}

    def to_frame(self) -> DataFrame:
        """Return one row a point: the features, after a column "label" if there are labels."""
        labels = {} if self.labels is None else {"label": self.labels}
        return point_frame(self.data, self.feature_names, None, labels)


def read_frame(frame: DataFrame, label: str | int | None, name: str, source: str) -> Dataset:
    """Return the data set in a data frame, whose column types and names are used unchanged."""
    numbered = frame.set_axis(range(1, len(frame) + 1))
    return _Table(source, list(map(str, frame.columns)), numbered, numbered).dataset(name, label)


def read_file(path: Path, header: bool | None, label: str | int | None) -> Dataset:
    """Return the data set in a file, whose type is given by its suffix; see `load_dataset`."""
    suffix = path.suffix.lower()
    if header is not None and not isinstance(header, bool):
        raise ArgumentError("header", repr(header), "True, False or None")
    if not os.path.isfile(path):  # False, and no exception, if the name is too long
        raise ArgumentError("name", shown(str(path)), "a file that exists")
    if suffix not in TEXT_FILES and header is not None:
        raise ArgumentError(
            "header", header, f"nothing for a {suffix} file, which has no header line"
        )
    try:
        if suffix in TEXT_FILES:
            return _read_text(path, header).dataset(path.stem, label)
        frame = _read_array(path) if suffix == ".npy" else _read_parquet(path)
        return read_frame(frame, label, path.stem, str(path))
    except (ArgumentError, DatasetError, MemoryError):
        raise
    except (OSError, ValueError, NotImplementedError) as cause:  # from pandas, pyarrow, NumPy
        raise DatasetError(f"{path}: {str(cause).strip()}") from None
    except Exception as cause:  # the readers of a damaged file can raise anything
        raise DatasetError(f"{path}: damaged: {cause!r}") from None


@dataclass(frozen=True)
class _Table:
    """A table with column titles: its cells, and the same cells converted to numbers.

    The index of both frames contains the row numbers that error messages mention. In `numbers` a
    cell that is not a number is NaN.
    """

    source: str
    titles: list[str]
    cells: DataFrame
    numbers: DataFrame

    def dataset(self, name: str, label: str | int | None) -> Dataset:
        """Return the data set, with the classes from the column that `label` selects."""
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
        """Return the index of the column that contains the classes, or None."""
        titles = self.titles
        if label is None:
            found = [k for k, title in enumerate(titles) if title.lower() in LABEL_COLUMNS]
            if len(found) > 1:
                several = ", ".join(repr(titles[k]) for k in found)
                raise self._refusal(f"got {several}, expected at most one column of labels")
            return found[0] if found else None
        named = [k for k, title in enumerate(titles) if title == label]
        if isinstance(label, str) and not named and re.fullmatch(r"-?\d{1,9}", label):
            label = int(label)  # as on the command line
        if isinstance(label, str):
            found = named
        elif isinstance(label, int | np.integer) and not isinstance(label, bool):
            found = [k for k in range(len(titles)) if label in (k, k - len(titles))]
        else:
            found = []
        if len(found) != 1:
            names = ", ".join(map(repr, titles))
            expected = f"the name or the index of one of {names}{did_you_mean(label, titles)}"
            raise ArgumentError("label", repr(label), expected)
        return found[0]

    def _is_index(self, k: int) -> bool:
        """Return whether column k is an index: it has no name and contains 0, 1, .. or 1, 2, .."""
        if not UNNAMED.fullmatch(self.titles[k]):
            return False
        values, counted = self.numbers.iloc[:, k].to_numpy(), np.arange(len(self.numbers))
        return any(np.array_equal(values, counted + first) for first in (0, 1))

    def _feature(self, k: int) -> FloatArray:
        """Return a column as numbers; a missing or non-numeric cell is an error."""
        title, column = self.titles[k], self.numbers.iloc[:, k]
        if UNNAMED.fullmatch(title):
            raise self._refusal(f"column {k + 1} has no name, and does not count the rows")
        try:
            return real_array(column.to_numpy(), f"column {title!r}", (None,))
        except ArgumentError as cause:
            for row, value in column.items():
                if not _is_number(value):
                    cell, expected = self.cells.iloc[:, k][row], "a finite number"
                    if isinstance(cell, str) and _is_word(cell):
                        expected += ", or this column as the label"
                    raise self._cell(row, k, expected) from None
            raise self._refusal(str(cause)) from None

    def _classes(self, k: int) -> IntArray:
        """Return the classes in column k as integers 0, 1, .."""
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
        given = shown(cell.item() if isinstance(cell, np.generic) else cell)
        title = shown(self.titles[k])
        return self._refusal(f"row {row}, column {title}: got {given}, expected {expected}")

    def _refusal(self, message: str) -> DatasetError:
        return DatasetError(f"{self.source}: {message}")


def _is_number(value: object) -> bool:
    try:
        real_number(value, "cell")
    except ArgumentError:
        return False
    return True


def _is_word(cell: str) -> bool:
    """Return whether a text is neither a missing value nor a number, such as inf."""
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() not in MISSING
    return False


def _read_parquet(path: Path) -> DataFrame:
    import pandas  # slow to import, so every function here imports it when it is called

    return pandas.read_parquet(path, engine="pyarrow")


def _read_array(path: Path) -> DataFrame:
    import pandas

    with path.open("rb") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if array.ndim != 2:
        raise ValueError(f"got an array of shape {array.shape}, expected shape (n, d)")
    return pandas.DataFrame(array)


def _read_text(path: Path, header: bool | None) -> _Table:
    """Read a text file. pandas splits the rows into cells; all other decisions are made here."""
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
            f"row 1 contains the number {titles[int(named.argmax())]}, expected column names; pass "
            "`header=False` (--no-header) if the file has no header line, and `header=True` "
            "(--header) if numbers are column names"
        )
    return _Table(str(path), titles, cells.iloc[1:], numbers.iloc[1:])


def _decode(content: bytes) -> str:
    """Return the text, decoded by its byte order mark, else by the first encoding that fits."""
    marked = [encoding for mark, encoding in MARKS.items() if content.startswith(mark)]
    if b"\0" in content:  # UTF-16 without a mark: every other byte is zero in most texts
        is_little = content[1::2].count(0) > content[::2].count(0)
        marked.append("utf-16-le" if is_little else "utf-16-be")
    if marked:
        return content.decode(marked[0])
    for encoding in ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    return content.decode("latin-1")


def _separator(text: str) -> str:
    """Return the separator that gives most rows as many fields as the first; "," if none does."""
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
    """Return the cells converted to numbers, with NaN for a cell that is not a number."""
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
