"""`bilad compare`: the attacks of one setting side by side, recomputed; table, CSV, picture.

The picture is the staircase: delta and N_chg against a scalar eps (paper, Figures 4 to 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from bilad.models import BilevelProblem, deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.interrupts import noted_interrupts
from bilad.scripts.progress import progress_bar
from bilad.scripts.run_log import RunLog, columns_of, save_figure, whole
from bilad.scripts.settings import Setting
from bilad.scripts.tables import show
from bilad.solvers import Attack, attack
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.termination import INTERRUPTED
from bilad.solvers.upper import UPPER_METHODS, refusal

OF_EPS = ("eps", "norm", "delta", "n_changed_matched", "clusters", "labels_proved")
DASH = "-"
MARKERS = {"BL1": "o", "BL2": "v"}


@dataclass(frozen=True)
class Row:
    """One method's answer; delta, N_chg and clusters from a lower-level solve of their own."""

    problem: str
    method: str
    eps: float
    norm: float
    delta: int
    n_changed_matched: int
    clusters: int
    labels_proved: bool
    lower_solves: int
    undecided: int
    seconds: float
    status: str
    termination: str
    engine: str

    @property
    def cells(self) -> dict[str, Any]:
        """The fields; dashes for what eps is and does if no attack was found."""
        return {**asdict(self), **({} if self.norm > 0 else dict.fromkeys(OF_EPS, DASH))}


def recompute(name: str, found: Attack) -> Row:
    """Solve the lower level at 0 and at the answer again, and count from the labels."""
    problem = found.problem
    before = solve_lower(clustering_of(problem), tol=1e-10)
    after = solve_lower(problem.perturbation.apply(clustering_of(problem), found.eps), tol=1e-10)
    return Row(
        problem=name,
        method=found.method,
        eps=float(found.eps[0]),
        norm=found.norm,
        delta=int(deviation(before.labels, after.labels, "delta")),
        n_changed_matched=int(deviation(before.labels, after.labels, "changed-matched")),
        clusters=after.n_clusters,
        labels_proved=before.proved and after.proved,
        lower_solves=found.lower_solves,
        undecided=found.undecided,
        seconds=found.seconds,
        status=found.status,
        termination=found.termination,
        engine=found.engine or "",
    )


def methods_for(setting: Setting) -> list[str]:
    """Return the names of the methods that take the setting's problems."""
    problems = (setting.max_deviation(), setting.min_perturbation())
    return [
        name
        for name, method in UPPER_METHODS.usable().items()
        if all(refusal(method, problem) is None for problem in problems)
    ]


def attacks(
    setting: Setting,
    methods: Sequence[str],
    console: Console,
    *,
    lower: str,
    closing: str,
    seed: int,
    time_limit: float | None,
) -> Iterator[Row]:
    """Run every method on (BL1) and on (BL2), one row as soon as it is known."""
    problems: dict[str, BilevelProblem] = {
        "BL1": setting.max_deviation(),
        "BL2": setting.min_perturbation(),
    }
    with progress_bar(console) as progress:
        for name, problem in problems.items():
            for method in methods:
                task = progress.add_task(f"{name} {method}", total=None)

                def advance(done: int, total: int, task: Any = task) -> None:
                    progress.update(task, completed=done, total=total)

                options: dict[str, Any] = {"step": setting.step} if method == "direct" else {}
                found = attack(
                    problem,
                    method,
                    seed=seed,
                    time_limit=time_limit,
                    lower=lower,
                    bound="none",
                    closing=closing,
                    on_progress=advance,
                    **options,
                )
                progress.remove_task(task)
                yield recompute(name, found)
                if found.termination == INTERRUPTED:
                    return


def compare(
    setting: Setting,
    methods: Sequence[str],
    folder: Path,
    console: Console,
    *,
    lower: str = "auto",
    closing: str = "none",
    seed: int = 0,
    time_limit: float | None = None,
) -> list[Row]:
    """Print the table and write `compare.csv`, `staircase.csv` and `staircase.png` to a folder.

    Each row is on disk before the next method starts. `compare.csv` also keeps what other
    processes, and earlier ones, found by other methods.
    """
    console.print(f"Our setting: {setting.describe()}.")
    rows, path = [], folder / "compare.csv"
    with noted_interrupts() as interrupts:
        with RunLog(path, columns_of(Row), ("problem", "method")) as log:
            for row in attacks(
                setting,
                methods,
                console,
                lower=lower,
                closing=closing,
                seed=seed,
                time_limit=time_limit,
            ):
                log.add(row.cells)
                rows.append(row)
        _show(setting, closing, rows, console)
        interrupts.check()
    stairs = sweep(setting)
    with whole(folder / "staircase.csv") as fresh:
        stairs.to_csv(fresh, index=False, float_format="%.10g")
    marks = [(f"{row.problem} {row.method}", row.eps) for row in rows if row.norm > 0]
    draw(stairs, marks, setting, folder / "staircase.png")
    console.print(f"Written: compare.csv, staircase.csv and staircase.png in {folder}")
    return rows


def _show(setting: Setting, closing: str, rows: Sequence[Row], console: Console) -> None:
    titles = ("eps", "norm", "delta", "N_chg", "clusters", "proved")
    cells = [
        {
            "": row.problem,
            "method": row.method,
            **{title: _shown(row.cells[name]) for title, name in zip(titles, OF_EPS, strict=True)},
            "solves": row.lower_solves,
            "undecided": row.undecided,
            "seconds": f"{row.seconds:.2f}",
            "status": row.status,
            "ended": row.termination,
        }
        for row in rows
    ]
    show(
        console,
        f"BL1: largest delta for |eps| <= {setting.budget:g}; "
        f"BL2: least |eps| for delta >= {setting.target:g}; closing: {closing}",
        cells,
        "delta, N_chg (labels matched), clusters: recomputed from an exact lower-level solution at "
        "eps.\nproved: its labels. solves: of the lower level. undecided: solves with labels not "
        "proved (ties);\nnone of them counts as an attack. status: of the answer; ended: what "
        "ended the search.",
    )


def _shown(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def sweep(setting: Setting) -> pd.DataFrame:
    """Evaluate the setting on the grid -a : step : a; a row for each eps."""
    model, shift = setting.model(), setting.shift()
    before = solve_lower(model).labels
    count = round(2 * setting.budget / setting.step) + 1
    eps = np.linspace(-setting.budget, setting.budget, count)
    solutions = [solve_lower(shift.apply(model, value)) for value in eps]
    return pd.DataFrame(
        {
            "eps": eps,
            "delta": [int(deviation(before, after.labels, "delta")) for after in solutions],
            "n_changed_matched": [
                int(deviation(before, after.labels, "changed-matched")) for after in solutions
            ],
            "labels_proved": [int(after.proved) for after in solutions],
        }
    )


def draw(
    stairs: pd.DataFrame, marks: Sequence[tuple[str, float]], setting: Setting, path: Path
) -> None:
    """Draw delta and N_chg against eps, every method's answer marked.

    Parameters
    ----------
    marks : sequence of (str, float)
        Name, beginning with BL1 or BL2, and eps of each answer.
    """
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        series = (
            (upper, stairs.delta, "delta"),
            (lower, stairs.n_changed_matched, "N_chg (matched)"),
        )
        for axes, values, name in series:
            axes.plot(stairs.eps, values, drawstyle="steps-mid", color="0.35", linewidth=1)
            axes.set_ylabel(name)
            for number, (label, eps) in enumerate(marks):
                height = values[int(np.argmin(np.abs(stairs.eps - eps)))]
                size = 18 - 2.2 * number  # answers coincide: the later inside the earlier
                style = {
                    "color": f"C{number}",
                    "markerfacecolor": "none",
                    "linestyle": "none",
                    "clip_on": False,
                }
                marker = MARKERS[label[:3]]
                axes.plot(eps, height, marker=marker, markersize=size, label=label, **style)
        if marks:
            upper.legend(loc="best", fontsize=8)
        lower.set_xlabel(f"eps [{setting.unit}]")
        upper.set_title(setting.describe(), fontsize=8)
        save_figure(figure, path)
