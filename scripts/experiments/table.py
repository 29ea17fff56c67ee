"""The table of the results of an experiment, and summaries of it.

Each summary is a DataFrame with a row for each method, or for each problem and method.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bilad.models.validation import FloatArray
from bilad.scripts.experiments.run import FAILED, KILLED, REFUSED, SETTINGS, Row, Run

CLOSE = 0.05  # a gap within which a problem counts as solved in the tables and profiles
COUNT_TOLERANCE = 1e-9  # of the gap at which a known optimum of (BL1) is attained: an integer
SIZE_TOLERANCE = 1e-3  # of (BL2), whose infimum is often not attained, and of bilevel models
BEATEN = 1e-6  # a gap below its negative refutes the known optimum
KEPT = ("gap", "worst", "sensitivity")  # columns of summaries, also if they are empty
PARSED = ("options", "settings", "history", "curve", "eps")


def table_of(rows: Iterable[Row], runs: Sequence[Run] = ()) -> pd.DataFrame:
    """Return the results as a table.

    Parameters
    ----------
    rows : iterable of Row
    runs : sequence of Run, optional
        The runs of the rows, from which a known optimum and the order are taken.

    Returns
    -------
    DataFrame
        One row for each run in the order of the specification: the fields of `Row`, with `options`,
        `settings`, `history`, `curve` and `eps` as Python objects, and labels with the settings in
        which runs that are otherwise the same differ; and

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
    # A row may have been stored under an earlier form of the specification.
    known = {run.key: {"optimum": run.optimum, "position": run.position} for run in runs}
    made = [asdict(row) | known.get(row.key, {}) for row in rows]
    numbers = {one.name: one.type for one in fields(Row) if one.type in ("int", "float")}
    table = pd.DataFrame(made, columns=[one.name for one in fields(Row)]).astype(numbers)
    table = table.sort_values(["experiment", "position", "finished"], ignore_index=True)
    for name in PARSED:
        table[name] = [json.loads(text) for text in table[name]]
    _distinguish(table)
    values = table[["own", "closed"]]
    found = values.max(axis=1).where(table.sense == "max", values.min(axis=1))
    of_problem = found.groupby(table.fingerprint)
    best = of_problem.transform("max").where(table.sense == "max", of_problem.transform("min"))
    optimum = table.groupby("fingerprint").optimum.transform("first")
    table["best"] = optimum.where(optimum.notna(), best).astype(float)
    for name, value in (("gap", "own"), ("closed_gap", "closed")):
        cells = zip(table.question, table.sense, table.best, table[value], strict=True)
        table[name] = np.array([float(gap(*one)) for one in cells], dtype=float)
    table["closed_gap"] = table.closed_gap.where(table.closed.notna())
    cells = zip(table.question, table.sense, table["bound"], table.best, strict=True)
    table["slack"] = np.array([slack(*one) for one in cells], dtype=float)
    by = ["family", "fingerprint", "seed", "base"]
    varied = table[table.status != REFUSED].groupby(by)
    spread = varied.gap.transform("max") - varied.gap.transform("min")
    # The runs of several stores may differ in their limits only.
    table["sensitivity"] = spread.where(varied.label.transform("nunique") > 1)
    return table


def _distinguish(table: pd.DataFrame) -> None:
    """Add to labels the settings in which runs differ that are otherwise the same."""
    given = pd.DataFrame(list(table.settings), index=table.index, columns=list(SETTINGS))
    given = given.assign(closing=table.closing).astype(str)
    same = [table[name] for name in ("family", "fingerprint", "seed", "label")]
    labels = [table.family, table.label]
    for name in given:
        differs = given.groupby(same)[name].transform("nunique") > 1
        differs = differs.groupby(labels).transform("any")
        suffix = ", " + name + " = " + given[name]
        for column in ("label", "base"):
            table[column] = table[column].where(~differs, table[column] + suffix)


def gap(question: str, sense: str, best: float, value: ArrayLike) -> FloatArray:
    """Return how far values are from the best: 0 if they are as good, negative if better."""
    values = np.asarray(value, dtype=float)
    if question == "bilevel":
        worse = (best - values if sense == "max" else values - best) / (1 + abs(best))
        return np.where(np.isnan(values) & ~np.isnan(best), 1.0, worse)
    if not 0 < best < np.inf:
        return np.full(values.shape, np.nan)
    return 1 - (values / best if sense == "max" else best / values)


def slack(question: str, sense: str, bound: float, best: float) -> float:
    """Return how far a proved bound is from the best value; NaN if either is not known."""
    if question == "bilevel":  # branching that was ended may have proved nothing: -inf
        return float(gap(question, sense, bound, best)) if np.isfinite(bound) else float("nan")
    low, high = (best, bound) if sense == "max" else (bound, best)
    return 1 - low / high if 0 < high < np.inf else float("nan")


def taken(table: pd.DataFrame) -> pd.DataFrame:
    """Return the runs whose method applies to the problem, on problems with a known attack."""
    return table[(table.status != REFUSED) & table.gap.notna()]


def errors(table: pd.DataFrame) -> pd.Series:
    """Return whether each run ended with an error."""
    return (table.status == FAILED) | table.termination.str.startswith("error")


SUMMARY = (
    "runs: all but the refused ones. found: share of them with a result. gap: mean distance of "
    "the method's own result to the best known value over all runs, relative to it; 1 without a "
    "result; a problem on which no run found an attack has no gap. worst: the largest gap. "
    "sensitivity: mean over the problems of the largest less the smallest gap over tolerances and "
    "options that vary. within 5 %: share of the gaps. closed: mean gap after closing. attained: "
    "share of the known optima that the method itself attains, up to a gap of 1e-9 for (BL1) and "
    "1e-3 otherwise; refuted: answers better than a known optimum. slack: median distance of the "
    "proved bound to the best known value, relative to the larger one. solves to 5 %, solves, "
    "seconds: medians. overhead: time outside the lower-level solves over time within them. "
    "undecided: solves whose outcome is not proved. refused: runs that the method does not "
    "support. Columns that would be empty or zero are left out."
)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the quality and the cost of each method for each question, the best method first."""
    by = ["question", "label"]
    some = table[table.status != REFUSED]
    known = some.optimum.notna()
    tolerance = np.where(some.question == "BL1", COUNT_TOLERANCE, SIZE_TOLERANCE)
    made = some.assign(
        found=some.gap < 1,
        close=(some.gap <= CLOSE).astype(float).where(some.gap.notna()),
        attained=(some.gap <= tolerance).astype(float).where(known),
        refuted=known & (some.gap < -BEATEN),
        proved=some.status == "optimal",
        near=np.where(some.gap.notna(), _costs(some, "solves"), np.nan),
        late=some.termination == "time limit",
        killed=some.status == KILLED,
        errors=errors(some),
    ).groupby(by, sort=False)
    sums = made[["seconds", "lower", "undecided", "solves"]].sum()
    refused = (table.status == REFUSED).groupby([table[name] for name in by]).sum()
    columns = {
        "runs": made.size(),
        "gap": made.gap.mean(),
        "worst": made.gap.max(),
        "found": _per_cent(made.found.mean()),
        "sensitivity": made.sensitivity.mean(),
        "within 5 %": _per_cent(made.close.mean()),
        "closed": made.closed_gap.mean(),
        "attained": _per_cent(made.attained.mean()),
        "refuted": made.refuted.sum(),
        "proved": made.proved.sum(),
        "slack": made.slack.median(),
        "solves to 5 %": made.near.median(),
        "solves": made.solves.median(),
        "seconds": made.seconds.median(),
        "overhead": _per_cent(sums.seconds / sums.lower.where(sums.lower > 0) - 1),
        "undecided": _per_cent(sums.undecided / sums.solves.where(sums.solves > 0)),
        "time limit": made.late.sum(),
        "killed": made.killed.sum(),
        "errors": made["errors"].sum(),
    }
    found = pd.DataFrame(columns).join(refused.rename("refused")).reset_index()
    return found.sort_values(["question", "gap"]).rename(
        columns={"question": "", "label": "method"}
    )


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """Return a summary without columns that are empty, or zero throughout."""
    empty = ["", 0, float("nan")]
    return table.loc[:, [name in KEPT or not table[name].isin(empty).all() for name in table]]


def _per_cent(shares: pd.Series) -> pd.Series:
    return shares.map(lambda share: "" if np.isnan(share) else f"{share:.1%}")


def by_problem(table: pd.DataFrame) -> pd.DataFrame:
    """Return the results over the seeds for each problem and method, the best method first."""
    some = table[table.status != REFUSED]
    some = some.assign(found=some.gap < 1, proved=some.status == "optimal")
    own = some.groupby(["problem", "label"], sort=False)
    columns = {
        "seeds": own.size(),
        "found": own.found.sum(),
        "proved": own.proved.sum(),
        "value": own.own.median(),
        "quartiles of value": _quartiles(own.own),
        "closed": own.closed.median(),
        "bound": own["bound"].median(),
        "slack": own.slack.median(),
        "gap": own.gap.mean(),
        "worst": own.gap.max(),
        "sensitivity": own.sensitivity.mean(),
        "solves": own.solves.median(),
        "seconds": own.seconds.median(),
    }
    order = {problem: k for k, problem in enumerate(some.problem.unique())}
    found = (
        pd.DataFrame(columns)
        .reset_index()
        .sort_values(
            ["problem", "gap"], key=lambda own: own.map(order) if own.name == "problem" else own
        )
    )
    return found.rename(columns={"label": "method"})


PROBLEMS = (
    "Medians over the seeds; gap and sensitivity are means. value: what the method itself found, "
    "with its quartiles; a seed can stand for other data. found, proved: numbers of seeds with an "
    "attack, and with a proved optimum. The other columns are those of the methods."
)


RATIOS = (
    "The value of a method over that of the first method of the specification, for (BL1), or the "
    "inverse, for (BL2), on the same problem with the same seed: the method is better above 1. A "
    "method without a result has the ratio 0; seeds without a result of the first do not count."
)


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean and the least ratio to the first method, for each problem and for all."""
    some = taken(table[table.question != "bilevel"])
    if some.label.nunique() < 2:
        return pd.DataFrame()
    index = ["problem", "fingerprint", "seed"]
    near = some.assign(near=1 - some.gap).pivot_table("near", index, "label", sort=False)
    first = some.label.iloc[some.position.argmin()]
    ratio = near.div(near[first].where(near[first] > 0), axis=0).drop(columns=first)
    long = ratio.reset_index().melt(index, var_name="method", value_name="ratio").dropna()
    both = pd.concat([long, long.assign(problem="all")])
    found = both.groupby(["problem", "method"], sort=False).ratio.agg(["size", "mean", "min"])
    columns = {"size": "runs", "mean": f"mean ratio to {first}", "min": "least"}
    return found.rename(columns=columns).reset_index()


SCORES = (
    "Means over the seeds, and quartiles. value: the deviation. test error: of the model that is "
    "trained at the method's own eps (a share of false labels, or the mean squared error); clean: "
    "that at eps = 0. solves, seconds, CPU: means."
)


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each problem and method, the value and the test error over the seeds."""
    own = table[table.score.notna()].groupby(["problem", "label"], sort=False)
    columns = {
        "seeds": own.size(),
        "value": own.own.mean(),
        "quartiles of value": _quartiles(own.own),
        "clean": own.clean_score.mean(),
        "test error": own.score.mean(),
        "quartiles of test error": _quartiles(own.score),
        "gap": own.gap.mean(),
        "sensitivity": own.sensitivity.mean(),
        "solves": own.solves.mean(),
        "seconds": own.seconds.mean(),
        "CPU": own.cpu_seconds.mean(),
    }
    return pd.DataFrame(columns).reset_index().rename(columns={"label": "method"})


def _quartiles(values: Any) -> pd.Series:
    low, high = values.quantile(0.25), values.quantile(0.75)
    texts = [f"{a:.4g} .. {b:.4g}" for a, b in zip(low, high, strict=True)]
    return pd.Series(texts, index=low.index, dtype=object)


TIMES = (
    "Medians over the runs, in seconds. lower: lower-level solves; Pyomo: writing the models; "
    "opening: reading and differentiating them; evaluations, algebra: function evaluations and the "
    "rest of IPOPT's time, where the stages report them. blocks: rows of the model."
)
COLUMNS_OF_TIME = {
    "lower": "lower", "build": "Pyomo", "opening": "opening", "seconds": "total",
    "cpu_seconds": "CPU", "ipopt": "IPOPT", "evaluations": "evaluations", "algebra": "algebra",
    "iterations": "iterations", "blocks": "blocks",
}  # fmt: skip


def times(table: pd.DataFrame) -> pd.DataFrame:
    """Return the parts of the time of the runs that solve a reformulation."""
    staged = table[table.contraction != ""]
    staged = staged.assign(algebra=staged.ipopt - staged.evaluations)
    own = staged.groupby(["problem", "label"], sort=False)
    parts = own[list(COLUMNS_OF_TIME)].median().round(2).rename(columns=COLUMNS_OF_TIME)
    found = own[["gap", "sensitivity"]].mean().join(parts).join(own.contraction.first())
    return found.reset_index().rename(columns={"label": "method"})


def _costs(table: pd.DataFrame, unit: str, level: float = CLOSE) -> list[float]:
    """Return the solves or seconds of each run until the gap is at most a level; else infinity."""
    which, found = ("solves", "seconds").index(unit), []
    for run in table.itertuples():
        gaps = gap(run.question, run.sense, run.best, [moment[2] for moment in run.history])
        reached = np.flatnonzero(gaps <= level)
        found.append(float(run.history[reached[0]][which]) if len(reached) else np.inf)
    return found


def costs(table: pd.DataFrame, unit: str, level: float = CLOSE) -> dict[str, FloatArray]:
    """Return, for each label, the cost of each problem and seed; the best label comes first.

    The cost is the number of solves or seconds until the method's own gap is at most the level,
    infinite if it is not reached, or if the label has no run. A problem on which no run found an
    attack does not count.
    """
    keys = pd.MultiIndex.from_frame(table[table.gap.notna()][["fingerprint", "seed"]]).unique()
    some = taken(table)
    spent = some.assign(cost=_costs(some, unit, level)).set_index(["fingerprint", "seed"])
    arrays = {
        str(label): own.groupby(level=[0, 1]).cost.last().reindex(keys).fillna(np.inf).to_numpy()
        for label, own in spent.groupby("label", sort=False)
    }
    return dict(sorted(arrays.items(), key=lambda one: -int(np.isfinite(one[1]).sum())))
