"""Bounds hold whatever is found, and are met where the optimum is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import rational

from bilad.models import (
    ConvexClustering,
    DeviationFunction,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.scripts.known_problems import first_set
from bilad.solvers import attack, cluster
from bilad.solvers.certificates import bounds
from bilad.solvers.certificates.bounds import (
    deviation_bound,
    fixed_pairs,
    norm_bound,
    optimum_bound,
)
from bilad.solvers.clustering.parametric.parametric_path import parametric_path


def no_attack_beats_the_bound(problem, rng, budget, tight=False):
    """Corners and random corners, for both questions."""
    norm, model, perturbation = problem.norm, problem.model, problem.perturbation
    largest = MaxDeviation(model, perturbation, budget, norm)
    clustering = cluster(model)
    bound = deviation_bound(largest, clustering, budget, tight)
    for method in ("corners", "random"):
        found = attack(largest, method, max_solves=25, bound="none")
        assert not found.proved or found.deviation <= bound
    target = 2.0 * rng.integers(1, model.n)
    least = MinPerturbation(model, perturbation, target, norm, limit=budget)
    shortest = norm_bound(least, cluster(model), tight)
    found = attack(least, "corners", max_solves=40, bound="none")
    assert not found.proved or found.norm == 0 or found.norm >= shortest
    return bound < model.n * (model.n - 1)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6)
def test_no_attack_beats_the_bound(seed, random_problem):
    rng = np.random.default_rng(seed)
    no_attack_beats_the_bound(random_problem(rng, largest=8), rng, 10 ** rng.uniform(-1.5, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(2))
def test_no_attack_beats_the_bound_of_40_problems(batch, random_problem):
    said = 0
    for seed in range(20):
        rng = np.random.default_rng(20_000 + 1000 * batch + seed)
        problem, budget = random_problem(rng, largest=10), 10 ** rng.uniform(-1.5, 0.5)
        said += no_attack_beats_the_bound(problem, rng, budget, tight=seed % 5 == 0)
    assert said > 5


def test_two_points_whose_optimum_is_known():
    model = ConvexClustering([[0.0, 0.0], [3.0, 0.0]], FusionGraph.complete(2), 1.0)
    free = Perturbation.additive((2, 2))
    clustering = cluster(model)
    problem = MaxDeviation(model, free, 0.7)
    assert optimum_bound(problem, clustering) == 0.0
    assert attack(problem, "corners", corners=3).status == "no attack exists"
    problem = MaxDeviation(model, free, 0.72)
    assert optimum_bound(problem, clustering) == 2.0
    least = norm_bound(MinPerturbation(model, free, 2.0), clustering)
    assert least == pytest.approx(0.5**0.5, rel=1e-6)


def test_pairs_that_count_unequally():
    """Both points of the pair that counts little stay in place; the third can join them."""
    pairs, worth = np.array([[0, 1], [0, 2], [1, 2]]), np.array([0.01, 1.0, 2.0])

    def value(before, after):
        flips = [(before[i] == before[j]) != (after[i] == after[j]) for i, j in pairs]
        return float(worth @ flips)

    unequal = DeviationFunction("unequal", value, lambda n: 3.01, lambda n: (pairs, worth))
    model = ConvexClustering([[0.0], [0.1], [4.0]], FusionGraph.complete(3), 0.5)
    perturbation = Perturbation.additive((3, 1), points=[2])
    problem = MaxDeviation(model, perturbation, 4.0, deviation=unequal)
    found = attack(problem, "corners", bound="none")
    assert found.deviation == 3.0
    assert 3.0 <= deviation_bound(problem, cluster(model), 4.0) <= 3.01 * (1 + 1e-9)


def test_an_attack_of_the_size_of_the_limit_counts(monkeypatch):
    """Two points 3 apart, r = 1, norm inf: by 1/2 each they meet, and no shorter eps does it.

    So 1/2 is a true radius of the partition, which says nothing of an eps of that norm.
    """
    model, free = (
        ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 1.0),
        Perturbation.additive((2, 1)),
    )
    assert len(set(rational.solve_complete([0.5, 2.5], 1))) == 1
    monkeypatch.setattr(bounds, "certified_radius", lambda *_: 0.5)
    for limit, least in ((0.5, 0.5), (math.nextafter(0.5, 0), math.inf), (1.0, 0.5)):
        problem = MinPerturbation(model, free, 2.0, np.inf, limit=limit)
        assert norm_bound(problem, cluster(model)) == least


@pytest.mark.parametrize("tight", [False, True])
def test_a_deviation_of_the_size_of_the_target_counts(monkeypatch, tight):
    """Bounds that jump to the target at a radius of 1: an eps of that norm may reach it."""
    model = ConvexClustering([[0.0], [3.0], [9.0]], FusionGraph.complete(3), 0.1)
    monkeypatch.setattr(bounds, "certified_radius", lambda *_: 0.25)
    monkeypatch.setattr(
        bounds, "deviation_bound", lambda _, __, radius, ___: 4.0 if radius >= 1 else 0.0
    )
    for limit, least in ((4.0, 1.0), (1.0, 1.0), (math.nextafter(1.0, 0), math.inf)):
        problem = MinPerturbation(model, Perturbation.additive((3, 1)), 4.0, limit=limit)
        found = norm_bound(problem, cluster(model), tight)
        assert found == least or (0.999 if tight else 0.8) < found < least < math.inf


def test_a_share_of_the_pairs_is_rounded_up():
    """Of three points the near two meet, one pair of three: no bound is below that value."""
    model = ConvexClustering([[0.0], [3.0], [99.0]], FusionGraph.complete(3), 0.5)
    problem = MaxDeviation(model, Perturbation.additive((3, 1), [0]), 2.0, deviation="rand")
    labels = np.unique(rational.solve_complete([2.0, 3.0, 99.0], 0.5), return_inverse=True)[1]
    value = problem.deviation.value(cluster(model).labels, labels)
    assert 0 < value <= optimum_bound(problem, cluster(model)) <= value * (1 + 1e-11)


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_no_bound_contradicts_a_known_optimum(every):
    """Of closed forms, and of small problems that were solved globally."""
    nontrivial = 0
    for name, (problem, optimum) in list(first_set().items())[::every]:
        clustering = cluster(problem.model)
        if problem.sense == "max":
            bound = optimum_bound(problem, clustering)
            assert bound is None or bound >= optimum, name
        else:
            bound = norm_bound(problem, clustering)
            assert bound <= optimum * (1 + 1e-9), name
            nontrivial += bound > 0.1 * optimum
    assert nontrivial > 0


def small_problem(rng, one_eps):
    """Up to six points on a line or, p = 1, in the plane: what the MILP proves in a moment."""
    n, d = int(rng.integers(3, 7)), int(rng.integers(1, 3))
    A = rng.normal(size=(n, d)) + 3.0 * rng.integers(0, 2, size=(n, 1))
    graph = FusionGraph.complete(n, 1 / n)
    model = ConvexClustering(A, graph, rng.uniform(0.3, 2.0), 1)
    points = rng.permutation(n)[: int(rng.integers(1, 4))]
    free = Perturbation.additive((n, d), points, [0])
    if one_eps:
        V = np.zeros((n, d))
        V[points] = rng.normal(size=d)
        free = Perturbation.shift(V)
    return MaxDeviation(model, free, rng.uniform(0.2, 3.0), rng.choice([1, 2, np.inf]))


def best_of_samples(problem, rng, count):
    baseline, most = cluster(problem.model), 0.0
    for _ in range(count):
        eps = rng.normal(size=problem.perturbation.dim)
        eps *= problem.radius / problem.size(eps)
        found = cluster(problem.perturbation.apply(problem.model, eps))
        if found.proved:
            most = max(most, problem.deviation.value(baseline.labels, found.labels))
    return most


@pytest.mark.parametrize("seed", range(8))
def test_no_bound_is_below_an_optimum_that_is_proved(seed):
    """By the MILP, or along a ray by the parametric path; both attain their own bounds."""
    rng = np.random.default_rng(seed)
    problem = small_problem(rng, one_eps=seed % 2 == 0)
    found = attack(problem, "exact" if seed % 2 == 0 else "milp", time_limit=20)
    bound = optimum_bound(problem, cluster(problem.model))
    assert best_of_samples(problem, rng, 10) <= min(bound, found.bound)
    if found.status == "optimal":
        assert found.bound == found.deviation <= bound
    if seed % 2 == 0:
        assert found.deviation == best_of_steps(problem)


def best_of_steps(problem):
    baseline, radius = cluster(problem.model), problem.radius
    stairs = parametric_path(problem.model, problem.perturbation, -radius, radius)
    every = np.vstack([stairs.between, stairs.at_breakpoints])
    return max(problem.deviation.value(baseline.labels, labels) for labels in every)


@pytest.mark.parametrize(("norm", "most"), [(2, 56.0), (np.inf, 100.0)])
def test_those_that_leave_share_the_budget(norm, most):
    """To leave takes from 2.36 to 2.57, and flips 14 pairs: with 4 in norm 2, two can."""
    A = np.r_[np.zeros(5), np.linspace(7.0, 8.0, 15)][:, None]
    model = ConvexClustering(A, FusionGraph.complete(20, 0.25), 1.0)
    problem = MaxDeviation(model, Perturbation.additive(A.shape, range(16, 20)), 4.0, norm)
    assert optimum_bound(problem, cluster(model)) == most


@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed"])
def test_deviations_that_are_no_sums(groups_problem, name):
    model, shift = groups_problem
    clustering = cluster(model)
    small = MaxDeviation(model, shift, 0.01, deviation=name)
    assert deviation_bound(small, clustering, 0.01) == 0.0
    large = MaxDeviation(model, shift, 10.0, deviation=name)
    assert deviation_bound(large, clustering, 10.0) == large.deviation.largest(model.n)


@pytest.fixture
def groups_problem():
    model = ConvexClustering([[0.0], [0.5], [9.0]], FusionGraph.complete(3), 0.5)
    return model, Perturbation.shift([[1.0], [0.0], [0.0]])


def test_large_problems_have_no_quick_bound(groups_problem, monkeypatch):
    model, shift = groups_problem
    monkeypatch.setattr(bounds, "QUICK_POINTS", 2)
    problem = MaxDeviation(model, shift, 0.01)
    assert optimum_bound(problem, cluster(model)) is None
    assert optimum_bound(problem, cluster(model), tight=True) == 0.0


@pytest.mark.parametrize(("bound", "most"), [(0.4, 0.0), (0.6, 2.0)])
def test_bounds_of_eps_limit_the_radius(bound, most):
    """Two points 3 apart, r = 1: by 1 / 2 each they meet; on the lower or the upper side."""
    model = ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 1.0)
    for low, high in ((-bound, bound), (-bound, 0.1), (-0.1, bound)):
        free = Perturbation.linear((2, 1), np.eye(2), lower=low, upper=high)
        problem = MaxDeviation(model, free, 9.0, np.inf)
        assert deviation_bound(problem, cluster(model), 9.0) == most
        assert deviation_bound(problem, cluster(model), 0.49) == 0.0


@pytest.mark.parametrize("one_each", [True, False])
def test_pairs_of_two_features_follow_from_each(one_each):
    """p = 1: together in both, apart in either; the cheaper cost; and the motions add up."""
    A = np.array([[0.0, 0.0], [0.1, 0.3], [0.1, 5.0], [6.0, 0.1], [6.2, 0.0], [6.1, 5.2]])
    graph = FusionGraph.complete(6, 0.2)
    T = np.zeros((12, 4))
    T[[2, 3, 8, 9], range(4)] = 1.0 if one_each else 0.5
    T[6, 0] = 0.0 if one_each else 0.1
    model = ConvexClustering(A, graph, 1.0, 1)
    fixed = fixed_pairs(
        MaxDeviation(model, Perturbation.linear((6, 2), T), 0.7), cluster(model), 0.7
    )
    own = []
    for feature in range(2):
        line = ConvexClustering(A[:, [feature]], graph, 1.0, 1)
        problem = MaxDeviation(line, Perturbation.linear((6, 1), T[feature::2]), 0.7)
        own.append(fixed_pairs(problem, cluster(line), 0.7))
    first, second = own
    np.testing.assert_array_equal(fixed.together, first.together & second.together)
    np.testing.assert_array_equal(fixed.apart, first.apart | second.apart)
    np.testing.assert_allclose(fixed.positions, np.hstack([first.positions, second.positions]))
    assert fixed.motion == pytest.approx(np.hypot(first.motion, second.motion))
    least = np.minimum(first.separation.costs, second.separation.costs)
    assert np.isfinite(least).any()
    np.testing.assert_array_equal(fixed.separation.costs, least if one_each else np.inf)
    if one_each:
        both = first.separation.together & second.separation.together
        np.testing.assert_array_equal(fixed.separation.together, both)
        np.testing.assert_array_equal(
            fixed.separation.apart, first.separation.apart | second.separation.apart
        )
