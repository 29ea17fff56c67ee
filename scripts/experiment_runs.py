"""The runs of an experiment as a command carries them out: options, store, progress and result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd

from bilad.models.validation import ArgumentError
from bilad.scripts.display import console, fitting
from bilad.scripts.experiments.page import Table
from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.runner import check_scheduler, run_experiment
from bilad.scripts.experiments.specification import Experiment
from bilad.scripts.experiments.table import SCORES, SUMMARY, errors, filled, scores, summary
from bilad.scripts.options import option
from bilad.scripts.output import Output

SQLITE = b"SQLite format 3\0"  # how every file of SQLite begins; no other file is replaced
OPTIONAL = (  # columns of a summary without room on a narrow terminal, the last first
    "worst", "found", "solves", "within 5 %", "sensitivity", "undecided", "solves to 5 %",
    "overhead",
)  # fmt: skip
BESIDE = ("", "-wal", "-shm")  # what follows the name of a store in those of its files


@dataclass(frozen=True)
class RunOptions:
    """How the runs of an experiment are carried out."""

    panel: ClassVar = "Runs"

    resume: Annotated[
        bool, option("Keep the finished runs of the store; carry out the others.", "--resume")
    ] = False
    jobs: Annotated[int, option("Runs at a time on this machine.", min=1)] = 1
    scheduler: Annotated[
        str | None, option("Address of a Dask scheduler, such as tcp://host:8786.")
    ] = None

    def check(self, store: Path, force: bool) -> None:
        """Check, before any file is changed, that the runs can be carried out and stored.

        Raises
        ------
        ArgumentError
            If the store exists and it is not said what is to become of it.
        OSError
            If the scheduler does not answer.
        """
        if self.resume and force:
            raise ArgumentError("--force", "--resume too", "at most one of the two")
        if store.exists() and not (self.resume or force):
            expected = "--resume to continue it, or --force to start anew"
            raise ArgumentError("store", f"{store}, which exists", expected)
        if store.exists() and not (store.is_file() and _begins_as_sqlite(store)):
            raise ArgumentError("store", f"{store}, another file", "a store of experiments")
        if self.scheduler is not None:
            check_scheduler(self.scheduler)


def _begins_as_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE)) in (SQLITE, b"")


def carried_out(
    experiment: Experiment, store: Path, how: RunOptions, output: Output
) -> pd.DataFrame:
    """Carry out an experiment; each row is stored when it is known, and reported on stderr.

    A store that exists is continued with --resume, and otherwise replaced (`RunOptions.check`).
    """
    if not how.resume:
        for suffix in BESIDE:
            Path(f"{store}{suffix}").unlink(missing_ok=True)
    with output.progress(experiment.name, len(experiment.runs)) as report:

        def tell(row: Row, done: int, total: int) -> None:
            report(done, row.line)

        try:
            return run_experiment(experiment, store, on_row=tell, **asdict(how))
        except KeyboardInterrupt:
            output.say(f"Finished runs are kept in {store}; --resume carries out the others.")
            raise


def show_results(table: pd.DataFrame, output: Output) -> None:
    """Print the rows as JSON or CSV, or summaries of them."""
    tables = [Table("runs", "", table)] if output.form == "csv" else list(summaries(table))
    if output.form == "table":
        width = console().width
        tables = [replace(one, rows=fitting(one.frame, width, OPTIONAL)) for one in tables]
    output.result({"runs": table.to_dict("records")}, *tables)


def summaries(table: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables of the methods and of the test errors of each family."""
    for family, own in table.groupby("family", sort=False):
        for name, cells, caption in (
            ("methods", summary(own), SUMMARY),
            ("scores", scores(own), SCORES),
        ):
            if len(cells):
                yield Table(f"{family}_{name}", str(family), filled(cells), caption)


def failures(table: pd.DataFrame) -> str:
    """Return how many runs ended with an error, and the first reason; "" if none did."""
    failed = table[errors(table)]
    if not len(failed):
        return ""
    first: Any = next(failed.itertuples())
    runs = "1 run" if len(failed) == 1 else f"{len(failed)} runs"
    return f"{runs} of {len(table)} ended with an error: {first.label}: {first.termination}"
