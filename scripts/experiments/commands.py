"""The commands `bilad sweep` and `bilad report`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from bilad.models.validation import ArgumentError
from bilad.scripts.command import command
from bilad.scripts.display import Cells, progress_bar, show
from bilad.scripts.experiments.report import write_report
from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.experiments.specification import Experiment, read_specification
from bilad.scripts.experiments.store import open_existing
from bilad.scripts.experiments.table import SCORES, SUMMARY, filled, scores, summary, table_of

STUDIES = Path(str(files("bilad.scripts"))) / "studies"
WIDTH = 210  # characters that the tables need


def study(name: str) -> Path:
    """Return the path of a specification: a file, or a study of this package by its name.

    Raises
    ------
    ArgumentError
        If there is neither.
    """
    if Path(name).is_file():
        return Path(name)
    known = {path.stem: path for path in sorted(STUDIES.glob("*.toml"))}
    if name not in known:
        expected = f"a file, or one of the studies {', '.join(known)}"
        raise ArgumentError("specification", repr(name), expected)
    return known[name]


@command
def sweep(
    specification: Annotated[str, typer.Argument(help="A TOML file, or the name of a study.")],
    store: Annotated[
        Path | None,
        typer.Option(help="SQLite file of the rows; by default results/NAME.sqlite."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the finished runs that the store contains.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help='Replaces a value: "limits.seconds = 2.0"; may be repeated.'),
    ] = None,
    problems: Annotated[
        str | None, typer.Option(help="Only problems or families with this in their name.")
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Only these methods, comma-separated.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the specification and count its runs.")
    ] = False,
) -> None:
    """Carry out the runs of a specification; rows are stored as soon as they are known."""
    console = Console(width=max(WIDTH, Console().width))
    path = study(specification)
    experiment = read_specification(path, changes or []).only(problems, methods)
    console.print(f"{experiment.name}: {len(experiment.runs)} runs", markup=False, highlight=False)
    if check:
        return
    where = Path("results") / f"{path.stem}.sqlite" if store is None else store
    table = carried_out(experiment, where, console, resume=resume, jobs=jobs, scheduler=scheduler)
    for family, own in table.groupby("family", sort=False):
        for cells, caption in ((summary(own), SUMMARY), (scores(own), SCORES)):
            if len(cells):
                records: list[Cells] = filled(cells).to_dict("records")
                show(console, str(family), records, caption)
    written = f"Written: {where}. Next: bilad report {where}"
    console.print(written, markup=False, highlight=False)


def carried_out(experiment: Experiment, store: Path, console: Console, **how: Any) -> pd.DataFrame:
    """Carry out an experiment with `run_experiment`, and print each row and the progress."""
    with progress_bar(console) as progress:
        task = progress.add_task(experiment.name, total=len(experiment.runs))

        def tell(row: Row, done: int, total: int) -> None:
            progress.update(task, completed=done)
            progress.console.print(row.line, style="dim", highlight=False, markup=False)

        try:
            return run_experiment(experiment, store, on_row=tell, **how)
        except KeyboardInterrupt:
            kept = f"Finished runs are kept in {store}; --resume carries out the others."
            progress.console.print(kept, markup=False, highlight=False)
            raise


@command
def report(
    stores: Annotated[list[Path], typer.Argument(help="SQLite files that `sweep` has written.")],
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("results/report"),
) -> None:
    """Write one self-contained HTML page, with its tables and figures as files."""
    rows: dict[str, Row] = {}
    for path in stores:
        with open_existing(path) as store:
            rows |= {row.key: row for row in store.rows()}
    if not rows:
        raise ArgumentError("stores", ", ".join(map(str, stores)), "stores with finished runs")
    page = write_report(table_of(rows.values()), out)
    written = f"Written: {page}, with tables and figures beside it"
    Console().print(written, markup=False, highlight=False)
