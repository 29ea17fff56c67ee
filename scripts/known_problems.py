"""Bilevel problems whose optimum is known, and the tolerances by which an answer is judged.

For two points, and for two clusters on a line, the optimum has a closed form: it is the least eps
at which the partition changes. For small random problems it was proved by a MILP, or for p = 2 and
d > 1 found on a fine grid along a ray (`ray_optimum`); `prove` computes it again. There are two
sets, made with different data, sizes and gammas: parameters that were chosen on the first are to be
judged on the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.norms import conjugate
from bilad.models.validation import FloatArray, one_of
from bilad.scripts.ray_optimum import ray_optimum
from bilad.scripts.settings import readable_settings
from bilad.solvers import attack
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.parametric.optimum import least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

COUNT_TOLERANCE = 1e-9  # relative, for (BL1): deviations are integers
SIZE_TOLERANCE = 1e-3  # relative, for (BL2): the infimum of ||eps|| is often not attained
BEATEN_TOLERANCE = 1e-6  # relative; an answer that is better by more refutes the known optimum

INF = float("inf")
Problems = dict[str, tuple[BilevelProblem, float]]  # by name, with the optimum


@dataclass(frozen=True)
class KnownProblem:
    """A problem with its optimum."""

    name: str
    problem: BilevelProblem
    optimum: float  # the largest deviation (BL1), or the infimum of ||eps|| (BL2)
    source: str  # how the optimum is known: "closed form", "MILP" or "ray"


def is_attained(problem: BilevelProblem, of_optimum: float) -> bool:
    """Return whether a share of the optimum is 1 within the tolerances above."""
    tolerance = SIZE_TOLERANCE if problem.sense == "min" else COUNT_TOLERANCE
    return of_optimum >= 1 - tolerance


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
    yield KnownProblem(f"{name}, BL1", most, deviation, "closed form")
    yield KnownProblem(f"{name}, BL2", least, size, "closed form")


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


def random_problem(name: str) -> KnownProblem:
    """Return the random problem of a name such as "random BL1 edges p=1 d=2 norm=inf #3".

    The number at the end is the seed; the optimum is in `PROVED`.
    """
    problem = draw_problem(name)
    source = "MILP" if clustering_of(problem).p != 2 or clustering_of(problem).d == 1 else "ray"
    return KnownProblem(name, problem, PROVED[name], source)


def draw_problem(name: str) -> BilevelProblem:
    """Draw a random problem from its name."""
    drawn, bilevel, kind, *settings, number = name.split()
    p, d, norm = (float(setting.partition("=")[2]) for setting in settings)
    rng = np.random.default_rng(int(number[1:]))
    model = _random_model(DRAWN[drawn], rng, p, int(d))
    perturbation = _random_perturbation(rng, kind, model)
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


def _random_perturbation(
    rng: np.random.Generator, kind: str, model: ConvexClustering
) -> Perturbation:
    n, d = model.data.shape
    points = rng.choice(n, int(rng.integers(1, 4)), replace=False)
    feature = [int(rng.integers(d))]
    if kind == "shift":
        direction = np.zeros((n, d))
        direction[points] = rng.normal(size=d)
        return Perturbation.shift(direction)
    if kind == "additive":
        return Perturbation.additive((n, d), points, feature)
    if kind == "multiplicative":
        return Perturbation.multiplicative(model.data, points, feature)
    return Perturbation.edges(model.graph, rng.choice(model.graph.m, 3, replace=False))


def _random_budget(rng: np.random.Generator, kind: str) -> float:
    most = {"shift": 2.0, "additive": 2.0, "multiplicative": 1.0, "edges": 1.0}[kind]
    return float(most * rng.uniform(0.5, 1.0))


def prove(name: str, time_limit: float = 60.0) -> float | None:
    """Compute the optimum of a random problem; None if it has no attack or is not proved."""
    problem = draw_problem(name)
    if clustering_of(problem).p == 2 and clustering_of(problem).d > 1:
        best = ray_optimum(problem).value
        return best if 0 < best < INF else None
    found = attack(problem, "milp", time_limit=time_limit)
    if found.status != "optimal" or found.bound is None or found.deviation == 0:
        return None
    return found.bound


# The optima that `prove` computed: for p = 2 and d > 1 on a ray, otherwise by the MILP with gap 0.
PROVED: dict[str, float] = {
    "random BL1 additive p=1 d=1 norm=inf #1": 4.0,
    "random BL2 additive p=1 d=1 norm=inf #2": 1.0290970087367006,
    "random BL1 additive p=1 d=2 norm=2 #4": 14.0,
    "random BL2 additive p=1 d=2 norm=2 #7": 0.2872162845729755,
    "random BL1 additive p=inf d=2 norm=1 #8": 4.0,
    "random BL2 additive p=inf d=2 norm=1 #10": 1.6138958699925994,
    "random BL1 shift p=1 d=3 norm=2 #11": 2.0,
    "random BL2 shift p=1 d=3 norm=2 #13": 0.501482457449228,
    "random BL1 shift p=inf d=2 norm=2 #15": 4.0,
    "random BL2 shift p=inf d=2 norm=2 #16": 6.465252017254726,
    "random BL1 shift p=2 d=1 norm=2 #17": 12.0,
    "random BL2 shift p=2 d=1 norm=2 #18": 2.1010467915490696,
    "random BL1 multiplicative p=1 d=1 norm=1 #19": 8.0,
    "random BL2 multiplicative p=1 d=1 norm=1 #20": 0.22243189428278956,
    "random BL1 multiplicative p=1 d=2 norm=inf #21": 2.0,
    "random BL2 multiplicative p=1 d=2 norm=inf #22": 0.5594938993434967,
    "random BL1 multiplicative p=inf d=2 norm=2 #23": 4.0,
    "random BL2 multiplicative p=inf d=2 norm=2 #25": 1.7011418360086719,
    "random BL1 edges p=1 d=1 norm=2 #27": 4.0,
    "random BL2 edges p=1 d=1 norm=2 #32": 0.7211456660760602,
    "random BL1 edges p=1 d=2 norm=1 #33": 2.0,
    "random BL2 edges p=1 d=2 norm=1 #39": 0.004820613928106478,
    "random BL1 edges p=inf d=2 norm=inf #42": 2.0,
    "random BL2 edges p=inf d=2 norm=inf #47": 0.8033701888435955,
    "random BL1 shift p=2 d=2 norm=2 #50": 18.0,
    "random BL1 shift p=2 d=2 norm=2 #51": 2.0,
    "random BL2 shift p=2 d=2 norm=2 #62": 0.6481378755433507,
    "random BL1 shift p=2 d=3 norm=2 #65": 2.0,
    "random BL1 shift p=2 d=3 norm=2 #71": 6.0,
    "random BL2 shift p=2 d=3 norm=2 #74": 0.2142926982676061,
    "random BL2 shift p=2 d=3 norm=2 #77": 0.9222302978728957,
    "fresh BL1 additive p=1 d=1 norm=inf #101": 6.0,
    "fresh BL2 additive p=1 d=1 norm=inf #109": 0.5987437082414014,
    "fresh BL1 additive p=1 d=2 norm=2 #117": 6.0,
    "fresh BL2 additive p=1 d=2 norm=2 #126": 0.26989164831044876,
    "fresh BL1 additive p=inf d=2 norm=1 #133": 4.0,
    "fresh BL2 additive p=inf d=2 norm=1 #141": 1.9838190965682632,
    "fresh BL1 shift p=1 d=3 norm=2 #149": 2.0,
    "fresh BL2 shift p=1 d=3 norm=2 #158": 0.8233326929010459,
    "fresh BL1 shift p=inf d=2 norm=2 #165": 2.0,
    "fresh BL2 shift p=inf d=2 norm=2 #504": 2.883074144189294,
    "fresh BL1 shift p=2 d=1 norm=2 #181": 6.0,
    "fresh BL2 shift p=2 d=1 norm=2 #189": 0.012070134182803945,
    "fresh BL1 multiplicative p=1 d=1 norm=1 #197": 8.0,
    "fresh BL2 multiplicative p=1 d=1 norm=1 #205": 0.03888642729492157,
    "fresh BL1 multiplicative p=1 d=2 norm=inf #213": 4.0,
    "fresh BL2 multiplicative p=1 d=2 norm=inf #221": 7.546981820389116,
    "fresh BL1 multiplicative p=inf d=2 norm=2 #229": 2.0,
    "fresh BL2 multiplicative p=inf d=2 norm=2 #238": 0.20485992266039002,
    "fresh BL1 edges p=1 d=1 norm=2 #245": 2.0,
    "fresh BL2 edges p=1 d=1 norm=2 #258": 0.08615227070019486,
    "fresh BL1 edges p=1 d=2 norm=1 #263": 6.0,
    "fresh BL2 edges p=1 d=2 norm=1 #272": 0.45913820222813334,
    "fresh BL1 edges p=inf d=2 norm=inf #277": 2.0,
    "fresh BL2 edges p=inf d=2 norm=inf #290": 0.4354716014265467,
    "fresh BL1 shift p=2 d=2 norm=2 #293": 2.0,
    "fresh BL1 shift p=2 d=2 norm=2 #302": 2.0,
    "fresh BL2 shift p=2 d=2 norm=2 #310": 0.06003994686057598,
    "fresh BL1 shift p=2 d=3 norm=2 #319": 2.0,
    "fresh BL1 shift p=2 d=3 norm=2 #326": 2.0,
    "fresh BL2 shift p=2 d=3 norm=2 #341": 0.6284902863240741,
    "fresh BL2 shift p=2 d=3 norm=2 #642": 0.09482957523074226,
}
