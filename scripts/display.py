"""What commands show on a terminal: tables, numbers as text, and a progress bar."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

GAP = 3  # characters between two columns
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet may execute
UNWRAPPED = 10_000  # characters of a line that is not shown by a terminal

Cells = dict[str, Any]


def console(*, stderr: bool = False) -> Console:
    """Return a console of the width of the terminal or COLUMNS; lines are not wrapped in a pipe."""
    made = Console(stderr=stderr)
    is_free = not made.is_terminal and not os.environ.get("COLUMNS")
    return Console(stderr=stderr, width=UNWRAPPED) if is_free else made


def show(
    console: Console, title: str, cells: pd.DataFrame | Sequence[Cells], caption: str = ""
) -> None:
    """Print a table; NaN is left blank, and columns of numbers are aligned to the right."""
    table = pd.DataFrame(cells, dtype=object)
    view = Table(box=SIMPLE_HEAD)
    for k, name in enumerate(table):
        are_numbers = all(is_number(shown(value)) for value in table.iloc[:, k])
        view.add_column(escape(str(name)), justify="right" if are_numbers else "left")
    for row in table.itertuples(index=False):
        view.add_row(*(escape(shown(value)) for value in row))
    if title:  # not that of the table, within whose width it would be wrapped
        console.print(title, style="italic", markup=False, highlight=False)
    console.print(view)
    if caption:
        console.print(caption, style="dim", markup=False, highlight=False)


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, with the numbers as on a terminal."""
    rows = [list(table), ["---"] * table.shape[1], *table.itertuples(index=False)]
    return "".join(f"| {' | '.join(map(shown, row))} |\n" for row in rows)


def csv(table: pd.DataFrame, *, index: bool = False) -> str:
    """Return a table as CSV; a text that a spreadsheet would execute begins with an apostrophe."""
    plain = table.rename(columns=_no_formula).map(_no_formula)
    plain.index = plain.index.map(_no_formula)
    return str(plain.to_csv(index=index))


def _no_formula(cell: Any) -> Any:
    is_formula = isinstance(cell, str) and cell.startswith(FORMULA) and not is_number(cell)
    return f"'{cell}" if is_formula else cell


def fitting(table: pd.DataFrame, width: int, optional: Sequence[str]) -> pd.DataFrame:
    """Return a table without as many of the optional columns, the last first, as a width needs."""
    for name in [None, *optional[::-1]]:
        table = table.drop(columns=name or [], errors="ignore")
        cells = [[str(column), *map(shown, table[column])] for column in table]
        if sum(max(map(len, texts)) + GAP for texts in cells) + 1 <= width:
            break
    return table


def shown(value: Any) -> str:
    """Return the text of a cell."""
    if value is pd.NA:
        return ""
    if not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:.4g}"


def is_number(text: str) -> bool:
    """Return whether a text is a number, or stands for none."""
    try:
        float(text.rstrip("%"))
    except ValueError:
        return text in ("", "-")
    return True


def progress_bar(console: Console) -> Progress:
    """Return a bar with the current task, how much of it is done, and the time spent and left."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)
