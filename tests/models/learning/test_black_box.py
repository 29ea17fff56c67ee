"""Black boxes: invalid arguments, and one new clone of the clusterer for each query."""

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, KMeans

from bilad.models import (
    ArgumentError,
    BlackBox,
    ClustererError,
    FusionGraph,
    MaxDeviation,
    Perturbation,
)
from bilad.models.learning.clustering_problem import clustering_of

A = np.array([[0.0], [0.1], [5.0], [5.2]])


class Fixed:
    """A clusterer that returns, or raises, what it was constructed with."""

    def __init__(self, answer):
        self.answer = answer

    def fit_predict(self, data):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def test_it_clusters_its_data():
    box = BlackBox(A, KMeans(2, random_state=0))
    labels = box.query()
    assert labels[0] == labels[1] != labels[2] == labels[3]
    moved = box.replace(data=A[::-1] * np.array([[1.0], [1.0], [1.0], [60.0]]))
    assert len(set(moved.query().tolist())) == 2
    assert moved.estimator.get_params() == box.estimator.get_params()


def test_a_query_leaves_the_clusterer_as_it_was():
    clusterer = KMeans(2, random_state=0)
    BlackBox(A, clusterer).query()
    assert not hasattr(clusterer, "labels_")


def test_noise_is_a_cluster():
    labels = BlackBox(A, DBSCAN(0.05, min_samples=2)).query()
    assert labels.tolist() == [-1] * 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ValueError("no"), "Fixed raised ValueError: no"),
        (SystemExit(3), "Fixed raised SystemExit: 3"),
        (np.zeros(3, dtype=int), r"shape \(3,\), expected integers of shape \(4,\)"),
        (np.zeros(4), "float64"),
        (None, "object"),
    ],
)
def test_what_is_no_clustering_is_named(answer, words):
    with pytest.raises(ClustererError, match=words):
        BlackBox(A, Fixed(answer)).query()


def test_arguments_are_checked():
    with pytest.raises(
        ArgumentError, match="estimator: got int, expected an object with fit_predict"
    ):
        BlackBox(A, 3)
    with pytest.raises(ArgumentError, match="max_queries"):
        BlackBox(A, KMeans(2), max_queries=-1)
    with pytest.raises(ArgumentError, match="data"):
        BlackBox([1.0, 2.0], KMeans(2))


def test_a_problem_knows_its_box():
    box = BlackBox(A, KMeans(2, random_state=0))
    problem = MaxDeviation(box, Perturbation.shift(np.ones_like(A)), 1.0)
    with pytest.raises(ArgumentError, match="model: got BlackBox"):
        _ = clustering_of(problem)


def test_a_black_box_has_no_weights_to_perturb():
    graph = FusionGraph.complete(4)
    with pytest.raises(ArgumentError, match="perturbation: got other edges"):
        MaxDeviation(BlackBox(A, KMeans(2)), Perturbation.edges(graph), 1.0)
