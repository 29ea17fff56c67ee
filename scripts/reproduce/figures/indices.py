"""Parts `fig7` and `fig8`: Figures 7 and 8, the Rand index, NMI and N_chg (section 6.4)."""

from __future__ import annotations

from matplotlib.figure import Figure

from bilad.scripts.reproduce.figures.ray import (
    BREAK,
    COUNTS,
    Ray,
    Site,
    Value,
    draw_value,
    figure_part,
    mark_steps,
    n_changed,
    n_changed_matched,
    name_eps,
    nmi,
    rand_index,
    shade_interval,
    shown_steps,
)
from bilad.scripts.reproduce.part import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Bench,
    Claim,
    Section,
    Text,
    agrees_if,
)

FIGURE_7 = "Section 6.4, Figure 7"


def figure7(bench: Bench, ray: Ray) -> Section:
    """Draw RI and NMI, and return the report."""
    caption = (
        "RI and NMI between the partitions at eps and at 0. Triangles: the index increases "
        "although |eps| increases. NMI is normalised by the arithmetic mean of the entropies."
    )
    picture = bench.picture("figure7", caption, lambda figure: draw_indices(figure, ray))
    text = (
        f"Our setting: {ray.setting.describe()}. Monotonicity in |eps| is judged along each "
        "half-ray separately."
    )
    return Section([Text(text), picture], [*rand_claims(ray), *nmi_claims(ray)])


def rand_claims(ray: Ray) -> list[Claim]:
    """Return the claims on the Rand index."""
    sites, n = ray.sites, ray.setting.points
    wrong = _one_without_same(ray, rand_index)
    off = max(abs(s.rand_index - (1 - s.delta / (n * (n - 1)))) for s in sites)
    zero = ray.outwards(1)[0].rand_deviation
    least = min(s.rand_deviation for s in sites)
    found = _rises(ray, rand_index)
    return [
        Claim(
            FIGURE_7,
            "RI = 1 if and only if the two clusterings coincide.",
            f"{wrong} exceptions on {len(sites)} intervals and breaks",
            agrees_if(wrong == 0),
        ),
        Claim(
            FIGURE_7,
            "RI decreases as more pairs of points are assigned differently.",
            f"|RI - (1 - delta / (n (n - 1)))| <= {off:.0e}",
            agrees_if(off < 1e-12),
        ),
        Claim(
            FIGURE_7,
            "RI decreases as |eps| increases.",
            found or "no increase",
            agrees_if(not found),
        ),
        Claim(
            FIGURE_7,
            "1 - RI is a deviation function: 0 at eps = 0, nonnegative, nondecreasing in |eps|.",
            f"{zero:g} at 0, minimum {least:g}; RI: {found or 'no increase'}",
            agrees_if(zero == 0 and least >= 0 and not found),
        ),
    ]


def nmi_claims(ray: Ray) -> list[Claim]:
    """Return the claims on NMI."""
    wrong = _one_without_same(ray, nmi)
    found, of_rand = _rises(ray, nmi), _rises(ray, rand_index)
    least = _least(ray)
    jump = _largest_rise(ray, least)
    return [
        Claim(
            FIGURE_7,
            "NMI = 1 if and only if the partitions are the same.",
            f"{wrong} exceptions on {len(ray.sites)} intervals and breaks",
            agrees_if(wrong == 0),
        ),
        Claim(
            FIGURE_7,
            "NMI is not monotone in |eps|.",
            found or "no increase",
            agrees_if(bool(found)),
        ),
        Claim(
            FIGURE_7,
            "Beyond a threshold NMI drops to 0 and then jumps to a larger value.",
            f"the minimum of NMI is {least.nmi:.4g}, for eps from {least.low:.4g} to "
            f"{least.high:.4g}; for larger |eps|, NMI is larger by at most {jump:.3g}",
            agrees_if(least.nmi < 1e-12 and jump > 0),
        ),
        Claim(
            FIGURE_7,
            "RI can be used as a deviation function where NMI cannot.",
            f"monotone: RI {'no' if of_rand else 'yes'}, NMI {'no' if found else 'yes'}",
            agrees_if(bool(found) and not of_rand),
        ),
    ]


def _one_without_same(ray: Ray, index: Value) -> int:
    """Return the number of sites at which the index is 1 but not the partition, or vice versa."""
    return sum((index(site) == 1.0) != site.same for site in ray.sites)


def _least(ray: Ray) -> Site:
    """Return the site with the least NMI, an interval rather than a break."""
    return min(ray.sites, key=lambda site: (site.nmi, site.kind == BREAK))


def _largest_rise(ray: Ray, least: Site) -> float:
    """Return the largest increase of NMI above its minimum for larger |eps| on that side."""
    side = ray.outwards(-1 if least.high <= 0 else 1)
    return max(map(nmi, side[side.index(least) :])) - least.nmi


def _rises(ray: Ray, index: Value) -> str:
    """Describe the increases of an index as |eps| increases; empty if there are none."""
    found = ray.rises(index)
    return f"{len(found)} increases: {shown_steps(found)}" if found else ""


def draw_indices(figure: Figure, ray: Ray) -> None:
    """Draw RI and NMI, and mark where they increase."""
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, index, name, colour in ((upper, rand_index, "RI", ORANGE), (lower, nmi, "NMI", BLUE)):
        draw_value(axes, ray, index, name, color=colour, linewidth=1.6)
        mark_steps(axes, ray.rises(index), "^", "increases")
        axes.set(ylabel=name, ylim=(-0.05, 1.08))
    name_eps(lower, ray)
    lines = [upper.get_lines()[0], *lower.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=3)


FIGURE_8 = "Section 6.4, Figure 8"
LARGE = 0.5  # N_chg is called large if it exceeds this share of its maximum


def figure8(bench: Bench, ray: Ray) -> Section:
    """Draw N_chg, RI and NMI in one picture, and return the report."""
    caption = (
        "N_chg (left axis), RI and NMI (right axis). Shaded: the partition is that at eps = 0."
    )
    picture = bench.picture("figure8", caption, lambda figure: draw_all(figure, ray))
    text = Text(f"Our setting: {ray.setting.describe()}.")
    found = [_intervals(ray, value, name) for value, name in COUNTS]
    found += [_large(ray, value, name) for value, name in COUNTS]
    return Section([text, picture], [*found, _abrupt(ray)])


def _intervals(ray: Ray, count: Value, name: str) -> Claim:
    wrong = sum((count(s) == 0) != (s.rand_index == s.nmi == 1.0) for s in ray.sites)
    low, high = ray.interval
    return Claim(
        FIGURE_8,
        f"RI = NMI = 1 exactly where N_chg = 0 ({name}).",
        f"{wrong} exceptions on {len(ray.sites)} intervals and breaks; the interval around 0 is "
        f"from {low:.4g} to {high:.4g}",
        agrees_if(wrong == 0),
    )


def _large(ray: Ray, count: Value, name: str) -> Claim:
    most = max(map(count, ray.sites))
    large = [site for site in ray.sites if count(site) > LARGE * most]
    small = [site for site in ray.sites if count(site) <= LARGE * most]
    texts, apart = [], []
    for index, title in ((rand_index, "RI"), (nmi, "NMI")):
        highest = max(map(index, large), default=float("nan"))
        lowest = min(map(index, small), default=float("nan"))
        texts.append(f"{title} is at most {highest:.3g} there and at least {lowest:.3g} elsewhere")
        apart.append(highest < lowest)
    return Claim(
        FIGURE_8,
        f"Large N_chg ({name}) comes with clearly lower RI and NMI.",
        f"N_chg exceeds {LARGE:.0%} of its maximum {most:g}: {'; '.join(texts)}",
        agrees_if(all(apart)),
    )


def _abrupt(ray: Ray) -> Claim:
    steps = [s for sign in (-1, 1) for s in ray.steps(rand_index, sign)]
    largest = max(steps, key=lambda step: abs(step.after - step.before))
    size = abs(largest.after - largest.before)
    most = 1.0 - min(map(rand_index, ray.sites))
    return Claim(
        FIGURE_8,
        "Beyond certain thresholds the partition changes abruptly.",
        f"one jump, at eps = {largest.eps:.4g}, is {size / most:.0%} of the total decrease of RI",
        agrees_if(size >= 0.5 * most),
    )


def draw_all(figure: Figure, ray: Ray) -> None:
    """Draw N_chg on the left axis, RI and NMI on the right."""
    left = figure.subplots()
    right = left.twinx()
    right.grid(visible=False)
    shade_interval(left, *ray.interval, "partition of eps = 0", GREY)
    draw_value(left, ray, n_changed, "N_chg, as numbered", color=PURPLE, linestyle="--")
    draw_value(left, ray, n_changed_matched, "N_chg, matched", color=BLUE, linewidth=1.8)
    draw_value(right, ray, rand_index, "RI", color=ORANGE, linewidth=1.6)
    draw_value(right, ray, nmi, "NMI", color=GREEN, linewidth=1.6, linestyle="-.")
    most = max(map(n_changed, ray.sites))
    left.set(ylabel="N_chg [points]", ylim=(-0.04 * most, 1.08 * most))
    right.set(ylabel="RI, NMI", ylim=(-0.04, 1.08))
    name_eps(left, ray)
    lines = [*left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=5)


PARTS = (
    figure_part("fig7", "Figure 7: RI and NMI", figure7),
    figure_part("fig8", "Figure 8: N_chg, RI and NMI", figure8),
)
