"""`bilad bilevel`: the bilevel models in Pyomo that a Python file makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.models import ArgumentError
from bilad.models.validation import one_of, seconds_limit, whole_number
from bilad.scripts.command import FailedError, command, noted_interrupts
from bilad.scripts.display import Cells
from bilad.scripts.experiments.fingerprint import is_bilevel_model
from bilad.scripts.experiments.page import Table
from bilad.scripts.experiments.python_file import PythonFile, with_optimum
from bilad.scripts.experiments.table import filled
from bilad.scripts.experiments.versions import versions
from bilad.scripts.options import SEED, OutputOptions, option
from bilad.scripts.output import Output
from bilad.solvers import compare_bilevel
from bilad.solvers.followers.comparison import BilevelComparison
from bilad.solvers.followers.solve import METHODS

NAME = "bilevel"
RECORD, TABLE, VALUES = "bilevel.json", "bilevel.csv", "values.csv"
ANSWERED = ("optimal", "feasible", "infeasible", "unbounded")  # verified or proved
MOST = 40  # variables that a terminal shows
CAPTION = (
    "objective: of the leader, with the followers solved again on their own. claimed: by the "
    "single-level model. bound: proved. lower gap: of the followers. violation: of all constraints."
)


@command
def bilevel(
    file: Annotated[str, typer.Argument(help="A Python file, or an importable module.")],
    output: OutputOptions,
    function: Annotated[
        str, option("Function that returns a model of Pyomo, or several by name.")
    ] = "problems",
    method: Annotated[
        str, option(f"auto, {', '.join(METHODS)}; several, comma-separated, are compared.")
    ] = "auto",
    problem: Annotated[str | None, option("Only models with this in their name.")] = None,
    starts: Annotated[int, option("Starts of the local methods.", min=1)] = 1,
    seed: Annotated[int, SEED] = 0,
    seconds: Annotated[float | None, option("Time limit of each solve in seconds.")] = None,
    nodes: Annotated[int | None, option("Limit on the nodes of branching.")] = None,
) -> None:
    """Solve bilevel models with convex followers, and verify the answers."""
    methods = [one_of(one.strip(), "--method", ("auto", *METHODS)) for one in method.split(",")]
    options = {
        "starts": starts,
        "seed": seed,
        "time_limit": seconds_limit(seconds, "--seconds", above=0),
        "node_limit": None if nodes is None else whole_number(nodes, "--nodes", least=1),
    }
    models = _models(PythonFile.read(file, Path()), function, problem or "")
    out = Output(output, NAME, Path(file).stem, (RECORD, TABLE, VALUES))
    found, faults = _solved(models, methods, options, out)
    if found:
        _show(found, {"file": file, "function": function, "methods": methods, **options}, out)
    faults += [fault for own in found for fault in own.faults()]
    if faults:
        raise FailedError("; ".join(faults))


@dataclass(frozen=True)
class _Found:
    """The solutions of a model, and its variables at the best of them."""

    name: str
    optimum: float
    compared: BilevelComparison
    values: Mapping[str, float]

    def rows(self) -> list[Cells]:
        """Return a row for each method, and for the known optimum."""
        solved = [
            {
                "problem": self.name,
                "method": method,
                "status": one.status,
                "objective": one.objective,
                "claimed": one.claimed,
                "bound": one.bound,
                "lower gap": one.lower_gap,
                "violation": one.violation,
                "seconds": round(one.seconds, 3),
                "ended": one.termination,
            }
            for method, one in self.compared.items()
        ]
        refused = [
            {"problem": self.name, "method": method, "status": "does not apply", "ended": why}
            for method, why in self.compared.refused.items()
        ]
        known = {"problem": self.name, "method": "known", "objective": self.optimum}
        return [*solved, *refused, *([] if math.isnan(self.optimum) else [known])]

    def faults(self) -> list[str]:
        """Return the statuses that are no answers."""
        failed = {key: one for key, one in self.compared.items() if one.status not in ANSWERED}
        return [
            f"{self.name} by {key}: {one.status}, {one.termination}" for key, one in failed.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return all of this for JSON."""
        return {
            "problem": self.name,
            "optimum": self.optimum,
            "solutions": {method: one.to_dict() for method, one in self.compared.items()},
            "refused": dict(self.compared.refused),
            "values": self.values,
        }


def _models(file: PythonFile, function: str, part: str) -> dict[str, tuple[Any, float]]:
    """Return the models of a file with their known optima, all of which have followers."""
    models = {}
    for name, given in file.problems(function).items():
        if part not in str(name):
            continue
        model, optimum = with_optimum(given)
        where = f"{file.name}, {name!r}"
        if not is_bilevel_model(model):
            expected = "a model of Pyomo; `bilad sweep` takes other problems"
            raise ArgumentError(where, type(model).__name__, expected)
        try:
            BilevelProgram(model)
        except ArgumentError as error:
            raise ArgumentError(f"{where}, {error.argument}", error.given, error.expected) from None
        models[str(name)] = model, optimum
    if not models:
        raise ArgumentError("--problem", repr(part), "a part of the name of a model")
    return models


def _solved(
    models: Mapping[str, tuple[Any, float]],
    methods: Sequence[str],
    options: Mapping[str, Any],
    out: Output,
) -> tuple[list[_Found], list[str]]:
    """Return the solutions until an interrupt, and why models were refused."""
    found: list[_Found] = []
    faults: list[str] = []
    with noted_interrupts() as interrupts, out.progress(NAME, len(models)) as report:
        for done, (name, (model, optimum)) in enumerate(models.items(), 1):
            try:
                compared = compare_bilevel(model, methods, **options)
            except ArgumentError as error:  # such as a follower that is proved not convex
                faults.append(f"{name}: {error}")
                report(done, faults[-1])
            else:
                values = {v.name: v.value for v in BilevelProgram(model).variables}
                found.append(_Found(name, optimum, compared, values))
                statuses = ", ".join(f"{key} {one.status}" for key, one in compared.items())
                report(done, f"{name}: {statuses or 'no method applies'}")
            if interrupts.number:
                break
    return found, faults


def _show(found: Sequence[_Found], options: Mapping[str, Any], out: Output) -> None:
    """Print and write the tables and the record."""
    frame = pd.DataFrame([row for one in found for row in one.rows()])
    rows = Table(NAME, "Solutions", frame, CAPTION)
    several = len(found) > 1
    cells = [
        {**({"problem": one.name} if several else {}), "variable": name, "value": value}
        for one in found
        for name, value in one.values.items()
    ]
    values = Table("values", "Variables at the best point", cells)
    record = {
        "command": NAME,
        "options": options,
        "versions": versions(),
        "result": [one.to_dict() for one in found],
    }
    out.write_json(RECORD, record)
    out.write(TABLE, rows.csv())
    out.write(VALUES, values.csv())
    shown = rows if out.form == "csv" else replace(rows, rows=filled(rows.frame))
    rest = f"and {len(cells) - MOST} more in {out.folder / VALUES}" if len(cells) > MOST else ""
    few = replace(values, rows=values.frame.head(MOST), caption=rest)
    out.result(record, shown, *([few] if out.form == "table" else []))
    out.written()
