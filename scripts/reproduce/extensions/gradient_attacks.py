"""Next check 3: bilevel solvers compared with the gradient attacks FGSM, PGD and MI-FGSM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from bilad.scripts.display import grouped
from bilad.scripts.experiments.run import TARGET_VERTICES, Row, Run
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.table import CLOSE, table_of, taken
from bilad.scripts.instances import CONVEX, DIMENSIONS, SMALL_BUDGET, SMALL_CLOUDS, SMALL_MODELS
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.solvers.upper import REFORMULATIONS

BILEVEL = ("exact", "milp", *REFORMULATIONS, "hypergradient")
GRADIENT = ("fgsm", "pgd", "mi-fgsm")
SEARCH = ("corners", "random")
METHODS = (*BILEVEL, *GRADIENT, *SEARCH)
KIND = {
    **dict.fromkeys(BILEVEL, "bilevel solver"),
    **dict.fromkeys(GRADIENT, "gradient attack"),
    **dict.fromkeys(SEARCH, "simple search"),
}
# Targets of (BL2), as shares of the deviation that random vertices attain in (BL1).
EASY, HARD = 0.5, 0.95
LEVEL = 0.01  # smaller differences of the mean share of the best known are not counted
SHOWN = {  # columns of the table, and their headings
    "kind": "kind", "method": "method", "problems": "problems", "mean": "BL1 mean",
    "worst": "BL1 worst", "close": "BL1 close", "success": "BL2 success", "hard": "BL2 hard",
    "length": "BL2 norm", "solves": "solves", "seconds": "seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """The results of a method on all problems that it supports."""

    kind: str
    method: str
    problems: int
    # (BL1): mean and minimum of U / best known, and the share of the problems with at least 95 %
    mean: float
    worst: float
    close: float
    # (BL2): the shares of the problems whose easy and whose hard target was attained
    success: float
    hard: float
    length: float  # (BL2): mean of the least known ||eps|| over ||eps||; 0 for a failure
    # medians over all problems
    solves: float
    seconds: float

    @property
    def overall(self) -> float:
        """The mean share of the best known over (BL1) and (BL2)."""
        return 0.5 * (self.mean + self.length)


def planned(
    data: Sequence[tuple[str, int]],
    seeds: Sequence[int],
    solves: int,
    seconds: float,
    methods: Sequence[str] = METHODS,
) -> Sequence[Run]:
    """Return the runs of each method on (BL1) and on (BL2) with an easy and a hard target.

    Parameters
    ----------
    data : sequence of (str, int)
        "plane N" or "line N" with N points, and the length of eps.
    seeds : sequence of int
    solves, seconds : int, float
        The limits of a run.
    methods : sequence of str
    """
    samples = {name: name.partition(" ") for name, _ in data}
    specification = {
        "name": "small clouds",
        "seeds": list(seeds),
        "restarts": True,
        "limits": {"solves": solves, "seconds": seconds},
        "data": {
            name: {"kind": "clouds", "points": int(points), "dimension": DIMENSIONS[space]}
            for name, (space, _, points) in samples.items()
        },
        "models": {
            name: {"kind": CONVEX, **SMALL_MODELS[space]} for name, (space, _, _) in samples.items()
        },
        "perturbations": {
            f"entries {k}": {"kind": "entries", "points": k, "features": [0]} for _, k in data
        },
        "methods": {method: {} for method in methods},
        "problems": [
            {
                "data": name,
                "models": name,
                "perturbations": f"entries {k}",
                "norms": np.inf,
                "budgets": SMALL_BUDGET,
                "targets": [f"{share:.0%}" for share in (EASY, HARD)],
                "limit": SMALL_BUDGET,
            }
            for name, k in data
        ],
    }
    return read_specification(specification).runs


def standings(rows: Sequence[Row]) -> list[Standing]:
    """Return the results of each method, on problems for which an attack is known."""
    own = taken(table_of(rows))
    return [_standing(str(method), some) for method, some in own.groupby("base", sort=False)]


def _standing(method: str, own: pd.DataFrame) -> Standing:
    shares = 1 - own.gap
    most = shares[own.question == "BL1"]
    easy, hard = (shares[(own.question == "BL2") & (own.level == share)] for share in (EASY, HARD))
    return Standing(
        KIND[method],
        method,
        problems=len(own),
        mean=most.mean(),
        worst=most.min(),
        close=(most >= 1 - CLOSE).mean(),
        success=(easy > 0).mean(),
        hard=(hard > 0).mean(),
        length=pd.concat([easy, hard]).mean(),
        solves=own.solves.median(),
        seconds=own.seconds.median(),
    )


def compared(given: Sequence[Standing]) -> str:
    """Compare the best bilevel solver and gradient attack among those that support all problems."""
    most = max(standing.problems for standing in given)
    common = [standing for standing in given if standing.problems == most]
    kinds = grouped(common, lambda standing: standing.kind)
    best = {kind: max(own, key=lambda s: (s.overall, -s.seconds)) for kind, own in kinds}
    bilevel, rival = best["bilevel solver"], best["gradient attack"]
    if abs(bilevel.overall - rival.overall) < LEVEL:
        lead = f"are equally good: their means over both questions differ by less than {LEVEL:.0%}"
    else:
        lead = "differ: the better is " + max((bilevel, rival), key=lambda s: s.overall).method
    slow, quick = (pick(common, key=lambda s: s.seconds) for pick in (max, min))
    return (
        f"On the problems that all support, the best bilevel solver ({_described(bilevel)}) "
        f"and the best gradient attack ({_described(rival)}) {lead}. The time of {bilevel.method} "
        f"is {bilevel.seconds / rival.seconds:.2g} times that of {rival.method}. The slowest is "
        f"{slow.method} ({slow.seconds:.2g} s, {slow.overall:.1%} of the best known over both "
        f"questions), the fastest is {quick.method} ({quick.seconds:.2g} s, {quick.overall:.1%})."
    )


def _described(own: Standing) -> str:
    return (
        f"{own.method}: {own.mean:.1%} of the best known U, {own.length:.1%} of the least known "
        f"norm, targets attained {own.success:.0%}, hard ones {own.hard:.0%}, {own.seconds:.2g} s"
    )


def gradient_blocks(rows: Sequence[Row], solves: int, seconds: float) -> list[Block]:
    """Return the table and the comparison of bilevel solvers and gradient attacks."""
    every = standings(rows)
    table = Table(
        "Check 3: bilevel solvers, gradient attacks, simple searches",
        [{name: asdict(own)[key] for key, name in SHOWN.items()} for own in every],
        f"Small problems: {SMALL_CLOUDS}. Limits: {solves} solves and {seconds:g} s. BL1: U / best "
        f"known; close: share of the problems with at least 95 %. BL2: the target is {EASY:g} of "
        f"the deviation at {TARGET_VERTICES} random vertices of BL1, a hard target {HARD:g} of it; "
        "success, hard: share of the targets attained; norm: least known norm / norm, 0 for a "
        "failure. A method that does not support some problems is judged on the others, and is "
        "omitted if it supports none. solves, seconds: medians.",
    )
    return [table, Text(compared(every))]
