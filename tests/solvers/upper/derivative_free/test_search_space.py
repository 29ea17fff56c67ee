"""The cube that is searched."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers.upper.derivative_free.search_space import STRETCH, SearchSpace

MODEL = ConvexClustering(np.arange(6.0)[:, None], FusionGraph.complete(6), 0.1)


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
