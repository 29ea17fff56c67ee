"""The attack by MILP: its bound is valid, and attained if the lower level can confirm it."""

import itertools
import signal
import threading
import time

import numpy as np
import pytest

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.deviation import between_clusters
from bilad.solvers import attack, cluster
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper import milp

INF = float("inf")


def solve(problem, time_limit=60.0, **options):
    """Return the lower level, which contains the best attack, and the trace with the bound."""
    assert milp.refusal(problem) is None
    lower, trace = LowerLevel(problem, time_limit=time_limit), Trace()
    milp.prepare(problem, np.random.default_rng(0), **options)(lower, trace)
    return lower, trace


def random_graph(rng, n):
    if rng.random() < 0.5:
        return FusionGraph.complete(n, float(rng.choice([0.5, 1.0])))
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    kept = pairs[rng.random(len(pairs)) < 0.8]
    kept = kept if len(kept) else pairs[:1]
    return FusionGraph(n, kept, rng.choice([0.0, 0.25, 1.0, 2.5], len(kept)) * rng.uniform(0.5, 1))


def random_problem(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    p = ((1, 2, INF) if d == 1 else (1, INF))[rng.integers(3 if d == 1 else 2)]
    n = min(n, 4) if p == INF and d == 2 else n
    data = rng.normal(size=(n, d))
    if rng.random() < 0.4:
        data = np.round(2 * data) / 2 + 0.1 * np.eye(n, d)
    graph = random_graph(rng, n)
    model = ConvexClustering(data, graph, float(rng.uniform(0.2, 2)) / n, p)
    points = list(range(rng.integers(1, min(n, 3) + 1)))
    perturbation = (
        Perturbation.shift(np.where(rng.random((n, d)) < 0.5, 1.0, -0.5)),
        Perturbation.additive((n, d), points, [0]),
        Perturbation.multiplicative(data + 1e-3, [0, n - 1], [0]),
        Perturbation.edges(graph, list(range(min(3, graph.m)))),
    )[rng.integers(4)]
    norm, name = (1, 2, INF)[rng.integers(3)], ("delta", "rand")[rng.integers(2)]
    budget = float(rng.uniform(0.2, 1.5))
    if rng.random() < 0.5:
        return MaxDeviation(model, perturbation, budget, norm, name)
    target = (2 if n == 2 else 4) / (1 if name == "delta" else n * (n - 1))
    return MinPerturbation(model, perturbation, target, norm, name, limit=2 * budget)


def best_of_many(problem, labels, rng, tries=100):
    """Return the best (norm, deviation) of random eps in the ball and on its boundary, or None."""
    best = None
    for k in range(tries):
        eps = rng.uniform(*problem.box)
        if k % 3 == 0:
            eps *= rng.random(len(eps)) < 0.5
        if k % 4 == 0 and eps.any():
            eps *= problem.radius / problem.size(eps)
        eps = problem.project(eps)
        found = cluster(problem.perturbation.apply(problem.model, eps))
        seen = problem.size(eps), problem.deviation.value(labels, found.labels)
        if found.proved and problem.is_attack(*seen):
            best = seen if best is None or problem.rank(*seen) > problem.rank(*best) else best
    return best


def check_bound(problem, seed, **options):
    """Compare the bound with random search and the method's own attack; return the gap."""
    lower, trace = solve(problem, **options)
    if not lower.baseline.proved:
        assert trace.bound is None
        return 0.0
    assert trace.bound is not None
    best = best_of_many(problem, lower.baseline.labels, np.random.default_rng(seed))
    if isinstance(problem, MaxDeviation):
        found = lower.best.deviation if lower.best else 0.0
        assert max(found, best[1] if best else 0.0) <= trace.bound * (1 + 1e-9)
        return trace.bound - found
    found = lower.best.size if lower.best else problem.radius
    assert min(found, best[0] if best else INF) >= trace.bound * (1 - 1e-9)
    return found / trace.bound - 1


@pytest.mark.parametrize(
    "seed", [*range(5), *(pytest.param(k, marks=pytest.mark.slow) for k in range(5, 40))]
)
def test_the_bound_is_attained(seed):
    assert check_bound(random_problem(seed), seed, coincidences=False) <= 1e-5


@pytest.mark.parametrize(
    "seed",
    [*range(300, 306), *(pytest.param(k, marks=pytest.mark.slow) for k in range(306, 324))],
)
def test_no_eps_is_better_than_the_bound(seed):
    assert check_bound(random_problem(seed), seed) >= -1e-9


def two_points(p, d, weight=0.5, distance=3.0):
    data = np.zeros((2, d))
    data[1, 0] = distance
    return ConvexClustering(data, FusionGraph(2, [[0, 1]], [weight]), 2.0, p)


@pytest.mark.parametrize(
    ("p", "d", "norm", "least"),
    [(1, 1, INF, 0.5), (2, 1, 2, 0.5**0.5), (1, 2, 1, 1.0), (INF, 2, INF, 0.5)],
)
def test_two_points_are_fused_from_both_sides(p, d, norm, least):
    """They fuse if 3 - eps_0 - eps_1 <= 2 gamma w = 2."""
    problem = MinPerturbation(
        two_points(p, d), Perturbation.additive((2, d), features=[0]), 2, norm
    )
    lower, trace = solve(problem)
    assert trace.bound == pytest.approx(least, rel=1e-6)
    assert least <= lower.best.size <= least * (1 + 2e-6)


def test_a_weight_is_lowered_until_two_points_part():
    """They are apart if 1.5 > 2 gamma w (1 - eps) = 2 (1 - eps), that is, eps > 1/4."""
    model = two_points(1, 1, distance=1.5)
    problem = MinPerturbation(model, Perturbation.edges(model.graph), 2)
    lower, trace = solve(problem)
    assert trace.bound == pytest.approx(0.25, rel=1e-6)
    assert 0.25 <= lower.best.size <= 0.25 * (1 + 2e-6)
    lower, trace = solve(MaxDeviation(model, problem.perturbation, 0.24))
    assert lower.best is None
    assert trace.bound == 0


@pytest.mark.parametrize("p", [1, INF])
def test_equal_points_without_edges_part_at_once(p):
    """The infimum is 0, and no eps attains it."""
    data = np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 0.0]])
    model = ConvexClustering(data, FusionGraph(3, [[0, 2]], [0.0]), 1.0, p)
    problem = MinPerturbation(model, Perturbation.additive(data.shape, points=[0]), 2)
    lower, trace = solve(problem)
    assert trace.bound == 0
    assert lower.best.size < 1e-6


def test_the_breakpoints_known_in_closed_form_are_found(groups):
    lower, trace = solve(groups.bl1())
    assert lower.best.deviation == trace.bound == groups.joined
    lower, trace = solve(groups.bl2(target=1.0))
    assert trace.bound == pytest.approx(groups.parts, rel=1e-6)
    assert lower.best.size == pytest.approx(groups.parts, rel=1e-5)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_the_data_does_not_matter(factor):
    problem = random_problem(7)
    scaled = ConvexClustering(
        problem.model.data * factor,
        problem.model.graph,
        problem.model.gamma * factor,
        problem.model.p,
    )
    shift = Perturbation.shift(np.eye(problem.model.n, problem.model.d))
    found = [
        solve(MaxDeviation(model, shift, budget))[1].bound
        for model, budget in ((problem.model, 1.0), (scaled, factor))
    ]
    assert found[0] == found[1]


def test_coincidences_at_one_eps_are_in_the_bound_unless_excluded():
    model = ConvexClustering([[0.0], [1.0], [9.0]], FusionGraph(3, [[1, 2]], [0.1]), 0.1, 1)
    problem = MaxDeviation(model, Perturbation.additive((3, 1), points=[0]), 2.0)
    lower, trace = solve(problem, probes=0)
    assert trace.bound == 2
    lower, trace = solve(problem, probes=0, coincidences=False)
    assert trace.bound == 0
    assert lower.best is None


def test_pairs_of_interest_can_be_chosen():
    data = np.array([[0.0], [0.2], [3.0], [3.2], [6.0]])
    model = ConvexClustering(data, FusionGraph.complete(5), 0.2, 1)
    problem = MaxDeviation(
        model,
        Perturbation.additive((5, 1), points=[0, 1]),
        2.5,
        INF,
        between_clusters([0, 1], [2, 3]),
    )
    lower, trace = solve(problem)
    assert trace.bound == lower.best.deviation == 4


def test_a_bound_is_returned_at_the_time_limit():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(14, 2))
    model = ConvexClustering(data, FusionGraph.complete(14), 0.07, INF)
    problem = MaxDeviation(model, Perturbation.additive(data.shape), 1.0)
    lower, trace = LowerLevel(problem, time_limit=8.0), Trace()
    with pytest.raises(BudgetSpentError, match="time limit"):
        milp.prepare(problem, rng)(lower, trace)
    assert trace.bound is not None
    assert lower.best.deviation <= trace.bound <= 14 * 13


@pytest.mark.slow
def test_a_bound_is_returned_after_ctrl_c():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(14, 2))
    model = ConvexClustering(data, FusionGraph.complete(14), 0.07, INF)
    problem = MaxDeviation(model, Perturbation.additive(data.shape), 1.0)
    lower, trace = LowerLevel(problem), Trace()
    work = milp.prepare(problem, rng, probes=0)
    timer = threading.Timer(6.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        work(lower, trace)
    assert time.perf_counter() - began < 20
    assert trace.bound is not None


def test_problems_without_a_milp_are_refused():
    data = np.eye(4)
    model = ConvexClustering(data, FusionGraph.complete(4), 0.1, 2)
    perturbation = Perturbation.additive(data.shape)
    assert "p = 2 and d > 1" in milp.refusal(MaxDeviation(model, perturbation, 1.0))
    model = ConvexClustering(data, FusionGraph.complete(4), 0.1, 1)
    assert "'nmi'" in milp.refusal(MaxDeviation(model, perturbation, 1.0, deviation="nmi"))
    large = ConvexClustering(np.zeros((100, 1)), FusionGraph.complete(100), 0.1, 1)
    problem = MaxDeviation(large, Perturbation.additive((100, 1)), 1.0)
    assert "250000" in milp.refusal(problem)


def test_a_bound_that_the_attack_refutes_is_dropped():
    """The infimum is smaller than the tolerances of HiGHS."""
    model = ConvexClustering([[0.0], [1 + 7e-9]], FusionGraph.complete(2), 0.5, 1)
    free = Perturbation.additive((2, 1))
    found = attack(MinPerturbation(model, free, 2.0, INF, limit=5e-9), "milp")
    assert found.norm > 0
    assert found.bound <= found.norm * (1 + 2e-6)


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
def test_nothing_is_claimed_about_excluded_coincidences(kind):
    """At eps = 1.75 two points without an edge coincide, which is an attack that is excluded."""
    model = ConvexClustering([[0.0], [2.0], [5.0]], FusionGraph(3, [[0, 2]], [1.0]), 0.25)
    shift = Perturbation.shift([[0.0], [-1.0], [0.0]])
    problem = MaxDeviation(model, shift, 1.9)
    if kind is MinPerturbation:
        problem = MinPerturbation(model, shift, 2.0, limit=1.9)
    there = cluster(shift.apply(model, [1.75]), refine=True)
    assert there.proved
    assert there.n_clusters < cluster(model).n_clusters
    found = attack(problem, "milp", coincidences=False)
    assert found.status == "no attack found"
