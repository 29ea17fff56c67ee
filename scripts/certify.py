"""The robustness of a clustering in one summary: `python -m bilad.scripts.certify iris`.

The argument is a named setting, or a data set with options: `certify data.csv --gamma 2 --weights
knn`. The command writes `summary.json`, `summary.png` and `summary.svg`, and the shortest attack
found as `counterexample.json`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError
from bilad.models.validation import FloatArray
from bilad.scripts.certificates.robustness_summary import make_summary
from bilad.scripts.certificates.subject import KINDS, WEIGHTS, subject_of
from bilad.scripts.certificates.summary_report import draw_summary, summary_json, summary_table
from bilad.scripts.command import command
from bilad.scripts.files import whole, write_text
from bilad.scripts.settings import SETTINGS

ATTACK = "counterexample.json"
WIDTH = 118  # characters that the summary needs
OWN = ("data", "ray", "seconds", "seed", "out")  # what does not describe the problem


def option(text: str, **limits: Any) -> Any:
    """Return an option with its help."""
    return typer.Option(help=text, **limits)


Text = str | None
Number = float | None


@command
def certify(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            help=f"A named setting ({', '.join(SETTINGS)}); with --gamma, a data set or a CSV file."
        ),
    ],
    gamma: Annotated[Number, option("Required for data sets.", min=0.0)] = None,
    rows: Annotated[Text, option('Points that are used, such as "1,4:7", from 1.')] = None,
    features: Annotated[Text, option("Features that are used.")] = None,
    p: Annotated[Number, option("Norm of the fusion terms: 1, 2 (default) or inf.")] = None,
    weights: Annotated[Text, option(f"One of: {', '.join(WEIGHTS)}; by default knn.")] = None,
    neighbours: Annotated[int | None, option("Of knn; by default 10.", min=1)] = None,
    phi: Annotated[
        Number, option("Of the weights exp(-phi ||a_i - a_j||^2) of knn; by default 0.5.", min=0.0)
    ] = None,
    weight: Annotated[Number, option("Of each edge for complete; by default 1.", min=0.0)] = None,
    kind: Annotated[
        Text,
        option(
            f"Kind of perturbation, one of: {', '.join(KINDS)}; by default that of the setting, or "
            "additive."
        ),
    ] = None,
    moving: Annotated[Text, option("Points that are perturbed.")] = None,
    moving_features: Annotated[Text, option("Features that are perturbed.")] = None,
    norm: Annotated[Number, option("Norm of eps: 1, 2 (default) or inf.")] = None,
    budget: Annotated[Number, option("Of BL1; BL2 is searched up to it.")] = None,
    target: Annotated[Number, option("Target delta_0 of BL2.")] = None,
    ray: Annotated[
        Path | None, option("Text file with the direction of the ray; by default the attack's.")
    ] = None,
    seconds: Annotated[float, option("Time limit of each search.", min=0.1)] = 10.0,
    seed: Annotated[int, option("Seed of the random numbers.", min=0)] = 0,
    out: Annotated[Path, option("Output folder.")] = Path("results/certify"),
) -> None:
    """Print how much a data set must be perturbed to change its partition, with proofs."""
    console = Console(width=max(WIDTH, Console().width))
    given = {name: value for name, value in context.params.items() if value is not None}
    subject = subject_of(data, **{name: given[name] for name in given if name not in OWN})
    direction = None if ray is None else _direction(ray)
    with threadpool_limits(1):
        summary = make_summary(subject, direction, seconds, seed)
    draw_summary(summary, [out / "summary.png", out / "summary.svg"])
    write_text(out / "summary.json", summary_json(summary))
    console.print(summary_table(summary), highlight=False)
    written = ["summary.json", "summary.png", "summary.svg"]
    (out / ATTACK).unlink(missing_ok=True)  # it may belong to an earlier summary
    if summary.certificate.attack is not None:
        with whole(out / ATTACK) as fresh:
            summary.certificate.write(fresh)
        written.append(ATTACK)
    console.print(f"Written: {', '.join(written)} in {out}", highlight=False, markup=False)
    if ATTACK in written:
        text = f"To check the counterexample:\n{_check(out / ATTACK)}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _check(path: Path) -> str:
    """Return the shell command that checks a counterexample."""
    file = json.dumps(str(path))
    program = f"from bilad.solvers import check_counterexample as c; print(c({file}))"
    return f"python -c {shlex.quote(program)}"


def _direction(path: Path) -> FloatArray:
    try:
        found = np.loadtxt(path, ndmin=1).ravel()
    except ValueError:
        found = np.array([np.nan])
    if not np.isfinite(found).all():
        raise ArgumentError("ray", str(path), "a text file of finite numbers")
    return found


if __name__ == "__main__":
    typer.run(certify)
