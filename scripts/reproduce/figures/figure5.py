"""Figure 5: the whole ray, N_chg and delta side by side (section 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.figures.ray_sites import (
    BLUE,
    COUNTS,
    ORANGE,
    PURPLE,
    Ray,
    Value,
    delta,
    draw_value,
    mark_steps,
    n_changed,
    n_changed_matched,
    name_eps,
    shown_steps,
)
from bilad.scripts.reproduce.section import Claim, Section, Table, Text, agrees_if
from bilad.scripts.reproduce.table1.paper_table1 import PAPER_ROWS, PaperRow, contradictions

WHERE = "Section 6.2, Figure 5"


def figure5(bench: Bench, ray: Ray) -> Section:
    """Draw every step within the budget, and judge what is said of them."""
    caption = (
        "delta and N_chg over the whole budget, every step exact; triangles: delta or N_chg falls "
        "although |eps| grows."
    )
    picture = bench.picture("figure5", caption, lambda figure: draw(figure, ray), (8.0, 5.0))
    falling = Table(
        "Pairs of the paper's own rows in which delta is less at a larger |eps|",
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
        "Paper, Table 1: eps of the same sign.",
    )
    return Section(
        [Text(f"Our setting: {ray.setting.describe()}. Breaks as in Figure 4."), picture, falling],
        deviation_claims(ray, PAPER_ROWS),
    )


def draw(figure: Figure, ray: Ray) -> None:
    """Draw delta above N_chg, and mark where they fall."""
    upper, lower = figure.subplots(2, 1, sharex=True)
    draw_value(upper, ray, delta, "delta", color=ORANGE, linewidth=1.6)
    draw_value(lower, ray, n_changed, "N_chg, labels as numbered", color=PURPLE)
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.6, "linestyle": "--"}
    draw_value(lower, ray, n_changed_matched, "N_chg, labels matched", **style)
    for axes, values in ((upper, [delta]), (lower, [n_changed, n_changed_matched])):
        falls = [step for value in values for step in ray.falls(value)]
        mark_steps(axes, falls, "v", "falls")
        axes.margins(y=0.08)
    upper.set_ylabel("delta [ordered pairs]")
    lower.set_ylabel("N_chg [points]")
    name_eps(lower, ray)
    lines = [upper.get_lines()[0], *lower.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=4)


def deviation_claims(ray: Ray, paper: Sequence[PaperRow]) -> list[Claim]:
    """Judge the section."""
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
        "As |eps| grows, delta stays constant and jumps at some eps: a staircase.",
        f"delta jumps {left} times for eps < 0 and {right} times for eps > 0, and nowhere else",
        agrees_if(left + right > 0),
    )


def jumps_alone(ray: Ray, value: Value, other: Value) -> tuple[list[float], list[float]]:
    """Return the eps where only the first value jumps, and where only the other does.

    Parameters
    ----------
    ray : Ray
    value, other : callable(Site)
    """
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
    """The paper's own words: N_chg reaches its maximum as eps decreases, and then drops."""
    outwards = ray.outwards(-1)
    most = max(value(site) for site in outwards)
    end = value(outwards[-1])
    return Claim(
        WHERE,
        f"As eps decreases from 0, N_chg ({name}) reaches its maximum and then drops.",
        f"largest {most:g} for eps < 0, {end:g} at eps = {outwards[-1].low:g}",
        agrees_if(end < most),
    )


def _monotone(ray: Ray) -> Claim:
    falls = ray.falls(delta)
    found = shown_steps(falls) if falls else "no fall"
    return Claim(
        WHERE,
        "delta is nondecreasing in |eps|.",
        f"along the two half-rays: {len(falls)} falls: {found}",
        agrees_if(not falls),
    )


def _monotone_in_the_paper(paper: Sequence[PaperRow]) -> Claim:
    pairs = [
        f"{near.dataset}: {near.delta} at {near.eps:g}, {far.delta} at {far.eps:g}"
        for near, far in contradictions(paper)
    ]
    return Claim(
        f"{WHERE}, and Table 1",
        "delta, and with it 1 - RI, is nondecreasing in |eps|, by the paper's own rows.",
        "; ".join(pairs) if pairs else "no two rows of one sign contradict it",
        agrees_if(not pairs),
    )
