"""Pictures of Table 1 in our settings: where the methods end, how good that is, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from bilad.scripts.reproduce.figures.ray_pictures import BLUE, GREEN, GREY, ORANGE, draw_value
from bilad.scripts.reproduce.figures.ray_sites import Ray, delta
from bilad.scripts.reproduce.table1.table1_runs import Row

PROBLEMS = (("BL1", "o", ORANGE), ("BL2", "v", BLUE))
LOOKS = (("o", ORANGE), ("s", BLUE), ("^", GREEN))  # of data sets


def names_of(rows: Sequence[Row]) -> list[str]:
    """Return the methods, in the order in which they are met."""
    return list(dict.fromkeys(row.method for row in rows))


def draw_answers(figure: Figure, rays: Sequence[Ray], rows: Sequence[Row]) -> None:
    """Draw each data set's staircase, and below it where on it each method ended.

    Parameters
    ----------
    figure : Figure
    rays : sequence of Ray
        One for each data set.
    rows : sequence of Row
    """
    names = names_of(rows)
    grid = figure.subplots(2, len(rays), sharex="col", squeeze=False, height_ratios=(1, 2))
    for column, ray in enumerate(rays):
        upper, lower = grid[:, column]
        draw_value(upper, ray, delta, "delta", color=GREY, linewidth=1.2)
        own = [row for row in rows if row.dataset == ray.setting.dataset]
        for problem, marker, colour in PROBLEMS:
            shown = [row for row in own if row.problem == problem and row.norm > 0]
            lower.plot(
                [row.eps for row in shown],
                [names.index(row.method) for row in shown],
                marker,
                color=colour,
                markerfacecolor="none",
                label=problem,
            )
            best = max(shown, key=lambda row: row.share, default=None)
            if best is not None:
                upper.plot(best.eps, best.delta, marker, color=colour, markersize=8)
        lower.set_yticks(range(len(names)), names if column == 0 else [""] * len(names))
        lower.set_ylim(len(names) - 0.4, -0.6)
        upper.set_title(f"{ray.setting.dataset}, n = {ray.setting.points}", fontsize=9)
        lower.set_xlabel(f"eps [{ray.setting.unit}]")
    grid[0, 0].set_ylabel("delta [ordered pairs]")
    handles = grid[1, 0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)


def draw_scores(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the share of the optimum for either problem, and the seconds, a line for each method."""
    names = names_of(rows)
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1, 1.4))
    datasets = list(dict.fromkeys(row.dataset for row in rows))
    for dataset, (marker, colour) in zip(datasets, LOOKS, strict=False):
        own = [row for row in rows if row.dataset == dataset]
        style = {"color": colour, "markerfacecolor": "none", "label": dataset, "clip_on": False}
        for axes, (problem, _, _) in zip(panels[:2], PROBLEMS, strict=True):
            shown = [row for row in own if row.problem == problem]
            places = [names.index(row.method) for row in shown]
            axes.plot([row.share for row in shown], places, marker, **style)
        shown = [row for row in own if row.problem == "BL1"]
        places = [names.index(row.method) for row in shown]
        panels[2].plot([row.seconds for row in shown], places, marker, **style)
    for axes, (problem, _, _) in zip(panels[:2], PROBLEMS, strict=True):
        axes.set(xlabel=f"{problem}: share of the optimum", xlim=(-0.03, 1.03))
    panels[2].set(xlabel="BL1: wall clock [s]", xscale="log")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.legend(
        handles=panels[0].get_legend_handles_labels()[0],
        loc="outside upper center",
        ncols=len(datasets),
    )
