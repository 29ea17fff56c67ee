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

import numpy as np

from bilad.models import deviation
from bilad.models.validation import IntArray
from bilad.scripts.settings import Setting
from bilad.solvers.staircase import Staircase, staircase

PIECE, BREAK = "piece", "break"


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
class RaySizes:
    """Which ray."""

    dataset: str = "iris"  # name of a setting


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
    stairs: Staircase
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
    stairs = staircase(setting.model(), setting.shift(), -setting.budget, setting.budget)
    return Ray(setting, stairs, tuple(sites_of(stairs)))


def sites_of(stairs: Staircase) -> list[Site]:
    """Return breaks and pieces in turn, from low to high."""
    before, ends = stairs.labels_at(0.0), stairs.breaks
    sites = []
    for k, place in enumerate(ends):
        sites.append(_site(BREAK, place, place, before, stairs.at_breaks[k]))
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


def delta(site: Site) -> float:
    """Return delta."""
    return site.delta


def n_changed(site: Site) -> float:
    """Return N_chg, clusters numbered by first appearance."""
    return site.n_changed


def n_changed_matched(site: Site) -> float:
    """Return N_chg after the best renaming of clusters."""
    return site.n_changed_matched


def rand_index(site: Site) -> float:
    """Return RI."""
    return site.rand_index


def nmi(site: Site) -> float:
    """Return NMI."""
    return site.nmi


# The paper compares labels as they are numbered.
COUNTS = ((n_changed, "labels as numbered"), (n_changed_matched, "labels matched"))


def shown_steps(steps: Sequence[Step], most: int = 3) -> str:
    """Return the first few steps as text."""
    texts = [f"{s.before:.6g} to {s.after:.6g} at eps = {s.eps:.4g}" for s in steps[:most]]
    more = len(steps) - most
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")
