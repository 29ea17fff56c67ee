"""Random vertices and coordinate search: every vertex is found, and no single move improves."""

import itertools

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.solvers import attack, cluster
from bilad.solvers.upper import LowerLevel
from bilad.solvers.upper.coordinate_search import coordinate_search, random_vertices, vertex_near


def model(seed=0, n=8, d=1):
    rng = np.random.default_rng(seed)
    A = 0.5 * rng.normal(size=(n, d)) + 3.0 * (np.arange(n) % 2)[:, None]
    return ConvexClustering(A, FusionGraph.complete(n), 0.2)


def problem(seed=0, k=3, norm=np.inf, kind=MaxDeviation, size=1.5, **options):
    given = model(seed)
    return kind(
        given, Perturbation.additive(given.data.shape, points=range(k)), size, norm, **options
    )


def true_deviation(problem, eps):
    before = cluster(problem.model, tol=1e-10)
    after = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-10)
    return problem.deviation.value(before.labels, after.labels), after.proved


@pytest.mark.parametrize("k", [1, 3, 5])
def test_if_there_are_few_vertices_each_is_drawn_once(k):
    found = list(random_vertices(problem(k=k), np.random.default_rng(0), 2**k))
    expected = {tuple(1.5 * np.array(s)) for s in itertools.product((-1, 1), repeat=k)}
    assert {tuple(corner) for corner in found} == expected
    assert len(found) == 2**k


@pytest.mark.parametrize("seed", range(6))
def test_random_search_finds_the_best_corner_of_the_box(seed):
    given = problem(seed)
    values = [
        true_deviation(given, 1.5 * np.array(s)) for s in itertools.product((-1, 1), repeat=3)
    ]
    best = max((value for value, proved in values if proved), default=0)
    found = attack(given, "random", closing="none")
    assert found.deviation == best
    assert found.lower_solves == 8


@pytest.mark.parametrize("seed", range(6))
def test_corner_search_attains_the_best_of_all_extreme_points(seed):
    given = problem(seed)
    corners, lattice = (
        attack(given, "corners", closing="none"),
        attack(given, "direct", step=1.5, closing="none"),
    )
    assert corners.deviation == lattice.deviation  # {-a, 0, a}^3


def test_no_single_entry_improves_where_coordinate_search_ends():
    for seed, norm in itertools.product(range(4), (1, 2, np.inf)):
        given = problem(seed, k=4, norm=norm, size=2.0)
        lower = LowerLevel(given)
        coordinate_search(lower, given.project(np.ones(4)), np.random.default_rng(seed))
        if lower.best is None:
            continue
        eps, value = lower.best.eps, lower.best.deviation
        for entry, extreme in itertools.product(range(4), (-2.0, 0.0, 2.0)):
            moved = eps.copy()
            moved[entry] = extreme
            deviation, proved = true_deviation(given, given.project(moved))
            assert deviation <= value or not proved


@pytest.mark.parametrize(("method", "norm"), [("corners", 1), ("random", np.inf)])
def test_bl2_finds_an_attack_a_thousand_times_shorter_than_the_limit(method, norm):
    given = problem(0, k=1, norm=norm, kind=MinPerturbation, size=2.0, limit=1500.0)
    found = attack(given, method, closing="none")
    grid = attack(problem(0, k=1, size=3.0), "direct", step=0.005, bound="none", closing="none")
    least = min(seen.size for seen in grid.history if seen.proved and seen.deviation >= 2)
    assert found.norm <= least
    assert found.norm == pytest.approx(least, abs=6e-3)


def test_a_corner_keeps_the_zeros_of_eps():
    given = problem(k=3)
    assert vertex_near(given, np.array([0.2, 0.0, -0.1])).tolist() == [1.5, 0.0, -1.5]


@pytest.mark.parametrize("method", ["corners", "random"])
def test_budgets_are_kept_and_seeds_repeat(method):
    given = problem(k=5)
    assert attack(given, method, max_solves=7, closing="none").lower_solves <= 7
    assert (
        attack(given, method, corners=0, bound="none", closing="none").status == "no attack found"
    )
    one, two = (attack(given, method, seed=3, closing="none") for _ in range(2))
    assert [seen.eps.tolist() for seen in one.history] == [s.eps.tolist() for s in two.history]


def test_starts_come_first_and_are_followed_outwards():
    """One entry moves its point out of its cluster; at half the distance nothing has changed."""
    given = problem(0, k=3, kind=MinPerturbation, size=2.0, limit=100.0)
    least = attack(given, "corners", max_solves=200, closing="none")
    start = 0.5 * least.eps
    found = attack(given, "corners", corners=0, starts=[np.zeros(3), start], closing="none")
    assert found.history[0].eps.tolist() == start.tolist()
    assert found.norm == pytest.approx(least.norm, rel=1e-5)
    only = attack(problem(0), "corners", corners=0, starts=[start], closing="none")
    assert [seen.eps.tolist() for seen in only.history] == [start.tolist()]
