"""Where results go: each row to the disk at once, each file whole or not at all.

Several processes may write to one folder. Each has a file of its own for the rows of a table, in
`rows/`; the table itself, `<name>.csv`, is merged from them again and again, at the latest when a
process ends its part of it. It can be deleted: `merged` reads the rows of all processes.
"""

from __future__ import annotations

import csv
import io
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from matplotlib.figure import Figure
from rich.console import Console

from bilad.models import ArgumentError
from bilad.scripts.interrupts import noted_interrupts

ROWS = "rows"  # the folder of the processes' own files
WRITTEN = "written"  # their first column: when, in seconds since 1970
DPI = 150
PAUSE = 20  # between two merges, in units of the time that the last took
Row = TypeVar("Row")


def check_folder(folder: Path) -> None:
    """Refuse a folder that nothing can be written to; leave no trace.

    Raises
    ------
    ArgumentError
        If it is a file, or lies in one.
    OSError
        If its file system or its permissions allow no writing.
    """
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise ArgumentError("out", str(folder), f"a folder; {nearest} is none")
    with _named(folder), tempfile.TemporaryFile(dir=nearest):
        pass


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes `path` at the end of the block: whole or not at all.

    Raises
    ------
    OSError
        With the name of the file, which Python leaves out if a disk is full.
    """
    fresh = path.with_name(f".{_process()}.{path.name}")
    try:
        with _named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield fresh
            os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with whole(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file; what a row has beside the columns is left out."""
    with whole(path) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a picture; the ending of the path says of which kind."""
    with whole(path) as fresh:
        figure.savefig(fresh, dpi=DPI)


def merged(path: Path, key: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table that all processes have written so far.

    Parameters
    ----------
    path : Path
        Of the table.
    key : sequence of str
        Columns. Of rows that agree in them, the one written last is returned.

    Warns
    -----
    UserWarning
        Of a row cut short by a kill or a full disk; it is left out.
    """
    rows = [row for file in (path, *_own_files(path)) for row in _read(file)]
    rows.sort(key=lambda row: float(row.get(WRITTEN, 0)))
    return list({tuple(row.get(column) for column in key): row for row in rows}.values())


class RunLog:
    """A table, to which this process adds rows: each is on the disk at once.

    Parameters
    ----------
    path : Path
        Of the table.
    columns : sequence of str
    key : sequence of str, optional
        Columns by which the table is merged, as in `merged`. Without, it has the rows of the
        process that ended last; those of the others stay in their own files.
    """

    def __init__(self, path: Path, columns: Sequence[str], key: Sequence[str] = ()) -> None:
        self._path, self._columns, self._key = path, columns, key
        self._own = path.parent / ROWS / f"{path.stem}.{_process()}-{time.time_ns()}.csv"
        with _named(self._own):
            self._own.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._own.open("x", newline="", encoding="utf-8")
            self._writer = csv.DictWriter(self._file, [WRITTEN, *columns])
            self._writer.writeheader()
            self._file.flush()
        self._due = time.perf_counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row, to the disk."""
        with _named(self._own):
            self._writer.writerow({WRITTEN: time.time(), **row})
            self._file.flush()
        if time.perf_counter() >= self._due:
            self._merge()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _named(self._own):
            self._file.close()
        if isinstance(error, OSError):
            return
        seen = None
        while seen != (seen := self._state()):  # another process wrote meanwhile
            self._merge()

    def _merge(self) -> None:
        """Write the table; many quick rows are merged together, so that it takes no time."""
        began = time.perf_counter()
        rows = merged(self._path, self._key) if self._key else _read(self._own)
        write_table(self._path, self._columns, rows)
        now = time.perf_counter()
        self._due = now + PAUSE * (now - began)

    def _state(self) -> list[tuple[str, int]]:
        return [(file.name, file.stat().st_size) for file in _own_files(self._path)]


def collect(
    path: Path,
    rows: Iterable[Row],
    row_type: Any,
    key: Sequence[str] = (),
    tell: Callable[[Row, int], None] = lambda row, count: None,
) -> list[Row]:
    """Write each row to a table as it comes; return all.

    Parameters
    ----------
    path : Path
    rows : iterable of row_type
    row_type : type
        A dataclass.
    key : sequence of str, optional
        As in `RunLog`.
    tell : callable(row, count), optional
        Told of each row once it is written, and of their number.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C came, before the row is written that was made of what it left.
    """
    done: list[Row] = []
    with noted_interrupts() as interrupts, RunLog(path, columns_of(row_type), key) as log:
        for row in rows:
            interrupts.check()
            log.add(asdict(row))  # type: ignore[call-overload]
            done.append(row)
            tell(row, len(done))
    return done


def columns_of(row_type: Any) -> list[str]:
    """Return the names of a dataclass's fields."""
    return [field.name for field in fields(row_type)]


class Output:
    """A folder for files, and a console."""

    def __init__(self, folder: Path, console: Console) -> None:
        self.folder, self.console = folder, console

    def say(self, text: str) -> None:
        """Print a dim line."""
        self.console.print(text, style="dim", highlight=False, markup=False)

    def collect(
        self, name: str, rows: Iterable[Any], row_type: Any, key: Sequence[str]
    ) -> list[Any]:
        """Write each row to the table `name`.csv as it comes; return all.

        Parameters
        ----------
        name : str
        rows : iterable of row_type
        row_type : type
            A dataclass with a property `line`, what is said of it on the terminal.
        key : sequence of str
            As in `RunLog`.
        """
        path = self.folder / f"{name}.csv"
        tell = lambda row, count: self.say(f"{name}: {row.line}")  # noqa: E731
        return collect(path, rows, row_type, key, tell)


def _process() -> str:
    return f"{platform.node()}-{os.getpid()}"


def _own_files(path: Path) -> list[Path]:
    return sorted((path.parent / ROWS).glob(f"{path.stem}.*.csv"))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which file an OSError is about."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _read(file: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a file, none if there is no file; those cut short are left out."""
    if not file.is_file():
        return
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        complete, _, rest = stream.read().rpartition("\n")
    cut = bool(rest)
    try:
        for row in csv.DictReader(io.StringIO(complete, newline=""), strict=True):
            if None in row or None in row.values():
                cut = True
            else:
                yield row
    except csv.Error:  # a quotation that does not end
        cut = True
    if cut:
        warnings.warn(f"{file}: a row that is cut short is left out", stacklevel=2)
