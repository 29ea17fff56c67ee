"""Figure 5: the whole ray, N_chg and delta side by side (section 6.2)."""

from __future__ import annotations

from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.figures.figure5_claims import deviation_claims
from bilad.scripts.reproduce.figures.ray_pictures import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    draw_value,
    name_eps,
)
from bilad.scripts.reproduce.figures.ray_sites import (
    Ray,
    RaySizes,
    Site,
    delta,
    n_changed,
    n_changed_matched,
    ray_of,
)
from bilad.scripts.reproduce.section import Section, Table, Text
from bilad.scripts.reproduce.table1.paper_table1 import PAPER_ROWS, contradictions
from bilad.scripts.settings import SETTINGS


def figure5(bench: Bench, sizes: RaySizes) -> Section:
    """Draw every step within the budget, and judge what is said of them."""
    setting = SETTINGS[sizes.dataset]
    ray = ray_of(setting)
    bench.collect("curve", iter(ray.sites), Site, len(ray.sites))
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
        [Text(f"Our setting: {setting.describe()}. Breaks as in Figure 4."), picture, falling],
        deviation_claims(ray, PAPER_ROWS),
    )


def draw(figure: Figure, ray: Ray) -> None:
    """Draw delta above N_chg, and mark where they fall."""
    upper, lower = figure.subplots(2, 1, sharex=True)
    draw_value(upper, ray, delta, "delta", color=ORANGE, linewidth=1.6)
    draw_value(lower, ray, n_changed, "N_chg, labels as numbered", color=PURPLE)
    draw_value(
        lower,
        ray,
        n_changed_matched,
        "N_chg, labels matched",
        color=BLUE,
        linewidth=1.6,
        linestyle="--",
    )
    for axes, values in (
        (upper, [delta]),
        (lower, [n_changed, n_changed_matched]),
    ):
        falls = [step for value in values for step in ray.falls(value)]
        axes.plot(
            [step.eps for step in falls],
            [step.after for step in falls],
            "v",
            color=GREEN,
            markersize=5,
            label="falls",
        )
        axes.margins(y=0.08)
    upper.set_ylabel("delta [ordered pairs]")
    lower.set_ylabel("N_chg [points]")
    name_eps(lower, ray)
    lines = [upper.get_lines()[0], *lower.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=4)
