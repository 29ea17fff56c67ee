"""`bilad compare`: the attacks of one setting side by side, recomputed; table, CSV, picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bilad.models import BilevelProblem, deviation
from bilad.models.clustering_problem import clustering_of
from bilad.scripts.interrupts import noted_interrupts
from bilad.scripts.progress import progress_bar
from bilad.scripts.run_log import RunLog, columns_of, whole
from bilad.scripts.settings import Setting
from bilad.scripts.staircase import Staircase, draw, sweep
from bilad.solvers import Attack, attack
from bilad.solvers.lower.cluster import solve_lower
from bilad.solvers.termination import INTERRUPTED
from bilad.solvers.upper import UPPER_METHODS, refusal


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


OF_EPS = ("eps", "norm", "delta", "n_changed_matched", "clusters", "labels_proved")
DASH = "-"


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
        for name, method in UPPER_METHODS.items()
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
        console.print(table(setting, closing, rows))
        interrupts.check()
    stairs = sweep(setting)
    write_staircase(stairs, folder / "staircase.csv")
    marks = [(f"{row.problem} {row.method}", row.eps) for row in rows if row.norm > 0]
    draw(stairs, marks, setting, folder / "staircase.png")
    console.print(f"Written: compare.csv, staircase.csv and staircase.png in {folder}")
    return rows


def table(setting: Setting, closing: str, rows: Sequence[Row]) -> Table:
    """Lay the rows out for a terminal."""
    view = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f"BL1: largest delta for |eps| <= {setting.budget:g}; "
        f"BL2: least |eps| for delta >= {setting.target:g}; closing: {closing}",
        caption="delta, N_chg (labels matched), clusters: recomputed from an exact lower-level "
        "solution at eps.\nproved: its labels. solves: of the lower level. undecided: solves with "
        "labels not proved (ties);\nnone of them counts as an attack. status: of the answer; "
        "ended: what ended the search.",
    )
    for title in ("", "method", "eps", "norm", "delta", "N_chg", "clusters", "proved"):
        view.add_column(title, justify="left" if title in ("", "method") else "right")
    for title in ("solves", "undecided", "seconds", "status", "ended"):
        view.add_column(title, justify="left" if title in ("status", "ended") else "right")
    for row in rows:
        view.add_row(
            row.problem,
            row.method,
            *(_shown(row.cells[name]) for name in OF_EPS),
            str(row.lower_solves),
            str(row.undecided),
            f"{row.seconds:.2f}",
            row.status,
            row.termination,
        )
    return view


def _shown(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def write_staircase(stairs: Staircase, path: Path) -> None:
    """Write the picture's data."""
    columns = np.column_stack([stairs.eps, stairs.delta, stairs.n_changed, stairs.proved])
    header = "eps,delta,n_changed_matched,labels_proved"
    form = ("%.10g", "%d", "%d", "%d")
    with whole(path) as fresh:
        np.savetxt(fresh, columns, fmt=form, delimiter=",", header=header, comments="")
