"""Table 1 in our settings: every method on (BL1) and (BL2), one row each, counted again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import deviation
from bilad.models.bilevel import BilevelProblem
from bilad.scripts.compare import recompute
from bilad.scripts.reproduce.figures.ray_sites import Ray, ray_of
from bilad.scripts.reproduce.table1.table1_plan import Entry
from bilad.scripts.settings import Setting
from bilad.solvers import Attack, attack
from bilad.solvers.staircase import Staircase, largest_deviation, least_perturbation
from bilad.solvers.upper import REFORMULATIONS


@dataclass(frozen=True)
class Row:
    """One answer; delta, N_chg and clusters from a lower-level solve of their own.

    Attributes
    ----------
    dataset, problem, method : str
    n, K : int
        Points, and clusters at eps = 0.
    eps, norm : float
    delta, n_changed, n_changed_matched, clusters : int
        At eps; labels as numbered, and matched.
    proved : bool
        Whether the labels are.
    share : float
        Of the exact optimum: delta over it for BL1, it over |eps| for BL2; 0 without an attack.
    own_share : float
        The same of what the method found itself; a reformulation is followed by closing.
    solves : int
        Of the lower level.
    seconds, share_solving : float
        Wall clock, and how much of it was spent in the lower level.
    status : str
    bound : float
        Proved by the exact staircase: on delta for BL1, on |eps| for BL2.
    flat : bool
        Whether delta is constant around eps within the budget, so that its slope is zero.
    """

    dataset: str
    problem: str
    method: str
    n: int
    K: int
    eps: float
    norm: float
    delta: int
    n_changed: int
    n_changed_matched: int
    clusters: int
    proved: bool
    share: float
    own_share: float
    solves: int
    seconds: float
    share_solving: float
    status: str
    bound: float
    flat: bool


def runs(setting: Setting, chosen: Sequence[Entry], seed: int) -> Iterator[Row]:
    """Yield a row for each method and problem."""
    ray = ray_of(setting)
    problems: tuple[tuple[str, BilevelProblem, float], ...] = (
        ("BL1", setting.max_deviation(), largest_deviation(ray.stairs).deviation),
        ("BL2", setting.min_perturbation(), _least(ray)),
    )
    for name, problem, optimum in problems:
        for entry in (one for one in chosen if name in one.problems):
            found = attack(
                problem,
                entry.method,
                seed,
                entry.seconds,
                lower=entry.lower,
                bound="none",
                closing="search" if entry.method in REFORMULATIONS else "none",
                **entry.options,
            )
            yield row_of(ray, name, entry.name, found, optimum)


def _least(ray: Ray) -> float:
    answer = least_perturbation(ray.stairs, ray.setting.target)
    return float("inf") if answer is None else float(answer.infimum)


def row_of(ray: Ray, problem: str, method: str, found: Attack, optimum: float) -> Row:
    """Return the row of an answer.

    Parameters
    ----------
    ray : Ray
        Of the setting.
    problem : {"BL1", "BL2"}
    method : str
        As it is to be called.
    found : Attack
    optimum : float
        delta of BL1, |eps| of BL2.
    """
    counted = recompute(problem, found)
    value = counted.delta / optimum if problem == "BL1" else optimum / (counted.norm or np.inf)
    reached = counted.delta > 0 if problem == "BL1" else counted.delta >= ray.setting.target
    return Row(
        dataset=ray.setting.dataset,
        problem=problem,
        method=method,
        n=ray.setting.points,
        K=len(np.unique(found.baseline.outcome)),
        eps=counted.eps,
        norm=counted.norm,
        delta=counted.delta,
        n_changed=int(deviation(found.baseline.outcome, found.labels, "changed")),
        n_changed_matched=counted.n_changed_matched,
        clusters=counted.clusters,
        proved=counted.labels_proved,
        share=float(value) if reached and counted.labels_proved else 0.0,
        own_share=_own_share(found, optimum),
        solves=counted.lower_solves,
        seconds=counted.seconds,
        share_solving=found.seconds_solving / found.seconds,
        status=counted.status,
        bound=optimum,
        flat=is_flat(ray.stairs, counted.eps),
    )


def _own_share(found: Attack, optimum: float) -> float:
    own, problem = found.own, found.problem
    if not (found.baseline.proved and problem.is_attack(own.norm, own.deviation)):
        return 0.0
    value = problem.value(own.norm, own.deviation)
    return float(value / optimum if problem.sense == "max" else optimum / value)


def is_flat(stairs: Staircase, eps: float) -> bool:
    """Say whether the partition is the same at all eps near one, as far as the staircase goes."""
    low, high = stairs.piece_at(eps)
    if low < high:
        return True
    place = stairs.breaks.index(low)
    around = stairs.between[max(place - 1, 0) : place + 1]
    return bool((around == stairs.at_breaks[place]).all())
