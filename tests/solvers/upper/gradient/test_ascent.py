"""The direction of steepest ascent in each norm, and steps that respect the ball and the bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.problem import steepest
from bilad.solvers.upper.gradient.ascent import SpectralAscent, nearest, projected_step
from bilad.solvers.upper.gradient.methods import random_point
from bilad.solvers.upper.gradient.objective import ValueAndGradient

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
    step = 10 ** rng.uniform(-3, 2) * rng.normal(size=3)
    moved = (projected_step(given_problem, start, step), nearest(given_problem, start + step))
    for eps in (start, *moved):
        assert given_problem.size(eps) <= 2.0
        assert np.array_equal(perturbation.vector(eps), eps)


def test_a_box_is_clipped_not_scaled():
    result = projected_step(problem(np.inf), np.array([1.5, -1.0, 0.5]), np.array([2.0, 0.0, 0.0]))
    assert result.tolist() == [2.0, -1.0, 0.5]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("perturbation", [FREE, EDGES])
@given(seed=st.integers(0, 10**6))
def test_no_admissible_point_is_nearer(norm, perturbation, seed):
    """The projection y of x is characterised by <x - y, z - y> <= 0 for all admissible z."""
    rng = np.random.default_rng(seed)
    given_problem = problem(norm, perturbation, budget=rng.uniform(0.3, 3.0))
    far = 3 * rng.normal(size=3)
    found = nearest(given_problem, far)
    for _ in range(20):
        other = random_point(given_problem, rng)
        assert (far - found) @ (other - found) <= 1e-12


class Paraboloid:
    """-sum c_j (eps_j - centre_j)^2, in some units of eps and of the value."""

    def __init__(self, curvature, centre, unit=1.0, scale=1.0):
        self.curvature, self.centre, self.unit, self.scale = curvature, centre, unit, scale
        self.evaluated, self.trials = [], 0

    def at(self, eps, width):
        self.trials += 1
        apart = eps / self.unit - self.centre
        gradient = -2 * self.curvature * apart * (self.scale / self.unit)
        return ValueAndGradient(-self.scale * float(self.curvature @ apart**2), gradient)

    def evaluate(self, eps):
        self.evaluated.append(eps)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("unit", [1e-100, 1.0, 1e100])
def test_the_ascent_finds_the_maximum_in_the_ball(norm, unit):
    """No admissible direction ascends at the end, whatever the units."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        given_problem = problem(norm, budget=2.0 * unit)
        objective = Paraboloid(10 ** rng.uniform(-1, 1, 3), 3 * rng.normal(size=3), unit, 1e-50)
        end = SpectralAscent(60, 0.5)(objective, given_problem, np.zeros(3), [1.0, 0.1])
        gradient = objective.at(end, 0.1).gradient * (unit / 1e-50)
        for _ in range(50):
            other = random_point(given_problem, rng)
            assert gradient @ (other - end) / unit <= 1e-3
        assert len(objective.evaluated) == 2
        assert objective.evaluated[-1] is end


def test_the_ascent_ends_without_a_slope_and_keeps_to_its_trials():
    flat = Paraboloid(np.zeros(3), np.ones(3))
    start = np.array([0.5, 0.0, -0.5])
    end = SpectralAscent(20, 0.5)(flat, problem(2), start, [1.0])
    assert (end.tolist(), flat.trials) == (start.tolist(), 1)
    steep = Paraboloid(np.array([1e-6, 1.0, 1e6]), np.ones(3))
    SpectralAscent(4, 0.5)(steep, problem(2), np.zeros(3), [1.0])
    assert steep.trials <= 5
