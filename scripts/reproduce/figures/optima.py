"""Part `fig6`: Figure 6, the optima of (BL1) and (BL2) on the Iris ray (section 6.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from bilad.models.problem import LENGTH_TOL
from bilad.scripts.reproduce.figures.ray import PIECE, Ray, delta, draw_value, figure_part, name_eps
from bilad.scripts.reproduce.part import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Bench,
    Claim,
    Section,
    Table,
    Text,
    agrees_if,
)
from bilad.scripts.settings import Setting
from bilad.solvers import attack

WHERE = "Section 6.3, Figure 6"
PAPER_BL1 = (-6.45, 4974)  # eps and delta of the paper's star


def figure6(bench: Bench, ray: Ray) -> Section:
    """Solve both problems by `exact`, compare the optima with the curve, return the report."""
    setting = ray.setting
    found = bench.collect("stars", stars(setting), Star, 2)
    reached = bench.collect("largest_delta_by_budget", iter(reach(ray)), Reach)
    caption = (
        "Left: delta along the ray, and the solutions of (BL1) and (BL2) by `exact` as stars. "
        "Right: the largest delta for |eps| <= a, the optimum of (BL1) as a function of the "
        "budget; the least a at which it attains the target is the optimum of (BL2)."
    )
    picture = bench.picture("figure6", caption, lambda figure: draw(figure, ray, found, reached))
    table = Table(
        f"Optima: BL1 for |eps| <= {setting.budget:g}, BL2 for delta >= {setting.target:g}",
        [asdict(star) for star in found],
        "bound: the proved bound, on delta for BL1 and on |eps| for BL2.",
    )
    text = Text(f"Our setting: {setting.describe()}.")
    return Section([text, picture, table], claims(ray, found, reached))


def claims(ray: Ray, found: Sequence[Star], reached: Sequence[Reach]) -> list[Claim]:
    """Return the claims, from the solutions of (BL1) and (BL2) and the largest delta by budget."""
    bl1, bl2 = found
    target, budget = ray.setting.target, ray.setting.budget
    top = reached[-1]
    first = next((row for row in reached if row.largest >= target), None)
    least = float("inf") if first is None else first.budget
    ends = [site.delta for site in (ray.sites[0], ray.sites[-1])]
    return [
        Claim(
            WHERE,
            f"(BL1) is solved by eps = {PAPER_BL1[0]:g} with delta = {PAPER_BL1[1]}.",
            f"in our setting, delta = {bl1.delta} at eps = {bl1.eps:.6g}, with the status "
            f"{bl1.status}; the paper's parameters are lost",
            "cannot be compared",
        ),
        Claim(
            WHERE,
            "The star of (BL1) is the maximum of the curve.",
            f"curve: {top.largest}; `exact`: {bl1.delta}, bound {bl1.bound:g}",
            agrees_if(bl1.delta == top.largest == bl1.bound),
        ),
        Claim(
            WHERE,
            "delta attains its maximum inside the feasible interval, not at its ends.",
            f"delta is {' and '.join(map(str, ends))} at the two ends, and {top.largest} for some "
            f"|eps| from {top.budget:.6g} on; the budget is {budget:g}",
            agrees_if(top.budget < budget and max(ends) < top.largest),
        ),
        Claim(
            WHERE,
            f"The star of (BL2) is the least |eps| with delta >= {target:g}.",
            f"curve: {least:.9g}; `exact`: {bl2.norm:.9g}, bound {bl2.bound:.9g}",
            agrees_if(bl2.delta >= target and least <= bl2.norm <= least * (1 + LENGTH_TOL)),
        ),
        Claim(
            WHERE,
            "(BL1) and (BL2) agree: for budgets below the optimum of (BL2), the optimum of (BL1) "
            "is less than the target.",
            f"largest delta for a smaller |eps|: {_largest_below(reached, least)}; at the optimum "
            f"of (BL2): {bl2.delta}",
            agrees_if(_largest_below(reached, bl2.norm * (1 - LENGTH_TOL)) < target <= bl2.delta),
        ),
    ]


def _largest_below(reached: Sequence[Reach], size: float) -> int:
    """Return the largest delta for |eps| < size."""
    return max((row.largest for row in reached if row.budget < size), default=0)


def draw(figure: Figure, ray: Ray, found: Sequence[Star], reached: Sequence[Reach]) -> None:
    """Draw the curve with both solutions, and the largest delta against the budget."""
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    draw_value(left, ray, delta, "delta", color=GREY, linewidth=1.4)
    ends = [*(row.budget for row in reached), ray.setting.budget]
    heights = np.repeat([row.largest for row in reached], 2)
    right.plot(np.ravel(list(pairwise(ends))), heights, color=GREY, linewidth=1.4)
    looks = (("BL1", "*", 20, ORANGE), ("BL2", "*", 9, BLUE))
    for star, (name, marker, size, colour) in zip(found, looks, strict=True):
        style = {"marker": marker, "markersize": size, "color": colour, "linestyle": "none"}
        left.plot(star.eps, star.delta, label=f"{name}: {star.eps:.4g}", **style)
        right.plot(star.norm, star.delta, **style)
    for axes in (left, right):
        axes.axhline(ray.setting.target, color=GREEN, linestyle="--", label="target of BL2")
        axes.margins(y=0.1)
    left.set_ylabel("delta [ordered pairs]")
    name_eps(left, ray)
    right.set_xlabel(f"budget a [{ray.setting.unit}]")
    right.set_title("largest delta for |eps| <= a", fontsize=9)
    figure.legend(handles=left.get_legend_handles_labels()[0], loc="outside upper center", ncols=4)


@dataclass(frozen=True)
class Star:
    """A solution by `exact`."""

    problem: str  # "BL1" or "BL2"
    eps: float
    norm: float
    delta: int
    bound: float  # the proved bound, on delta for BL1, on |eps| for BL2
    status: str  # "optimal" if the bound is attained
    proved: bool  # whether the labels at eps are certified


@dataclass(frozen=True)
class Reach:
    """A budget at which the largest delta for |eps| <= budget increases."""

    budget: float
    attained: bool  # whether it is attained for |eps| = budget, or only for larger |eps|
    largest: int


def stars(setting: Setting) -> Iterator[Star]:
    """Yield the solutions of (BL1) and of (BL2)."""
    problems = (("BL1", setting.max_deviation()), ("BL2", setting.min_perturbation()))
    for name, problem in problems:
        found = attack(problem, "exact")
        yield Star(
            problem=name,
            eps=float(found.eps[0]),
            norm=found.norm,
            delta=int(found.deviation),
            bound=float("nan") if found.bound is None else float(found.bound),
            status=found.status,
            proved=found.proved,
        )


def reach(ray: Ray) -> list[Reach]:
    """Return the budgets at which the largest delta increases, computed from the sites."""
    nearest = []
    for sign in (-1, 1):
        for site in ray.outwards(sign):
            inner = max(0.0, min(sign * site.low, sign * site.high))
            is_open = site.kind == PIECE and inner > 0
            nearest.append((inner, is_open, site.delta))
    rows = [Reach(0.0, True, 0)]
    for inner, is_open, value in sorted(nearest):
        if value > rows[-1].largest:
            rows.append(Reach(inner, not is_open, value))
    return rows


PART = figure_part("fig6", "Figure 6: BL1 and BL2", figure6)
