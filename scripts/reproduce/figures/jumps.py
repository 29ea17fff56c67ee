"""Part `fig5`: Figure 5, N_chg and delta along the whole ray (section 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from bilad.scripts.reproduce.figures.ray import (
    COUNTS,
    Ray,
    Value,
    delta,
    draw_value,
    figure_part,
    mark_steps,
    n_changed,
    n_changed_matched,
    name_eps,
    shown_steps,
)
from bilad.scripts.reproduce.part import (
    BLUE,
    ORANGE,
    PURPLE,
    Bench,
    Claim,
    Section,
    Table,
    Text,
    agrees_if,
)
from bilad.scripts.reproduce.table1.paper import PAPER_ROWS, PaperRow, contradictions

WHERE = "Section 6.2, Figure 5"


def figure5(bench: Bench, ray: Ray) -> Section:
    """Draw both functions within the budget, and return the report."""
    caption = (
        "delta and N_chg over the whole budget, exactly. Triangles: delta or N_chg decreases "
        "although |eps| increases."
    )
    picture = bench.picture("figure5", caption, lambda figure: draw(figure, ray), (8.0, 5.0))
    falling = Table(
        "Pairs of rows of the paper's Table 1 in which delta is smaller at a larger |eps|",
        [
            {
                "data set": old.dataset,
                "eps": old.eps,
                "delta": old.delta,
                "larger eps": new.eps,
                "its delta": new.delta,
            }
            for old, new in contradictions(PAPER_ROWS)
        ],
        "Both eps have the same sign.",
    )
    return Section(
        [Text(f"Our setting: {ray.setting.describe()}."), picture, falling],
        deviation_claims(ray, PAPER_ROWS),
    )


def draw(figure: Figure, ray: Ray) -> None:
    """Draw delta and N_chg, and mark where they decrease."""
    upper, lower = figure.subplots(2, 1, sharex=True)
    draw_value(upper, ray, delta, "delta", color=ORANGE, linewidth=1.6)
    draw_value(lower, ray, n_changed, "N_chg, labels as numbered", color=PURPLE)
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.6, "linestyle": "--"}
    draw_value(lower, ray, n_changed_matched, "N_chg, labels matched", **style)
    for axes, values in ((upper, [delta]), (lower, [n_changed, n_changed_matched])):
        falls = [step for value in values for step in ray.falls(value)]
        mark_steps(axes, falls, "v", "decreases")
        axes.margins(y=0.08)
    upper.set_ylabel("delta [ordered pairs]")
    lower.set_ylabel("N_chg [points]")
    name_eps(lower, ray)
    lines = [upper.get_lines()[0], *lower.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=4)


def deviation_claims(ray: Ray, paper: Sequence[PaperRow]) -> list[Claim]:
    """Return the claims of the section."""
    return [
        _jumps(ray),
        *(_together(ray, value, name) for value, name in COUNTS),
        *(_rises_and_drops(ray, value, name) for value, name in COUNTS),
        _monotone(ray),
        _monotone_in_the_paper(paper),
    ]


def _jumps(ray: Ray) -> Claim:
    left, right = (len(ray.steps(delta, sign)) for sign in (-1, 1))
    return Claim(
        WHERE,
        "As |eps| increases, delta is piecewise constant with jumps at some eps.",
        f"delta jumps {left} times for eps < 0 and {right} times for eps > 0, and is constant "
        "elsewhere",
        agrees_if(left + right > 0),
    )


def jumps_alone(ray: Ray, value: Value, other: Value) -> tuple[list[float], list[float]]:
    """Return the eps at which only the first value jumps, and those of the other value."""
    places = [
        {step.eps for sign in (-1, 1) for step in ray.steps(each, sign)} for each in (value, other)
    ]
    return sorted(places[0] - places[1]), sorted(places[1] - places[0])


def _together(ray: Ray, value: Value, name: str) -> Claim:
    only_delta, only_count = jumps_alone(ray, delta, value)
    return Claim(
        WHERE,
        f"Jumps of delta coincide with jumps of N_chg ({name}).",
        f"{len(only_delta)} jumps of delta alone{_at(only_delta)}, {len(only_count)} of N_chg "
        f"alone{_at(only_count)}",
        agrees_if(not only_delta and not only_count),
    )


def _at(places: Sequence[float]) -> str:
    text = ", ".join(f"{eps:.4g}" for eps in places[:3])
    return f" (eps = {text}{', ..' if len(places) > 3 else ''})" if places else ""


def _rises_and_drops(ray: Ray, value: Value, name: str) -> Claim:
    """Judge the paper's statement that N_chg reaches its maximum as eps decreases, then drops."""
    outwards = ray.outwards(-1)
    most = max(value(site) for site in outwards)
    end = value(outwards[-1])
    return Claim(
        WHERE,
        f"As eps decreases from 0, N_chg ({name}) reaches its maximum and then drops.",
        f"its maximum for eps < 0 is {most:g}, and at eps = {outwards[-1].low:g} it is {end:g}",
        agrees_if(end < most),
    )


def _monotone(ray: Ray) -> Claim:
    falls = ray.falls(delta)
    found = f": {shown_steps(falls)}" if falls else ""
    return Claim(
        WHERE,
        "delta is nondecreasing in |eps|.",
        f"it decreases {len(falls)} times along the two half-rays{found}",
        agrees_if(not falls),
    )


def _monotone_in_the_paper(paper: Sequence[PaperRow]) -> Claim:
    pairs = [
        f"{near.dataset}: {near.delta} at {near.eps:g}, {far.delta} at {far.eps:g}"
        for near, far in contradictions(paper)
    ]
    return Claim(
        f"{WHERE}, and Table 1",
        "delta, and with it 1 - RI, is nondecreasing in |eps|, in the rows of the paper's Table 1.",
        "; ".join(pairs) if pairs else "no two rows with eps of the same sign contradict it",
        agrees_if(not pairs),
    )


PART = figure_part("fig5", "Figure 5: N_chg and delta", figure5)
