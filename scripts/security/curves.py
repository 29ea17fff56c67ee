"""Test error against the attacker's budget: methods at equal seconds, on random splits.

The attacker moves all features of ten training points by at most a standard deviations each and
maximises the validation loss, (BL1) in norm inf. The test error is that of the model trained on the
moved points. Nothing follows the method's own search (closing="none").
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mode

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from bilad.models import MaxDeviation, Perturbation, validation_loss
from bilad.scripts.attack_runs import unending, warm_up
from bilad.scripts.display import Cells, grouped
from bilad.scripts.experiments.run import load_average
from bilad.scripts.run_store import resumed, save_figure
from bilad.scripts.security.settings import MODELS, split_of
from bilad.solvers import attack
from bilad.solvers.termination import INTERRUPTED

ATTACKS = ("random", "fgsm", "pgd", "hypergradient", "kkt")
# The expected order of the mean validation losses, and the only model for which it is expected.
CLAIMS = (("hypergradient", "pgd", None), ("pgd", "random", None), ("kkt", "hypergradient", "svm"))
QUARTILES = (0.25, 0.75)
ORDER = ("none", "random", "fgsm", "greedy", "pgd", "hypergradient", "kkt")  # of tables


@dataclass(frozen=True)
class CurveRun:
    """One attack on one split."""

    model: str
    budget: float
    method: str
    split: int
    limit: float  # in seconds

    @property
    def text(self) -> str:
        """All that the result depends on, as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    def problem(self) -> MaxDeviation:
        """Return the bilevel problem."""
        given = split_of(self.model, self.split)
        return MaxDeviation(
            given.model,
            Perturbation.additive(given.model.data.shape, points=given.moved),
            self.budget,
            np.inf,
            validation_loss(given.X_validation, given.y_validation),
        )


@dataclass(frozen=True)
class CurveRow:
    """The result of one attack, as it is stored; budget 0 is the model without an attack."""

    settings: str
    model: str
    budget: float
    method: str
    split: int
    limit: float  # time limit in seconds
    loss: float  # the mean loss on the validation points
    error: float  # of the test points
    solves: int = 0  # lower-level solves
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    load: float = 0.0  # load average of the machine at the beginning
    termination: str = ""

    @property
    def line(self) -> str:
        """The row in one line."""
        return (
            f"{self.model}, a = {self.budget:g}, split {self.split} | {self.method}: "
            f"loss {self.loss:.4f}, error {self.error:.4f}, {self.seconds:.1f} s"
        )


def planned(
    kind: type[CurveRun],
    models: Sequence[str],
    budgets: Sequence[float],
    methods: Sequence[str],
    splits: int,
    limit: float,
) -> list[CurveRun]:
    """Return a run for each model, budget, method and split."""
    every = product(models, budgets, methods, range(splits))
    return [kind(*given, limit) for given in every]


def curve_rows(
    runs: Sequence[CurveRun], path: Path, say: Callable[[str], object], jobs: int
) -> list[CurveRow]:
    """Carry out the runs that the table at `path` does not contain; return the rows of all."""
    return resumed(runs, [run.text for run in runs], attacked, CurveRow, path, say, jobs)


def attacked(run: CurveRun) -> CurveRow:
    """Carry out one run.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended the attack.
    """
    problem, given = run.problem(), split_of(run.model, run.split)
    with threadpool_limits(1):
        warm_up(run.method)
        load, began = load_average(), time.process_time()
        found = attack(
            problem,
            run.method,
            run.split,
            run.limit,
            bound="none",
            closing="none",
            **unending(run.method, problem),
        )
        cpu_seconds = time.process_time() - began
    if found.termination == INTERRUPTED:
        raise KeyboardInterrupt
    loss, error = given.losses(problem.perturbation.apply(given.model, found.own.eps))
    return CurveRow(
        run.text,
        run.model,
        run.budget,
        run.method,
        run.split,
        run.limit,
        loss,
        error,
        found.lower_solves,
        found.seconds,
        cpu_seconds,
        load,
        found.termination,
    )


def in_order(rows: Sequence[CurveRow]) -> list[CurveRow]:
    """Return the rows in the order of a table: by model, limit, budget and method."""
    models = list(MODELS)
    return sorted(
        rows,
        key=lambda row: (
            models.index(row.model),
            row.limit,
            row.budget,
            ORDER.index(row.method),
            row.split,
        ),
    )


def without_attack(rows: Sequence[CurveRow]) -> list[CurveRow]:
    """Return the rows of budget 0 for the models and splits of other rows."""
    found = []
    for model, split in dict.fromkeys((row.model, row.split) for row in rows):
        given = split_of(model, split)
        found.append(CurveRow("", model, 0.0, "none", split, 0.0, *given.losses(given.model)))
    return found


def summary(rows: Sequence[CurveRow]) -> list[Cells]:
    """Return a row for each model, limit, budget and method: statistics over the splits."""
    cells = []
    for (model, _, budget, method), group in grouped(
        in_order(rows), lambda row: (row.model, row.limit, row.budget, row.method)
    ):
        cells.append(
            {
                "": model,
                "a": budget,
                "method": method,
                **statistics("validation loss", [row.loss for row in group]),
                **statistics("test error", [row.error for row in group]),
                "solves": float(np.mean([row.solves for row in group])),
                "seconds": float(np.mean([row.seconds for row in group])),
                "CPU": float(np.mean([row.cpu_seconds for row in group])),
            }
        )
    return cells


def statistics(name: str, values: Sequence[float]) -> Cells:
    """Return the mean, and the quartiles as one text."""
    low, high = np.quantile(values, QUARTILES)
    return {name: float(np.mean(values)), f"quartiles of {name}": f"{low:.4g} .. {high:.4g}"}


def claims(rows: Sequence[CurveRow]) -> list[Cells]:
    """Compare pairs of methods in the mean validation loss, for each model and budget."""
    cells = []
    for (model, limit, budget), group in grouped(
        in_order(rows), lambda row: (row.model, row.limit, row.budget)
    ):
        table = pd.DataFrame(group).pivot_table("loss", "split", "method")
        for better, worse, only in CLAIMS:
            if only in (None, model) and {better, worse} <= set(table):
                more = table[better] - table[worse]
                cells.append(
                    {
                        "": model,
                        "a": budget,
                        "limit [s]": limit,
                        "expected": f"{better} >= {worse}",
                        "mean difference": float(more.mean()),
                        "splits": f"{int((more >= 0).sum())} of {len(more)}",
                        "status": "holds" if more.mean() >= 0 else "lost",
                    }
                )
    return cells


def draw(rows: Sequence[CurveRow], clean: Sequence[CurveRow], path: Path) -> None:
    """Draw the median test error against the budget, with the quartiles as bands.

    Of several time limits the one with most rows is drawn.
    """
    limit = mode(row.limit for row in rows)
    drawn = [row for row in in_order(rows) if row.limit == limit]
    by_model = grouped(drawn, lambda row: row.model)
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(3.2 * len(by_model), 3.2), layout="constrained")
        panels = figure.subplots(1, len(by_model), squeeze=False)[0]
        for axes, (model, group) in zip(panels, by_model, strict=True):
            zero = [row.error for row in clean if row.model == model]
            for number, (method, runs) in enumerate(grouped(group, lambda row: row.method)):
                points = [(0.0, zero)] + [
                    (budget, [row.error for row in one])
                    for budget, one in grouped(runs, lambda row: row.budget)
                ]
                budgets = [budget for budget, _ in points]
                low, middle, high = np.array(
                    [np.quantile(errors, (0.25, 0.5, 0.75)) for _, errors in points]
                ).T
                colour = f"C{number}"
                axes.fill_between(budgets, low, high, color=colour, alpha=0.12, linewidth=0)
                axes.plot(budgets, middle, "o-", color=colour, markersize=3, label=method)
            axes.set_title(f"{model}, {MODELS[model][0]}" if model != MODELS[model][0] else "ridge")
            axes.set_xlabel("budget a [standard deviations]")
        panels[0].set_ylabel("test error")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        save_figure(figure, path)
