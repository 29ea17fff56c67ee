"""Tables of a comparison: rows in groups, numbers as text, the table on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

# Columns of text.
WORDS = ("", "formulation", "method", "problem", "instance", "path", "family", "status", "ended")

Cells = dict[str, Any]
Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> list[tuple[Key, list[Row]]]:
    """Group rows, the groups in the order in which they are met."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.items())


def as_percent(count: int, total: int) -> str:
    """Return a count of a total in per cent; nothing of nothing is blank."""
    return f"{count / total:.1%}" if total else ""


def as_share(value: float) -> str:
    """Return a share in per cent; NaN is blank."""
    return "" if np.isnan(value) else f"{value:.2%}"


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return float(np.mean(values))


def median(values: Sequence[float]) -> float:
    """Return the median, NaN of nothing."""
    return float(np.median(values)) if values else float("nan")


def show(console: Console, title: str, cells: Sequence[Cells], caption: str = "") -> None:
    """Print a table; NaN is left blank."""
    view = Table(box=SIMPLE_HEAD, title=title, caption=caption)
    for name in cells[0] if cells else ():
        view.add_column(name, justify="left" if name in WORDS else "right", no_wrap=name in WORDS)
    for row in cells:
        view.add_row(*map(shown, row.values()))
    console.print(view)


def shown(value: Any) -> str:
    """Return a cell as text."""
    if not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:.4g}"
