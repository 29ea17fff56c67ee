"""`bilad attack`: the worst perturbation within a budget, or the least one with a target."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd

from bilad.models import ArgumentError
from bilad.scripts.command import FailedError, command
from bilad.scripts.comparison import problem_title
from bilad.scripts.display import csv
from bilad.scripts.experiments.page import Table
from bilad.scripts.options import (
    LOWER,
    PROBLEM,
    SECONDS,
    SEED,
    DataOptions,
    ModelOptions,
    OutputOptions,
    PerturbationOptions,
    option,
)
from bilad.scripts.output import Output
from bilad.scripts.settings import subject_of
from bilad.scripts.subject import option_names
from bilad.solvers import Attack
from bilad.solvers import attack as search
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.attack import EFFORTS
from bilad.solvers.upper.closing import CLOSINGS

RECORD, POINTS, PICTURE, HISTORY = "attack.json", "points.csv", "attack.svg", "history.svg"
MOST = 20  # changed points that a terminal shows
PANEL = "Search"
CAPTION = (
    "value: deviation (BL1) or norm of eps (BL2); the deviation is recomputed from an accurate "
    "lower-level solution. bound: proved bound of the optimum. undecided: solves whose outcome is "
    "not proved; none of them counts as an attack."
)


@command
def attack(
    data: Annotated[str, PROBLEM],
    points: DataOptions,
    model: ModelOptions,
    perturbation: PerturbationOptions,
    output: OutputOptions,
    method: Annotated[
        str, option(f"auto, {', '.join(UPPER_METHODS)}.", rich_help_panel=PANEL)
    ] = "auto",
    seconds: Annotated[float | None, SECONDS] = None,
    solves: Annotated[
        int | None, option("Limit on lower-level solves.", rich_help_panel=PANEL)
    ] = None,
    seed: Annotated[int, SEED] = 0,
    closing: Annotated[
        str,
        option(f"Search after the method: {', '.join(CLOSINGS)}.", rich_help_panel=PANEL),
    ] = "search",
    bound: Annotated[
        str,
        option(f"Effort for a proved bound: {', '.join(EFFORTS)}.", rich_help_panel=PANEL),
    ] = "quick",
    lower: Annotated[str, LOWER] = "auto",
    options: Annotated[
        list[str] | None,
        option(
            "Option of the method as name=value; may be repeated. See `bilad methods NAME`.",
            "--option",
            rich_help_panel=PANEL,
        ),
    ] = None,
) -> None:
    """Search for the largest deviation within a budget (BL1), or for the least norm (BL2).

    With --target the problem is (BL2); a budget is then the largest norm that is searched.
    """
    subject = subject_of(data, points, model, perturbation)
    problem, own = subject.problem, _options(options or [])
    out = Output(output, "attack", subject.name, (RECORD, POINTS, PICTURE, HISTORY))
    out.say(subject.describe(perturbed=True))
    with option_names():
        found = search(
            problem,
            method,
            seed,
            seconds,
            solves,
            closing=closing,
            bound=bound,
            lower=lower,
            progress=out.has_bar,
            **own,
        )
    tables = [Table("attack", problem_title(problem), [_row(found)], CAPTION)]
    record, frame = subject.record("attack", found.to_dict()), found.to_frame()
    out.write_json(RECORD, record)
    out.write(POINTS, csv(frame, index=True))
    out.draw(PICTURE, found.plot)
    out.draw(HISTORY, found.plot_history)
    if out.form == "table" and "changed" in frame:
        tables.append(_changed(frame))
    out.result(record, *tables)
    out.written()
    if found.termination == "interrupted":
        raise KeyboardInterrupt
    if found.termination.startswith("error"):
        raise FailedError(found.termination.removeprefix("error: "))


def _options(texts: Sequence[str]) -> dict[str, Any]:
    """Return options of a method; a value that is not in TOML is a text."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ArgumentError("--option", repr(text), "name=value")
        try:
            found[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (tomllib.TOMLDecodeError, KeyError):
            found[name.strip()] = value.strip()
    return found


def _row(found: Attack) -> dict[str, Any]:
    problem = found.problem
    is_attack = found.norm > 0 and problem.is_attack(found.norm, found.deviation)
    return {
        "method": found.method,
        "value": problem.value(found.norm, found.deviation) if is_attack else float("nan"),
        "norm": found.norm,
        "deviation": found.deviation,
        "bound": float("nan") if found.bound is None else found.bound,
        "proved": "yes" if found.proved else "no",
        "status": found.status,
        "ended": found.termination,
        "solves": found.lower_solves,
        "undecided": found.undecided,
        "seconds": found.seconds,
    }


def _changed(frame: pd.DataFrame) -> Table:
    """Return the first points whose cluster or prediction changes."""
    changed = frame[frame.changed].drop(columns="changed").iloc[:, :2].rename_axis("point")
    more = len(changed) - MOST
    caption = f"{more} more are in {POINTS}." if more > 0 else ""
    return Table("changed", "Points that change", changed.iloc[:MOST].reset_index(), caption)
