"""Figure 7: the Rand index and NMI along the ray, and which is a deviation function (6.4)."""

from __future__ import annotations

from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.figures.ray_sites import (
    BLUE,
    BREAK,
    ORANGE,
    Ray,
    Site,
    Value,
    draw_value,
    mark_steps,
    name_eps,
    nmi,
    rand_index,
    shown_steps,
)
from bilad.scripts.reproduce.section import Claim, Section, Text, agrees_if

WHERE = "Section 6.4, Figure 7"


def figure7(bench: Bench, ray: Ray) -> Section:
    """Draw both indices, and judge them on every piece and break."""
    caption = (
        "RI and NMI against the partition of eps = 0; triangles: an index rises although |eps| "
        "grows. NMI is normalised by the arithmetic mean of the entropies."
    )
    picture = bench.picture("figure7", caption, lambda figure: draw(figure, ray))
    text = (
        f"Our setting: {ray.setting.describe()}. Breaks as in Figure 4. Growing |eps|: along each "
        "half-ray, so that the two sides are not held against one another."
    )
    return Section([Text(text), picture], [*rand_claims(ray), *nmi_claims(ray)])


def rand_claims(ray: Ray) -> list[Claim]:
    """Judge what the section says of the Rand index."""
    sites, n = ray.sites, ray.setting.points
    wrong = _one_without_same(ray, rand_index)
    off = max(abs(s.rand_index - (1 - s.delta / (n * (n - 1)))) for s in sites)
    zero = ray.outwards(1)[0].rand_deviation
    least = min(s.rand_deviation for s in sites)
    found = _rises(ray, rand_index)
    return [
        Claim(
            WHERE,
            "RI = 1 if and only if the two clusterings coincide.",
            f"partitions compared at {len(sites)} pieces and breaks: {wrong} exceptions",
            agrees_if(wrong == 0),
        ),
        Claim(
            WHERE,
            "RI decreases as more pairs are assigned differently.",
            f"|RI - (1 - delta / (n (n - 1)))| <= {off:.0e}",
            agrees_if(off < 1e-12),
        ),
        Claim(WHERE, "RI decreases as |eps| increases.", found or "no rise", agrees_if(not found)),
        Claim(
            WHERE,
            "1 - RI is a deviation function: 0 at eps = 0, not negative, nondecreasing in |eps|.",
            f"{zero:g} at 0, least {least:g}; RI: {found or 'no rise'}",
            agrees_if(zero == 0 and least >= 0 and not found),
        ),
    ]


def nmi_claims(ray: Ray) -> list[Claim]:
    """Judge what the section says of NMI."""
    wrong = _one_without_same(ray, nmi)
    found, of_rand = _rises(ray, nmi), _rises(ray, rand_index)
    least = _least(ray)
    jump = _largest_rise(ray, least)
    return [
        Claim(
            WHERE,
            "NMI = 1 if and only if the partitions are the same.",
            f"{wrong} exceptions at {len(ray.sites)} pieces and breaks",
            agrees_if(wrong == 0),
        ),
        Claim(WHERE, "NMI is not monotone in |eps|.", found or "no rise", agrees_if(bool(found))),
        Claim(
            WHERE,
            "Beyond a threshold NMI drops to 0 and then jumps to a larger value.",
            f"least NMI {least.nmi:.4g} on eps from {least.low:.4g} to {least.high:.4g}; the "
            f"largest rise outwards from there is {jump:.3g}",
            agrees_if(least.nmi < 1e-12 and jump > 0),
        ),
        Claim(
            WHERE,
            "RI can be used as a deviation function where NMI cannot.",
            f"monotone: RI {'no' if of_rand else 'yes'}, NMI {'no' if found else 'yes'}",
            agrees_if(bool(found) and not of_rand),
        ),
    ]


def _one_without_same(ray: Ray, index: Value) -> int:
    """Return at how many sites the index is 1 and the partition another, or the other way."""
    return sum((index(site) == 1.0) != site.same for site in ray.sites)


def _least(ray: Ray) -> Site:
    """Return the site of least NMI, a piece rather than a break."""
    return min(ray.sites, key=lambda site: (site.nmi, site.kind == BREAK))


def _largest_rise(ray: Ray, least: Site) -> float:
    """Return how far NMI rises above its least value, farther out on that side."""
    side = ray.outwards(-1 if least.high <= 0 else 1)
    return max(map(nmi, side[side.index(least) :])) - least.nmi


def _rises(ray: Ray, index: Value) -> str:
    """Return how often an index rises outwards, and where first; empty if never."""
    found = ray.rises(index)
    return f"{len(found)} rises: {shown_steps(found)}" if found else ""


def draw(figure: Figure, ray: Ray) -> None:
    """Draw RI above NMI, and mark where they rise."""
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, index, name, colour in ((upper, rand_index, "RI", ORANGE), (lower, nmi, "NMI", BLUE)):
        draw_value(axes, ray, index, name, color=colour, linewidth=1.6)
        mark_steps(axes, ray.rises(index), "^", "rises")
        axes.set(ylabel=name, ylim=(-0.05, 1.08))
    name_eps(lower, ray)
    lines = [upper.get_lines()[0], *lower.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=3)
