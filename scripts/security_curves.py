"""Security curves of linear learning models: `python -m bilad.scripts.security_curves`.

Four parts: the agreement with scikit-learn and of hypergradients with difference quotients; the
test error against the budget of an attacker who moves training points; the accuracy against the
share of flipped labels; and the test predictions of ridge regression that no flips can change.
Every attack is a row of a table in the output folder as soon as it is finished. Rows that the
folder contains are not computed again, so the same command prints the tables again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bilad.models import ArgumentError
from bilad.models.validation import one_of, real_number, whole_number
from bilad.scripts.command import command
from bilad.scripts.display import show
from bilad.scripts.run_store import Output, stored
from bilad.scripts.security.agreement import agreement
from bilad.scripts.security.certified import by_brute_force, certified_shares
from bilad.scripts.security.curves import (
    ATTACKS,
    CurveRow,
    CurveRun,
    claims,
    curve_rows,
    draw,
    planned,
    summary,
    without_attack,
)
from bilad.scripts.security.flips import FLIP_METHODS, FLIPPED, FLIPS, FlipRun, accuracies
from bilad.scripts.security.settings import MODELS, MOVED, TRAINING

PARTS = ("agreement", "curves", "flips", "certified")
WIDTH = 150  # characters that the tables need
PROBLEMS, SMALL_SETS = 200, 5


@command
def security_curves(
    parts: Annotated[
        str, typer.Option(help=f"Some of {', '.join(PARTS)}, comma-separated.")
    ] = ",".join(PARTS),
    models: Annotated[
        str, typer.Option(help="Models, comma-separated; labels of svm and logistic are flipped.")
    ] = ",".join(MODELS),
    budgets: Annotated[
        str, typer.Option(help="Budgets a in standard deviations, comma-separated.")
    ] = "1,2,4",
    flips: Annotated[
        str, typer.Option(help="Numbers of flipped labels, comma-separated.")
    ] = ",".join(map(str, FLIPS)),
    methods: Annotated[
        str, typer.Option(help="Methods, comma-separated; each part uses those that it compares.")
    ] = ",".join(dict.fromkeys((*ATTACKS, *FLIP_METHODS))),
    splits: Annotated[int, typer.Option(min=1, help="Number of random splits.")] = 10,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Time limit of each attack in seconds.")
    ] = 10.0,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    source: Annotated[
        Path | None, typer.Option("--from", help="Only show the attacks of this folder again.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Output folder; a comparison that it contains is continued.")
    ] = Path("results/security_curves"),
) -> None:
    """Attack linear learning models on ten random splits, and compare what can be proved."""
    chosen = _names(parts, "parts", PARTS)
    named = _names(models, "models", list(MODELS))
    limits = [_budget(text) for text in budgets.split(",")]
    counts = [_flips_of(text) for text in flips.split(",")]
    given = _names(methods, "methods", (*ATTACKS, *FLIP_METHODS))
    attacked = [name for name in named if name in FLIPPED]
    runs = {
        "curves": planned(CurveRun, named, limits, _in(given, ATTACKS), splits, seconds),
        "flips": planned(FlipRun, attacked, counts, _in(given, FLIP_METHODS), splits, seconds),
    }
    output = Output(out, Console(width=max(WIDTH, Console().width)))
    if "agreement" in chosen:
        show(output.console, "Agreement on random problems", agreement(PROBLEMS))
    for part, report in (("curves", _report_curves), ("flips", _report_flips)):
        if part in chosen and source is not None:
            report(_stored(source / f"{part}.csv"), output)
        elif part in chosen:
            report(curve_rows(runs[part], out / f"{part}.csv", output.say, jobs), output)
    if "certified" in chosen:
        title = "Ridge regression: test predictions that no flips of training labels change"
        show(output.console, title, certified_shares(splits))
        title = "The same on small sets, with all flips tried"
        show(output.console, title, by_brute_force(min(splits, SMALL_SETS)))


def _report_curves(rows: Sequence[CurveRow], output: Output) -> None:
    clean = without_attack(rows)
    title = (
        f"Features of {MOVED} of {TRAINING} training points moved by at most a standard "
        "deviations: our setting"
    )
    show(output.console, title, summary([*clean, *rows]))
    show(output.console, "Expected order of the mean validation losses", claims(rows))
    draw(rows, clean, output.folder / "security_curves.svg")


def _report_flips(rows: Sequence[CurveRow], output: Output) -> None:
    title = f"Labels of {TRAINING} training points flipped: our setting"
    show(output.console, title, accuracies(rows, without_attack(rows)))


def _stored(path: Path) -> list[CurveRow]:
    rows = stored(path, CurveRow)
    if not rows:
        raise ArgumentError("from", str(path.parent), f"a folder with {path.name}")
    return rows


def _in(names: Sequence[str], known: Sequence[str]) -> list[str]:
    return [name for name in names if name in known]


def _names(text: str, argument: str, known: Sequence[str]) -> list[str]:
    return [one_of(name.strip(), argument, known) for name in text.split(",")]


def _budget(text: str) -> float:
    try:
        return real_number(float(text), "budgets", above=0)
    except ValueError:
        raise ArgumentError("budgets", repr(text), "positive numbers, such as 1,2") from None


def _flips_of(text: str) -> float:
    try:
        return float(whole_number(int(text), "flips", least=1))
    except ValueError:
        raise ArgumentError("flips", repr(text), "whole numbers, such as 5,10") from None


if __name__ == "__main__":
    typer.run(security_curves)
