"""The rows of the comparison of methods on disk: one table, resumed after a kill.

Runs may be spread over processes; each row is on disk as soon as its run is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

from joblib import Parallel, delayed

from bilad.scripts.methods.method_rows import MethodRow, RunSettings
from bilad.scripts.methods.method_runs import run
from bilad.scripts.run_log import collect, merged

KEY = ("settings",)
TYPES: dict[str, Callable[[str], object]] = {"str": str, "int": int, "float": float}


def read_rows(path: Path) -> list[MethodRow]:
    """Return the rows of all processes; none if there is no file. Those cut short are left out.

    Parameters
    ----------
    path : Path
        Of the table.
    """
    read = [_row(cells) for cells in merged(path, KEY)]
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
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(run)(one) for one in missing
    )
    made = collect(path, done, MethodRow, KEY, lambda row, count: say(row.line))
    rows |= {row.settings: row for row in made}
    return [rows[one.text] for one in wanted]
