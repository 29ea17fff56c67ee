"""The output folder of a command: each row is written at once, each other file whole or not at all.

Several processes may write to one folder. Each process has its own file in `rows/` for the rows of
a table. The table itself, `<name>.csv`, is merged from these files repeatedly, and once more when a
process has finished it. It can be deleted: `merged` reads the rows of all processes.
"""

from __future__ import annotations

import csv
import io
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from joblib import Parallel, delayed
from rich.console import Console

from bilad.scripts.command import noted_interrupts
from bilad.scripts.files import naming_file
from bilad.scripts.files import save_figure as save_figure
from bilad.scripts.files import whole as whole
from bilad.scripts.files import write_text as write_text

ROWS = "rows"  # the folder with the files of the processes
WRITTEN = "written"  # the first column of these files: when, in seconds since 1970
PAUSE = 20  # between two merges, as a multiple of the duration of the previous one
SETTINGS = ("settings",)  # the column that identifies the rows of runs
TYPES: dict[str, Callable[[str], object]] = {"str": str, "int": int, "float": float}
Row = TypeVar("Row")
Settings = TypeVar("Settings")


class Result(Protocol):
    """A row of a run: a dataclass."""

    @property
    def settings(self) -> str:
        """What identifies the run."""

    @property
    def line(self) -> str:
        """The row in one line."""


ResultRow = TypeVar("ResultRow", bound=Result)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the given columns of the rows to a CSV file."""
    with whole(path) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def merged(path: Path, key: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table that all processes have written so far.

    Parameters
    ----------
    path : Path
        The path of the table.
    key : sequence of str
        Columns that identify a row. Of rows that agree in them, the latest is returned.

    Warns
    -----
    UserWarning
        If a row is incomplete because its process was killed or the disk was full. That row is
        omitted.
    """
    rows = [row for file in (path, *_process_files(path)) for row in _read(file)]
    rows.sort(key=lambda row: float(row.get(WRITTEN, 0)))
    return list({tuple(row.get(column) for column in key): row for row in rows}.values())


class RunStore:
    """A table to which this process adds rows; each row is written to the disk at once.

    Parameters
    ----------
    path : Path
        The path of the table.
    columns : sequence of str
    key : sequence of str, optional
        Columns by which the rows of all processes are merged, as in `merged`. Without a key, the
        table contains the rows of the process that finished last.
    """

    def __init__(self, path: Path, columns: Sequence[str], key: Sequence[str] = ()) -> None:
        self._path, self._columns, self._key = path, columns, key
        self._own = path.parent / ROWS / f"{path.stem}.{_process()}-{time.time_ns()}.csv"
        with naming_file(self._own):
            self._own.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._own.open("x", newline="", encoding="utf-8")
            self._writer = csv.DictWriter(self._file, [WRITTEN, *columns])
            self._writer.writeheader()
            self._file.flush()
        self._due = time.perf_counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row to the disk."""
        with naming_file(self._own):
            self._writer.writerow({WRITTEN: time.time(), **row})
            self._file.flush()
        if time.perf_counter() >= self._due:
            self._merge()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with naming_file(self._own):
            self._file.close()
        if isinstance(error, OSError):
            return
        seen = None
        while seen != (seen := self._state()):  # until no other process has written meanwhile
            self._merge()

    def _merge(self) -> None:
        """Write the table, and postpone the next merge so that merging takes little of the time."""
        began = time.perf_counter()
        rows = merged(self._path, self._key) if self._key else _read(self._own)
        write_table(self._path, self._columns, rows)
        now = time.perf_counter()
        self._due = now + PAUSE * (now - began)

    def _state(self) -> list[tuple[str, int]]:
        return [(file.name, file.stat().st_size) for file in _process_files(self._path)]


def collect(
    path: Path | None,
    rows: Iterable[Row],
    row_type: Any,
    key: Sequence[str] = (),
    tell: Callable[[Row, int], object] = lambda row, count: None,
) -> list[Row]:
    """Write each row to a table as soon as it is computed, and return all rows.

    Parameters
    ----------
    path : Path or None
        The path of the table; without it nothing is written.
    rows : iterable of row_type
    row_type : type
        A dataclass.
    key : sequence of str, optional
        As in `RunStore`.
    tell : callable(row, count), optional
        Called with each row that was written, and with the number of rows so far.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C was pressed. The row that was then being computed is not written, because it may
        be incomplete.
    """
    done: list[Row] = []
    with noted_interrupts() as interrupts, ExitStack() as stack:
        log = path and stack.enter_context(RunStore(path, columns_of(row_type), key))
        for row in rows:
            interrupts.check()
            if log:
                log.add(asdict(row))  # type: ignore[call-overload]
            done.append(row)
            tell(row, len(done))
    return done


def stored(path: Path, row_type: type[ResultRow]) -> list[ResultRow]:
    """Return the complete rows of a table whose rows are identified by the column "settings".

    Rows of another format, and all rows of a file that does not exist, are omitted.
    """
    rows = []
    for cells in merged(path, SETTINGS):
        with suppress(TypeError, ValueError, KeyError):
            values = {c.name: TYPES[str(c.type)](cells[c.name]) for c in fields(row_type)}  # type: ignore[arg-type]
            rows.append(row_type(**values))
    return rows


def resumed(
    wanted: Sequence[Settings],
    texts: Sequence[str],
    run: Callable[[Settings], ResultRow],
    row_type: type[ResultRow],
    path: Path | None,
    say: Callable[[str], object],
    jobs: int = 1,
) -> list[ResultRow]:
    """Carry out the runs that a table does not contain, and return the rows of all runs.

    Parameters
    ----------
    wanted : sequence of settings
    texts : sequence of str
        What identifies each run: the column "settings" of its row.
    run : callable(settings)
        Carries out one run and returns its row.
    row_type : type
    path : Path or None
        The path of the table; without it nothing is stored.
    say : callable(str)
        Called with the line of each new row.
    jobs : int, default 1
        Number of processes.
    """
    rows = {} if path is None else {row.settings: row for row in stored(path, row_type)}
    missing = {text: one for one, text in zip(wanted, texts, strict=True) if text not in rows}
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(run)(one) for one in missing.values()
    )
    made = collect(path, done, row_type, SETTINGS, lambda row, count: say(row.line))
    rows |= {row.settings: row for row in made}
    return [rows[text] for text in texts]


def columns_of(row_type: Any) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in fields(row_type)]


class Output:
    """An output folder and a console."""

    def __init__(self, folder: Path, console: Console) -> None:
        self.folder, self.console = folder, console

    def say(self, text: str) -> None:
        """Print a dim line."""
        self.console.print(text, style="dim", highlight=False, markup=False)

    def collect(
        self, name: str, rows: Iterable[Any], row_type: Any, key: Sequence[str]
    ) -> list[Any]:
        """Write each row to the table `name`.csv and print its property `line`; return all rows.

        The parameters are those of the function `collect`.
        """
        path = self.folder / f"{name}.csv"
        tell = lambda row, count: self.say(f"{name}: {row.line}")  # noqa: E731
        return collect(path, rows, row_type, key, tell)


def _process() -> str:
    return f"{platform.node()}-{os.getpid()}"


def _process_files(path: Path) -> list[Path]:
    return sorted((path.parent / ROWS).glob(f"{path.stem}.*.csv"))


def _read(file: Path) -> Iterator[dict[str, str]]:
    """Yield the complete rows of a file; none if the file does not exist."""
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
    except csv.Error:  # a quotation that is not closed
        cut = True
    if cut:
        warnings.warn(f"{file}: an incomplete row is omitted", stacklevel=2)
