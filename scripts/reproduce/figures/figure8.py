"""Figure 8: N_chg, RI and NMI over one another (section 6.4)."""

from __future__ import annotations

from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.figures.ray_sites import (
    BLUE,
    COUNTS,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Ray,
    Value,
    draw_value,
    n_changed,
    n_changed_matched,
    name_eps,
    nmi,
    rand_index,
    shade_interval,
)
from bilad.scripts.reproduce.section import Claim, Section, Text, agrees_if

WHERE = "Section 6.4, Figure 8"
LARGE = 0.5  # what share of the largest N_chg counts as large


def figure8(bench: Bench, ray: Ray) -> Section:
    """Lay the three curves over one another, and judge whether they tell one story."""
    caption = "N_chg (left axis), RI and NMI (right axis). Shaded: the partition of eps = 0."
    picture = bench.picture("figure8", caption, lambda figure: draw(figure, ray))
    text = Text(f"Our setting: {ray.setting.describe()}. Breaks as in Figure 4.")
    found = [_intervals(ray, value, name) for value, name in COUNTS]
    found += [_large(ray, value, name) for value, name in COUNTS]
    return Section([text, picture], [*found, _abrupt(ray)])


def _intervals(ray: Ray, count: Value, name: str) -> Claim:
    wrong = sum((count(s) == 0) != (s.rand_index == s.nmi == 1.0) for s in ray.sites)
    low, high = ray.interval
    return Claim(
        WHERE,
        f"RI = NMI = 1 exactly where N_chg = 0 ({name}).",
        f"{wrong} exceptions at {len(ray.sites)} pieces and breaks; around 0 from {low:.4g} to "
        f"{high:.4g}",
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
        texts.append(f"{title} at most {highest:.3g} there, at least {lowest:.3g} elsewhere")
        apart.append(highest < lowest)
    return Claim(
        WHERE,
        f"Large N_chg ({name}) comes with clearly lower RI and NMI.",
        f"N_chg above {LARGE:.0%} of its largest, {most:g}: {'; '.join(texts)}",
        agrees_if(all(apart)),
    )


def _abrupt(ray: Ray) -> Claim:
    steps = [s for sign in (-1, 1) for s in ray.steps(rand_index, sign)]
    largest = max(steps, key=lambda step: abs(step.after - step.before))
    size = abs(largest.after - largest.before)
    most = 1.0 - min(map(rand_index, ray.sites))
    return Claim(
        WHERE,
        "Beyond certain thresholds the partition changes abruptly.",
        f"one step, at eps = {largest.eps:.4g}, makes {size / most:.0%} of the largest fall of RI",
        agrees_if(size >= 0.5 * most),
    )


def draw(figure: Figure, ray: Ray) -> None:
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
