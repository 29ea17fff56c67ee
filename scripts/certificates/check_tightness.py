"""How tight the proved radii and the proved bounds of (BL1) are, compared with attacks.

`check_gaps` compares bounds with the known optimum, the parametric path or searches on the
instances with many parameters. `check_tightness` compares radii with the shortest attack
found, and bounds with the largest deviation found. Its attacks do not depend on the proofs, so two
versions of the proofs can be compared on the same instances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.certificates.check_radius import random_cloud
from bilad.scripts.certificates.check_rows import CheckRow
from bilad.scripts.instances import entry_problem
from bilad.scripts.known_problems import known_problems
from bilad.scripts.settings import Setting
from bilad.solvers import Attack, Clustering, attack, cluster
from bilad.solvers.certificates.bounds import optimum_bound
from bilad.solvers.certificates.stable_blocks import certified_radius
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.method import refusal

PROVING = ("exact", "milp")  # methods that prove a bound themselves
SEARCHES = ("corners", "hypergradient")
GAP_SOLVES, GAP_SECONDS = 200, 2.0  # limits of a search with many parameters
PROVING_SECONDS = 10.0
COUNTS = (5, 20, 60)  # entries that may change


def check_gaps(
    settings: Mapping[str, Setting], seeds: int, seed: int, every: int = 1
) -> Iterator[CheckRow]:
    """Compare bounds of (BL1) with attacks; yield a row for each problem.

    Parameters
    ----------
    settings : mapping of str to Setting
        The settings whose data can be read.
    seeds : int
        Seeds of each instance with many parameters; 0 for two of the smallest instances only.
    seed : int
        The first seed.
    every : int
        Every `every`-th of the problems with a known optimum is used.
    """
    for known in list(known_problems().values())[::every]:
        if known.problem.sense == "max":
            kind = f"known, p = {clustering_of(known.problem).p:g}"
            yield _gap(known.name, f"grid, {kind}", known.problem, PROVING, known.optimum)
    for name, setting in settings.items():
        yield _gap(name, "rays", setting.max_deviation(), PROVING)
    numbers = range(seed, seed + seeds)
    entries = _entries(numbers or [seed], COUNTS if seeds else COUNTS[:1])
    entries = entries if seeds else entries[:2]
    for name, group, problem in entries:
        yield _gap(name, group, problem(), SEARCHES)


def _entries(
    seeds: Sequence[int], counts: Sequence[int]
) -> list[tuple[str, str, Callable[[], MaxDeviation]]]:
    """Return name, group and problem of instances in which so many entries may change."""
    return [
        (
            f"{group}, seed {seed}",
            group,
            partial(entry_problem, data, k, norm, seed),
        )
        for data in ("iris", "gaussians")
        for k in counts
        for norm in (np.inf, 2.0)
        for group in [f"{data}, entries {k}, norm {norm:g}, BL1"]
        for seed in seeds
    ]


def _gap(
    name: str,
    group: str,
    problem: BilevelProblem,
    methods: Sequence[str],
    optimum: float = 0.0,
) -> CheckRow:
    clustering = solve_lower(clustering_of(problem))
    began = time.perf_counter()
    bound = proved_bound(problem, clustering)
    seconds = time.perf_counter() - began
    found = _attacks(problem, methods)
    proved = [attack.deviation for attack in found if attack.proved]
    best = max(proved, default=0.0)
    known = max(best, optimum)
    bounds = [bound, *(attack.bound for attack in found if attack.bound is not None)]
    return CheckRow(
        check="gaps",
        group=group,
        instance=name,
        tried=len(bounds),
        wrong=sum(other < known for other in bounds),
        undecided=len(found) - len(proved),
        value=bound / known if known else float("nan"),
        measure="bound / found",
        seconds=seconds,
        closed=int(min(bounds) <= best),
    )


def proved_bound(problem: BilevelProblem, clustering: Clustering) -> float:
    """Return the bound of (BL1); the largest possible deviation if none is proved."""
    bound = optimum_bound(problem, clustering)
    return float(problem.deviation.largest(problem.model.n)) if bound is None else bound


def _attacks(problem: BilevelProblem, methods: Sequence[str]) -> list[Attack]:
    """Attack by each method that supports the problem; by `auto` if none does."""
    able = [name for name in methods if refusal(UPPER_METHODS[name], problem) is None] or ["auto"]
    proving = able[0] in PROVING
    solves, seconds = (None, PROVING_SECONDS) if proving else (GAP_SOLVES, GAP_SECONDS)
    return [
        attack(problem, name, max_solves=solves, time_limit=seconds, bound="none", closing="none")
        for name in (able[:1] if proving else able)
    ]


INF = float("inf")
CLOUDS = (  # p, d, what eps moves
    *((2.0, d, "data") for d in (1, 2, 3, 4, 5)),
    *((p, d, "data") for p, d in ((1.0, 2), (INF, 2), (INF, 3))),
    *((p, 2, "weights") for p in (2.0, 1.0, INF)),
)
BEYOND = 1.5  # the budget of (BL1), relative to the shortest attack found
ANY_CHANGE = 2.0  # the least positive delta
SOLVES = 80  # lower-level solves of each attack


def check_tightness(
    settings: Mapping[str, Setting], instances: int, seed: int, every: int = 1
) -> Iterator[CheckRow]:
    """Compare radii and bounds with attacks; yield two rows for each problem.

    Parameters
    ----------
    settings, seed, every
        As in `check_gaps`. Instances with many parameters are used only if Iris can be read.
    instances : int
        Number of instances of each random family.
    """
    for p, d, kind in CLOUDS:
        family = "a line" if d == 1 else f"p = {p:g}, d = {d}"
        for name, problem in _random_family(p, d, kind, instances, seed):
            yield from _rows(f"{family}, {kind}", name, problem, seed)
    for known in list(known_problems().values())[::every]:
        if known.problem.sense == "max":
            group = f"grid, known, p = {clustering_of(known.problem).p:g}"
            yield from _rows(group, known.name, known.problem, seed)
    entries = _entries([seed], COUNTS[:2]) if "iris" in settings else []
    for name, group, entry in entries[::every]:
        yield from _rows(group, name, entry(), seed)


def _random_family(
    p: float, d: int, kind: str, instances: int, seed: int
) -> Iterator[tuple[str, MaxDeviation]]:
    """Yield clouds whose partition is certified and neither one cluster nor single points."""
    found, number = 0, 0
    while found < instances:
        cloud = clustering_of(random_cloud(np.random.default_rng([seed, number]), d))
        model = ConvexClustering(cloud.data, cloud.graph, cloud.gamma, p)
        clustering = cluster(model, tol=1e-12, refine=True)
        if clustering.proved and 1 < clustering.n_clusters < model.n:
            found += 1
            yield f"cloud {number}", MaxDeviation(model, _perturbation(model, kind), 1.0)
        number += 1


def _perturbation(model: ConvexClustering, kind: str) -> Perturbation:
    if kind == "weights":
        return Perturbation.edges(model.graph)
    return Perturbation.additive(model.data.shape)


def _rows(group: str, name: str, problem: BilevelProblem, seed: int) -> Iterator[CheckRow]:
    model, perturbation, norm = clustering_of(problem), problem.perturbation, problem.norm
    clustering = cluster(model, tol=1e-12, refine=True)
    least = _attack(MinPerturbation(model, perturbation, ANY_CHANGE, norm), seed)
    shortest = least.norm if least.proved and least.norm > 0 else float("nan")
    began = time.perf_counter()
    radius = _radius(problem, clustering)
    seconds = time.perf_counter() - began
    wrong = radius > shortest
    yield _figure("radius", group, name, wrong, radius / shortest, "radius / attack", seconds)
    if shortest != shortest:
        return
    problem = MaxDeviation(model, perturbation, BEYOND * shortest, norm)
    best = _attack(problem, seed)
    known = max(least.deviation, best.deviation if best.proved else 0.0)
    began = time.perf_counter()
    bound = proved_bound(problem, clustering)
    seconds = time.perf_counter() - began
    yield _figure("bound", group, name, bound < known, bound / known, "bound / found", seconds)


def _attack(problem: BilevelProblem, seed: int) -> Attack:
    return attack(problem, "corners", seed, max_solves=SOLVES, bound="none", closing="none")


def _radius(problem: BilevelProblem, clustering: Clustering) -> float:
    """Return the proved radius, 0 if there is none."""
    try:
        return certified_radius(problem, clustering)
    except UnsupportedError:
        return 0.0


def _figure(
    what: str, group: str, name: str, wrong: bool, value: float, measure: str, seconds: float
) -> CheckRow:
    undecided = int(value != value)
    return CheckRow(
        f"tightness, {what}", group, name, 1, int(wrong), undecided, value, measure, seconds
    )
