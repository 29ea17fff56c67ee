"""The two bilevel problems: which eps count, which of two is better, and the ball."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation

NORMS = [1, 2, np.inf]
MODEL = ConvexClustering([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]], FusionGraph.complete(3), 0.1)
EVERYTHING = Perturbation.additive((3, 2))


def test_max_deviation_says_what_an_attack_is():
    problem = MaxDeviation(MODEL, EVERYTHING, budget=2.0)
    assert problem.is_attack(2.0, 1)
    assert not problem.is_attack(2.0, 0)
    assert not problem.is_attack(np.nextafter(2.0, 3), 6)


def test_max_deviation_ranks_deviation_before_size():
    problem = MaxDeviation(MODEL, EVERYTHING, budget=2.0)
    better_first = [(1.9, 4), (0.5, 2), (0.6, 2), (0.1, 0)]
    keys = [problem.rank(*found) for found in better_first]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 4


def test_min_perturbation_says_what_an_attack_is():
    problem = MinPerturbation(MODEL, EVERYTHING, target=4, limit=2.0)
    assert problem.is_attack(2.0, 4)
    assert not problem.is_attack(2.0, 3.9)
    assert not problem.is_attack(2.1, 6)


def test_min_perturbation_ranks_size_before_deviation():
    problem = MinPerturbation(MODEL, EVERYTHING, target=2, limit=2.0)
    better_first = [(0.1, 2), (0.5, 6), (0.5, 2), (0.6, 6)]
    keys = [problem.rank(*found) for found in better_first]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 4


@pytest.mark.parametrize("norm", NORMS)
def test_size_is_the_norm(norm):
    problem = MaxDeviation(MODEL, EVERYTHING, 1.0, norm=norm)
    eps = [1.0, -2.0, 0.0, 0.5, 0.0, -1.0]
    assert problem.size(eps) == pytest.approx({1: 4.5, 2: 2.5, np.inf: 2.0}[norm])
    assert MaxDeviation(MODEL, Perturbation.shift(np.ones((3, 2))), 1.0, norm=norm).size(-3.0) == 3


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data())
def test_projection_is_radial_and_never_outside(problems, norm, data):
    n, d = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 3))
    model = ConvexClustering(np.zeros((n, d)), FusionGraph.complete(n), 1.0)
    radius = data.draw(st.floats(1e-6, 1e6))
    problem = MaxDeviation(model, Perturbation.additive((n, d)), radius, norm=norm)
    numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
    eps = data.draw(problems.data(1, n * d, numbers))[0]
    size = np.linalg.norm(eps, ord=norm)
    projected = problem.project(eps)
    assert problem.size(projected) <= radius
    if size <= radius:
        assert np.array_equal(projected, eps)
    else:
        assert projected == pytest.approx(eps * (radius / size), rel=1e-12, abs=0)
    assert np.array_equal(problem.project(projected), projected)


@pytest.mark.parametrize("norm", NORMS)
def test_projection_of_long_random_vectors_is_never_outside(norm):
    model = ConvexClustering(np.zeros((500, 4)), FusionGraph.complete(500), 1.0)
    rng = np.random.default_rng(0)
    for radius in (1e-3, 1.0, 7.3):
        problem = MaxDeviation(model, Perturbation.additive((500, 4)), radius, norm=norm)
        for _ in range(100):
            assert (
                problem.size(problem.project(rng.normal(size=2000) * 10 ** rng.uniform(-2, 5)))
                <= radius
            )


@pytest.mark.parametrize(("norm", "length"), [(1, 6), (2, np.sqrt(6)), (np.inf, 1)])
def test_default_limit_is_the_diameter_in_every_entry(norm, length):
    problem = MinPerturbation(MODEL, EVERYTHING, target=2, norm=norm)
    assert problem.radius == pytest.approx(5.0 * length)  # the bounding box is 3 by 4


def test_default_limit_counts_a_short_direction_and_a_single_point_cloud():
    V = np.zeros((3, 2))
    V[0], V[1] = (0.0, 2.0), (0.5, 0.0)
    assert MinPerturbation(MODEL, Perturbation.shift(V), target=2).radius == pytest.approx(10.0)
    flat = MODEL.with_data(np.ones((3, 2)))
    assert MinPerturbation(flat, Perturbation.shift(V), target=2).radius == pytest.approx(2.0)


def test_problems_keep_what_they_were_given():
    problem = MaxDeviation(MODEL, EVERYTHING, 2, norm=1, deviation="rand")
    assert (problem.budget, problem.radius, problem.norm) == (2.0, 2.0, 1.0)
    assert problem.deviation.name == "rand"
    assert MinPerturbation(MODEL, EVERYTHING, 6, limit=3).target == 6  # n (n - 1), the largest
