"""The lower level as the upper level sees it: counts, limits, cache, warm starts, best so far."""

import importlib
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import LowerLevel, attack, cluster
from bilad.solvers.bilevel import oracle
from bilad.solvers.clustering import capabilities
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import BudgetSpentError


@pytest.fixture
def calls(monkeypatch):
    """Every call of `cluster` by the lower level."""
    seen = []

    def counted(model, *arguments, **options):
        seen.append(model)
        return cluster(model, *arguments, **options)

    monkeypatch.setattr(capabilities, "solve_lower", counted)
    return seen


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until the test moves it."""
    hands = SimpleNamespace(now=100.0)
    hands.perf_counter = lambda: hands.now
    monkeypatch.setattr(oracle, "time", hands)
    return hands


def test_an_eps_seen_before_is_not_solved_again(groups, calls):
    lower = LowerLevel(groups.bl1(), "exact")
    assert (len(calls), lower.solves) == (0, 0)
    assert lower.baseline.proved
    assert (len(calls), lower.solves) == (1, 0)  # the baseline, not counted
    first = lower.evaluate(5.0)
    assert (len(calls), lower.solves) == (2, 1)
    for same in (5.0, [5.0], np.array([5.0])):
        assert lower.evaluate(same) is first
    for other in np.linspace(6, 9, 20):  # long after 5.0 has ceased to be a warm start
        lower.evaluate(other)
    assert lower.evaluate(5.0) is first
    assert (len(calls), lower.solves, len(lower.history)) == (22, 21, 21)


def test_a_solve_and_an_evaluation_share_their_work(groups, calls):
    lower = LowerLevel(groups.bl1())
    solution = lower.solve(17.9)
    assert lower.evaluate(17.9).deviation == groups.joined
    assert lower.solve(17.9) is solution
    assert (len(calls), lower.solves) == (2, 1)
    assert calls[1].data[0, 0] == 17.9


def test_what_is_evaluated_without_a_solve_is_solved_on_demand(groups, calls):
    lower = LowerLevel(groups.bl1(), max_solves=1)
    seen = lower.evaluate(17.9)
    assert (len(calls), lower.solves, lower.history) == (1, 1, [seen])
    assert (seen.deviation, seen.proved, lower.best) == (groups.joined, True, seen)
    assert lower.best_solution.labels.tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert lower.best_solution is lower.best_solution
    assert lower.solve(17.9).labels.tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert (len(calls), lower.solves, lower.history) == (3, 1, [seen])
    assert lower.evaluate(17.9) is seen


def test_minus_zero_is_zero(groups, calls):
    lower = LowerLevel(groups.bl1())
    lower.evaluate(0.0)
    lower.evaluate(-0.0)
    assert len(calls) == 1


def test_eps_zero_is_the_baseline_and_not_counted(groups, calls):
    lower = LowerLevel(groups.bl1(), max_solves=0)
    assert lower.solve(0.0) is lower.baseline
    assert lower.evaluate(0.0).deviation == 0
    assert (len(calls), lower.solves) == (1, 0)


def test_history_is_in_order_and_counts_up(groups):
    lower = LowerLevel(groups.bl1())
    asked = [3.0, -4.0, 17.8, 1.0]
    for eps in [*asked, 3.0]:
        lower.evaluate(eps)
    assert [float(e.eps[0]) for e in lower.history] == asked
    assert [e.solves for e in lower.history] == [1, 2, 3, 4]
    assert [e.size for e in lower.history] == [3.0, 4.0, 17.8, 1.0]
    assert [e.deviation for e in lower.history] == [groups.deviation(eps) for eps in asked]
    assert [e.seconds for e in lower.history] == sorted(e.seconds for e in lower.history)


def test_solve_limit(groups):
    lower = LowerLevel(groups.bl1(), max_solves=2)
    lower.evaluate(1.0)
    lower.evaluate(2.0)
    lower.evaluate(1.0)
    for refused in (lower.evaluate, lower.solve):
        with pytest.raises(BudgetSpentError, match="^solve limit$"):
            refused(3.0)
    assert lower.evaluate(2.0).deviation == 0  # what is known may still be asked
    assert lower.solves == 2


def test_there_is_a_solve_limit_if_none_is_given(groups, monkeypatch):
    """Otherwise the history of a long attack fills the memory, and the system ends the process."""
    monkeypatch.setattr(oracle, "MOST_SOLVES", 3)
    for given, most in ((None, 3), (5, 5)):
        found = attack(groups.bl1(), "cma", max_solves=given, time_limit=60, closing="none")
        assert (found.termination, found.lower_solves) == ("solve limit", most)


def test_time_limit(groups, clock):
    lower = LowerLevel(groups.bl1(), time_limit=10.0)
    clock.now += 9.5
    assert lower.seconds_left() == 0.5
    assert lower.evaluate(3.0).seconds == 9.5
    clock.now += 0.5
    for refused in (lower.evaluate, lower.solve, lambda eps: lower.seconds_left()):
        with pytest.raises(BudgetSpentError, match="^time limit$"):
            refused(4.0)
    assert lower.evaluate(3.0).deviation == groups.parted
    assert lower.best.eps == 3.0


def test_the_time_left_is_passed_on(groups, clock, monkeypatch):
    limits = []

    def spy(model, *arguments, time_limit=float("inf"), **options):
        limits.append(time_limit)
        return cluster(model, *arguments, **options)

    monkeypatch.setattr(capabilities, "solve_lower", spy)
    lower = LowerLevel(groups.bl1(), time_limit=10.0)
    clock.now += 4
    lower.evaluate(1.0)
    assert limits[-1] == 6.0


def test_best_of_bl1_is_the_largest_deviation_then_the_smallest_eps(groups):
    lower = LowerLevel(groups.bl1(budget=17.9))
    bests = []
    for eps in (1.0, 4.0, -3.0, 17.8, 17.7, 17.85, 19.0, 2.5):
        lower.evaluate(eps)
        bests.append(lower.best and float(lower.best.eps[0]))
    assert bests == [None, 4.0, -3.0, 17.8, 17.7, 17.7, 17.7, 17.7]


def test_best_of_bl2_is_the_smallest_eps_that_meets_the_target(groups):
    lower = LowerLevel(groups.bl2(groups.joined, limit=17.9))
    bests = []
    for eps in (4.0, 19.0, 17.8, 17.85, 17.65, 2.5):
        lower.evaluate(eps)
        bests.append(lower.best and float(lower.best.eps[0]))
    assert bests == [None, None, 17.8, 17.8, 17.65, 17.65]
    assert lower.best.deviation == groups.joined


def test_the_size_is_in_the_problems_norm(groups):
    for norm, size in ((1, 7.0), (2, 5.0), (np.inf, 4.0)):
        problem = MaxDeviation(groups.model(), groups.each(), 100.0, norm=norm)
        assert LowerLevel(problem).evaluate([3.0, -4.0]).size == size


@pytest.mark.parametrize("make", ["bl1", "bl2"])
def test_an_undecided_evaluation_is_never_the_best(touching, make, monkeypatch):
    """At the step itself the blocks touch; without exact arithmetic nothing is proved."""
    module = importlib.import_module("bilad.solvers.clustering.cluster")
    monkeypatch.setattr(module, "is_decidable", lambda model: False)
    problem = getattr(touching, make)(**({} if make == "bl1" else {"target": touching.joined}))
    lower = LowerLevel(problem)
    tied = lower.evaluate(touching.joins)
    assert not tied.proved
    assert tied.deviation == touching.joined
    assert lower.best is None
    assert lower.undecided == 1
    beyond = lower.evaluate(touching.joins + 0.25)
    assert beyond.proved
    assert lower.best is beyond
    assert (lower.undecided, lower.solves) == (1, 2)


def moves(planar):
    """A problem for SSNAL, and a short walk."""
    problem = MaxDeviation(planar, Perturbation.additive(planar.data.shape), 5.0)
    rng = np.random.default_rng(0)
    return problem, np.cumsum(1e-3 * rng.normal(size=(12, problem.perturbation.dim)), axis=0)


def test_warm_starts_save_newton_systems(planar):
    problem, walk = moves(planar)
    lower = LowerLevel(problem, "ssnal")
    warm = [lower.solve(eps) for eps in walk]
    cold = [cluster(problem.perturbation.apply(planar, eps), "ssnal") for eps in walk]
    assert sum(c.iterations for c in warm) < 0.7 * sum(c.iterations for c in cold)
    for ours, theirs in zip(warm, cold, strict=True):
        assert pytest.approx(theirs.X, abs=1e-4) == ours.X


def test_warm_starts_are_the_nearest_of_the_recent(planar, monkeypatch):
    problem, walk = moves(planar)
    starts = []

    def spy(model, *arguments, start=None, **options):
        starts.append(start)
        return cluster(model, *arguments, start=start, **options)

    monkeypatch.setattr(capabilities, "solve_lower", spy)
    lower = LowerLevel(problem, "ssnal")
    near, far = lower.solve(walk[0]), lower.solve(walk[0] + 1.0)
    lower.solve(walk[0] + 0.9)
    lower.solve(walk[0] + 1e-4)
    assert starts[0] is None
    assert starts[1] is lower.baseline
    assert starts[3] is far
    assert starts[4] is near


def test_auto_takes_the_exact_solver_on_a_line(groups, planar):
    assert LowerLevel(groups.bl1()).baseline.method == "exact"
    assert LowerLevel(moves(planar)[0]).baseline.method == "interior-point"


def on_a_line(graph):
    """Weights of this graph on seven points; the model itself is for the exact solver."""
    model = ConvexClustering(np.arange(7.0)[:, None] ** 2, graph, 0.3)
    return MaxDeviation(model, Perturbation.edges(graph), 2.0)


def test_a_method_is_chosen_for_every_eps_not_for_zero():
    """Equal weights on a complete graph are lost as soon as one is lowered; a tree stays one."""
    path = FusionGraph(7, [[i, i + 1] for i in range(6)], np.ones(6))
    assert LowerLevel(on_a_line(path)).baseline.method == "exact"
    complete = on_a_line(FusionGraph.complete(7))
    assert LowerLevel(complete).baseline.method == "interior-point"
    with pytest.raises(UnsupportedError):
        LowerLevel(complete, "exact")
    rng = np.random.default_rng(0)
    for problem in (complete, on_a_line(path)):
        lower = LowerLevel(problem)
        for corner in rng.integers(0, 2, size=(20, problem.perturbation.dim)):
            eps = problem.project(corner)
            expected = cluster(problem.perturbation.apply(problem.model, eps), "clarabel")
            assert pytest.approx(expected.X, abs=1e-5) == lower.solve(eps).X


def test_warm_starts_reach_across_weights(planar):
    problem = MaxDeviation(planar, Perturbation.edges(planar.graph), 5.0)
    rng = np.random.default_rng(0)
    walk = 0.5 + np.cumsum(1e-3 * rng.normal(size=(12, problem.perturbation.dim)), axis=0)
    lower = LowerLevel(problem, "ssnal")
    warm = [lower.solve(eps) for eps in walk]
    cold = [cluster(problem.perturbation.apply(planar, eps), "ssnal") for eps in walk]
    assert sum(c.iterations for c in warm) < 0.7 * sum(c.iterations for c in cold)
    assert all(c.reusable is warm[0].reusable for c in warm)  # the factorisations
    for ours, theirs in zip(warm, cold, strict=True):
        assert pytest.approx(theirs.X, abs=1e-4) == ours.X


def test_an_eps_out_of_bounds_is_refused_and_rounding_is_not(planar):
    lower = LowerLevel(MaxDeviation(planar, Perturbation.edges(planar.graph, [0, 1]), 5.0))
    with pytest.raises(ArgumentError, match=r"^eps: got 1.5 at index 1, expected .*from 0 to 1"):
        lower.evaluate([0.5, 1.5])
    assert lower.solves == 0
    assert lower.evaluate([1 + 1e-14, -1e-14]).eps.tolist() == [1, 0]


@pytest.mark.parametrize(("a", "weight"), [(0.3, 0.1), (0.7, 0.1), (0.7, 0.5), (1.1, 1 / 3)])
def test_a_tie_at_zero_is_decided_as_in_exact_arithmetic(a, weight):
    """Deviations refer to the partition at 0: points a apart share a cluster if a <= 2 gamma w."""
    gamma = a / 2 / weight
    graph = FusionGraph(4, [[0, 1], [2, 3]], [weight, weight])
    model = ConvexClustering([[0.0], [a], [5.0], [7.0]], graph, gamma)
    lower = LowerLevel(MaxDeviation(model, Perturbation.additive((4, 1), [1]), 0.5))
    together = Fraction(a) <= 2 * Fraction(gamma) * Fraction(weight)
    labels = lower.baseline.labels
    assert lower.baseline.proved
    assert (labels[0] == labels[1]) == together
