"""The robustness of a clustering in one summary: `python -m bilad.scripts.certify iris`.

The argument is a named setting, or a data set with options: `certify data.csv --gamma 2 --weights
knn`. The command writes `summary.json`, `summary.png` and `summary.svg`, and the shortest attack
found as `counterexample.json`.
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
from bilad.scripts.certificates.robustness_summary import Summary, make_summary
from bilad.scripts.certificates.subject import KINDS, WEIGHTS, Options, subject_of
from bilad.scripts.certificates.summary_report import draw_summary, summary_json, summary_table
from bilad.scripts.command import command
from bilad.scripts.run_store import whole, write_text
from bilad.scripts.settings import SETTINGS

ATTACK = "counterexample.json"
WIDTH = 118  # characters that the summary needs
PLACES = 'such as "1,4:7", counted from 1'


@command
def certify(
    data: Annotated[
        str,
        typer.Argument(
            help=f"A named setting ({', '.join(SETTINGS)}); with --gamma, a data set or a CSV file."
        ),
    ],
    gamma: Annotated[
        float | None, typer.Option(min=0.0, help="Regularisation gamma; required for data sets.")
    ] = None,
    rows: Annotated[str | None, typer.Option(help=f"Points that are used, {PLACES}.")] = None,
    features: Annotated[str | None, typer.Option(help=f"Features that are used, {PLACES}.")] = None,
    p: Annotated[float, typer.Option(help="Norm of the fusion terms: 1, 2 or inf.")] = 2.0,
    weights: Annotated[
        str, typer.Option(help=f"Weights of the graph, one of: {', '.join(WEIGHTS)}.")
    ] = "knn",
    neighbours: Annotated[int, typer.Option(min=1, help="Number of neighbours for knn.")] = 10,
    phi: Annotated[
        float, typer.Option(min=0.0, help="phi of the weights exp(-phi ||a_i - a_j||^2) for knn.")
    ] = 0.5,
    weight: Annotated[float, typer.Option(min=0.0, help="Weight of each edge for complete.")] = 1.0,
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"Kind of perturbation, one of: {', '.join(KINDS)}; by default that of the "
            "setting, or additive."
        ),
    ] = None,
    moving: Annotated[
        str | None, typer.Option(help=f"Points that are perturbed, {PLACES}.")
    ] = None,
    moving_features: Annotated[
        str | None, typer.Option(help=f"Features that are perturbed, {PLACES}.")
    ] = None,
    norm: Annotated[float, typer.Option(help="Norm of eps: 1, 2 or inf.")] = 2.0,
    budget: Annotated[
        float | None, typer.Option(help="Budget of BL1; BL2 is searched up to it.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Target delta_0 of BL2.")] = None,
    ray: Annotated[
        Path | None,
        typer.Option(
            help="Text file with the direction of the ray; by default that of the attack."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Time limit of the searches if no method is exact.")
    ] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("results/certify"),
) -> None:
    """Print how much a data set must be perturbed to change its partition, with proofs."""
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
        summary = make_summary(subject, direction, seconds, seed)
    draw_summary(summary, [out / "summary.png", out / "summary.svg"])
    write_text(out / "summary.json", json.dumps(summary_json(summary), indent=1) + "\n")
    written = ["summary.json", "summary.png", "summary.svg", *_counterexample(summary, out)]
    console.print(summary_table(summary), highlight=False)
    console.print(f"Written: {', '.join(written)} in {out}", highlight=False)
    if ATTACK in written:
        text = f"To check the counterexample:\n{_check(out / ATTACK)}"
        console.print(text, highlight=False, soft_wrap=True)


def _counterexample(summary: Summary, folder: Path) -> list[str]:
    """Write the shortest attack, if there is one; return the names of the files written."""
    (folder / ATTACK).unlink(missing_ok=True)  # it may belong to an earlier summary
    if summary.certificate.attack is None:
        return []
    with whole(folder / ATTACK) as fresh:
        summary.certificate.write(fresh)
    return [ATTACK]


def _check(path: Path) -> str:
    """Return the shell command that checks a counterexample."""
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
