"""The rows and the table of the check of certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from bilad.scripts.display import grouped, median, show

CAPTION = (
    "wrong: comparisons that contradict a certificate. undecided: comparisons whose labels are not "
    "certified. closed: bounds that an attack attains."
)


@dataclass(frozen=True)
class CheckRow:
    """The result of a check on one instance."""

    # rows of the same check and group are summarised in one row of the table
    check: str
    group: str
    instance: str
    tried: int  # number of comparisons
    wrong: int  # comparisons that contradict a certificate; there must be none
    undecided: int  # comparisons whose labels could not be certified
    value: float  # a measured number, or NaN
    measure: str  # the name of this number
    seconds: float  # time to compute the certificate, without the comparison
    closed: int = 0  # number of bounds that an attack attains, which proves the optimum

    @property
    def line(self) -> str:
        """The row in one line."""
        return (
            f"{self.group}, {self.instance}: {self.wrong} wrong of {self.tried}, "
            f"{self.undecided} undecided, {self.measure} {self.value:.9g}"
        )


def summarise(figures: Sequence[CheckRow], console: Console) -> None:
    """Print one row for each check and group, with sums and medians."""
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
    show(console, "Check of the certificates", cells, CAPTION)
