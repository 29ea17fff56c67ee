"""The comparison of formulations, part `size`: how large a problem may be."""

from __future__ import annotations

from collections.abc import Sequence

from bilad.scripts.formulations.formulations_plan import Plan
from bilad.scripts.formulations.size_limits import FAMILIES, SizeRow, size_rows
from bilad.scripts.run_log import Output
from bilad.scripts.tables import Cells, as_share, show

SECONDS, QUICK_SECONDS = 60.0, 10.0  # of one run


def size_table(rows: Sequence[SizeRow]) -> list[Cells]:
    """Lay out the seconds of the pieces."""
    return [
        {
            "family": row.family,
            "n": row.n,
            "edges": row.edges,
            "variables": row.variables,
            "lower": row.lower,
            "Pyomo": row.pyomo,
            ".nl": row.nl,
            "opening": row.opening,
            "IPOPT": row.ipopt,
            "total": row.total,
            "building": as_share(row.building_share),
            "iterations": row.iterations,
            "status": row.status,
        }
        for row in rows
    ]


def run(plan: Plan, output: Output) -> None:
    """Growing problems: where the time goes."""
    limit = plan.limit(SECONDS, QUICK_SECONDS)
    rows = output.collect(
        "size",
        (row for family in FAMILIES for row in size_rows(family, limit)),
        SizeRow,
        ("family", "n"),
    )
    show(
        output.console,
        f"Size: kkt from one start, {limit:g} s at most; seconds",
        size_table(rows),
        "building: Pyomo, .nl and opening, of the total.",
    )
