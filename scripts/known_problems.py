"""Bilevel problems whose optimum is known.

For two points, and for two clusters on a line, the optimum has a closed form: it is the least eps
at which the partition changes. For small random problems it is in `studies/known_optima.csv`: it
was proved by a MILP, or for p = 2 and d > 1 found on a fine grid along a ray (`ray_optimum`). There
are two sets, made with different data, sizes and gammas: parameters that were chosen on the first
are to be judged on the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.norms import conjugate
from bilad.models.validation import FloatArray, one_of
from bilad.scripts.settings import readable_settings
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.parametric.optimum import least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

INF = float("inf")
OPTIMA = Path(str(files("bilad.scripts"))) / "studies" / "known_optima.csv"
PROVED: dict[str, float] = pd.read_csv(OPTIMA, index_col="name").optimum.to_dict()
Problems = dict[str, tuple[BilevelProblem, float]]  # by name, with the optimum


@dataclass(frozen=True)
class KnownProblem:
    """A problem with its optimum."""

    name: str
    problem: BilevelProblem
    optimum: float  # the largest deviation (BL1), or the infimum of ||eps|| (BL2)


@dataclass(frozen=True)
class KnownSet:
    """What one set of known problems is made from.

    Two points merge if and only if their distance ||a_1 - a_2||_q is at most 2 gamma w. They lie on
    a line with the direction v, scaled such that ||v||_q = 1. Two clusters lie on a line: n_1
    points around 0 and n_2 at r (n + gap), with r = gamma w for every pair.
    """

    prefix: str  # of the names of the closed forms
    gamma: float
    weight: float  # w
    apart: float  # distance of two points that are not merged
    together: float  # of two that are
    direction: tuple[float, float, float]  # v, of which d entries are used
    first_kind: int  # of the perturbations of two points, which alternate
    sizes: Sequence[tuple[int, int]]  # (n_1, n_2) for p = 1, 2, inf
    pull: float  # r
    gap: float  # > 1
    drawn: str  # key of `DRAWN`, with which the names of the random problems begin


@cache
def known_problems(name: str = "first") -> dict[str, KnownProblem]:
    """Return all problems of a set, "first" or "second", by name.

    Raises
    ------
    ArgumentError
        If there is no such set.
    """
    chosen = KNOWN_SETS[one_of(name, "name", KNOWN_SETS)]
    random = [random_problem(one) for one in PROVED if one.startswith(chosen.drawn)]
    problems = [*two_points(chosen), *two_clusters(chosen), *random]
    return {known.name: known for known in problems}


def first_set() -> Problems:
    """Return the problems of the first set with their optima, for a specification."""
    return {name: (one.problem, one.optimum) for name, one in known_problems("first").items()}


def second_set() -> Problems:
    """Return those of the second set."""
    return {name: (one.problem, one.optimum) for name, one in known_problems("second").items()}


def least_perturbations() -> Problems:
    """Return (BL2) of the first set."""
    return {name: one for name, one in first_set().items() if one[0].sense == "min"}


@cache
def settings() -> Problems:
    """Return (BL2) of the settings whose data can be read; the parametric path solves it."""
    found: Problems = {}
    for name, setting in readable_settings().items():
        problem = setting.min_perturbation()
        path = parametric_path(
            setting.model(), problem.perturbation, -problem.radius, problem.radius
        )
        answer = least_perturbation(path, setting.target)
        if answer is not None:
            found[name] = problem, float(answer.infimum)
    return found


def _both(
    name: str,
    model: ConvexClustering,
    perturbation: Perturbation,
    step: tuple[float, float],
    norm: float,
    budget: float,
) -> Iterator[KnownProblem]:
    """Yield (BL1) and (BL2) for a jump of the deviation.

    Parameters
    ----------
    step : (float, float)
        The ||eps|| at which the deviation jumps, and its value from there up to the budget.
    """
    size, deviation = step
    least = MinPerturbation(model, perturbation, deviation, norm)
    most = MaxDeviation(model, perturbation, budget, norm)
    yield KnownProblem(f"{name}, BL1", most, deviation)
    yield KnownProblem(f"{name}, BL2", least, size)


FIRST = KnownSet(
    prefix="",
    gamma=0.4,
    weight=1.25,
    apart=2.5,
    together=0.6,
    direction=(1.0, -0.5, 0.75),
    first_kind=0,
    sizes=((2, 3), (4, 2), (5, 4)),
    pull=0.05,
    gap=2.0,
    drawn="random",
)
SECOND = KnownSet(
    prefix="second, ",
    gamma=1.5,
    weight=0.6,
    apart=4.1,
    together=1.3,
    direction=(-0.8, 0.3, 1.1),
    first_kind=2,
    sizes=((4, 3), (2, 5), (3, 6)),
    pull=0.3,
    gap=3.5,
    drawn="fresh",
)
KNOWN_SETS = {"first": FIRST, "second": SECOND}
BEYOND = 1.05  # the budget, relative to the ||eps|| of the jump


def two_points(own: KnownSet = FIRST) -> Iterator[KnownProblem]:
    """Yield perturbations that join or separate two points, p = 1, 2, inf in 1 to 3 dimensions."""
    kinds = (_merging_shift, _parting_shift, _parting_edge, _merging_factors)
    for number, (p, d) in enumerate((p, d) for p in (1.0, 2.0, INF) for d in (1, 2, 3)):
        v = np.array(own.direction)[:d]
        v /= np.linalg.norm(v, ord=conjugate(p))
        kind = kinds[(own.first_kind + number) % len(kinds)]
        model, perturbation, size, norm = kind(own, p, v)
        name = f"{own.prefix}two points, p = {p:g}, d = {d}, {kind.__name__[1:]}"
        yield from _both(name, model, perturbation, (size, 2.0), norm, BEYOND * size)


Parts = tuple[ConvexClustering, Perturbation, float, float]


def _pair(own: KnownSet, p: float, v: FloatArray, distance: float) -> ConvexClustering:
    data = np.array([(1 + distance) * v, v])
    return ConvexClustering(data, FusionGraph.complete(2, own.weight), own.gamma, p)


def _reach(own: KnownSet) -> float:
    """Return the largest distance at which two points are merged."""
    return 2 * own.gamma * own.weight


def _merging_shift(own: KnownSet, p: float, v: FloatArray) -> Parts:
    model = _pair(own, p, v, own.apart)
    return model, Perturbation.shift([v, 0 * v]), own.apart - _reach(own), 2.0


def _parting_shift(own: KnownSet, p: float, v: FloatArray) -> Parts:
    """Perturb point 1 arbitrarily; along v the q-norm of the difference grows fastest."""
    model = _pair(own, p, v, own.together)
    size = _reach(own) - own.together
    return model, Perturbation.additive((2, len(v)), [0]), size, conjugate(p)


def _parting_edge(own: KnownSet, p: float, v: FloatArray) -> Parts:
    model = _pair(own, p, v, own.together)
    return model, Perturbation.edges(model.graph), 1 - own.together / _reach(own), 1.0


def _merging_factors(own: KnownSet, p: float, v: FloatArray) -> Parts:
    """Multiply point 1 by 1 + eps, which changes the distance by (1 + distance) eps."""
    model = _pair(own, p, v, own.apart)
    size = (own.apart - _reach(own)) / (1 + own.apart)
    return model, Perturbation.multiplicative(model.data, [0]), size, INF


def two_clusters(own: KnownSet = FIRST) -> Iterator[KnownProblem]:
    """Yield shifts of the second cluster, or of one of its points, towards the first.

    While the clusters are separate, their positions are abar_1 + r n_2 and abar_2 - r n_1, where
    abar_k is the mean of cluster k.
    """
    for p, (n1, n2) in zip((1.0, 2.0, INF), own.sizes, strict=True):
        n, r = n1 + n2, own.pull
        D = r * (n + own.gap)
        data = np.r_[r * np.linspace(-0.5, 0.5, n1), np.full(n2, D)][:, None]
        model = ConvexClustering(data, FusionGraph.complete(n, r), 1.0, p)
        name = f"{own.prefix}two clusters, {n1} and {n2}"
        # The clusters merge when abar_2 - abar_1 = r n.
        cluster_moves = Perturbation.shift((np.arange(n) >= n1)[:, None].astype(float))
        merge = D - r * n
        yield from _both(
            f"{name} shifted", model, cluster_moves, (merge, 2.0 * n1 * n2), 2, 1.5 * merge
        )
        # A point of the second cluster leaves it at the distance r n_2, and joins the first one
        # when it is within r (n_1 + 1) of it.
        point_moves = Perturbation.shift((np.arange(n) == n1)[:, None].astype(float))
        leave, join = r * n2, D - r * (n1 + 1)
        left, joined = f"{name}, a point leaves", f"{name}, a point changes"
        between, after = 0.5 * (leave + join), join + 0.5 * r
        yield from _both(left, model, point_moves, (leave, 2.0 * (n2 - 1)), 2, between)
        yield from _both(joined, model, point_moves, (join, 2.0 * (n - 1)), 2, after)


@dataclass(frozen=True)
class Draw:
    """How the random problems of a set are drawn."""

    least: int  # points, at least
    more: int  # points, at most, in addition to the numbers in `_random_model`
    separation: float  # of the groups of points, in standard deviations
    gammas: tuple[float, float]  # the largest and the smallest that are tried
    share: int  # there are more than n / share clusters


DRAWN = {
    "random": Draw(4, 0, 3.0, (3.0, 0.03), 3),
    "fresh": Draw(5, 1, 2.0, (2.0, 0.05), 2),
}


KINDS = ("shift", "additive", "multiplicative", "edges")


def random_problem(name: str) -> KnownProblem:
    """Return the random problem of a name such as "random BL1 edges p=1 d=2 norm=inf #3".

    The number at the end is the seed.
    """
    return KnownProblem(name, draw_problem(name), PROVED[name])


def draw_problem(name: str) -> BilevelProblem:
    """Draw a random problem from its name."""
    drawn, bilevel, kind, *settings, number = name.split()
    p, d, norm = (float(setting.partition("=")[2]) for setting in settings)
    rng = np.random.default_rng(int(number[1:]))
    model = _random_model(DRAWN[drawn], rng, p, int(d))
    perturbation = random_perturbation(rng, kind, model)
    if bilevel == "BL1":
        return MaxDeviation(model, perturbation, _random_budget(rng, kind), norm)
    target = 2.0 * int(rng.integers(1, model.n + 1))
    return MinPerturbation(model, perturbation, target, norm)


def _random_model(own: Draw, rng: np.random.Generator, p: float, d: int) -> ConvexClustering:
    """Draw few points in two or three groups, with 2 to n - 1 clusters."""
    most = (8 if d == 1 else 6 if p == 1 else 4 if p == INF else 8) + own.more
    n = int(rng.integers(own.least, most + 1))
    data = rng.normal(size=(n, d)) + own.separation * rng.integers(0, 3, size=(n, 1))
    pairs = FusionGraph.complete(n).edges
    weights = np.ones(len(pairs)) if rng.random() < 0.5 else rng.uniform(0.5, 1.5, len(pairs))
    graph = FusionGraph(n, pairs, weights / n)
    for gamma in np.geomspace(*own.gammas, 25):
        model = ConvexClustering(data, graph, float(gamma), p)
        if solve_lower(model).n_clusters > max(n // own.share, 1):
            break
    return model


def random_perturbation(
    rng: np.random.Generator, kind: str, model: ConvexClustering
) -> Perturbation:
    """Draw a perturbation of a kind in `KINDS`, of one to three points or of three edges."""
    n, d = model.data.shape
    points = rng.choice(n, min(int(rng.integers(1, 4)), n), replace=False)
    feature = [int(rng.integers(d))]
    if kind == "shift":
        direction = np.zeros((n, d))
        direction[points] = rng.normal(size=d)
        return Perturbation.shift(direction)
    if kind == "additive":
        return Perturbation.additive((n, d), points, feature)
    if kind == "multiplicative":
        return Perturbation.multiplicative(model.data, points, feature)
    return Perturbation.edges(
        model.graph, rng.choice(model.graph.m, min(3, model.graph.m), replace=False)
    )


def _random_budget(rng: np.random.Generator, kind: str) -> float:
    most = {"shift": 2.0, "additive": 2.0, "multiplicative": 1.0, "edges": 1.0}[kind]
    return float(most * rng.uniform(0.5, 1.0))
