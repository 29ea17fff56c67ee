"""`bilad report`: one page of the results in stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bilad.models.validation import ArgumentError
from bilad.scripts.command import command
from bilad.scripts.experiment_runs import show_results
from bilad.scripts.experiments.page import PAGE
from bilad.scripts.experiments.report import RUNS, write_report
from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.store import open_existing
from bilad.scripts.experiments.table import table_of
from bilad.scripts.options import OutputOptions
from bilad.scripts.output import Output


@command
def report(
    stores: Annotated[list[Path], typer.Argument(help="SQLite files that `sweep` has written.")],
    output: OutputOptions,
) -> None:
    """Write one self-contained HTML page, with its tables and figures as files."""
    out = Output(output, "report", files=(PAGE, RUNS))
    rows: dict[str, Row] = {}
    for path in stores:
        with open_existing(path) as store:
            rows |= {row.key: row for row in store.rows()}
    if not rows:
        raise ArgumentError("stores", ", ".join(map(str, stores)), "stores with finished runs")
    table = table_of(rows.values())
    page = write_report(table, out.folder)
    if out.form != "table":
        show_results(table, out)
    out.say(f"Written: {page}, with tables and figures beside it")
