"""A staircase as rows: every open piece and every break of a ray, with all that is counted there.

A break belongs to neither of the pieces beside it: clusters may touch there that are apart on both
sides. So it has a row of its own, and what is said of the ray is said of pieces and breaks alike.
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
from bilad.scripts.settings import Setting
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath, parametric_path

PIECE, BREAK = "piece", "break"
# Okabe and Ito's colours, told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.55"


@dataclass(frozen=True)
class Site:
    """An open piece of the ray, or a break; the partition against that at eps = 0."""

    kind: str  # "piece" or "break"
    # low, high: ends; of a break both the same
    low: float
    high: float
    # exact_low, exact_high: as fractions
    exact_low: str
    exact_high: str
    delta: int
    # n_changed, n_changed_matched: N_chg: clusters numbered by first appearance; after the best
    # renaming
    n_changed: int
    n_changed_matched: int
    # rand_deviation, rand_index, nmi: 1 - RI; RI; NMI, normalised by the mean of the entropies
    rand_deviation: float
    rand_index: float
    nmi: float
    clusters: int
    same: bool  # whether the partition is that at eps = 0, by comparing it


Value = Callable[[Site], float]


@dataclass(frozen=True)
class Step:
    """Two neighbouring sites of a half-ray where a value is not the same."""

    eps: float  # where they meet
    # before, after: the values, outwards
    before: float
    after: float


@dataclass(frozen=True)
class Ray:
    """The exact staircase of a setting within its budget, and its sites from low to high."""

    setting: Setting
    stairs: ParametricPath
    sites: tuple[Site, ...]

    @property
    def baseline(self) -> IntArray:
        """Labels at eps = 0."""
        return self.stairs.labels_at(0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the largest interval around 0 with the partition of eps = 0."""
        right, left = (
            next((k for k, site in enumerate(side) if not site.same), len(side)) - 1
            for side in (self.outwards(1), self.outwards(-1))
        )
        return self.outwards(-1)[left].low, self.outwards(1)[right].high

    def outwards(self, sign: int) -> tuple[Site, ...]:
        """Return the sites with some sign * eps >= 0, from that of eps = 0 outwards."""
        if sign > 0:
            return tuple(site for site in self.sites if site.high > 0 or site.low == 0)
        return tuple(site for site in reversed(self.sites) if site.low < 0 or site.high == 0)

    def steps(self, value: Value, sign: int) -> list[Step]:
        """Return where a value changes, outwards on one side, breaks looked at too."""
        return [
            Step(_meeting(old, new, sign), value(old), value(new))
            for old, new in pairwise(self.outwards(sign))
            if value(old) != value(new)
        ]

    def falls(self, value: Value) -> list[Step]:
        """Return where a value gets less outwards, on either side."""
        return [s for sign in (-1, 1) for s in self.steps(value, sign) if s.after < s.before]

    def rises(self, value: Value) -> list[Step]:
        """Return where a value gets larger outwards, on either side."""
        return [s for sign in (-1, 1) for s in self.steps(value, sign) if s.after > s.before]


def _meeting(old: Site, new: Site, sign: int) -> float:
    return old.high if sign > 0 else old.low


@cache
def ray_of(setting: Setting) -> Ray:
    """Follow the setting's eps over its whole budget, exactly."""
    stairs = parametric_path(setting.model(), setting.shift(), -setting.budget, setting.budget)
    return Ray(setting, stairs, tuple(sites_of(stairs)))


def sites_of(stairs: ParametricPath) -> list[Site]:
    """Return breaks and pieces in turn, from low to high."""
    before, ends = stairs.labels_at(0.0), stairs.breakpoints
    sites = []
    for k, place in enumerate(ends):
        sites.append(_site(BREAK, place, place, before, stairs.at_breakpoints[k]))
        if k < len(stairs.between):
            sites.append(_site(PIECE, place, ends[k + 1], before, stairs.between[k]))
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
        same=bool(np.array_equal(before, labels)),  # both numbered by first appearance
    )


delta, n_changed, n_changed_matched, rand_index, nmi = map(
    attrgetter, ("delta", "n_changed", "n_changed_matched", "rand_index", "nmi")
)
# The paper compares labels as they are numbered.
COUNTS = ((n_changed, "labels as numbered"), (n_changed_matched, "labels matched"))


def shown_steps(steps: Sequence[Step], most: int = 3) -> str:
    """Return the first few steps as text."""
    texts = [f"{s.before:.6g} to {s.after:.6g} at eps = {s.eps:.4g}" for s in steps[:most]]
    more = len(steps) - most
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def outline(ray: Ray, value: Value) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the pieces, each twice, and the value there, for a line.

    Parameters
    ----------
    ray : Ray
    value : callable(Site)
    """
    pieces = [site for site in ray.sites if site.kind == PIECE]
    eps = np.array([[site.low, site.high] for site in pieces]).ravel()
    return eps, np.repeat([float(value(site)) for site in pieces], 2)


def single_breaks(ray: Ray, value: Value) -> list[tuple[float, float]]:
    """Return eps and value of the breaks with another value than the pieces beside them.

    Parameters
    ----------
    ray : Ray
    value : callable(Site)
    """
    found, sites = [], ray.sites
    for k in range(2, len(sites) - 2, 2):
        beside = {value(sites[k - 1]), value(sites[k + 1])}
        if value(sites[k]) not in beside:
            found.append((sites[k].low, float(value(sites[k]))))
    return found


def draw_value(axes: Axes, ray: Ray, value: Value, label: str, **style: Any) -> None:
    """Draw a step function.

    Parameters
    ----------
    axes : Axes
    ray : Ray
    value : callable(Site)
    label : str
    **style
        Of the line, the colour among it.
    """
    axes.plot(*outline(ray, value), label=label, **style)
    single = single_breaks(ray, value)
    if single:
        axes.plot(*zip(*single, strict=True), ".", color=style["color"], markersize=4)


def mark_steps(axes: Axes, steps: Sequence[Step], marker: str, label: str) -> None:
    """Mark steps by triangles at the values behind them."""
    places = [step.eps for step in steps], [step.after for step in steps]
    axes.plot(*places, marker, color=GREEN, markersize=5, label=label)


def shade_interval(axes: Axes, low: float, high: float, label: str, colour: str) -> None:
    """Shade an interval of eps over the whole height."""
    axes.axvspan(low, high, color=colour, alpha=0.15, linewidth=0, label=label)


def name_eps(axes: Axes, ray: Ray) -> None:
    """Label the axis of eps, with its unit."""
    axes.set_xlabel(f"eps [{ray.setting.unit}], points {'..'.join(map(str, ray.setting.shifted))}")
