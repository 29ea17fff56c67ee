"""The direction of steepest ascent in each norm, and steps that respect the ball and the bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.problem import steepest
from bilad.solvers.upper.gradient.ascent import projected_step
from bilad.solvers.upper.gradient.methods import random_point

NORMS = (1, 2, np.inf)
MODEL = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 0.1)
FREE = Perturbation.additive((4, 1), points=[0, 1, 2])
EDGES = Perturbation.edges(MODEL.graph, [0, 1, 2])


def problem(norm, perturbation=FREE, budget=2.0):
    return MaxDeviation(MODEL, perturbation, budget, norm)


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 10**6))
def test_no_direction_of_norm_1_ascends_faster(norm, seed):
    rng = np.random.default_rng(seed)
    gradient = rng.normal(size=3)
    direction = steepest(problem(norm), np.zeros(3), gradient)
    assert np.linalg.norm(direction, ord=norm) == pytest.approx(1.0)
    dual = np.linalg.norm(gradient, ord={1: np.inf, 2: 2, np.inf: 1}[norm])
    assert gradient @ direction == pytest.approx(dual)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_unit_of_the_deviation_does_not_matter(norm, scale):
    gradient = np.array([0.5, -0.25, 0.125])
    given_problem = problem(norm)
    expected = steepest(given_problem, np.zeros(3), gradient)
    assert steepest(given_problem, np.zeros(3), scale * gradient) == pytest.approx(expected)


@pytest.mark.parametrize("norm", NORMS)
def test_entries_that_would_leave_their_bounds_stay(norm):
    """A weight that is not reduced cannot be increased."""
    eps, gradient = np.array([0.0, 0.5, 1.0]), np.array([-3.0, 1.0, 9.0])
    given_problem = problem(norm, EDGES)
    assert steepest(given_problem, eps, gradient).tolist() == [0.0, 1.0, 0.0]
    assert not steepest(given_problem, np.zeros(3), -np.ones(3)).any()
    assert not steepest(given_problem, np.zeros(3), np.zeros(3)).any()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("perturbation", [FREE, EDGES])
@given(seed=st.integers(0, 10**6))
def test_every_point_is_admissible(norm, perturbation, seed):
    rng = np.random.default_rng(seed)
    given_problem = problem(norm, perturbation)
    start = random_point(given_problem, rng)
    for eps in (start, projected_step(given_problem, start, rng.normal(size=3))):
        assert given_problem.size(eps) <= 2.0
        assert np.array_equal(perturbation.vector(eps), eps)


def test_a_box_is_clipped_not_scaled():
    result = projected_step(problem(np.inf), np.array([1.5, -1.0, 0.5]), np.array([2.0, 0.0, 0.0]))
    assert result.tolist() == [2.0, -1.0, 0.5]
