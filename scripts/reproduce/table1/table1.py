"""Part `table1`: Table 1, the methods on Iris, Seeds and Wine in our settings (section 6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from matplotlib.figure import Figure

from bilad.scripts.reproduce.figures.ray import Ray, delta, draw_value, ray_of
from bilad.scripts.reproduce.part import (
    BLUE,
    GREY,
    ORANGE,
    Bench,
    Block,
    Part,
    Section,
    Table,
    Text,
)
from bilad.scripts.reproduce.table1.claims import Cost, claims_of, cost_claims, costs
from bilad.scripts.reproduce.table1.paper import PAPER_ROWS
from bilad.scripts.reproduce.table1.runs import (
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

SHOWN = {  # columns, and their headings
    "dataset": "data", "method": "method", "n": "n", "K": "K", "eps": "eps", "delta": "delta",
    "n_changed": "N_chg", "n_changed_matched": "matched", "share": "share", "own_share": "own",
    "solves": "solves", "seconds": "seconds", "share_solving": "solving", "status": "status",
    "bound": "bound",
}  # fmt: skip
CAPTION = (
    "All values are recomputed from an exact lower-level solution at eps with certified labels. n: "
    "points; K: clusters at eps = 0. N_chg: changed labels, without renaming clusters; matched: "
    "after the best renaming. share: of the optimum; own: the share before the closing search. "
    "solves: lower-level solves; solving: their share of the time (wall clock, one run). bound: "
    "the optimum by the parametric path. eps = 0: no attack was found."
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


def table1(bench: Bench, sizes: Sizes) -> Section:
    """Run every method on every data set that can be read, and return the report."""
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
    picture = bench.picture(
        "answers",
        "Above: delta along the ray, exactly, with the best answers. Below: the eps that each "
        "method found; a method without a mark was not run or found no attack.",
        lambda figure: draw_answers(figure, rays, rows),
        (9.0, 7.5),
    )
    blocks: list[Block] = [
        Text(_settings(rays, missing, sizes)),
        *tables,
        _paper_table(),
        picture,
    ]
    return Section(blocks, [*claims_of(rows, settings, PAPER_ROWS), *cost_claims(timed)])


def _settings(rays: Sequence[Ray], missing: Sequence[str], sizes: Sizes) -> str:
    ours = "; ".join(_setting(ray.setting, sizes) for ray in rays)
    left = f" {'; '.join(missing)}." if missing else ""
    for problem, most in zip(PROBLEMS, sizes.reformulation_points, strict=True):
        large = [ray.setting.dataset for ray in rays if ray.setting.points > most]
        if large:
            left += (
                f" {', '.join(REFORMULATIONS)} are not run on {problem} for {', '.join(large)}, "
                "because their models have a term for each pair of points and take long."
            )
    return (
        f"Our settings: {ours}. The time limit is {sizes.seconds:g} s for each run and "
        f"{sizes.reformulation_seconds:g} s for reformulations. Methods with restarts have "
        f"{sizes.restarts} starting points, the first at eps = 0. The method {FMINCON!r} takes the "
        "place of fmincon: forward differences and a local NLP solver, SLSQP. Because the default "
        f"of fmincon is an interior-point method, {INTERIOR_POINT!r} uses SciPy's trust-constr "
        f"with one starting point.{left}"
    )


def _setting(setting: Setting, sizes: Sizes) -> str:
    fine, coarse = (
        f"{setting.step * factor:g}" for factor in (sizes.coarsening, sizes.ssnal_coarsening)
    )
    return (
        f"{setting.describe()}; target of (BL2) {setting.target:g}; step of direct search {fine} "
        f"{setting.unit}, and {coarse} {setting.unit} with SSNAL as the lower-level method"
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
        "Table 1 of the paper (BL1), with other parameters",
        [asdict(row) for row in PAPER_ROWS],
        "Quoted. Its gamma, weights, units and perturbed points are lost, so that it cannot be "
        "compared with the rows above.",
    )


PART = Part("table1", "Table 1: comparison of the methods", table1, FULL, QUICK)


def draw_answers(figure: Figure, rays: Sequence[Ray], rows: Sequence[Row]) -> None:
    """Draw delta for each data set, and below it the eps that each method found."""
    names = list(dict.fromkeys(row.method for row in rows))
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
