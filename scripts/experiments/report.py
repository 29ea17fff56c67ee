"""The report of an experiment: one self-contained HTML page, with its tables and figures as files.

Everything that comes from names of the user's files is escaped: in the page by Jinja, in LaTeX by
pandas, in file names by `slug`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from bilad.scripts.display import shown
from bilad.scripts.experiments.figures import Plot, plots_of
from bilad.scripts.experiments.run import REFUSED
from bilad.scripts.experiments.table import (
    SCORES,
    SUMMARY,
    TIMES,
    by_problem,
    errors,
    scores,
    summary,
    times,
)
from bilad.scripts.run_store import write_text

PAGE, RUNS = "report.html", "runs.csv"
FAILURES = "Errors and refusals"
MOST_FAILURES = 50  # that the page lists


@dataclass(frozen=True)
class Table:
    """A table of the page."""

    name: str  # of its files
    title: str
    frame: pd.DataFrame
    caption: str = ""

    def write(self, folder: Path) -> None:
        """Write the table as CSV and as LaTeX."""
        write_text(folder / f"{self.name}.csv", self.frame.to_csv(index=False))
        latex = self.frame.to_latex(index=False, escape=True, float_format="%.4g", na_rep="")
        write_text(folder / f"{self.name}.tex", latex)

    def rows(self) -> list[list[tuple[str, str]]]:
        """Return the text of each cell, and what it is sorted by."""
        rows = self.frame.itertuples(index=False)
        return [[(shown(value), _key(value)) for value in row] for row in rows]


def _key(value: object) -> str:
    """Return the number of a cell, or its text."""
    text = str(value).rstrip("%")
    try:
        return repr(float(text))
    except ValueError:
        return str(value)


@dataclass(frozen=True)
class Section:
    """A family of problems."""

    title: str
    tables: Sequence[Table]
    plots: Sequence[Plot]


def write_report(table: pd.DataFrame, folder: Path) -> Path:
    """Write the page, `runs.csv`, and the files of all tables and figures; return the page's path.

    Parameters
    ----------
    table : DataFrame
        As `run_experiment` returns it.
    folder : Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    for number, (family, own) in enumerate(table.groupby("family", sort=False)):
        sections.append(_section(str(family), f"{number}_{slug(str(family))}", own))
    write_text(folder / RUNS, table.to_csv(index=False))
    failures = table[errors(table) | (table.status == REFUSED)]
    listed = failures[["problem", "label", "seed", "status", "termination"]].head(MOST_FAILURES)
    more = (
        f"and {len(failures) - len(listed)} more in {RUNS}" if len(failures) > len(listed) else ""
    )
    if len(failures):
        sections.append(Section(FAILURES, [Table("failures", "", listed, more)], []))
    for section in sections:
        for table_of_section in section.tables:
            table_of_section.write(folder)
        for plot in section.plots:
            plot.write(folder)
    environment = Environment(
        loader=PackageLoader("bilad.scripts.experiments", ""),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def picture(plot: Plot) -> str:
        data = (folder / f"{plot.name}.svg").read_bytes()
        return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"

    page = environment.get_template("report.html.j2").render(
        experiments=list(dict.fromkeys(table.experiment)),
        runs=len(table),
        sections=sections,
        picture=picture,
        made_with=[json.loads(text) for text in dict.fromkeys(table.versions)],
        hosts=sorted(set(table.host)),
        dates=(table.finished.min(), table.finished.max()),
    )
    path = folder / PAGE
    write_text(path, page)
    return path


def _section(family: str, stem: str, own: pd.DataFrame) -> Section:
    tables = [
        Table(f"{stem}_methods", "Methods", summary(own), SUMMARY),
        Table(f"{stem}_scores", "Test errors", scores(own), SCORES),
        Table(f"{stem}_problems", "Problems: the best result over the seeds", by_problem(own)),
        Table(f"{stem}_times", "Parts of the time", times(own), TIMES),
    ]
    plots = list(plots_of(family, stem, own))
    return Section(family, [one for one in tables if len(one.frame)], plots)


def slug(name: str) -> str:
    """Return a name of a file, for any name of a family."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:60] or "family"
