"""How tight the proofs are: radii beside shortest attacks, bounds of (BL1) beside best answers.

The attacks depend on nothing that is proved, so that two versions of the proofs can be compared on
the same instances. The budget of (BL1) exceeds the shortest attack found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.certificates.certificate_figures import Figure
from bilad.scripts.certificates.check_gaps import proved_bound
from bilad.scripts.certificates.check_radius import random_cloud
from bilad.scripts.formulations.formulations_entries import COUNTS, entry_instances
from bilad.scripts.known_problems import known_problems
from bilad.scripts.settings import Setting
from bilad.solvers import Attack, Clustering, attack, cluster
from bilad.solvers.certificates.stable_blocks import certified_radius
from bilad.solvers.errors import UnsupportedError

INF = float("inf")
CLOUDS = (  # p, d, what eps moves
    *((2.0, d, "data") for d in (1, 2, 3, 4, 5)),
    *((p, d, "data") for p, d in ((1.0, 2), (INF, 2), (INF, 3))),
    *((p, 2, "weights") for p in (2.0, 1.0, INF)),
)
BEYOND = 1.5  # budget, over the shortest attack found
ANY_CHANGE = 2.0  # the least positive delta
SOLVES = 80  # on each attack


def check_tightness(
    settings: Mapping[str, Setting], instances: int, seed: int, every: int = 1
) -> Iterator[Figure]:
    """Compare radii and bounds with attacks; yield two rows for each problem.

    Parameters
    ----------
    settings : mapping of str to Setting
        Those whose data can be read; without Iris there are no free entries.
    instances : int
        Of each random family.
    seed : int
    every : int
        Of the known problems and of those with free entries, so manieth.
    """
    for p, d, kind in CLOUDS:
        family = "a line" if d == 1 else f"p = {p:g}, d = {d}"
        for name, problem in _random_family(p, d, kind, instances, seed):
            yield from _rows(f"{family}, {kind}", name, problem, seed)
    for known in list(known_problems().values())[::every]:
        if known.problem.sense == "max":
            group = f"grid, {known.source}, p = {clustering_of(known.problem).p:g}"
            yield from _rows(group, known.name, known.problem, seed)
    entries = entry_instances(seed, 1, COUNTS[:2]) if "iris" in settings else []
    for instance in entries[::every]:
        yield from _rows(instance.group, instance.name, instance.problem(), seed)


def _random_family(
    p: float, d: int, kind: str, instances: int, seed: int
) -> Iterator[tuple[str, MaxDeviation]]:
    """Yield clouds with a proved partition that is neither one cluster nor single points."""
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


def _rows(group: str, name: str, problem: BilevelProblem, seed: int) -> Iterator[Figure]:
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
    """Return the proved radius, 0 where there is no proof."""
    try:
        return certified_radius(problem, clustering)
    except UnsupportedError:
        return 0.0


def _figure(
    what: str, group: str, name: str, wrong: bool, value: float, measure: str, seconds: float
) -> Figure:
    undecided = int(value != value)
    return Figure(
        f"tightness, {what}", group, name, 1, int(wrong), undecided, value, measure, seconds
    )
