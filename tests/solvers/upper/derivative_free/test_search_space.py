"""The cube that is searched, and the radial map from the box of the bounds to the feasible set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers.upper.derivative_free.search_space import STRETCH, RadialMap, SearchSpace

MODEL = ConvexClustering(np.arange(6.0)[:, None], FusionGraph.complete(6), 0.1)


def ball(k, norm, radius, edges, scale):
    """Return a ball, cut by 0 <= eps <= 1 if weights are perturbed, else by random bounds."""
    if edges:
        free = Perturbation.edges(MODEL.graph, range(k))
    else:
        whole = Perturbation.additive((6, 1), points=range(k))
        lower, upper = -scale * np.arange(1.0, k + 1), np.full(k, np.inf)
        lower[-1:] = -np.inf
        free = Perturbation.linear((6, 1), whole.operators["data"], lower=lower, upper=upper)
    return MaxDeviation(MODEL, free, radius, norm)


balls = st.builds(
    ball,
    k=st.integers(1, 5),
    norm=st.sampled_from([1, 2, np.inf]),
    radius=st.floats(1e-3, 1e3),
    edges=st.booleans(),
    scale=st.floats(1e-3, 1e3),
)


def drawn(problem, seed):
    low, high = problem.box
    return np.random.default_rng(seed).uniform(low, high)


@given(problem=balls, seed=st.integers(0, 10**6))
def test_the_map_and_its_inverse(problem, seed):
    radial, y = RadialMap(problem), drawn(problem, seed)
    eps = radial.eps(y)
    assert problem.size(eps) <= problem.radius
    assert (problem.perturbation.lower <= eps).all()
    assert (eps <= problem.perturbation.upper).all()
    assert radial.point(eps) == pytest.approx(y, rel=1e-9, abs=1e-12 * problem.radius)
    inside = problem.project(0.7 * y)
    assert radial.eps(radial.point(inside)) == pytest.approx(inside, rel=1e-9)


@given(problem=balls, seed=st.integers(0, 10**6), share=st.floats(0.01, 1.0))
def test_the_formula_and_the_boundary(problem, seed, share):
    """eps = y reach(u) / b(u): the share y of b(u) is mapped to the same share of reach(u)."""
    u = drawn(problem, seed)
    u = u / problem.size(u)
    low, high = problem.box
    ends = np.where(u > 0, high, low)[u != 0] / u[u != 0]
    eps = RadialMap(problem).eps(share * ends.min() * u)
    assert eps == pytest.approx(share * problem.largest_step(u) * u, rel=1e-9)


@given(problem=balls, seed=st.integers(0, 10**6))
def test_the_identity_for_norm_inf(problem, seed):
    box = MaxDeviation(MODEL, problem.perturbation, problem.radius, np.inf)
    y = drawn(box, seed)
    assert RadialMap(box).eps(y) == pytest.approx(y, rel=1e-12)


def test_zero_and_fixed_entries():
    whole = Perturbation.additive((6, 1), points=[0, 1, 2])
    free = Perturbation.linear((6, 1), whole.operators["data"], lower=[-1, 0, 0], upper=[1, 0, 2])
    radial = RadialMap(MaxDeviation(MODEL, free, 1.0, 1))
    assert radial.eps(np.zeros(3)).tolist() == [0, 0, 0]
    assert radial.point(np.zeros(3)).tolist() == [0, 0, 0]
    assert radial.eps(np.array([1.0, 0.0, 1.0])) == pytest.approx([0.5, 0, 0.5])


def space(lower, upper, radius=10.0, norm=np.inf):
    whole = Perturbation.additive((6, 1), points=range(len(lower)))
    free = Perturbation.linear((6, 1), whole.operators["data"], lower=lower, upper=upper)
    return SearchSpace(MaxDeviation(MODEL, free, radius, norm))


def test_corners_are_bounds_and_the_outside_is_clipped():
    given = space([-np.inf, 0, -1], [np.inf, 2, 0])
    assert given.eps(np.ones(3)).tolist() == [10, 2, 0]
    assert given.eps(-np.ones(3)).tolist() == [-10, 0, -1]
    assert given.eps(np.array([-7.0, 3.0, 1.5])).tolist() == [-10, 2, 0]
    assert given.point(np.zeros(3)).tolist() == [0, -1, 1]


def test_fixed_entries_are_not_searched():
    given = space([-1, 0, -1], [1, 0, 3], norm=2)
    assert given.dim == 2
    eps = given.eps(np.array([0.5, -0.25]))
    assert eps[1] == 0
    assert given.point(eps) == pytest.approx([0.5, -0.25])


def test_nothing_to_search():
    assert space([0, 0], [0, 0]).dim == 0


def test_units_do_not_matter():
    z = np.array([0.3, -0.8, 0.9])
    one, many = (space(-c * np.ones(3), 2 * c * np.ones(3), 1.5 * c, 2) for c in (1.0, 1024.0))
    assert many.eps(z) == pytest.approx(1024 * one.eps(z), rel=1e-14)


def test_a_sample_has_one_point_in_each_slice():
    rng = np.random.default_rng(0)
    sample = space(-np.ones(4), np.ones(4)).sample(rng, 7)
    slices = np.floor((sample / STRETCH + 1) / 2 * 7)
    assert np.sort(slices, axis=0).tolist() == np.tile(np.arange(7.0)[:, None], 4).tolist()


def test_random_points_are_often_at_bounds():
    rng, given = np.random.default_rng(0), space(-np.ones(6), np.ones(6))
    points = np.array([given.random(rng) for _ in range(200)])
    assert np.abs(points).max() == 1
    assert np.mean(np.abs(points) == 1) == pytest.approx(1 - 1 / STRETCH, abs=0.05)
