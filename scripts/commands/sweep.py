"""`bilad sweep`: the runs of a specification."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bilad.scripts.command import FailedError, command
from bilad.scripts.experiment_runs import RunOptions, carried_out, failures, show_results
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.studies import study
from bilad.scripts.options import OutputOptions, PrintOptions, option
from bilad.scripts.output import RESULTS, Output
from bilad.scripts.subject import option_names


@command
def sweep(
    specification: Annotated[str, typer.Argument(help="A TOML file, or the name of a study.")],
    runs: RunOptions,
    printed: PrintOptions,
    store: Annotated[
        Path | None, option("SQLite file of the rows; by default results/NAME.sqlite.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        option('Replaces a value: "limits.seconds = 2.0"; may be repeated.', "--set"),
    ] = None,
    problems: Annotated[
        str | None, option("Only problems or families with this in their name.")
    ] = None,
    methods: Annotated[str | None, option("Only these methods, comma-separated.")] = None,
    check: Annotated[
        bool, option("Only check the specification and count its runs.", "--check")
    ] = False,
) -> None:
    """Carry out the runs of a specification; rows are stored as soon as they are known."""
    path = study(specification)
    where = RESULTS / f"{path.stem}.sqlite" if store is None else store
    with option_names(out="--store"):
        output = Output(OutputOptions(out=where.parent, **asdict(printed)), "sweep")
    experiment = read_specification(path, changes or []).only(problems, methods)
    output.say(f"{experiment.name}: {len(experiment.runs)} runs")
    if check:
        return
    runs.check(where, printed.force)
    table = carried_out(experiment, where, runs, output)
    show_results(table, output)
    output.say(f"Written: {where}. Next: {shlex.join(['bilad', 'report', str(where)])}")
    fault = failures(table)
    if fault:
        raise FailedError(fault)
