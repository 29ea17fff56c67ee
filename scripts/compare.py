"""`bilad compare` and `bilad starts`: specifications that are made of a setting and of arguments.

The runs, their store and the report are those of `bilad sweep` and `bilad report`. The table shows
in addition what is recomputed at the eps of each answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bilad.models import BilevelProblem, deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.attack_runs import shown_value
from bilad.scripts.display import Cells, show
from bilad.scripts.experiments.commands import carried_out
from bilad.scripts.experiments.figures import staircases
from bilad.scripts.experiments.page import Table
from bilad.scripts.experiments.run import RAY, REFUSED
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.settings import Setting
from bilad.solvers.clustering.cluster import solve_lower

NONE = "-"  # in the place of what depends on an eps if there is no attack
STARTED = ("kkt", "value-function")
STARTS = (0.0, -0.75, -0.375, 0.375, 0.875)  # as multiples of the budget
CAPTION = (
    "delta, N_chg (labels matched) and clusters are recomputed from an exact lower-level solution "
    "at eps, which is what the method found itself. proved: whether its labels are certified. "
    "closed: delta or norm after closing. solves: lower-level solves. undecided: solves whose "
    "labels are not certified (ties); none of them counts as an attack. status: of the answer. "
    "ended: what ended the search. ray: a uniform grid with bisection at each jump."
)


def compare(
    setting: Setting,
    methods: list[str],
    folder: Path,
    console: Console,
    lower: str = "auto",
    **conditions: Any,
) -> pd.DataFrame:
    """Compare methods on (BL1) and (BL2) of a setting with its values on a grid.

    Parameters
    ----------
    setting : Setting
    methods : list of str
        Those that do not support the problems are omitted from the table, with the reason.
    folder : Path
    console : Console
    lower : str, default "auto"
        As in `attack`.
    **conditions
        Keys of a specification, such as `closing`, `seeds` and `limits`.

    Returns
    -------
    DataFrame
        As `run_experiment` returns it.
    """
    chosen: dict[str, dict[str, Any]] = {name: {"lower": lower} for name in methods}
    if "direct" in chosen:
        chosen["direct"]["step"] = setting.step
    grid = {RAY: {"points": round(2 * setting.budget / setting.step) + 1}}
    problems = {"BL1": setting.max_deviation(), "BL2": setting.min_perturbation()}
    return _compared(setting, chosen | grid, problems, folder, console, "compare", **conditions)


def starts(setting: Setting, folder: Path, console: Console) -> pd.DataFrame:
    """Compare `kkt` and `value-function` from each of five starts with direct search by SSNAL.

    The parameters are those of `compare`.
    """
    varied = {"vary": {"start": [setting.budget * start for start in STARTS]}}
    methods = {
        "direct by SSNAL": {"method": "direct", "lower": "ssnal", "step": setting.step},
        **dict.fromkeys(STARTED, varied),
    }
    problems = {"BL1": setting.max_deviation()}
    return _compared(setting, methods, problems, folder, console, "starts")


def _compared(
    setting: Setting,
    methods: Mapping[str, Any],
    problems: Mapping[str, BilevelProblem],
    folder: Path,
    console: Console,
    name: str,
    **conditions: Any,
) -> pd.DataFrame:
    """Carry out the runs that `name`.sqlite does not contain; print and write the tables."""
    console.print(f"Our setting: {setting.describe()}.")
    given = {"name": name, "methods": methods, "problems": problems, **conditions}
    experiment, store = read_specification(given), folder / f"{name}.sqlite"
    if store.exists():
        console.print(f"Finished runs in {store} are kept.", markup=False, highlight=False)
    table = carried_out(experiment, store, console)
    refused = table[table.status == REFUSED]
    for why in dict.fromkeys(refused.label + ": " + refused.termination):
        console.print(why, markup=False, highlight=False)
    kept = table[table.status != REFUSED]
    cells = [_cells(run, problems[run.problem]) for run in kept.itertuples()]
    answers = Table(
        name,
        f"BL1: largest delta for |eps| <= {setting.budget:g}; BL2: least |eps| for delta >= "
        f"{setting.target:g}; closing: {conditions.get('closing', 'none')}",
        cells,
        CAPTION,
    )
    show(console, answers.title, cells, CAPTION)
    answers.write(folder)
    for plot in staircases(name, table):
        plot.write(folder)
    written = f"Written: tables and pictures in {folder}. Next: bilad report {store}"
    console.print(written, markup=False, highlight=False)
    return table


def _cells(run: Any, problem: BilevelProblem) -> Cells:
    closed = {} if run.closing == "none" else {"closed": shown_value(run.closed)}
    return {
        "": run.problem,
        "method": run.label,
        **_recomputed(problem, run.eps),
        **closed,
        "solves": run.solves,
        "undecided": run.undecided,
        "seconds": f"{run.seconds:.2f}",
        "status": run.status,
        "ended": run.termination,
    }


def _recomputed(problem: BilevelProblem, eps: list[float]) -> Cells:
    """Solve the lower level again at 0 and at eps, and compare the labels."""
    if not eps:
        return dict.fromkeys(("eps", "norm", "delta", "N_chg", "clusters", "proved"), NONE)
    model = clustering_of(problem)
    before = solve_lower(model, tol=1e-10)
    after = solve_lower(problem.perturbation.apply(model, eps), tol=1e-10)
    return {
        "eps": _shown(eps[0]),
        "norm": _shown(abs(eps[0])),
        "delta": int(deviation(before.labels, after.labels, "delta")),
        "N_chg": int(deviation(before.labels, after.labels, "changed-matched")),
        "clusters": after.n_clusters,
        "proved": "yes" if before.proved and after.proved else "no",
    }


def _shown(value: float) -> str:
    return f"{value:.6f}" if 0 < abs(value) < float("inf") else NONE
