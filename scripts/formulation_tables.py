"""The tables of the comparison of formulations, from the rows of `comparison.compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bilad.models import BilevelProblem
from bilad.scripts.attack_runs import REFUSED
from bilad.scripts.display import Cells, as_percent, as_share, median
from bilad.scripts.known_problems import BEATEN_TOLERANCE, is_attained

SHARES = ["own_share", "closed_share"]
NEAR = 0.05  # of the optimum
ATTAINED_CAPTION = (
    "own: what the method found itself; closed: after closing. Attained: the deviation is equal "
    "(BL1), or the norm is within 0.1 % (BL2).\nnear: the own norm is within 5 % (BL2). "
    "beaten: answers better than the known optimum, which would refute it. s: median of one start."
)


def attained_table(
    first: pd.DataFrame, more: pd.DataFrame, problems: Mapping[str, BilevelProblem]
) -> list[Cells]:
    """Return, for (BL1), (BL2) and both, the share of the optima that each label attains.

    Parameters
    ----------
    first : DataFrame
        Runs from one start.
    more : DataFrame
        Runs of the same labels from several starts.
    problems : mapping of str to BilevelProblem
    """
    table = []
    for question, senses in (("BL1", ["max"]), ("BL2", ["min"]), ("both", ["max", "min"])):
        for label, own in first[first.sense.isin(senses)].groupby("label", sort=False):
            one = _taken(own)
            five = stacked(one, more[(more.label == label) & more.problem.isin(one.problem)])
            shares = {
                "own, 1 start": _attained(one, "own_share", problems),
                "own, 5": _attained(five, "own_share", problems),
                "near, 1 start": _near(one),
                "near, 5": _near(five),
                "closed, 1 start": _attained(one, "closed_share", problems),
                "closed, 5": _attained(five, "closed_share", problems),
            }
            count = one.problem.nunique()
            table.append(
                {
                    "": question,
                    "formulation": label,
                    "problems": count,
                    "refused": own.problem.nunique() - count,
                    **{
                        name: as_percent(hits, count)
                        if question == "BL2" or not name.startswith("near")
                        else ""
                        for name, hits in shares.items()
                    },
                    "errors": _errors(five),
                    "beaten": int(
                        (five[["own_share", "closed_share"]] > 1 + BEATEN_TOLERANCE)
                        .any(axis=1)
                        .sum()
                    ),
                    "s": median(list(one.seconds)),
                }
            )
    return table


def _attained(rows: pd.DataFrame, column: str, problems: Mapping[str, BilevelProblem]) -> int:
    """Return on how many problems a column of shares is 1 in some run."""
    hits = [is_attained(problems[row.problem], getattr(row, column)) for row in rows.itertuples()]
    return int(rows.problem[hits].nunique())


def _near(rows: pd.DataFrame) -> int:
    """Return on how many problems of (BL2) the own norm is within 5 % of the optimum."""
    return int(rows.problem[rows.own_share >= 1 / (1 + NEAR)].nunique())


def ray_table(rows: pd.DataFrame) -> list[Cells]:
    """Return, for each problem and label, the shares of the optimum over the starts."""
    table = []
    for (problem, label), own in _taken(rows).groupby(["problem", "variant"], sort=False):
        cells: Cells = {"problem": problem, "formulation": label, "optimum": own.optimum.iloc[0]}
        for column in ("own", "closed"):
            shares = own[f"{column}_share"]
            cells |= {
                f"{column}, best": as_share(shares.max()),
                f"{column}, worst": as_share(shares.min()),
            }
        solves = int(own.solves.median())
        table.append({**cells, "s": own.seconds.median(), "solves": solves, "errors": _errors(own)})
    return table


VALUE_CAPTION = (
    "own: the mean over the seeds of the method's own deviation over the best of all (BL1), or of "
    "the least norm over its norm (BL2); 0\nwithout an attack. of hypergradient, of corners: that "
    "mean over theirs. median value: deviation or norm. s: median wall time."
)


def value_table(
    rows: pd.DataFrame, groups: Mapping[str, str], rivals: Sequence[str] = ()
) -> list[Cells]:
    """Return means over the seeds of the share of the best known value.

    Parameters
    ----------
    rows : DataFrame
    groups : mapping of str to str
        The group of each problem.
    rivals : sequence of str, optional
        Labels whose mean is the unit of one more column each.
    """
    taken = _taken(rows)
    means = taken.groupby([taken.problem.map(groups), "label"]).own_share.mean()
    table = []
    for (group, label), own in taken.groupby([taken.problem.map(groups), "label"], sort=False):
        cells: Cells = {
            "instance": group,
            "method": label,
            "seeds": len(own),
            "own": means[group, label],
        }
        for rival in rivals:
            unit = means.get((group, rival), np.nan)
            cells[f"of {rival}"] = means[group, label] / unit if unit else np.nan
        table.append(
            {
                **cells,
                "worst": own.own_share.min(),
                "median value": own.own.median(),
                "s": own.seconds.median(),
                "solves": int(own.solves.median()),
                "time limit": int((own.status == "time limit").sum()),
                "errors": _errors(own),
            }
        )
    return table


TIME_CAPTION = (
    "Medians over the seeds, in seconds. lower: lower-level solves; Pyomo: writing the models; "
    "opening: reading and differentiating them;\nevaluations, algebra: function evaluations and "
    "the rest of IPOPT's time, where the stages report them. blocks: rows of the model."
)

PARTS = {  # columns of the table and of the rows
    "lower": "lower", "Pyomo": "build", "opening": "opening", "total": "seconds",
    "CPU": "cpu_seconds", "IPOPT": "ipopt", "evaluations": "evaluations",
}  # fmt: skip


def time_table(rows: pd.DataFrame, groups: Mapping[str, str]) -> list[Cells]:
    """Return the parts of the time of the runs that solve a reformulation."""
    staged = rows[rows.contraction != ""]
    table = []
    for (group, label), own in staged.groupby([staged.problem.map(groups), "label"], sort=False):
        seconds = {name: round(own[column].median(), 2) for name, column in PARTS.items()}
        table.append(
            {
                "instance": group,
                "method": label,
                **seconds,
                "algebra": round(seconds["IPOPT"] - seconds["evaluations"], 2),
                "iterations": int(own.iterations.median()),
                "blocks": int(own.blocks.median()),
                "contraction": own.contraction.iloc[0],
                "ended": own.status.mode().iloc[0],
            }
        )
    return table


def stacked(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of several tables; empty tables have no types that pandas could keep."""
    return pd.concat([one for one in tables if len(one)] or tables[:1], ignore_index=True)


def _taken(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.status != REFUSED]


def _errors(rows: pd.DataFrame) -> int:
    return int(rows.status.str.startswith("error").sum())
