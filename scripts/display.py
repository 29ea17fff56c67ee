"""What commands show on a terminal: tables, numbers as text, and a progress bar."""

from __future__ import annotations

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

# Columns of text, which are aligned to the left.
WORDS = ("", "formulation", "method", "problem", "instance", "path", "family", "status", "ended")

Cells = dict[str, Any]


def show(
    console: Console, title: str, cells: pd.DataFrame | Sequence[Cells], caption: str = ""
) -> None:
    """Print a table; NaN is left blank."""
    table = pd.DataFrame(cells, dtype=object)
    view = Table(box=SIMPLE_HEAD, title=escape(title), caption=escape(caption))
    for name in table:
        is_text = name in WORDS
        view.add_column(escape(name), justify="left" if is_text else "right", no_wrap=is_text)
    for row in table.itertuples(index=False):
        view.add_row(*(escape(shown(value)) for value in row))
    console.print(view)


def shown(value: Any) -> str:
    """Return the text of a cell."""
    if not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:.4g}"


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
