"""`bilad compare` and `bilad starts`: the attacks on one setting side by side.

Every answer is recomputed from an accurate lower-level solution. The picture shows delta and N_chg,
which are piecewise constant in the single parameter eps (paper, Figures 4 to 6).
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
from rich.progress import track

from bilad.models import BilevelProblem, deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.command import noted_interrupts
from bilad.scripts.display import Cells, progress_bar, show
from bilad.scripts.run_store import RunStore, columns_of, save_figure, whole
from bilad.scripts.settings import Setting
from bilad.solvers import Attack, attack
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.termination import INTERRUPTED
from bilad.solvers.upper import UPPER_METHODS, refusal

OF_EPS = ("eps", "norm", "delta", "n_changed_matched", "clusters", "labels_proved")
OF_OWN = ("own_norm", "own_delta")
MARKERS = {"BL1": "o", "BL2": "v"}


@dataclass(frozen=True)
class Row:
    """The answer of one method; delta, N_chg and the clusters are recomputed at its eps.

    `own_norm` and `own_delta` are what the method found itself, before closing.
    """

    problem: str
    method: str
    own_norm: float
    own_delta: int
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
        """The fields; a dash for all that depends on an eps if there is no attack."""
        none = OF_EPS * (self.norm == 0) + OF_OWN * (self.own_norm == 0)
        return {**asdict(self), **dict.fromkeys(none, "-")}


def recompute(name: str, found: Attack) -> Row:
    """Solve the lower level again at 0 and at the answer, and recompute the deviations."""
    problem = found.problem
    before = solve_lower(clustering_of(problem), tol=1e-10)
    after = solve_lower(problem.perturbation.apply(clustering_of(problem), found.eps), tol=1e-10)
    return Row(
        problem=name,
        method=found.method,
        own_norm=found.own.norm,
        own_delta=int(found.own.deviation),
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
    """Return the names of the methods that support the problems of a setting."""
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
    """Run every method on (BL1) and on (BL2), and yield each row as soon as it is known."""
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

    Each row is written before the next method starts. Rows of other methods that `compare.csv`
    contains, from other or earlier processes, are kept.
    """
    console.print(f"Our setting: {setting.describe()}.")
    rows, path = [], folder / "compare.csv"
    with noted_interrupts() as interrupts:
        with RunStore(path, columns_of(Row), ("problem", "method")) as store:
            for row in attacks(
                setting,
                methods,
                console,
                lower=lower,
                closing=closing,
                seed=seed,
                time_limit=time_limit,
            ):
                store.add(row.cells)
                rows.append(row)
        _show(setting, closing, rows, console)
        interrupts.check()
    values = sweep(setting)
    with whole(folder / "staircase.csv") as fresh:
        values.to_csv(fresh, index=False, float_format="%.10g")
    marks = [(f"{row.problem} {row.method}", row.eps) for row in rows if row.norm > 0]
    draw(values, marks, setting, folder / "staircase.png")
    console.print(f"Written: compare.csv, staircase.csv and staircase.png in {folder}")
    return rows


def _show(setting: Setting, closing: str, rows: Sequence[Row], console: Console) -> None:
    titles = ("eps", "norm", "delta", "N_chg", "clusters", "proved")
    own = () if closing == "none" else OF_OWN  # without closing they are norm and delta
    cells = [
        {
            "": row.problem,
            "method": row.method,
            **{name.replace("_", " "): _shown(row.cells[name]) for name in own},
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
        "delta, N_chg (labels matched) and clusters are recomputed from an exact lower-level "
        "solution at eps. proved: whether\nits labels are certified. solves: lower-level solves. "
        "undecided: solves whose labels are not certified (ties); none of\nthem counts as an "
        "attack. status: of the answer. ended: what ended the search."
        + ("\nown: what the method found itself, before closing." if own else ""),
    )


def _shown(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def sweep(setting: Setting) -> pd.DataFrame:
    """Evaluate the setting on a uniform grid of eps in [-a, a]; return a row for each eps."""
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
    values: pd.DataFrame, marks: Sequence[tuple[str, float]], setting: Setting, path: Path
) -> None:
    """Draw delta and N_chg against eps, and mark the answer of every method.

    Parameters
    ----------
    values : DataFrame
        As `sweep` returns them.
    marks : sequence of (str, float)
        The name of each answer, beginning with BL1 or BL2, and its eps.
    setting : Setting
    path : Path
    """
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        series = (
            (upper, values.delta, "delta"),
            (lower, values.n_changed_matched, "N_chg (matched)"),
        )
        for axes, column, name in series:
            axes.plot(values.eps, column, drawstyle="steps-mid", color="0.35", linewidth=1)
            axes.set_ylabel(name)
            for number, (label, eps) in enumerate(marks):
                height = column[int(np.argmin(np.abs(values.eps - eps)))]
                size = 18 - 2.2 * number  # so that answers that coincide remain visible
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


STARTED = ("kkt", "value-function")
STARTS = (0.0, -0.75, -0.375, 0.375, 0.875)  # as multiples of the budget


def starts(setting: Setting, console: Console) -> None:
    """Print the result of `kkt` and `value-function` for (BL1) from each of five starts.

    The time is compared with that of direct search on a grid whose lower levels SSNAL solves, the
    method of the paper.
    """
    problem = setting.max_deviation()
    console.print(f"Our setting: {setting.describe()}.")
    with noted_interrupts() as interrupts:
        grid = attack(
            problem, "direct", lower="ssnal", bound="none", closing="none", step=setting.step
        )
        interrupts.check()
    title = (
        f"BL1; direct search, step {setting.step:g}, by SSNAL: delta {grid.deviation:g}, "
        f"{grid.lower_solves} solves, {grid.seconds:.1f} s"
    )
    cells: list[Cells] = []
    runs = [(method, setting.budget * start) for method in STARTED for start in STARTS]
    try:
        with noted_interrupts() as interrupts:
            for method, start in track(runs, "starts", console=console, transient=True):
                found = attack(
                    problem, method, bound="none", closing="none", start=np.array([start])
                )
                interrupts.check()
                cells.append(
                    {
                        "method": method,
                        "start": start,
                        **_start_cells(found, grid),
                        "lower solves": found.lower_solves,
                        "seconds": f"{found.seconds:.1f}",
                        "time / direct by SSNAL": f"{found.seconds / grid.seconds:.2f}",
                    }
                )
    finally:
        show(console, title, cells)


def _start_cells(found: Attack, grid: Attack) -> Cells:
    """Return eps, delta and its share of the delta of direct search; dashes without an attack."""
    if found.norm == 0:
        return dict.fromkeys(("eps", "delta", "share of direct's"), "-")
    share = f"{found.deviation / grid.deviation:.2%}" if grid.deviation else "-"
    delta = f"{found.deviation:g}"
    return {"eps": f"{found.eps[0]:.4f}", "delta": delta, "share of direct's": share}
