"""Which partitions of a path are suggested, in which order."""

from dataclasses import replace

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph
from bilad.solvers import ClusterPath, cluster_path
from bilad.solvers.clustering.labels.partition import Partition

# 0 and 1 meet at gamma = 1/2; their centroid and 6 at gamma = 11/6.
LINE = ConvexClustering([[0.0], [1.0], [6.0]], FusionGraph.complete(3), 1.0)
FOUR = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 1.0)


def path_of(labels, unproved=(), model=FOUR):
    """A path at gammas 1, 2, 4, .. with the given partitions."""
    gammas = 2.0 ** np.arange(len(labels))
    solved = cluster_path(model, gammas)
    made = []
    for k, clustering in enumerate(solved.clusterings):
        undecided = np.array([[0, 1]] if k in unproved else [], dtype=np.int64).reshape(-1, 2)
        partition = Partition(np.array(labels[k]), undecided)
        made.append(replace(clustering, partition=partition))
    return ClusterPath(model, gammas, tuple(made), "complete", 0.0)


def numbers(suggestions):
    return [one.n_clusters for one in suggestions]


def test_the_only_partition_of_three_points_that_is_not_trivial():
    path = cluster_path(LINE, [0.1, 0.2, 0.6, 0.9, 1.5, 3.0, 4.0])
    [one] = path.suggest()
    assert (one.n_clusters, one.sizes, one.proved) == (2, (2, 1), True)
    assert (one.first, one.gamma, one.last) == (0.6, 0.9, 1.5)
    assert one.lifetime == pytest.approx(2.5)


def test_a_trivial_partition_is_suggested_if_its_number_is_asked_for():
    path = cluster_path(LINE, [0.1, 0.2, 0.6, 0.9, 1.5, 3.0, 4.0])
    assert numbers(path.suggest(2)) == [2]
    assert numbers(path.suggest(1)) == [1, 2]
    assert numbers(path.suggest(3)) == [3, 2]
    assert numbers(path.suggest(9)) == [3, 2]
    assert numbers(path.suggest(1, count=1)) == [1]


def test_the_coarsest_partition_of_a_disconnected_graph_is_trivial_too():
    graph = FusionGraph(4, [[0, 1], [2, 3]], [1.0, 1.0])
    model = ConvexClustering([[0.0], [1.0], [5.0], [9.0]], graph, 1.0)
    with pytest.warns(UserWarning, match="2 components"):
        path = cluster_path(model, [0.1, 1.0, 3.0])
    assert path.n_clusters.tolist() == [4, 3, 2]
    assert numbers(path.suggest()) == [3]
    assert numbers(path.suggest(1)) == [2, 3]


def test_partitions_mostly_of_single_points_are_suggested_on_request_only():
    data = np.r_[np.arange(8.0) ** 2, 100.0][:, None]
    model = ConvexClustering(data, FusionGraph.complete(9), 1.0)
    pair, half = [0, 0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 1, 1, 2, 2, 3, 4, 5]
    path = path_of([pair, pair, pair, half], model=model)
    assert numbers(path.suggest()) == [6]
    assert numbers(path.suggest(8)) == [8, 6]


def test_coincident_points_that_share_a_cluster_are_trivial():
    model = ConvexClustering([[0.0], [0.0], [1.0], [6.0]], FusionGraph.complete(4), 1.0)
    path = cluster_path(model, [0.0, 0.01, 0.5])
    assert path.n_clusters.tolist() == [3, 3, 2]
    assert numbers(path.suggest()) == [2]
    zero = path.suggest(3)[0]
    assert (zero.first, zero.gamma, zero.lifetime) == (0.0, 0.01, np.inf)
    assert zero.to_dict()["lifetime"] is None


def test_long_lives_first_and_few_clusters_first_if_they_are_equally_long():
    two, three, other = [0, 0, 1, 1], [0, 0, 1, 2], [0, 1, 1, 2]
    path = path_of([three, two, other, other, three])
    assert [(one.n_clusters, one.lifetime) for one in path.suggest()] == [
        (3, 2),
        (2, 1),
        (3, 1),
        (3, 1),
    ]
    assert path.suggest()[0].first == 4
    assert numbers(path.suggest(2)) == [2, 3, 3, 3]
    assert path.suggest(3)[0].lifetime == 2


def test_a_partition_that_comes_back_after_a_split_is_suggested_twice():
    two, three = [0, 0, 1, 1], [0, 0, 1, 2]
    path = path_of([two, two, three, two])
    assert [(one.first, one.last) for one in path.suggest(2, 2)] == [(1, 2), (8, 8)]


def test_one_gamma_without_a_proof_leaves_the_suggestion_without_one():
    two = [0, 0, 1, 1]
    assert path_of([two, two, two]).suggest()[0].proved
    assert not path_of([two, two, two], unproved=[1]).suggest()[0].proved


def test_nothing_solved_nothing_suggested():
    assert cluster_path(LINE, [1.0], time_limit=0).suggest(2) == []
    assert cluster_path(LINE, [0.1]).suggest() == []


@pytest.mark.parametrize("wrong", [{"n_clusters": 0}, {"n_clusters": 2.5}, {"count": 0}])
def test_wrong_arguments(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        path_of([[0, 0, 1, 1]]).suggest(**wrong)
