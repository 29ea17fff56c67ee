"""The table of the results of an experiment, and summaries of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd

from bilad.models.validation import FloatArray
from bilad.scripts.display import as_percent
from bilad.scripts.experiments.run import FAILED, KILLED, REFUSED, Row, Run

CLOSE = 0.05  # a gap within which a problem counts as solved in the tables and profiles
COUNT_TOLERANCE = 1e-9  # of the gap at which a known optimum of (BL1) is attained: an integer
SIZE_TOLERANCE = 1e-3  # of (BL2), whose infimum is often not attained, and of bilevel models
BEATEN = 1e-6  # a gap below its negative refutes the known optimum
DERIVED = ("best", "gap", "closed_gap", "slack", "sensitivity")
PARSED = ("options", "history", "curve", "eps")
Cells = dict[str, Any]


def table_of(rows: Iterable[Row], runs: Sequence[Run] = ()) -> pd.DataFrame:
    """Return the results as a table.

    Parameters
    ----------
    rows : iterable of Row
    runs : sequence of Run, optional
        The runs of the rows, from which a known optimum is taken.

    Returns
    -------
    DataFrame
        One row for each run: the fields of `Row`, with `options`, `history`, `curve` and `eps` as
        Python objects, and

        best : float
            The optimum if it is known, otherwise the best value of all runs on the problem.
        gap, closed_gap : float
            How far `own` and `closed` are from the best: 1 - own / best for (BL1), 1 - best / own
            for (BL2), and |own - best| / (1 + |best|) for bilevel models; 1 without a result, and
            NaN if no run found an attack.
        sensitivity : float
            The difference between the largest and the smallest gap over the tolerances and the
            options of the method that vary; NaN if nothing varies.
    """
    known = {run.key: run.optimum for run in runs}
    made = [asdict(row) | {"optimum": known.get(row.key, row.optimum)} for row in rows]
    table = pd.DataFrame(made, columns=[one.name for one in fields(Row)])
    for name in PARSED:
        table[name] = [json.loads(text) for text in table[name]]
    table["best"] = table["fingerprint"].map(_best(table)).astype(float)
    for name, value in (("gap", "own"), ("closed_gap", "closed")):
        cells = zip(table.question, table.sense, table.best, table[value], strict=True)
        table[name] = np.array([gap(*one) for one in cells], dtype=float)
    table["closed_gap"] = table.closed_gap.where(table.closed.notna())
    cells = zip(table.question, table.sense, table["bound"], table.best, strict=True)
    table["slack"] = np.array([slack(*one) for one in cells], dtype=float)
    varied = table.groupby(["family", "fingerprint", "seed", "base"]).gap
    spread = varied.transform("max") - varied.transform("min")
    table["sensitivity"] = spread.where(varied.transform("size") > 1)
    return table


def _best(table: pd.DataFrame) -> dict[str, float]:
    """Return the best value known of each problem."""
    best: dict[str, float] = {}
    for content, own in table.groupby("fingerprint"):
        values = np.concatenate([own.own, own.closed])
        values = values[~np.isnan(values)]
        optimum = own.optimum.dropna()
        if len(optimum):
            best[str(content)] = float(optimum.iloc[0])
        elif len(values):
            best[str(content)] = float(values.max() if own.sense.iloc[0] == "max" else values.min())
    return best


def gap(question: str, sense: str, best: float, value: float) -> float:
    """Return how far a value is from the best: 0 if it is as good, negative if it is better."""
    if question == "bilevel":
        if np.isnan(best):
            return float("nan")
        worse = best - value if sense == "max" else value - best
        return 1.0 if np.isnan(value) else worse / (1 + abs(best))
    if np.isnan(value) or not 0 < best < np.inf:
        return float("nan")
    return 1 - (value / best if sense == "max" else best / value)


def slack(question: str, sense: str, bound: float, best: float) -> float:
    """Return how far a proved bound is from the best value; NaN if either is not known."""
    if question == "bilevel":
        return gap(question, sense, bound, best)
    low, high = (best, bound) if sense == "max" else (bound, best)
    return 1 - low / high if 0 < high < np.inf else float("nan")


def taken(table: pd.DataFrame) -> pd.DataFrame:
    """Return the runs whose method applies to the problem, on problems with a known attack."""
    return table[(table.status != REFUSED) & table.gap.notna()]


SUMMARY = (
    "gap: mean distance of the method's own result to the best known value over all runs, relative "
    "to it; 1 without a result. worst: the largest gap. found: share of runs with a result. "
    "sensitivity: mean over the problems of the largest less the smallest gap over tolerances and "
    "options that vary. within 5 %: share of runs. closed: mean gap after closing. attained: share "
    "of the known optima that the method itself attains; refuted: answers better than a known "
    "optimum. slack: median distance of the proved bound to the best known value, relative to the "
    "larger one. solves to 5 %, solves, seconds: medians. overhead: time outside the lower-level "
    "solves over time within them. undecided: solves whose outcome is not proved. refused: runs "
    "that the method does not support."
)


def summary(table: pd.DataFrame) -> list[Cells]:
    """Return the quality and the cost of each method, for each question."""
    made = []
    for (question, label), own in table.groupby(["question", "label"], sort=False):
        some = taken(own)
        if not len(some):
            continue
        known = some[some.optimum.notna()]
        solving = some.lower.sum()
        made.append(
            {
                "": question,
                "method": label,
                "runs": len(some),
                "gap": some.gap.mean(),
                "worst": some.gap.max(),
                "found": as_percent(int((some.gap < 1).sum()), len(some)),
                "sensitivity": some.sensitivity.mean(),
                "within 5 %": as_percent(int((some.gap <= CLOSE).sum()), len(some)),
                "closed": some.closed_gap.mean(),
                "attained": as_percent(sum(attained(known)), len(known)),
                "refuted": int((known.gap < -BEATEN).sum()),
                "proved": int((some.status == "optimal").sum()),
                "slack": some.slack.median(),
                "solves to 5 %": float(np.median([cost(run, 0) for run in some.itertuples()])),
                "solves": int(some.solves.median()),
                "seconds": some.seconds.median(),
                "overhead": f"{some.seconds.sum() / solving - 1:.0%}" if solving else "",
                "undecided": as_percent(int(some.undecided.sum()), int(some.solves.sum())),
                "time limit": int((some.termination == "time limit").sum()),
                "killed": int((some.status == KILLED).sum()),
                "errors": int(errors(some).sum()),
                "refused": int((own.status == REFUSED).sum()),
            }
        )
    return made


def errors(table: pd.DataFrame) -> pd.Series:
    """Return whether each run ended with an error."""
    return (table.status == FAILED) | table.termination.str.startswith("error")


def attained(table: pd.DataFrame) -> list[bool]:
    """Return whether each run attains the best value, within the tolerances above."""
    return [
        bool(run.gap <= (COUNT_TOLERANCE if run.question == "BL1" else SIZE_TOLERANCE))
        for run in table.itertuples()
    ]


def cost(run: Any, unit: int, level: float = CLOSE) -> float:
    """Return the solves (0) or seconds (1) until the gap is at most a level; else infinity."""
    for moment in run.history:
        if gap(run.question, run.sense, run.best, moment[2]) <= level:
            return float(moment[unit])
    return np.inf


def by_problem(table: pd.DataFrame) -> list[Cells]:
    """Return, for each problem and method, the best result over the seeds."""
    made = []
    for (problem, label), own in table.groupby(["problem", "label"], sort=False):
        some = taken(own)
        if not len(some):
            continue
        best = some.loc[some.gap.idxmin()]
        made.append(
            {
                "problem": problem,
                "method": label,
                "seeds": len(some),
                "value": float(best.own),
                "closed": float(best.closed),
                "bound": float(best["bound"]),
                "slack": float(best.slack),
                "gap": float(best.gap),
                "worst": some.gap.max(),
                "sensitivity": some.sensitivity.mean(),
                "solves": int(some.solves.median()),
                "seconds": some.seconds.median(),
                "status": best.status,
            }
        )
    return made


TIMES = (
    "Medians over the runs, in seconds. lower: lower-level solves; Pyomo: writing the models; "
    "opening: reading and differentiating them; evaluations, algebra: function evaluations and the "
    "rest of IPOPT's time, where the stages report them. blocks: rows of the model."
)
COLUMNS_OF_TIME = {
    "lower": "lower", "Pyomo": "build", "opening": "opening", "total": "seconds",
    "CPU": "cpu_seconds", "IPOPT": "ipopt", "evaluations": "evaluations",
}  # fmt: skip


def times(table: pd.DataFrame) -> list[Cells]:
    """Return the parts of the time of the runs that solve a reformulation."""
    made = []
    staged = table[table.contraction != ""]
    for (problem, label), own in staged.groupby(["problem", "label"], sort=False):
        seconds = {name: round(own[of].median(), 2) for name, of in COLUMNS_OF_TIME.items()}
        made.append(
            {
                "problem": problem,
                "method": label,
                "gap": own.gap.mean(),
                "sensitivity": own.sensitivity.mean(),
                **seconds,
                "algebra": round(seconds["IPOPT"] - seconds["evaluations"], 2),
                "iterations": int(own.iterations.median()),
                "blocks": int(own.blocks.median()),
                "contraction": own.contraction.iloc[0],
            }
        )
    return made


def costs(table: pd.DataFrame, unit: str, level: float = CLOSE) -> dict[str, FloatArray]:
    """Return, for each label, the cost of each problem and seed; the best label comes first.

    Parameters
    ----------
    table : DataFrame
    unit : {"solves", "seconds"}
    level : float, default 0.05
        The gap that the method itself has to reach. The cost is infinite if it does not, or if the
        label has no run. A problem on which no run found an attack does not count.
    """
    which = ("solves", "seconds").index(unit)
    found = table[table.gap.notna()]
    keys = list(dict.fromkeys(zip(found.fingerprint, found.seed, strict=True)))
    made: Mapping[str, dict[Any, float]] = {
        label: dict.fromkeys(keys, np.inf) for label in taken(table).label.unique()
    }
    for run in taken(table).itertuples():
        made[run.label][run.fingerprint, run.seed] = cost(run, which, level)
    arrays = {label: np.array(list(own.values())) for label, own in made.items()}
    return dict(sorted(arrays.items(), key=lambda one: -int(np.isfinite(one[1]).sum())))
