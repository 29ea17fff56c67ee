"""The report of an experiment: one page, with its tables and figures as files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bilad.scripts.display import csv
from bilad.scripts.experiments.figures import plots_of
from bilad.scripts.experiments.page import Block, Chapter, Table, Text, write_page
from bilad.scripts.experiments.run import REFUSED
from bilad.scripts.experiments.table import (
    PROBLEMS,
    RATIOS,
    SCORES,
    SUMMARY,
    TIMES,
    by_problem,
    errors,
    filled,
    ratios,
    scores,
    summary,
    times,
)
from bilad.scripts.files import write_text

RUNS = "runs.csv"
MOST_FAILURES = 50  # that the page lists
OF_FAILURE = {
    "problem": "problem", "label": "method", "seed": "seed", "status": "status",
    "termination": "reason",
}  # fmt: skip


def write_report(table: pd.DataFrame, folder: Path) -> Path:
    """Write the page, `runs.csv`, and the files of all tables and figures; return the page's path.

    Parameters
    ----------
    table : DataFrame
        As `run_experiment` returns it.
    folder : Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / RUNS, csv(table))
    chapters = [
        Chapter(
            str(family), list(_blocks(str(family), f"{number}_{slug(str(family))}", own, folder))
        )
        for number, (family, own) in enumerate(table.groupby("family", sort=False))
    ]
    failures = table[errors(table) | (table.status == REFUSED)]
    if len(failures):
        listed = failures.head(MOST_FAILURES)[list(OF_FAILURE)].rename(columns=OF_FAILURE)
        more = len(failures) - len(listed)
        rest = f"and {more} more in {RUNS}" if more else ""
        chapters.append(Chapter("Errors and refusals", [Table("", "", listed, rest)]))
    made = [Text(shown_versions(json.loads(one))) for one in dict.fromkeys(table.versions)]
    hosts = Text(f"Hosts: {', '.join(sorted(set(table.host)))}.")
    chapters.append(Chapter("Software and machines", [*made, hosts]))
    introduction = (
        f"{len(table)} runs, finished from {table.finished.min()} to {table.finished.max()} (UTC). "
        f"Each figure has its data in a CSV file of the same name, and all runs are in {RUNS}."
    )
    return write_page(folder, ", ".join(dict.fromkeys(table.experiment)), introduction, chapters)


def shown_versions(made: dict[str, str]) -> str:
    """Return the versions of the software in one sentence."""
    return ", ".join(f"{name} {version}" for name, version in made.items()) + "."


def _blocks(family: str, stem: str, own: pd.DataFrame, folder: Path) -> Iterator[Block]:
    """Write and yield the tables and the figures of a family of problems."""
    for table in (
        Table(f"{stem}_methods", "Methods", summary(own), SUMMARY),
        Table(f"{stem}_scores", "Test errors", scores(own), SCORES),
        Table(f"{stem}_problems", "Problems", by_problem(own), PROBLEMS),
        Table(f"{stem}_ratios", "Ratios", ratios(own), RATIOS),
        Table(f"{stem}_times", "Parts of the time", times(own), TIMES),
    ):
        if len(table.frame):
            kept = replace(table, rows=filled(table.frame))
            kept.write(folder)
            yield kept
    for plot in plots_of(family, stem, own):
        yield plot.write(folder)


def slug(name: str) -> str:
    """Return a name of a file, for any name of a family."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:60] or "family"
