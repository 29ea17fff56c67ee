"""The exact answers to (BL1) and (BL2) on a ray, and the largest delta within each budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bilad.scripts.reproduce.figures.ray_sites import PIECE, Ray
from bilad.scripts.settings import Setting
from bilad.solvers import attack


@dataclass(frozen=True)
class Star:
    """A global answer."""

    problem: str  # "BL1" or "BL2"
    eps: float
    norm: float
    delta: int
    bound: float  # proved: on delta for BL1, on |eps| for BL2
    status: str  # "optimal" if the bound is met
    proved: bool  # whether the labels at eps are


@dataclass(frozen=True)
class Reach:
    """The largest delta for |eps| up to a budget: a row where it grows."""

    budget: float
    attained: bool  # whether |eps| = budget has it, or only larger ones
    largest: int


def stars(setting: Setting) -> Iterator[Star]:
    """Yield the answer to (BL1), and to (BL2)."""
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
    """Return where the largest delta within a budget grows, from the sites alone."""
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
