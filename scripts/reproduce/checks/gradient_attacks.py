"""The bilevel solvers beside FGSM, PGD and MI-FGSM: how often they succeed, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.methods.instances import TARGET_CORNERS, TARGET_SHARE, Instance
from bilad.scripts.methods.method_rows import (
    CLOSE,
    MethodRow,
    RunSettings,
    Score,
    of_methods,
    scores,
)
from bilad.scripts.methods.method_runs import run
from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.checks import small_clouds
from bilad.scripts.reproduce.checks.small_clouds import SmallClouds
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import Cells, grouped
from bilad.solvers.upper import REFORMULATIONS

BILEVEL = ("exact", "milp", *REFORMULATIONS, "hypergradient")
GRADIENT = ("fgsm", "pgd", "mi-fgsm")
SEARCH = ("corners", "random")
EASY, HARD = TARGET_SHARE, 0.95  # targets of (BL2), of what random corners reach in (BL1)
LEVEL = 0.01  # of the best known; a lesser difference says nothing
METHODS = (*BILEVEL, *GRADIENT, *SEARCH)
KIND = {
    **dict.fromkeys(BILEVEL, "bilevel solver"),
    **dict.fromkeys(GRADIENT, "gradient attack"),
    **dict.fromkeys(SEARCH, "simple search"),
}
COLOURS = {"bilevel solver": "C0", "gradient attack": "C1", "simple search": "0.4"}
PLACES: tuple[tuple[Literal["left", "right"], float], ...] = (
    ("left", 4),
    ("right", -10),
    ("left", -10),
    ("right", 4),
)
MARKERS = {"bilevel solver": "o", "gradient attack": "s", "simple search": "^"}


@dataclass(frozen=True)
class Standing:
    """How a method did on all problems that it takes."""

    kind: str
    method: str
    problems: int
    # mean, worst: (BL1) U / best known
    mean: float
    worst: float
    close: float  # (BL1) share of the problems with at least 95 % of the best known
    # success, hard: (BL2) share of the problems whose easy, and whose hard target was reached
    # within the limit
    success: float
    hard: float
    length: float  # (BL2) mean of the least known ||eps|| over ||eps||; a failure counts 0
    # solves, seconds: medians over both
    solves: float
    seconds: float

    @property
    def overall(self) -> float:
        """Share of the best known, the mean of both questions."""
        return 0.5 * (self.mean + self.length)


def instances(data: Sequence[tuple[str, int]], seeds: Sequence[int]) -> list[Instance]:
    """Return (BL1), (BL2) and (BL2) with a hard target for each data set and seed.

    Parameters
    ----------
    data : sequence of (str, int)
        Data as in `SmallClouds`, and how many entries are free.
    seeds : sequence of int
    """
    return [
        SmallClouds("small clouds", name, "entries", k, "inf", question, seed=seed, share=share)
        for name, k in data
        for seed in seeds
        for question, share in (("BL1", EASY), ("BL2", EASY), ("BL2", HARD))
    ]


def attacks(
    given: Sequence[Instance],
    solves: int,
    seconds: float,
    seed: int,
    methods: Sequence[str] = METHODS,
) -> Iterator[MethodRow]:
    """Yield a run of each method on each instance.

    Parameters
    ----------
    given : sequence of Instance
    solves : int
        Lower-level solves that each run has.
    seconds : float
        That it has.
    seed : int
        Of the methods' random numbers.
    methods : sequence of str
    """
    for instance in given:
        for method in methods:
            yield run(RunSettings(instance, method, seed, solves, seconds))


def standings(rows: Sequence[MethodRow]) -> list[Standing]:
    """Return how each method did on what it takes; problems that nobody can attack are left out."""
    taken = [score for score in of_methods(scores(rows)) if score.row.taken]
    return [_standing(method, own) for method, own in grouped(taken, lambda s: s.row.method)]


def _standing(method: str, own: Sequence[Score]) -> Standing:
    most = _qualities(own, "BL1", EASY)
    easy, hard = (_qualities(own, "BL2", share) for share in (EASY, HARD))
    return Standing(
        KIND[method],
        method,
        problems=len(own),
        mean=float(most.mean()),
        worst=float(most.min()),
        close=float((most >= CLOSE).mean()),
        success=float((easy > 0).mean()),
        hard=float((hard > 0).mean()),
        length=float(np.append(easy, hard).mean()),
        solves=float(np.median([s.row.solves for s in own])),
        seconds=float(np.median([s.row.seconds for s in own])),
    )


def _qualities(own: Sequence[Score], question: str, share: float) -> FloatArray:
    found = [s.quality for s in own if (s.instance.question, s.instance.share) == (question, share)]
    return np.array(found or [np.nan])


def compared(given: Sequence[Standing]) -> str:
    """Return which kind of method came off better, of those that take every problem."""
    most = max(standing.problems for standing in given)
    common = [standing for standing in given if standing.problems == most]
    kinds = grouped(common, lambda standing: standing.kind)
    best = {kind: max(own, key=lambda s: (s.overall, -s.seconds)) for kind, own in kinds}
    bilevel, rival = best["bilevel solver"], best["gradient attack"]
    if abs(bilevel.overall - rival.overall) < LEVEL:
        lead = f"are level: their means over both questions are within {LEVEL:.0%}"
    else:
        lead = "differ: the better is " + max((bilevel, rival), key=lambda s: s.overall).method
    return (
        f"On problems that all of them take, the best bilevel solver ({_described(bilevel)}) and "
        f"the best gradient attack ({_described(rival)}) {lead}. "
        f"In time, {bilevel.method} takes {bilevel.seconds / rival.seconds:.2g} times as long as "
        f"{rival.method}. {_slowest(common)}"
    )


def _described(own: Standing) -> str:
    return (
        f"{own.method}: {own.mean:.1%} of the best known U, {own.length:.1%} of the least known "
        f"norm, targets reached {own.success:.0%}, hard ones {own.hard:.0%}, {own.seconds:.2g} s"
    )


def _slowest(given: Sequence[Standing]) -> str:
    slow = max(given, key=lambda standing: standing.seconds)
    quick = min(given, key=lambda standing: standing.seconds)
    return (
        f"The slowest of all is {slow.method} ({slow.seconds:.2g} s, {slow.overall:.1%} of the "
        f"best known over both questions), the quickest {quick.method} ({quick.seconds:.2g} s, "
        f"{quick.overall:.1%})."
    )


def gradient_blocks(
    bench: Bench, rows: Sequence[MethodRow], solves: int, seconds: float
) -> list[Block]:
    """Return how bilevel solvers and gradient attacks compare, as table, picture and sentence."""
    every = standings(rows)
    table = Table(
        "Check 3: bilevel solvers, gradient attacks, simple searches",
        [_cells(standing) for standing in every],
        f"Small problems: {small_clouds.DESCRIPTION}. {solves} solves or {seconds:g} s each. BL1: "
        "U / best known; close: at least 95 % of it. BL2: the target is "
        f"{EASY:g} of what {TARGET_CORNERS} random corners reach in BL1, a hard "
        f"one {HARD:g} of it; success is the share reached, norm is least known "
        "/ own, 0 for a failure. A method that refuses some problems is judged on the others; one "
        "that refuses all is left out. solves, seconds: medians.",
    )
    picture = bench.picture(
        "success_against_cost",
        "Share of the best known (mean of both questions) against seconds, medians over the "
        "problems that each method takes.",
        partial(draw_costs, every),
    )
    return [table, picture, Text(compared(every))]


def _cells(standing: Standing) -> Cells:
    return {
        "kind": standing.kind,
        "method": standing.method,
        "problems": standing.problems,
        "BL1 mean": standing.mean,
        "BL1 worst": standing.worst,
        "BL1 close": standing.close,
        "BL2 success": standing.success,
        "BL2 hard": standing.hard,
        "BL2 norm": standing.length,
        "solves": standing.solves,
        "seconds": standing.seconds,
    }


def draw_costs(standings: Sequence[Standing], figure: Figure) -> None:
    """Draw success against seconds, a point a method."""
    axes = figure.subplots()
    for kind, own in grouped(standings, lambda standing: standing.kind):
        axes.plot(
            [standing.seconds for standing in own],
            [standing.overall for standing in own],
            linestyle="none",
            marker=MARKERS[kind],
            color=COLOURS[kind],
            label=kind,
        )
    for number, standing in enumerate(sorted(standings, key=lambda own: own.overall)):
        side, height = PLACES[number % len(PLACES)]  # neighbours are named on different sides
        axes.annotate(
            standing.method,
            (standing.seconds, standing.overall),
            xytext=(6 if side == "left" else -6, height),
            textcoords="offset points",
            horizontalalignment=side,
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.margins(x=0.2, y=0.15)
    axes.set_xlabel("seconds a problem (median)")
    axes.set_ylabel("share of the best known (mean)")
    figure.legend(loc="outside upper center", ncols=3)
