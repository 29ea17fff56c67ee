"""Data in, a robustness card out: `python -m bilad.scripts.certify iris`.

A named setting, or a data set with options: `certify data.csv --gamma 2 --weights knn`. Writes
`card.json`, `card.png`, `card.svg`, and the attack at the radius as `counterexample.json`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError
from bilad.models.validation import FloatArray
from bilad.scripts.certificates.card_report import card_json, card_table, draw_card
from bilad.scripts.certificates.certify_subject import KINDS, WEIGHTS, Options, subject_of
from bilad.scripts.certificates.robustness_card import Card, make_card
from bilad.scripts.command import command
from bilad.scripts.run_log import whole, write_text
from bilad.scripts.settings import SETTINGS

ATTACK = "counterexample.json"
WIDTH = 118  # columns that the card needs
PLACES = 'such as "1,4:7", counted from 1'


@command
def certify(
    data: Annotated[
        str, typer.Argument(help=f"{', '.join(SETTINGS)}; or with --gamma, a data set or CSV file.")
    ],
    gamma: Annotated[float | None, typer.Option(min=0.0, help="Not for named settings.")] = None,
    rows: Annotated[str | None, typer.Option(help=f"Points, {PLACES}.")] = None,
    features: Annotated[str | None, typer.Option(help=f"Features, {PLACES}.")] = None,
    p: Annotated[float, typer.Option(help="Norm of the fusion terms: 1, 2 or inf.")] = 2.0,
    weights: Annotated[str, typer.Option(help=f"One of: {', '.join(WEIGHTS)}.")] = "knn",
    neighbours: Annotated[int, typer.Option(min=1, help="k of knn.")] = 10,
    phi: Annotated[float, typer.Option(min=0.0, help="Decay of the weights of knn.")] = 0.5,
    weight: Annotated[float, typer.Option(min=0.0, help="Of each edge, for complete.")] = 1.0,
    kind: Annotated[
        str | None,
        typer.Option(help=f"One of: {', '.join(KINDS)}; a setting's own, or additive."),
    ] = None,
    moving: Annotated[str | None, typer.Option(help=f"Points that may move, {PLACES}.")] = None,
    moving_features: Annotated[
        str | None, typer.Option(help=f"Features that may move, {PLACES}.")
    ] = None,
    norm: Annotated[float, typer.Option(help="Norm of eps: 1, 2 or inf.")] = 2.0,
    budget: Annotated[float | None, typer.Option(help="Of BL1, and how far to look.")] = None,
    target: Annotated[float | None, typer.Option(help="delta_0 of BL2.")] = None,
    ray: Annotated[
        Path | None, typer.Option(help="Text file with the direction of the ray, k numbers.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="For each search, where no method is exact.")
    ] = 10.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the card.")] = Path("results/certify"),
) -> None:
    """Print how far a data set is from another partition, and what is proved of it."""
    console = Console(width=max(WIDTH, Console().width))
    chosen = Options(
        data=data,
        gamma=gamma,
        rows=rows,
        features=features,
        p=p,
        weights=weights,
        neighbours=neighbours,
        phi=phi,
        weight=weight,
        kind=kind,
        moving=moving,
        moving_features=moving_features,
        norm=norm,
        budget=budget,
        target=target,
    )
    subject = subject_of(chosen)
    direction = None if ray is None else _direction(ray)
    with threadpool_limits(1):
        card = make_card(subject, direction, seconds, seed)
    draw_card(card, [out / "card.png", out / "card.svg"])
    write_text(out / "card.json", json.dumps(card_json(card), indent=1) + "\n")
    written = ["card.json", "card.png", "card.svg", *_counterexample(card, out)]
    console.print(card_table(card), highlight=False)
    console.print(f"Written: {', '.join(written)} in {out}", highlight=False)
    if ATTACK in written:
        console.print(f"To check it:\n{_check(out / ATTACK)}", highlight=False, soft_wrap=True)


def _counterexample(card: Card, folder: Path) -> list[str]:
    """Write the attack at the radius, if there is one; return the file's name."""
    (folder / ATTACK).unlink(missing_ok=True)  # of another card
    if card.certificate.attack is None:
        return []
    with whole(folder / ATTACK) as fresh:
        card.certificate.write(fresh)
    return [ATTACK]


def _check(path: Path) -> str:
    """Return the command that checks a counterexample."""
    file = json.dumps(str(path))
    program = f"from bilad.solvers import check_counterexample as c; print(c({file}))"
    return f"python -c {shlex.quote(program)}"


def _direction(path: Path) -> FloatArray:
    try:
        return np.atleast_1d(np.loadtxt(path)).astype(np.float64).ravel()
    except ValueError:
        raise ArgumentError("ray", str(path), "a text file of numbers") from None


if __name__ == "__main__":
    typer.run(certify)
