"""Directions of attacks: on a line in closed form, in the plane by finite differences."""

import itertools

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster
from bilad.solvers.certificates.attack_directions import _mergers, _splits, attack_directions


def line_of_clusters():
    """Clusters of 1, 2, 3 and 2 points; inside them the forces of unequal weights decide."""
    rng = np.random.default_rng(0)
    A = np.array([0.0, 5.0, 5.02, 10.4, 10.41, 10.43, 17.0, 17.02])[:, None]
    pairs = np.column_stack(np.triu_indices(8, 1))
    graph = FusionGraph(8, pairs, 0.5 + rng.random(len(pairs)))
    clustering = cluster(ConvexClustering(A, graph, 0.15), tol=1e-12, refine=True)
    np.testing.assert_array_equal(np.bincount(clustering.labels), [1, 2, 3, 2])
    return clustering


def test_mergers_on_a_line_move_the_means_of_the_nearest_clusters_towards_each_other():
    """There the derivative of a centroid is the mean over its cluster."""
    clustering = line_of_clusters()
    groups = [np.flatnonzero(clustering.labels == k) for k in range(4)]
    y = [clustering.X[group, 0].mean() for group in groups]

    def cost(pair):
        a, b = (len(groups[k]) for k in pair)
        return abs(y[pair[0]] - y[pair[1]]) / np.sqrt(1 / a + 1 / b)

    nearest = sorted(itertools.combinations(range(4), 2), key=cost)
    assert nearest[:3] != sorted(nearest, key=lambda pair: abs(y[pair[0]] - y[pair[1]]))[:3]
    found = list(_mergers(clustering))
    assert len(found) == 3
    for change, (a, b) in zip(found, nearest[:3], strict=True):
        expected = np.zeros(8)
        expected[groups[a]] = (y[b] - y[a]) / len(groups[a])
        expected[groups[b]] = (y[a] - y[b]) / len(groups[b])
        np.testing.assert_allclose(change[:, 0], expected, atol=1e-8)


def test_mergers_in_the_plane_are_gradients_of_the_squared_distance():
    rng = np.random.default_rng(1)
    A = np.r_[0.4 * rng.normal(size=(3, 2)), [4.0, 3.0] + 0.3 * rng.normal(size=(2, 2))]
    model = ConvexClustering(A, FusionGraph.complete(5, 0.3), 1.4)
    clustering = cluster(model, tol=1e-11, refine=True)
    assert clustering.n_clusters == 2

    def half_square(data):
        X = cluster(model.replace(data=data), tol=1e-11, refine=True).X
        return (
            0.5 * ((X[clustering.labels == 0] - X[clustering.labels == 1][:1]).mean(0) ** 2).sum()
        )

    (change,) = _mergers(clustering)
    for way in rng.normal(size=(3, 5, 2)):
        slope = (half_square(A + 1e-4 * way) - half_square(A - 1e-4 * way)) / 2e-4
        assert np.vdot(change, way) == pytest.approx(-slope, rel=1e-4, abs=1e-6)


def test_splits_on_a_line_are_the_cuts_of_least_slack():
    """By all prefixes of both orders, with the forces of the other clusters by their signs."""
    clustering = line_of_clusters()
    model, labels = clustering.model, clustering.labels
    a, radii = model.data[:, 0], np.zeros((8, 8))
    radii[tuple(model.graph.edges.T)] = model.radii
    radii += radii.T
    other = labels[:, None] != labels
    supply = a - (radii * other * np.sign(a[:, None] - a)).sum(axis=1)
    expected = []
    for k in (1, 2, 3):
        points = np.flatnonzero(labels == k)
        n, pull = len(points), supply[points] - supply[points].mean()
        for sign in (1, -1):
            order = sorted(range(n), key=lambda i, s=sign, pull=pull: -s * pull[i])
            parts = [order[:size] for size in range(1, n)]

            def slack(part, n=n, pull=pull, points=points, sign=sign):
                rest = [i for i in range(n) if i not in part]
                held = radii[np.ix_(points[part], points[rest])].sum() - sign * pull[part].sum()
                return held / np.sqrt(len(part) * (1 - len(part) / n))

            best = min(parts, key=slack)
            change = np.zeros(8)
            change[points] = -sign * len(best) / n
            change[points[best]] += sign
            expected.append(change)
    # Each is found twice: along the singular vector, and along the farthest point.
    found = sorted(tuple(np.round(change[:, 0], 9) + 0.0) for change in _splits(clustering))
    np.testing.assert_allclose(found, sorted(tuple(np.round(one, 9) + 0.0) for one in 2 * expected))


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_directions_are_the_steepest_of_their_norm(norm):
    clustering = line_of_clusters()
    T = np.random.default_rng(2).normal(size=(8, 3))
    problem = MaxDeviation(clustering.model, Perturbation.linear((8, 1), T), 2.0, norm)
    changes = [*_mergers(clustering), *_splits(clustering)]
    directions = list(attack_directions(problem, clustering))
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    for change, eps in zip(changes, directions, strict=True):
        slope = T.T @ change[:, 0]
        assert problem.size(eps) == pytest.approx(1.0)
        assert slope @ eps == pytest.approx(np.linalg.norm(slope, dual))
    still = Perturbation.linear((8, 1), np.zeros((8, 1)))
    assert not list(attack_directions(MaxDeviation(clustering.model, still, 2.0), clustering))


def test_one_cluster_has_no_mergers_and_points_have_no_splits():
    A = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    whole, apart = (cluster(ConvexClustering(A, FusionGraph.complete(3), g)) for g in (9.0, 0.0))
    assert (whole.n_clusters, apart.n_clusters) == (1, 3)
    assert not list(_mergers(whole))
    assert not list(_splits(apart))
