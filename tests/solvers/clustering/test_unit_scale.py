"""Scale: data and gamma times a power of two give the same labels and proofs at any power."""

import warnings

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.validation import ArgumentError
from bilad.solvers import cluster, cluster_path
from bilad.solvers.clustering.unit_scale import unit_scale

POWERS = [-1000, -540, -300, 300, 540, 1000]
LINE = np.array([0.0, 0.5, 4.0, 4.25, 9.0, 9.5])[:, None]


def plane(p, power=0, seed=3):
    A = np.random.default_rng(seed).normal(size=(12, 2))
    return ConvexClustering(np.ldexp(A, power), FusionGraph.complete(12), np.ldexp(0.06, power), p)


@pytest.mark.parametrize("method", ["exact", "ssnal", "clarabel"])
@pytest.mark.parametrize("power", POWERS)
def test_a_line_is_labelled_alike_at_every_scale(method, power):
    graph = FusionGraph.complete(6)
    model = ConvexClustering(np.ldexp(LINE, power), graph, np.ldexp(0.125, power))
    found = cluster(model, method)
    assert found.labels.tolist() == [0, 1, 2, 2, 3, 4]
    assert found.proved
    assert not np.isnan([found.objective, found.gap, found.kkt_residual]).any()


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("power", POWERS)
def test_the_plane_gives_the_same_numbers_at_every_scale(p, power):
    here, there = cluster(plane(p), "ssnal"), cluster(plane(p, power), "ssnal")
    assert np.array_equal(here.labels, there.labels)
    assert np.array_equal(here.undecided, there.undecided)
    scale = np.abs(there.X).max()
    np.testing.assert_allclose(there.X / scale, here.X / np.abs(here.X).max(), atol=1e-6)


@pytest.mark.parametrize(("gamma", "weight"), [(1e-300, 1e298), (1e298, 1e-300), (1e-200, 1e198)])
def test_only_the_product_of_gamma_and_the_weights_counts(gamma, weight):
    for graph in (FusionGraph.complete(6, weight), FusionGraph.knn(LINE, 5, 0.0)):
        graph = graph if graph.uniform_weight == weight else graph.with_weights([weight] * graph.m)
        plain = ConvexClustering(LINE, FusionGraph.complete(6), gamma * weight)
        for method in ("exact", "ssnal"):
            found = cluster(ConvexClustering(LINE, graph, gamma), method)
            assert np.array_equal(found.labels, cluster(plain, method).labels)


@pytest.mark.parametrize("method", ["exact", "ssnal", "clarabel"])
@pytest.mark.parametrize("gamma", [1e3, 1e30, 1e300])
def test_far_beyond_the_fusing_gamma_x_is_the_mean_of_each_component(method, gamma):
    edges = [[0, 1], [1, 2], [3, 4], [4, 5]]
    found = cluster(ConvexClustering(LINE, FusionGraph(6, edges, [1, 1e10, 1, 1]), gamma), method)
    means = np.repeat([LINE[:3].mean(), LINE[3:].mean()], 3)[:, None]
    assert found.proved
    np.testing.assert_allclose(found.X, means, rtol=1e-14)
    assert found.objective == pytest.approx(0.5 * ((LINE - means) ** 2).sum())


def test_capacities_that_vanish_are_undecided_and_not_proved():
    """x_0 and x_1 are 1e-310 apart: the edge to 2 pulls at 1 alone, with more than joins them."""
    graph = FusionGraph(3, [[0, 1], [1, 2]], [1e-320, 1e-310])
    found = cluster(ConvexClustering([[0.0], [0.0], [1.0]], graph, 1.0), "ssnal")
    assert found.undecided.tolist() == [[0, 1]]


def test_numbers_that_no_unit_holds_are_refused():
    with pytest.raises(ArgumentError, match="data"):
        cluster(ConvexClustering([[1e-300], [1e300]], FusionGraph.complete(2), 1.0))


def test_the_largest_number_as_a_fill_value():
    largest = np.finfo(float).max
    data = [[0.0, 0.0], [1.0, 1.0], [largest, 0.0], [-largest, 0.2]]
    for method in ("ssnal", "clarabel"):
        found = cluster(ConvexClustering(data, FusionGraph.complete(4), 0.4), method)
        assert len({found.labels[0], found.labels[2], found.labels[3]}) == 3


@pytest.mark.parametrize("power", [-1000, 1000])
def test_no_warning_and_a_path_at_extreme_scales(power):
    model = plane(2, power)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = cluster_path(model, np.ldexp([0.01, 0.06, 1.0], power))
    assert path.n_clusters.tolist() == cluster_path(plane(2), [0.01, 0.06, 1.0]).n_clusters.tolist()


def test_a_unit_is_a_power_of_two_and_a_shift_is_exact():
    data = 1e9 + np.random.default_rng(0).normal(size=(20, 3))
    scale = unit_scale(ConvexClustering(data, FusionGraph.complete(20), 0.1))
    assert np.ptp(scale.model.data, axis=0).max() <= 2
    assert np.array_equal(scale.leave_primal(scale.model.data), data)
