"""Table 1: the methods on Iris, Seeds and Wine, in our settings (section 6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.figures.ray_sites import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Ray,
    delta,
    draw_value,
    ray_of,
)
from bilad.scripts.reproduce.section import Block, Section, Table, Text
from bilad.scripts.reproduce.table1.paper_table1 import PAPER_ROWS
from bilad.scripts.reproduce.table1.table1_claims import Cost, claims_of, cost_claims, costs
from bilad.scripts.reproduce.table1.table1_runs import (
    FMINCON,
    INTERIOR_POINT,
    PROBLEMS,
    Row,
    Sizes,
    entries,
    runs,
)
from bilad.scripts.settings import Setting, readable_settings
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.upper import REFORMULATIONS

SHOWN = {  # columns, and what they are called
    "dataset": "data", "method": "method", "n": "n", "K": "K", "eps": "eps", "delta": "delta",
    "n_changed": "N_chg", "n_changed_matched": "matched", "share": "share", "own_share": "own",
    "solves": "solves", "seconds": "seconds", "share_solving": "solving", "status": "status",
    "bound": "bound",
}  # fmt: skip
CAPTION = (
    "Recomputed from an exact lower-level solution at eps, labels proved. n: points; K: clusters "
    "at eps = 0. N_chg: labels that differ as numbered; matched: after the best renaming. share: "
    "of the exact optimum; own: that of what the method found itself, before closing. solves: of "
    "the lower level; solving: share of the seconds (wall clock, one run) spent there. bound: "
    "proved by the exact staircase. eps = 0: no attack was found."
)
FULL = Sizes()
QUICK = Sizes(
    datasets=("iris", "wine"),
    seconds=2.0,
    reformulation_points=(0, 0),
    restarts=1,
    coarsening=10,
    ssnal_coarsening=100,
    timed=10,
)
MARKS = (("BL1", "o", ORANGE), ("BL2", "v", BLUE))
LOOKS = (("o", ORANGE), ("s", BLUE), ("^", GREEN))  # of data sets


def table1(bench: Bench, sizes: Sizes) -> Section:
    """Run every method on every data set that can be read."""
    missing: list[str] = []
    rays = [ray_of(own) for own in readable_settings(sizes.datasets, missing.append).values()]
    plans = [(ray.setting, entries(ray.setting, sizes)) for ray in rays]
    settings = [ray.setting for ray in rays]
    for setting in settings:
        solve_lower(setting.model(), "ssnal")  # compiles
    rows = bench.collect(
        "runs",
        (row for setting, chosen in plans for row in runs(setting, chosen, bench.seed)),
        Row,
        sum(len(entry.problems) for _, chosen in plans for entry in chosen),
    )
    timed = bench.collect("costs", costs(settings, sizes.timed), Cost, 2 * len(settings))
    tables = [_table(problem, rows) for problem in PROBLEMS]
    pictures = [
        bench.picture(
            "answers",
            "Above: delta, every step exact, with the best answers. Below: where each method "
            "ended; without a mark it was not run or found no attack.",
            lambda figure: draw_answers(figure, rays, rows),
            (9.0, 7.5),
        ),
        bench.picture(
            "scores",
            "Share of the exact optimum, and wall clock.",
            lambda figure: draw_scores(figure, rows),
            (9.0, 5.5),
        ),
    ]
    blocks: list[Block] = [
        Text(_settings(rays, missing, sizes)),
        *tables,
        _paper_table(),
        *pictures,
    ]
    return Section(blocks, [*claims_of(rows, settings, PAPER_ROWS), *cost_claims(timed)])


def _settings(rays: Sequence[Ray], missing: Sequence[str], sizes: Sizes) -> str:
    ours = "; ".join(_setting(ray.setting, sizes) for ray in rays)
    left = f" {'; '.join(missing)}." if missing else ""
    for problem, most in zip(PROBLEMS, sizes.reformulation_points, strict=True):
        large = [ray.setting.dataset for ray in rays if ray.setting.points > most]
        if large:
            left += (
                f" {', '.join(REFORMULATIONS)} are left out of {problem} on {', '.join(large)}: "
                "their models have a term for each pair of points and take long."
            )
    return (
        f"Our settings. {ours}. Limit: {sizes.seconds:g} s a run, {sizes.reformulation_seconds:g} "
        f"s for reformulations; {sizes.restarts} starts where a method restarts, the first at "
        f"eps = 0. In the place of fmincon is {FMINCON!r}: forward differences and a local NLP "
        f"solver, SLSQP; {INTERIOR_POINT!r} takes SciPy's trust-constr, once, as fmincon's default "
        f"is an interior-point method.{left}"
    )


def _setting(setting: Setting, sizes: Sizes) -> str:
    fine, coarse = (
        f"{setting.step * factor:g}" for factor in (sizes.coarsening, sizes.ssnal_coarsening)
    )
    return (
        f"{setting.describe()}; target of (BL2) {setting.target:g}; direct search by steps of "
        f"{fine} {setting.unit}, where SSNAL solves the lower level {coarse} {setting.unit}"
    )


def _table(problem: str, rows: Sequence[Row]) -> Table:
    cells = [asdict(row) for row in rows if row.problem == problem]
    shown = [{name: cell[key] for key, name in SHOWN.items()} for cell in cells]
    question = "largest delta within the budget"
    if problem == "BL2":
        question = "least |eps| that reaches the target"
    return Table(f"{problem}, our settings: {question}", shown, CAPTION)


def _paper_table() -> Table:
    return Table(
        "Paper, Table 1 (BL1): other parameters (lost)",
        [asdict(row) for row in PAPER_ROWS],
        "Quoted. Its gamma, weights, units and perturbed points are lost: not to be held against "
        "the rows above.",
    )


PART = Part("table1", "Table 1: the methods compared", table1, FULL, QUICK)


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
        for problem, marker, colour in MARKS:
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
        for axes, (problem, _, _) in zip(panels[:2], MARKS, strict=True):
            shown = [row for row in own if row.problem == problem]
            places = [names.index(row.method) for row in shown]
            axes.plot([row.share for row in shown], places, marker, **style)
        shown = [row for row in own if row.problem == "BL1"]
        places = [names.index(row.method) for row in shown]
        panels[2].plot([row.seconds for row in shown], places, marker, **style)
    for axes, (problem, _, _) in zip(panels[:2], MARKS, strict=True):
        axes.set(xlabel=f"{problem}: share of the optimum", xlim=(-0.03, 1.03))
    panels[2].set(xlabel="BL1: wall clock [s]", xscale="log")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.legend(
        handles=panels[0].get_legend_handles_labels()[0],
        loc="outside upper center",
        ncols=len(datasets),
    )
