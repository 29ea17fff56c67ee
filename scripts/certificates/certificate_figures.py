"""A figure about certificates: what was tried, what went wrong, and a number that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from bilad.scripts.tables import grouped, median, show

CAPTION = "wrong: contradicts what is certified. closed: bounds that an attack meets"


@dataclass(frozen=True)
class Figure:
    """One row of a check."""

    # check, group, instance: rows of the same check and group are summed up in one row of the table
    check: str
    group: str
    instance: str
    tried: int  # comparisons made
    wrong: int  # of these, contradicting what is certified: there must be none
    undecided: int  # of these, with labels that could not be proved; they say nothing
    value: float  # what was measured; NaN if nothing
    measure: str  # its name
    seconds: float  # of what is certified, not of the comparison
    closed: int = 0  # of the optima bounded, those that an attack attains and so proves

    @property
    def line(self) -> str:
        """A line for the terminal."""
        return (
            f"{self.group}, {self.instance}: {self.wrong} wrong of {self.tried}, "
            f"{self.undecided} undecided, {self.measure} {self.value:.9g}"
        )


def summarise(figures: Sequence[Figure], console: Console) -> None:
    """Print one row for each check and group: sums, and medians of what was measured."""
    cells = [
        {
            "problem": check,
            "instance": group,
            "number": len(rows),
            "tried": sum(row.tried for row in rows),
            "wrong": sum(row.wrong for row in rows),
            "undecided": sum(row.undecided for row in rows),
            "closed": sum(row.closed for row in rows),
            "median": median([row.value for row in rows if row.value == row.value]),
            "of": rows[0].measure,
            "seconds, median": median([row.seconds for row in rows]),
        }
        for (check, group), rows in grouped(figures, lambda row: (row.check, row.group))
    ]
    show(console, "Certificates, checked", cells, CAPTION)
