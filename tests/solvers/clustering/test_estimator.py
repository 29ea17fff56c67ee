"""The scikit-learn estimator: its conventions, its parameters, and that it is `cluster`."""

import doctest
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import bilad.solvers.clustering.estimator
from bilad.models import ArgumentError, ConvexClustering, FusionGraph
from bilad.solvers import ConvexClusterer, cluster
from bilad.solvers.errors import UnsupportedError


@pytest.fixture
def A():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 2)) + 8 * rng.integers(0, 2, size=(30, 1))


@parametrize_with_checks(
    [
        ConvexClusterer(),
        ConvexClusterer(0.05, weights="complete"),
        ConvexClusterer(0.03, weights="complete", p=1),
    ]
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_it_is_cluster(A):
    clusterer = ConvexClusterer(0.4, n_neighbors=6, phi=0.3).fit(A)
    expected = cluster(ConvexClustering(A, FusionGraph.knn(A, 6, 0.3), 0.4))
    assert np.array_equal(clusterer.labels_, expected.labels)
    assert np.array_equal(clusterer.clustering_.X, expected.X)
    assert np.array_equal(clusterer.clustering_.Z, expected.Z)
    assert clusterer.n_iter_ == expected.iterations
    assert clusterer.n_features_in_ == 2
    assert np.array_equal(
        ConvexClusterer(0.4, n_neighbors=6, phi=0.3).fit_predict(A), expected.labels
    )


def test_centers_are_the_rows_of_the_solution(A):
    clusterer = ConvexClusterer(0.1, weights="complete").fit(A)
    assert len(clusterer.cluster_centers_) == clusterer.clustering_.n_clusters
    centers = clusterer.cluster_centers_[clusterer.labels_]
    np.testing.assert_allclose(centers, clusterer.clustering_.X, rtol=0, atol=1e-5)


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, sp.csr_matrix, sp.coo_array])
def test_a_weight_matrix_in_any_form(A, convert):
    graph = FusionGraph.knn(A, 5)
    W = np.diag(np.arange(30.0))
    W[tuple(graph.edges.T)] = W[tuple(graph.edges.T[::-1])] = graph.weights
    given = ConvexClusterer(0.5, weights=convert(W)).fit(A)
    direct = ConvexClusterer(0.5, n_neighbors=5).fit(A)
    assert np.array_equal(given.clustering_.model.graph.edges, graph.edges)
    assert np.array_equal(given.clustering_.X, direct.clustering_.X)


def test_the_diagonal_is_not_read():
    A = np.array([[0.0], [1.0], [5.0]])
    W = np.array([[0.0, 2.0, 0.5], [2.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    given, plain = W + np.diag([-1.0, np.inf, 1e12]), ConvexClusterer(0.2, weights=W).fit(A)
    clusterer = ConvexClusterer(0.2, weights=given).fit(A)
    assert np.array_equal(clusterer.cluster_centers_, plain.cluster_centers_)
    given[0, 1] = 1.0
    with pytest.raises(ArgumentError, match="asymmetric"):
        ConvexClusterer(0.2, weights=given).fit(A)


def test_n_neighbors_is_cut_to_the_other_points():
    A = np.array([[0.0], [1.0], [5.0]])
    graph = ConvexClusterer(n_neighbors=10).fit(A).clustering_.model.graph
    assert graph.m == 3


def test_a_precomputed_matrix_is_cloned_and_pickled(A):
    clusterer = clone(ConvexClusterer(0.2, weights=np.ones((30, 30)))).fit(A)
    again = pickle.loads(pickle.dumps(clusterer))
    assert np.array_equal(again.clustering_.Z, clusterer.clustering_.Z)


@pytest.mark.parametrize("weights", ["complete", "knn"])
def test_exact_results_are_pickled_without_their_dual(A, weights):
    clusterer = ConvexClusterer(0.05, weights=weights, n_neighbors=1, p=1)
    line = clusterer.fit(np.sort(A[:, :1], axis=0) ** 3)
    again = pickle.loads(pickle.dumps(line)).clustering_
    assert (again.method, "Z" in vars(again)) == ("exact", False)
    assert np.array_equal(again.Z, line.clustering_.Z)


def test_stopping_short_warns(A):
    with pytest.warns(ConvergenceWarning, match="stopped short of tol = 1e-14: iteration limit"):
        ConvexClusterer(0.3, method="clarabel", tol=1e-14, max_iterations=2).fit(A)


MATRIX = "symmetric, finite, nonnegative matrix of shape \\(30, 30\\)"


@pytest.mark.parametrize(
    "weights",
    [
        np.ones((29, 30)),
        np.ones(30),
        -np.ones((30, 30)),
        np.full((30, 30), np.nan),
        np.triu(np.ones((30, 30))),
    ],
)
def test_a_wrong_matrix_is_named_at_fit(A, weights):
    clusterer = ConvexClusterer(weights=weights)
    with pytest.raises(ArgumentError, match=f"^weights: got .*, expected .*{MATRIX}"):
        clusterer.fit(A)


def test_a_method_that_cannot_take_the_problem(A):
    with pytest.raises(UnsupportedError, match="'exact' cannot take"):
        ConvexClusterer(method="exact").fit(A)


def test_the_examples_run():
    outcome = doctest.testmod(bilad.solvers.clustering.estimator)
    assert outcome.failed == 0
    assert outcome.attempted > 0
