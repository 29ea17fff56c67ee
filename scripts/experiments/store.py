"""The store of an experiment: one SQLite file with a row for each finished run.

Several processes may write to one store at once. A row is written in a transaction of its own, and
the first row of a run is kept. The file must be on a file system with working locks, which many
network file systems are not; workers on other machines therefore do not open it.
"""

from __future__ import annotations

import errno
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from bilad.models.validation import ArgumentError, shown
from bilad.scripts.experiments.run import Row

VERSION = 3  # of the columns
APPLICATION = 0x62696C61  # "bila": the mark of our files
PATIENCE = 60.0  # seconds that a writer waits for the others
TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL"}
# Surrogates, as in names of files that are not UTF-8, are escaped: SQLite refuses them.
PYTHON: dict[str, Callable[[Any], Any]] = {
    "str": lambda text: str(text).encode("utf-8", "backslashreplace").decode(),
    "int": int,
    "float": float,
}
STORED: dict[str, Any] = {"str": str, "int": int, "float": int | float}
JSON: Mapping[str, type] = {  # mappings, and arrays of numbers
    "options": dict, "settings": dict, "versions": dict,
    "eps": list, "history": list, "curve": list,
}  # fmt: skip
COLUMNS = {one.name: str(one.type) for one in fields(Row)}
# What SQLite reports, and the error of the operating system with the same meaning.
MEANINGS = (
    ("locked", errno.EAGAIN, f"locked by another process for more than {PATIENCE:g} s"),
    ("readonly", errno.EROFS, "read-only"),
    ("full", errno.ENOSPC, "the disk is full"),
    ("disk I/O", errno.EIO, "cannot be written; is the disk full?"),
    ("not a database", errno.EINVAL, "not a store of experiments"),
    ("malformed", errno.EIO, "damaged"),
    ("unable to open", errno.ENOENT, "cannot be opened"),
)


class Store:
    """The rows of finished runs in a file, which is created if it does not exist, or in memory.

    Raises
    ------
    ArgumentError
        If the file is a store of another version, or not a store.
    OSError
        With the name of the file, also from each method, if it cannot be read or written: it is
        locked, read-only or damaged, or the disk is full. What was written before is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._base = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=PATIENCE,
                isolation_level=None,
                check_same_thread=False,  # joblib asks in several threads, one at a time
            )
        except sqlite3.Error as error:
            raise self._named(error) from error
        try:
            self._prepare()
        except BaseException:
            self._base.close()
            raise

    def _prepare(self) -> None:
        """Check the file, or create the table."""
        ((application,),) = self._ask("PRAGMA application_id")
        ((version,),) = self._ask("PRAGMA user_version")
        ((tables,),) = self._ask("SELECT count(*) FROM sqlite_master")
        if tables and application != APPLICATION:
            raise ArgumentError("store", f"{self.path}, another database", "a store of experiments")
        if tables and version != VERSION:
            expected = f"version {VERSION}; write to another store"
            raise ArgumentError("store", f"{self.path} of version {version}", expected)
        if not tables:
            listed = ", ".join(f"{name} {TYPES[kind]}" for name, kind in COLUMNS.items())
            for statement in (
                "PRAGMA journal_mode = WAL",
                "BEGIN IMMEDIATE",
                f"PRAGMA application_id = {APPLICATION}",
                f"PRAGMA user_version = {VERSION}",
                f"CREATE TABLE IF NOT EXISTS runs ({listed}, PRIMARY KEY (key))",
                "COMMIT",
            ):
                self._ask(statement)

    def add(self, row: Row) -> bool:
        """Write a row; return whether the run was new."""
        marks = ", ".join("?" * len(COLUMNS))
        values = [PYTHON[kind](getattr(row, name)) for name, kind in COLUMNS.items()]
        self._ask(f"INSERT OR IGNORE INTO runs VALUES ({marks})", values)
        is_new = self._ask("SELECT changes()") == [(1,)]
        if self.path is not None and not self.path.exists():  # SQLite does not notice it
            raise OSError(errno.ENOENT, "was removed; its rows are lost", str(self.path))
        return is_new

    def finished(self, keys: Iterable[str]) -> set[str]:
        """Return those of the keys whose runs are finished."""
        return {key for (key,) in self._ask("SELECT key FROM runs")} & set(keys)

    def __contains__(self, key: object) -> bool:
        return bool(self._ask("SELECT 1 FROM runs WHERE key = ?", [key]))

    def rows(self, keys: Sequence[str] | None = None) -> list[Row]:
        """Return the rows with these keys in this order; by default all, the oldest first."""
        stored = self._ask("SELECT * FROM runs ORDER BY finished, key")
        try:
            found = [_read(values) for values in stored]
        except (TypeError, ValueError) as error:
            raise OSError(errno.EIO, f"damaged: {error}", str(self.path)) from None
        if keys is None:
            return found
        known = {row.key: row for row in found}
        return [known[key] for key in keys if key in known]

    def _ask(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Execute a statement, and return the rows that it gives."""
        try:
            return self._base.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._named(error) from error
        except UnicodeDecodeError as error:  # of the name of a column
            raise OSError(errno.EIO, f"damaged: {error}", str(self.path)) from None

    def _named(self, error: sqlite3.Error) -> OSError:
        """Return an error that names the file and the reason."""
        for word, number, meaning in MEANINGS:
            if word in str(error):
                return OSError(number, meaning, str(self.path))
        return OSError(errno.EIO, str(error), str(self.path))

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _read(values: Sequence[Any]) -> Row:
    """Return a stored row, or raise an error that says what is not of its type.

    A store may come from somebody else: SQLite keeps any value in any column.
    """
    values = [math.nan if one is None else one for one in values]  # SQLite stores NaN as NULL
    for (name, kind), value in zip(COLUMNS.items(), values, strict=True):
        if not isinstance(value, STORED[kind]):
            raise TypeError(f"{name} is {shown(value)}, no {kind}")
    row = Row(*values)
    for name, form in JSON.items():
        try:
            content = json.loads(getattr(row, name))
            fits = isinstance(content, form)
            if fits and form is list:
                np.asarray(content, dtype=float)
        except (TypeError, ValueError, RecursionError):
            fits = False
        if not fits:
            raise ValueError(f"{name} is {shown(getattr(row, name))}")
    return row


def open_existing(path: Path) -> Store:
    """Return a store that exists; otherwise raise `ArgumentError`."""
    if not path.is_file() or path.stat().st_size == 0:
        raise ArgumentError("store", str(path), "a store that `bilad sweep` has written")
    return Store(path)
