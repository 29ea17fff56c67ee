"""Where the rows of a comparison go: to the disk at once, a line each to the terminal."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console


class RunLog:
    """A CSV file to which each row goes at once.

    Parameters
    ----------
    path : Path
    row_type : type
        A dataclass.
    rows : sequence of row_type, optional
        To begin with. Until they are all written, the file is what it was before.
    """

    def __init__(self, path: Path, row_type: Any, rows: Sequence[Any] = ()) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        columns, fresh = [column.name for column in fields(row_type)], path.with_suffix(".new")
        with fresh.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
        os.replace(fresh, path)
        self._file = path.open("a", newline="")
        self._writer = csv.DictWriter(self._file, columns)

    def add(self, row: Any) -> None:
        """Write a row, to the disk."""
        self._writer.writerow(asdict(row))
        self._file.flush()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


class Output:
    """A folder for files, and a console.

    Parameters
    ----------
    folder : Path
    console : Console
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self.folder, self.console = folder, console

    def say(self, text: str) -> None:
        """Print a dim line."""
        self.console.print(text, style="dim", highlight=False, markup=False)

    def collect(self, name: str, rows: Iterable[Any], row_type: Any) -> list[Any]:
        """Write each row to `name`.csv as it comes; return all.

        Parameters
        ----------
        name : str
        rows : iterable of row_type
        row_type : type
            A dataclass with a property `line`, what is said of it on the terminal.
        """
        done = []
        with RunLog(self.folder / f"{name}.csv", row_type) as log:
            for row in rows:
                log.add(row)
                done.append(row)
                self.say(f"{name}: {row.line}")
        return done
