"""Figure 4: how far the ray is robust, and the first change on either side (section 6.1)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.figures.figure4_claims import (
    Comparison,
    FirstChange,
    comparisons,
    first_changes,
    robustness_claims,
    ssnal_claims,
    theory_claims,
)
from bilad.scripts.reproduce.figures.ray_sites import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Ray,
    delta,
    draw_value,
    n_changed_matched,
    name_eps,
    shade_interval,
)
from bilad.scripts.reproduce.section import Section, Table, Text
from bilad.solvers import certify

BREAKS = (
    "Every open piece and every break of the exact staircase is a row of the CSV file. A break "
    "belongs to neither piece beside it: claims are judged on pieces and breaks alike, and "
    "pictures show a break as a dot where its value is that of neither side. gamma and the shift "
    "are doubles taken as the rationals they are, so steps that coincide for gamma = 1/10 can be "
    "apart in the last digit."
)


MARGIN = 0.1  # how far the picture goes beyond the robust interval, as a share of its length
SOLVES = 9  # of the lower level, at which SSNAL is compared with the exact solver


def figure4(bench: Bench, ray: Ray) -> Section:
    """Follow the ray outwards until the partition changes."""
    setting = ray.setting
    changes = bench.collect("first_changes", first_changes(ray), FirstChange, 2)
    certificate = certify(setting.max_deviation())
    solved = bench.collect("ssnal", comparisons(setting, SOLVES), Comparison, SOLVES)
    caption = (
        "N_chg (labels matched) and delta near eps = 0. Shaded: the partition of eps = 0, exactly; "
        "darker, what `certify` proves for |eps|."
    )
    picture = bench.picture("figure4", caption, lambda figure: draw(figure, ray, certificate.lower))
    table = Table(
        "First change on either side",
        [_cells(change) for change in changes],
        "points: those that end apart from most of their old cluster, or join another, counted "
        "from 1; moved: s, their number after the best renaming of clusters. torn, joined: pairs "
        "of points; delta = 2 (torn + joined). by_theorem_3: 2 s (n - s), what it would be if two "
        "clusters stayed two.",
    )
    claims = [
        *ssnal_claims(solved),
        *robustness_claims(ray.interval, certificate.lower, changes, setting.points),
        *theory_claims(ray, solved),
    ]
    return Section([Text(f"Our setting: {setting.describe()}. {BREAKS}"), picture, table], claims)


def _cells(change: FirstChange) -> dict[str, Any]:
    """Return what is shown; the exact fraction is in the file."""
    return {name: value for name, value in asdict(change).items() if name != "exact"}


def draw(figure: Figure, ray: Ray, certified: float) -> None:
    """Draw N_chg and delta near 0.

    Parameters
    ----------
    figure : Figure
    ray : Ray
    certified : float
        No |eps| below changes the partition.
    """
    low, high = ray.interval
    rim = MARGIN * (high - low)
    window = max(low - rim, ray.stairs.low), min(high + rim, ray.stairs.high)
    upper, lower = figure.subplots(2, 1, sharex=True)
    style = {"color": BLUE, "linewidth": 1.6}
    draw_value(upper, ray, n_changed_matched, "N_chg", **style)
    draw_value(lower, ray, delta, "delta", **(style | {"color": ORANGE}))
    seen = [s for s in ray.sites if s.high > window[0] and s.low < window[1]]
    tops = max(s.n_changed_matched for s in seen), max(s.delta for s in seen)
    for axes, top, name in ((upper, tops[0], "N_chg [points]"), (lower, tops[1], "delta [pairs]")):
        shade_interval(axes, low, high, "partition of eps = 0", GREEN)
        shade_interval(axes, -certified, certified, "certified for |eps|", GREY)
        axes.set(xlim=window, ylim=(-0.06 * max(top, 1), 1.12 * max(top, 1)), ylabel=name)
    name_eps(lower, ray)
    lines = [*upper.get_legend_handles_labels()[0], lower.get_lines()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=4)
