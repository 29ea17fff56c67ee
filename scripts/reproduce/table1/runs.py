"""The runs for Table 1, and their recomputed results: a row for each method and problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bilad.models import deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.scripts.attack_runs import attained_value
from bilad.scripts.attack_runs import share as share_of
from bilad.scripts.reproduce.figures.ray import Ray, ray_of
from bilad.scripts.settings import Setting
from bilad.solvers import Attack, attack
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.parametric.optimum import largest_deviation, least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS, refusal

DIRECT, DIRECT_SSNAL = "direct", "direct, SSNAL"
FMINCON = "finite-difference"  # five starts; takes the place of the paper's fmincon
ONE_START, INTERIOR_POINT = f"{FMINCON}, one start", f"{FMINCON}, interior point"
FMINCONS = (FMINCON, ONE_START, INTERIOR_POINT)
PROBLEMS = ("BL1", "BL2")


@dataclass(frozen=True)
class Row:
    """The answer of one method; delta, N_chg and the clusters are recomputed at its eps."""

    dataset: str
    problem: str
    method: str
    n: int  # points
    K: int  # clusters at eps = 0
    eps: float
    norm: float
    delta: int
    # N_chg, without and with renaming of clusters
    n_changed: int
    n_changed_matched: int
    clusters: int
    proved: bool  # whether the labels are certified
    # share of the exact optimum (delta / optimum, or optimum / |eps|); 0 without an attack
    share: float
    own_share: float  # the share that the method found itself, before the closing search
    solves: int  # lower-level solves
    seconds: float  # wall-clock time
    share_solving: float  # the share of the lower-level solves in it
    status: str
    bound: float  # the optimum by the parametric path: of delta for BL1, of |eps| for BL2
    flat: bool  # whether delta is constant around eps within the budget


def runs(setting: Setting, chosen: Sequence[Entry], seed: int) -> Iterator[Row]:
    """Yield a row for each method and problem."""
    ray = ray_of(setting)
    problems: tuple[tuple[str, BilevelProblem, float], ...] = (
        ("BL1", setting.max_deviation(), largest_deviation(ray.path).deviation),
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
    answer = least_perturbation(ray.path, ray.setting.target)
    return float("inf") if answer is None else float(answer.infimum)


def row_of(ray: Ray, problem: str, method: str, found: Attack, optimum: float) -> Row:
    """Return the row of an answer to (BL1) or (BL2); `optimum` is a delta or an |eps|."""
    shift, model = found.problem.perturbation, clustering_of(found.problem)
    before, after = (solve_lower(shift.apply(model, e), tol=1e-10) for e in (0.0, found.eps))
    delta = int(deviation(before.labels, after.labels, "delta"))
    proved = before.proved and after.proved
    value = delta / optimum if problem == "BL1" else optimum / (found.norm or np.inf)
    reached = delta > 0 if problem == "BL1" else delta >= ray.setting.target
    best = found.own
    own = attained_value(found.problem, best.norm, best.deviation, found.baseline.proved)
    return Row(
        dataset=ray.setting.dataset,
        problem=problem,
        method=method,
        n=ray.setting.points,
        K=len(np.unique(found.baseline.outcome)),
        eps=float(found.eps[0]),
        norm=found.norm,
        delta=delta,
        n_changed=int(deviation(found.baseline.outcome, found.labels, "changed")),
        n_changed_matched=int(deviation(before.labels, after.labels, "changed-matched")),
        clusters=after.n_clusters,
        proved=proved,
        share=float(value) if reached and proved else 0.0,
        own_share=share_of(found.problem, optimum, own),
        solves=found.lower_solves,
        seconds=found.seconds,
        share_solving=found.seconds_solving / found.seconds,
        status=found.status,
        bound=optimum,
        flat=is_flat(ray.path, float(found.eps[0])),
    )


def is_flat(path: ParametricPath, eps: float) -> bool:
    """Return whether the partition is constant in a neighbourhood of an eps on the path."""
    low, high = path.piece_at(eps)
    if low < high:
        return True
    place = path.breakpoints.index(low)
    around = path.between[max(place - 1, 0) : place + 1]
    return bool((around == path.at_breakpoints[place]).all())


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    datasets: tuple[str, ...] = ("iris", "seeds", "wine")  # names of settings
    seconds: float = 12.0  # time limit of a run, except for reformulations
    reformulation_seconds: float = 60.0  # their time limit; it does not interrupt an NLP solve
    # the largest n for which reformulations are run on (BL1), and on (BL2)
    reformulation_points: tuple[int, int] = (200, 100)
    restarts: int = 5  # local searches of a method that restarts
    coarsening: int = 1  # the step of direct search, as a multiple of the setting's step
    ssnal_coarsening: int = 40  # the same if SSNAL solves the lower level
    timed: int = 40  # timed solves of each lower-level method


@dataclass(frozen=True)
class Entry:
    """A method with its lower-level method, options and time limit, and its problems."""

    name: str
    method: str
    seconds: float
    lower: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)
    problems: Sequence[str] = PROBLEMS


def entries(setting: Setting, sizes: Sizes) -> list[Entry]:
    """Return all methods that support the setting's problems, and variants of two of them."""
    problems = (setting.max_deviation(), setting.min_perturbation())
    names = [
        name
        for name, method in UPPER_METHODS.usable().items()
        if all(refusal(method, problem) is None for problem in problems)
    ]
    return [entry for name in names for entry in _entries_of(name, setting, sizes)]


def _entries_of(name: str, setting: Setting, sizes: Sizes) -> list[Entry]:
    """Return a method with its default options, then its variants."""
    seconds = sizes.seconds
    if name in REFORMULATIONS:
        largest = zip(PROBLEMS, sizes.reformulation_points, strict=True)
        fits = [problem for problem, most in largest if setting.points <= most]
        return [Entry(name, name, sizes.reformulation_seconds, problems=fits)] if fits else []
    options: dict[str, Any] = {}
    if "restarts" in UPPER_METHODS[name].options:
        options["restarts"] = sizes.restarts
    if name == FMINCON:
        one = {"restarts": 1}
        return [
            Entry(name, name, seconds, options=options),
            Entry(ONE_START, name, seconds, options=one),
            Entry(INTERIOR_POINT, name, seconds, options=one | {"solver": "trust-constr"}),
        ]
    if name == DIRECT:
        fine, coarse = (
            {"step": setting.step * factor} for factor in (sizes.coarsening, sizes.ssnal_coarsening)
        )
        return [
            Entry(name, name, seconds, options=fine),
            Entry(DIRECT_SSNAL, name, seconds, "ssnal", coarse),
        ]
    return [Entry(name, name, seconds, options=options)]
