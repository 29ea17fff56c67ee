"""The parametric path of a setting as a table: all deviations on every interval and at every break.

The partition is constant on each open interval between two breaks. At a break it can differ from
both sides, because two clusters may touch at this single eps. So a break is a site with its own
row, and the claims of the paper are judged on intervals and breaks alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bilad.models import deviation
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.reproduce.part import GREEN, Bench, Part, Section
from bilad.scripts.settings import SETTINGS, Setting
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath, parametric_path

PIECE, BREAK = "piece", "break"


@dataclass(frozen=True)
class Site:
    """An open interval of eps, or a break; its partition is compared with that at eps = 0."""

    kind: str  # "piece" for an interval, or "break"
    # the ends of the interval, which are equal for a break, also as fractions
    low: float
    high: float
    exact_low: str
    exact_high: str
    delta: int
    # N_chg, with the clusters numbered by first appearance, and after the best renaming
    n_changed: int
    n_changed_matched: int
    rand_deviation: float  # 1 - RI
    rand_index: float  # RI
    nmi: float  # NMI, normalised by the arithmetic mean of the entropies
    clusters: int
    same: bool  # whether the partition is that at eps = 0


Value = Callable[[Site], float]


@dataclass(frozen=True)
class Step:
    """A jump: two adjacent sites of a half-ray with different values."""

    eps: float  # the common end of the sites
    # the values at the site closer to 0, and at the other
    before: float
    after: float


@dataclass(frozen=True)
class Ray:
    """The parametric path of a setting within its budget, and its sites in increasing order."""

    setting: Setting
    path: ParametricPath
    sites: tuple[Site, ...]

    @property
    def baseline(self) -> IntArray:
        """The labels at eps = 0."""
        return self.path.labels_at(0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the largest interval around 0 with the partition of eps = 0."""
        right, left = (
            next((k for k, site in enumerate(side) if not site.same), len(side)) - 1
            for side in (self.outwards(1), self.outwards(-1))
        )
        return self.outwards(-1)[left].low, self.outwards(1)[right].high

    def outwards(self, sign: int) -> tuple[Site, ...]:
        """Return the sites of the half-ray sign * eps >= 0, in increasing order of |eps|."""
        if sign > 0:
            return tuple(site for site in self.sites if site.high > 0 or site.low == 0)
        return tuple(site for site in reversed(self.sites) if site.low < 0 or site.high == 0)

    def steps(self, value: Value, sign: int) -> list[Step]:
        """Return the jumps of a value on a half-ray, in increasing order of |eps|."""
        return [
            Step(old.high if sign > 0 else old.low, value(old), value(new))
            for old, new in pairwise(self.outwards(sign))
            if value(old) != value(new)
        ]

    def falls(self, value: Value) -> list[Step]:
        """Return the jumps at which a value decreases as |eps| increases, on both half-rays."""
        return [s for sign in (-1, 1) for s in self.steps(value, sign) if s.after < s.before]

    def rises(self, value: Value) -> list[Step]:
        """Return the jumps at which a value increases as |eps| increases, on both half-rays."""
        return [s for sign in (-1, 1) for s in self.steps(value, sign) if s.after > s.before]


@cache
def ray_of(setting: Setting) -> Ray:
    """Return the ray of a setting."""
    path = parametric_path(setting.model(), setting.shift(), -setting.budget, setting.budget)
    return Ray(setting, path, tuple(sites_of(path)))


@dataclass(frozen=True)
class Sizes:
    """The setting whose ray the figures show."""

    dataset: str = "iris"


def figure_part(name: str, title: str, figure: Callable[[Bench, Ray], Section]) -> Part:
    """Return the part of the reproduction that reports one figure."""

    def run(bench: Bench, sizes: Sizes) -> Section:
        ray = ray_of(SETTINGS[sizes.dataset])
        bench.collect("curve", iter(ray.sites), Site, len(ray.sites))
        return figure(bench, ray)

    return Part(name, title, run, Sizes(), Sizes())


def sites_of(path: ParametricPath) -> list[Site]:
    """Return the breaks and the intervals in turn, in increasing order."""
    before, ends = path.labels_at(0.0), path.breakpoints
    sites = []
    for k, place in enumerate(ends):
        sites.append(_site(BREAK, place, place, before, path.at_breakpoints[k]))
        if k < len(path.between):
            sites.append(_site(PIECE, place, ends[k + 1], before, path.between[k]))
    return sites


def _site(kind: str, low: Fraction, high: Fraction, before: IntArray, labels: IntArray) -> Site:
    rand = float(deviation(before, labels, "rand"))
    return Site(
        kind=kind,
        low=float(low),
        high=float(high),
        exact_low=str(low),
        exact_high=str(high),
        delta=int(deviation(before, labels, "delta")),
        n_changed=int(deviation(before, labels, "changed")),
        n_changed_matched=int(deviation(before, labels, "changed-matched")),
        rand_deviation=rand,
        rand_index=1.0 - rand,
        nmi=1.0 - float(deviation(before, labels, "nmi")),
        clusters=int(labels.max()) + 1,
        same=bool(np.array_equal(before, labels)),  # both are numbered by first appearance
    )


delta, n_changed, n_changed_matched, rand_index, nmi = map(
    attrgetter, ("delta", "n_changed", "n_changed_matched", "rand_index", "nmi")
)
# The paper does not rename clusters before it compares labels.
COUNTS = ((n_changed, "labels as numbered"), (n_changed_matched, "labels matched"))


def shown_steps(steps: Sequence[Step], most: int = 3) -> str:
    """Return the first few jumps as text."""
    texts = [f"{s.before:.6g} to {s.after:.6g} at eps = {s.eps:.4g}" for s in steps[:most]]
    more = len(steps) - most
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def outline(ray: Ray, value: Value) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the intervals and the value on them, for a plot."""
    pieces = [site for site in ray.sites if site.kind == PIECE]
    eps = np.array([[site.low, site.high] for site in pieces]).ravel()
    return eps, np.repeat([float(value(site)) for site in pieces], 2)


def single_breaks(ray: Ray, value: Value) -> list[tuple[float, float]]:
    """Return (eps, value) of the breaks whose value differs from both adjacent intervals."""
    found, sites = [], ray.sites
    for k in range(2, len(sites) - 2, 2):
        beside = {value(sites[k - 1]), value(sites[k + 1])}
        if value(sites[k]) not in beside:
            found.append((sites[k].low, float(value(sites[k]))))
    return found


def draw_value(axes: Axes, ray: Ray, value: Value, label: str, **style: Any) -> None:
    """Draw a value as a piecewise constant function; `style` must contain the colour."""
    axes.plot(*outline(ray, value), label=label, **style)
    single = single_breaks(ray, value)
    if single:
        axes.plot(*zip(*single, strict=True), ".", color=style["color"], markersize=4)


def mark_steps(axes: Axes, steps: Sequence[Step], marker: str, label: str) -> None:
    """Mark jumps by triangles at the values after them."""
    places = [step.eps for step in steps], [step.after for step in steps]
    axes.plot(*places, marker, color=GREEN, markersize=5, label=label)


def shade_interval(axes: Axes, low: float, high: float, label: str, colour: str) -> None:
    """Shade an interval of eps."""
    axes.axvspan(low, high, color=colour, alpha=0.15, linewidth=0, label=label)


def name_eps(axes: Axes, ray: Ray) -> None:
    """Label the axis of eps."""
    axes.set_xlabel(f"eps [{ray.setting.unit}], points {'..'.join(map(str, ray.setting.shifted))}")
