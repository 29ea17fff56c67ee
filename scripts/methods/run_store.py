"""The rows of the comparison of methods on disk: one CSV file, resumed after a kill.

Runs may be spread over processes; each row is on disk as soon as its run is done.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

from joblib import Parallel, delayed

from bilad.scripts.methods.method_rows import MethodRow, RunSettings
from bilad.scripts.methods.method_runs import run
from bilad.scripts.run_log import RunLog

TYPES: dict[str, Callable[[str], object]] = {"str": str, "int": int, "float": float}


def read_rows(path: Path) -> list[MethodRow]:
    """Return the rows of a file; none if there is no file. A line cut short by a kill is left out.

    Parameters
    ----------
    path : Path
    """
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        read = [_row(cells) for cells in csv.DictReader(file)]
    return [row for row in read if row is not None]


def _row(cells: dict[str, str]) -> MethodRow | None:
    try:
        values = {c.name: TYPES[str(c.type)](cells[c.name]) for c in fields(MethodRow)}
        row = MethodRow(**values)  # type: ignore[arg-type]
        RunSettings.of_text(row.settings)
    except (TypeError, ValueError, KeyError):
        return None
    return row


def run_all(
    settings: Iterable[RunSettings], path: Path, say: Callable[[str], None], jobs: int = 1
) -> list[MethodRow]:
    """Do the runs that the file does not hold yet, and return the rows of all, in their order.

    Parameters
    ----------
    settings : iterable of RunSettings
    path : Path
        Of the CSV file.
    say : callable(str)
        Told of each row.
    jobs : int, default 1
        Processes.
    """
    wanted = list(settings)
    rows = {row.settings: row for row in read_rows(path)}
    missing = [one for one in wanted if one.text not in rows]
    with RunLog(path, MethodRow, list(rows.values())) as log:
        done = Parallel(n_jobs=jobs, return_as="generator_unordered")(
            delayed(run)(one) for one in missing
        )
        for row in done:
            log.add(row)
            rows[row.settings] = row
            say(row.line)
    return [rows[one.text] for one in wanted]
