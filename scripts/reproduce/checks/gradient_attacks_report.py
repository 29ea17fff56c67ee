"""Bilevel solvers and gradient attacks as a table, a picture and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from matplotlib.figure import Figure

from bilad.scripts.methods.instances import TARGET_CORNERS
from bilad.scripts.methods.method_rows import MethodRow
from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.checks import gradient_attacks, small_clouds
from bilad.scripts.reproduce.checks.gradient_attacks import Standing
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import Cells, grouped

COLOURS = {"bilevel solver": "C0", "gradient attack": "C1", "simple search": "0.4"}
PLACES: tuple[tuple[Literal["left", "right"], float], ...] = (
    ("left", 4),
    ("right", -10),
    ("left", -10),
    ("right", 4),
)
MARKERS = {"bilevel solver": "o", "gradient attack": "s", "simple search": "^"}


def gradient_blocks(
    bench: Bench, rows: Sequence[MethodRow], solves: int, seconds: float
) -> list[Block]:
    """Return how bilevel solvers and gradient attacks compare, as table, picture and sentence."""
    every = gradient_attacks.standings(rows)
    table = Table(
        "Check 3: bilevel solvers, gradient attacks, simple searches",
        [_cells(standing) for standing in every],
        f"Small problems: {small_clouds.DESCRIPTION}. {solves} solves or {seconds:g} s each. BL1: "
        "U / best known; close: at least 95 % of it. BL2: the target is "
        f"{gradient_attacks.EASY:g} of what {TARGET_CORNERS} random corners reach in BL1, a hard "
        f"one {gradient_attacks.HARD:g} of it; success is the share reached, norm is least known "
        "/ own, 0 for a failure. A method that refuses some problems is judged on the others; one "
        "that refuses all is left out. solves, seconds: medians.",
    )
    picture = bench.picture(
        "success_against_cost",
        "Share of the best known (mean of both questions) against seconds, medians over the "
        "problems that each method takes.",
        partial(draw_costs, every),
    )
    return [table, picture, Text(gradient_attacks.compared(every))]


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
