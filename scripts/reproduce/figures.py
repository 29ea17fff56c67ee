"""Parts `fig4` to `fig8`: Figures 4 to 8 of the paper on the ray of our Iris setting (section 6).

Claims are judged on intervals of eps and breakpoints alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bilad.models.problem import LENGTH_TOL
from bilad.scripts.experiments.page import Table, Text
from bilad.scripts.reproduce.paper import PAPER, contradictions
from bilad.scripts.reproduce.ray import INDICES, Ray, ray_of
from bilad.scripts.reproduce.section import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Bench,
    Claim,
    Part,
    Section,
    agrees_if,
)
from bilad.scripts.settings import SETTINGS
from bilad.solvers import attack, certify

SPLIT = 1e-9  # shorter intervals of eps arise from rounding of gamma and are not counted
LARGE = 0.5  # N_chg is called large if it exceeds this share of its maximum
# The paper does not rename clusters before it compares labels.
COUNTS = {"changed": "as numbered", "changed-matched": "matched"}
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {  # label and style of each column
    "delta": ("delta", {"color": ORANGE}),
    "changed": ("N_chg, as numbered", {"color": PURPLE, "linestyle": "--"}),
    "changed-matched": ("N_chg, matched", {"color": BLUE}),
    "RI": ("RI", {"color": ORANGE}),
    "NMI": ("NMI", {"color": GREEN, "linestyle": "-."}),
}


def figure_part(number: int, title: str, figure: Callable[[Bench, Ray], Section]) -> Part:
    """Return the part of one figure; its texts begin with the setting."""

    def run(bench: Bench) -> Section:
        ray = ray_of(SETTINGS["iris"])
        section = figure(bench, ray)
        setting = Text(f"Our setting: {ray.setting.describe()}.")
        return Section([setting, *section.blocks], section.claims)

    return Part(f"fig{number}", f"Figure {number}: {title}", run)


def draw(figure: Figure, ray: Ray, panels: Mapping[str, Sequence[str]], back: bool) -> Any:
    """Draw columns of the ray in panels, if wanted with their jumps back; return all axes."""
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, columns) in zip(every, panels.items(), strict=True):
        for column in columns:
            draw_staircase(axes, ray, column)
            jumps = ray.reversals(column)
            if back:
                axes.plot(jumps.eps, jumps.after, "v", color=GREEN, label="jump back")
        axes.axvspan(*ray.interval, color=GREY, alpha=0.15, label="partition of eps = 0")
        axes.set_ylabel(label)
    first, last = ray.setting.shifted
    every[-1].set_xlabel(f"eps [{ray.setting.unit}], points {first}..{last}")
    handles = [handle for axes in every for handle in axes.get_legend_handles_labels()[0]]
    known = {handle.get_label(): handle for handle in handles}
    figure.legend(handles=list(known.values()), loc="outside upper center", ncols=5)
    return every


def draw_staircase(axes: Axes, ray: Ray, column: str) -> None:
    """Draw a column as a function of eps, with its values at the breakpoints as dots."""
    pieces, (label, style) = ray.pieces, LOOKS[column]
    low = (pieces.side * pieces.start).where(pieces.side > 0, -pieces.end)
    steps = pieces.assign(low=low)[pieces.start < pieces.end].sort_values("low")
    edges = [*steps.low, ray.setting.budget]
    axes.stairs(steps[column], edges, baseline=None, label=label, **style)
    is_break = pieces.start == pieces.end
    axes.plot(low[is_break], pieces[column][is_break], ".", color=style["color"], markersize=3)


def figure4(bench: Bench, ray: Ray) -> Section:
    """Report the interval with unchanged partition, and the first change on either side."""
    changes, certified = first_changes(ray), certify(ray.setting.max_deviation()).lower
    low, high = ray.interval

    def picture(figure: Figure) -> None:
        columns = {"N_chg [points]": ["changed-matched"], "delta [pairs]": ["delta"]}
        for axes, most in zip(draw(figure, ray, columns, False), ("moved", "delta"), strict=True):
            axes.axvspan(-certified, certified, color=GREEN, alpha=0.2)
            top = changes[most].max()
            axes.set(xlim=(1.2 * low, 1.2 * high), ylim=(-0.06 * top, 1.3 * top))

    caption = (
        "N_chg and delta near eps = 0. Shaded: unchanged; green: `certify` proves it for |eps|."
    )
    table = Table(
        "first_changes",
        "The first change on either side",
        changes,
        "moved: s, the changed labels after the best renaming. by Theorem 3: 2 s (n - s), which is "
        "delta for two clusters before and after.",
    )
    return Section(
        [bench.picture("figure4", caption, picture, data=ray.pieces), table],
        robustness_claims(ray, changes, certified),
    )


def first_changes(ray: Ray) -> pd.DataFrame:
    """Return the first change on either side, apart from intervals that arise from rounding."""
    pieces = ray.pieces
    first = pieces[~pieces.same & (pieces.end - pieces.start > SPLIT)].groupby("side").head(1)
    changes = first.assign(eps=first.side * first.start, moved=first["changed-matched"])
    changes["by Theorem 3"] = 2 * changes.moved * (ray.setting.points - changes.moved)
    return changes[["eps", "moved", "clusters", "delta", "by Theorem 3"]].sort_values("eps")


def robustness_claims(ray: Ray, changes: pd.DataFrame, certified: float) -> list[Claim]:
    """Return the claims of section 6.1; no |eps| < `certified` changes the partition."""
    where, (low, high) = "Section 6.1, Figure 4", ray.interval
    jumps = [f"{row[3]:g}, 2 s (n - s) = {row[4]:g}" for row in changes.to_numpy()]
    return [
        Claim(
            where,
            "For eps around 0 the clustering is unchanged; attacks exist on both sides.",
            f"unchanged for eps in ({low:.6g}, {high:.6g}), exactly; certified for |eps| < "
            f"{certified:.6g}; the partition changes within the budget on {len(changes)} sides",
            agrees_if(low < 0 < high and certified > 0 and len(changes) == 2),
        ),
        Claim(
            f"{where}, and Theorem 3",
            "At the first jump, points move between two clusters, and there are two afterwards.",
            f"in our setting, delta is {'; '.join(jumps)}. (The paper's jump fits: with s = 6, "
            "n = 100, delta is 1128.)",
            agrees_if(len(changes) > 0 and all(changes.delta == changes["by Theorem 3"])),
        ),
    ]


def figure5(bench: Bench, ray: Ray) -> Section:
    """Report delta and N_chg over the whole budget."""
    picture = bench.picture(
        "figure5",
        "delta and N_chg over the whole budget, exactly, with the jumps at which they decrease.",
        lambda figure: draw(
            figure, ray, {"delta [pairs]": ["delta"], "N_chg [points]": list(COUNTS)}, True
        ),
        (8.0, 5.0),
        data=ray.pieces,
    )
    table = Table("decreases", "Jumps at which delta decreases", ray.reversals("delta"))
    return Section([picture, table], deviation_claims(ray))


def deviation_claims(ray: Ray) -> list[Claim]:
    """Return the claims of section 6.2; those on N_chg are judged as the paper counts."""
    where, jumps, falls = "Section 6.2, Figure 5", ray.jumps("delta"), ray.reversals("delta")
    alone = {name: apart(ray, "delta", column) for column, name in COUNTS.items()}
    left = ray.pieces[ray.pieces.side < 0]
    drops = {name: (left[column].max(), left[column].iloc[-1]) for column, name in COUNTS.items()}
    rows = [
        f"{row.data}: {row.delta} at {row.eps:g}, {row.delta_far} at {row.eps_far:g}"
        for row in contradictions(PAPER).itertuples()
    ]
    return [
        Claim(
            where,
            "Jumps of delta coincide with jumps of N_chg.",
            "; ".join(
                f"labels {name}: {delta} jumps of delta alone, {count} of N_chg alone"
                for name, (delta, count) in alone.items()
            ),
            agrees_if(alone["as numbered"] == (0, 0)),
        ),
        Claim(
            where,
            "As eps decreases from 0, N_chg reaches its maximum and then drops.",
            "; ".join(
                f"labels {name}: the maximum for eps < 0 is {most:g}, and {end:g} at the end"
                for name, (most, end) in drops.items()
            ),
            agrees_if(drops["as numbered"][1] < drops["as numbered"][0]),
        ),
        Claim(
            where,
            "As |eps| increases, delta is piecewise constant and nondecreasing.",
            f"it jumps {sum(jumps.eps < 0)} times for eps < 0 and {sum(jumps.eps > 0)} times for "
            f"eps > 0, and decreases at {len(falls)} of these jumps",
            agrees_if(falls.empty),
        ),
        Claim(
            f"{where}, and Table 1",
            "delta, and with it 1 - RI, is nondecreasing in |eps|, in the paper's own Table 1.",
            "; ".join(rows) or "no two rows with eps of the same sign contradict it",
            agrees_if(not rows),
        ),
    ]


def apart(ray: Ray, column: str, other: str) -> tuple[int, int]:
    """Return the number of jumps of only one column, and of only the other."""
    own, others = set(ray.jumps(column).eps), set(ray.jumps(other).eps)
    return len(own - others), len(others - own)


def figure6(bench: Bench, ray: Ray) -> Section:
    """Report the optima of (BL1) and (BL2) beside the staircase."""
    setting = ray.setting
    problems = {"BL1": setting.max_deviation(), "BL2": setting.min_perturbation()}
    found = {name: attack(problem, "exact") for name, problem in problems.items()}
    optima = pd.DataFrame(
        {
            "problem": name,
            "eps": float(one.eps[0]),
            "norm": one.norm,
            "delta": int(one.deviation),
            "bound": one.bound,
            "status": one.status,
        }
        for name, one in found.items()
    )

    def picture(figure: Figure) -> None:
        (axes,) = draw(figure, ray, {"delta [pairs]": ["delta"]}, False)
        axes.axhline(setting.target, color=GREEN, linestyle="--")
        for one, size, colour in zip(optima.itertuples(), (20, 9), (PURPLE, BLUE), strict=True):
            axes.plot(one.eps, one.delta, "*", color=colour, markersize=size)

    caption = (
        "delta along the ray, the target of (BL2) as a dashed line, and the solutions of (BL1) "
        "and, smaller, of (BL2) by `exact` as stars."
    )
    table = Table(
        "optima",
        f"Optima: BL1 for |eps| <= {setting.budget:g}, BL2 for delta >= {setting.target:g}",
        optima,
        "bound: the proved bound, on delta for BL1 and on |eps| for BL2.",
    )
    return Section(
        [bench.picture("figure6", caption, picture, data=ray.pieces), table],
        optimum_claims(ray, optima),
    )


def optimum_claims(ray: Ray, optima: pd.DataFrame) -> list[Claim]:
    """Return the claims of section 6.3 on Figure 6."""
    where, budget, target = "Section 6.3, Figure 6", ray.setting.budget, ray.setting.target
    (bl1, bl2), pieces = optima.itertuples(), ray.pieces
    top, ends = pieces.delta.max(), pieces.groupby("side").delta.last()
    nearest = pieces[pieces.delta == top].start.min()
    least = pieces[pieces.delta >= target].start.min()
    return [
        Claim(
            where,
            "The star of (BL1) is the maximum of the curve.",
            f"curve: {top:g}; `exact`: {bl1.delta}, bound {bl1.bound:g}",
            agrees_if(bl1.delta == top == bl1.bound),
        ),
        Claim(
            where,
            "delta attains its maximum inside the feasible interval, not at its ends.",
            f"delta is {ends[-1]:g} and {ends[1]:g} at the two ends, and {top:g} for some |eps| "
            f"from {nearest:.6g} on; the budget is {budget:g}",
            agrees_if(nearest < budget and ends.max() < top),
        ),
        Claim(
            where,
            f"The star of (BL2) is the least |eps| with delta >= {target:g}.",
            f"curve: {least:.9g}; `exact`: {bl2.norm:.9g}, bound {bl2.bound:.9g}",
            agrees_if(bl2.delta >= target and least <= bl2.norm <= least * (1 + LENGTH_TOL)),
        ),
    ]


def figure7(bench: Bench, ray: Ray) -> Section:
    """Report the Rand index and the normalised mutual information."""
    picture = bench.picture(
        "figure7",
        "RI and NMI between the partitions at eps and at 0, with the jumps at which they increase. "
        "NMI is normalised by the arithmetic mean of the entropies.",
        lambda figure: draw(figure, ray, {name: [name] for name in INDICES}, True),
        data=ray.pieces,
    )
    back = pd.concat({name: ray.reversals(name) for name in INDICES}, names=["index"])
    table = Table("increases", "Jumps at which an index increases", back.reset_index("index"))
    return Section([picture, table], index_claims(ray))


def index_claims(ray: Ray) -> list[Claim]:
    """Return the claims of section 6.4 on Figure 7; monotonicity is judged along each half-ray."""
    where, pieces = "Section 6.4, Figure 7", ray.pieces
    wrong = sum(int(((pieces[name] == 1) != pieces.same).sum()) for name in INDICES)
    rises = {name: len(ray.reversals(name)) for name in INDICES}
    least = pieces.loc[pieces.NMI.idxmin()]
    beyond = pieces.loc[least.name :].query(f"side == {least.side}").NMI.max()
    return [
        Claim(
            where,
            "RI = 1, and NMI = 1, if and only if the two clusterings coincide.",
            f"{wrong} exceptions on {len(pieces)} intervals and breaks",
            agrees_if(wrong == 0),
        ),
        Claim(
            where,
            "1 - RI is nondecreasing in |eps|, as a deviation function must be.",
            f"RI increases {rises['RI']} times",
            agrees_if(rises["RI"] == 0),
        ),
        Claim(
            where,
            "NMI is not monotone in |eps|.",
            f"it increases {rises['NMI']} times",
            agrees_if(rises["NMI"] > 0),
        ),
        Claim(
            where,
            "Beyond a threshold NMI drops to 0 and then jumps to a larger value.",
            f"the minimum of NMI is {least.NMI:.4g}, from |eps| = {least.start:.4g} on; for larger "
            f"|eps|, NMI is larger by at most {beyond - least.NMI:.3g}",
            agrees_if(least.NMI < 1e-12 and beyond > least.NMI),
        ),
    ]


def figure8(bench: Bench, ray: Ray) -> Section:
    """Report N_chg, RI and NMI in one picture."""
    picture = bench.picture(
        "figure8",
        "N_chg, RI and NMI. Shaded: the partition is that at eps = 0.",
        lambda figure: draw(
            figure, ray, {"N_chg [points]": list(COUNTS), "RI, NMI": list(INDICES)}, False
        ),
        data=ray.pieces,
    )
    return Section([picture], [large_counts(ray)])


def large_counts(ray: Ray) -> Claim:
    """Return the claim of section 6.4 on Figure 8, with N_chg as the paper counts."""
    count, indices = ray.pieces.changed, ray.pieces[list(INDICES)]
    large = count > LARGE * count.max()
    most, least = indices[large].max(), indices[~large].min()
    found = [f"{name} <= {most[name]:.3g}, else >= {least[name]:.3g}" for name in INDICES]
    return Claim(
        "Section 6.4, Figure 8",
        "Large N_chg comes with clearly lower RI and NMI.",
        f"where N_chg exceeds {LARGE:.0%} of its maximum {count.max():g}: {'; '.join(found)}",
        agrees_if(all(most < least)),
    )


PARTS = (
    figure_part(4, "robustness", figure4),
    figure_part(5, "N_chg and delta", figure5),
    figure_part(6, "BL1 and BL2", figure6),
    figure_part(7, "RI and NMI", figure7),
    figure_part(8, "N_chg, RI and NMI", figure8),
)
