"""The norm "count": the rounding of an eps to a binary one, and what a bound on counts proves."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
)
from bilad.models.learning.learning_model import normal_form

K = 6
MODEL = Ridge(np.arange(2.0 * K).reshape(K, 2), [1.0, -1.0] * (K // 2))
FLIPS = Perturbation.flips()
EPS = st.lists(st.floats(0, 1), min_size=K, max_size=K).map(np.array)
BUDGETS = st.integers(1, K + 2)


def bl1(budget, perturbation=FLIPS):
    return MaxDeviation(MODEL, perturbation, budget, "count", "distance")


def bl2(limit=None):
    return MinPerturbation(MODEL, FLIPS, 1.0, "count", "distance", limit)


@given(eps=EPS, budget=BUDGETS)
def test_rounding_takes_the_largest_entries_within_the_budget(eps, budget):
    problem = bl1(budget)
    inside = problem.project(eps)
    ones = problem.rounded(inside)
    assert set(ones.tolist()) <= {0.0, 1.0}
    assert problem.size(ones) <= min(budget, K)
    assert abs(problem.size(ones) - inside.sum()) <= 0.5 + 1e-9
    assert min(inside[ones == 1], default=1) >= max(inside[ones == 0], default=0)
    assert np.array_equal(problem.rounded(ones), ones)


@given(eps=EPS, budget=BUDGETS, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_rounding_is_monotone_along_a_ray(eps, budget, shares):
    problem = bl1(budget)
    distinct = problem.project(eps - 1e-3 * np.argsort(np.argsort(-eps, kind="stable")))
    shorter, longer = (problem.rounded(share * distinct) for share in sorted(shares))
    assert (shorter <= longer).all()


def test_without_the_norm_an_eps_is_not_rounded():
    eps = np.array([0.3] * K)
    problem = MaxDeviation(MODEL, FLIPS, 2.0, 1, "distance")
    assert problem.rounded(eps) is eps
    assert (problem.norm_name, bl1(2).norm_name, bl1(2).norm) == (1.0, "count", 1.0)


@pytest.mark.parametrize("budget", [1, 2, 3, K])
def test_random_vertices_are_uniform_subsets(budget):
    """No subset is preferred: a chi-squared statistic of the drawn subsets is not too large."""
    problem, rng = bl1(budget), np.random.default_rng(0)
    subsets = dict.fromkeys(itertools.combinations(range(K), budget), 0)
    each = 60
    for _ in range(each * len(subsets)):
        ones = problem.rounded(problem.project(problem.random_vertex(rng)))
        subsets[tuple(np.flatnonzero(ones).tolist())] += 1
    statistic = sum((count - each) ** 2 / each for count in subsets.values())
    freedom = len(subsets) - 1
    assert statistic <= freedom + 5 * math.sqrt(2 * freedom)


def test_the_whole_ray_of_a_random_vertex_is_admissible():
    problem, rng = bl2(), np.random.default_rng(0)
    vertex = problem.random_vertex(rng)
    longest = problem.largest_step(vertex / problem.size(vertex))
    reached = problem.rounded(problem.project(longest * vertex / problem.size(vertex)))
    assert reached.tolist() == [1.0] * K


def test_the_limit_is_at_most_k():
    assert [bl1(2).radius, bl1(100).radius, bl2().radius, bl2(3).radius] == [2, K, K, 3]
    assert [bl1(np.int64(4)).budget, bl1(4.0).budget] == [4, 4]


def test_a_bound_between_two_counts_proves_the_larger():
    problem = bl2()
    assert problem.attains(2.0 + 1e-4, 3, 1.0)
    assert problem.attains(3.0, 3, 1.0)
    assert problem.attains(2.5, 3, 1.0)
    assert not problem.attains(2.0, 3, 1.0)
    assert not problem.attains(2.0 + 1e-9, 3, 1.0)  # rounding errors prove nothing
    assert problem.refutes(2.5, 2, 1.0)
    assert not problem.refutes(2.5, 3, 1.0)
    assert not problem.refutes(3.0 + 1e-9, 3, 1.0)
    assert problem.excludes(K + 0.5)
    assert not problem.excludes(K)


@given(size=st.integers(2, 1000), share=st.floats(0.01, 1.0))
def test_a_shorter_length_is_a_smaller_count(size, share):
    shorter = bl2().shortened(float(size), share)
    assert shorter <= size - 1
    assert shorter == 0.25 or shorter == int(shorter) >= share * size - 1


def test_fewer_than_one_flip_is_none():
    within = bl2().improving(1.0)
    assert not within.rounded(within.project(np.ones(K))).any()
    assert bl2().improving(3.0).radius == 2
    assert bl1(2).improving(1.0).radius == 2


def test_the_scaled_and_the_relaxed_problem_are_continuous():
    for problem in (bl1(3), bl2(3)):
        scaled = problem.normalised(normal_form(MODEL))
        assert not scaled.is_binary
        assert scaled.size(scaled.project(np.ones(K) / 3)) == pytest.approx(1.0)
    assert bl1(3).largest_deviation().is_binary
    assert not bl2(3).within(1.5).largest_deviation().is_binary


def test_every_perturbation_from_zero_to_one_can_be_counted():
    graph = FusionGraph.complete(3)
    model = ConvexClustering([[0.0], [1.0], [3.0]], graph, 0.1)
    cuts = Perturbation.edges(graph)
    assert MaxDeviation(model, cuts, 2, "count").is_binary
    moves = Perturbation({"data": np.eye(3)}, {"data": (3, 1)}, 0.0, 1.0)
    assert MinPerturbation(model, moves, 2, "count").radius == 3
