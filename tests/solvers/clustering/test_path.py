"""Cluster paths against cold solves, the tree against the labels, splits, limits, arguments."""

import json
import pickle
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from scipy.cluster.hierarchy import fcluster, is_valid_linkage
from support import problems

from bilad.models import ArgumentError, ConvexClustering, FusionGraph
from bilad.solvers import NoDendrogramError, cluster, cluster_path
from bilad.solvers.clustering.gamma_grid import GammaRange
from bilad.solvers.clustering.labels.partition import nothing_proved
from bilad.solvers.clustering.methods import LOWER_METHODS
from bilad.solvers.errors import UnsupportedError

NORMS = (1, 2, float("inf"))
GAMMAS = np.geomspace(0.05, 5, 7)

mpl.use("Agg")


def groups(n=30, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + 4 * rng.integers(0, 3, size=(n, 1))


def connected_model(A, p=2):
    return ConvexClustering(A, FusionGraph.knn(A, k=min(12, len(A) - 1), phi=0.05), 1.0, p)


# Point 1, pulled hard towards 0 and 3, meets 2 on its way down; the weight 1/4 between them holds
# it for a while, and then not (found by search; Clarabel is the judge below).
SPLITTING = ConvexClustering(
    [[-4.0], [3.0], [1.0], [0.0]],
    FusionGraph(4, [[0, 1], [0, 3], [1, 2], [1, 3], [2, 3]], [2.0, 4.0, 0.25, 4.0, 0.25]),
    1.0,
)


def check_against_cold(path, tol=1e-8):
    """Every point of the path is what an independent cold solve says."""
    for gamma, ours in zip(path.gammas, path.clusterings, strict=True):
        model = ConvexClustering(path.model.data, path.model.graph, gamma, path.model.p)
        cold = cluster(model, tol=1e-10)
        assert ours.status == "optimal"
        assert ours.model.gamma == gamma
        assert max(model.gap(ours.X, ours.Z), model.kkt_residual(ours.X, ours.Z)) <= tol
        assert ours.objective == pytest.approx(cold.objective, rel=1e-7, abs=1e-7)
        if ours.proved and cold.proved:
            assert problems.same_partition(ours.labels, cold.labels)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_path_is_what_cold_solves_say(p, d):
    path = cluster_path(connected_model(groups(d=d), p), GAMMAS)
    assert path.status == "complete"
    check_against_cold(path)


@given(data=st.data())
@settings(max_examples=25)
@pytest.mark.filterwarnings("ignore::bilad.models.DisconnectedGraphWarning")
def test_any_graph_with_duplicates_and_zero_weights(data):
    model = data.draw(problems.models(p=data.draw(st.sampled_from(NORMS))))
    path = cluster_path(model, [2.0, 0.0, 0.3, 1.0])
    check_against_cold(path)
    assert np.array_equal(path.gammas, [0.0, 0.3, 1.0, 2.0])
    assert np.array_equal(path.clusterings[0].X, model.data)


@pytest.mark.parametrize("method", ["ssnal", "clarabel"])
def test_method_is_the_one_asked_for(method):
    path = cluster_path(connected_model(groups()), GAMMAS, method=method)
    assert {c.method for c in path.clusterings} == {method}


def test_exact_where_it_can():
    A = groups(d=1)
    path = cluster_path(ConvexClustering(A, FusionGraph.complete(30), 1.0), GAMMAS / 30)
    assert {c.method for c in path.clusterings} == {"exact"}


@given(data=st.data())
@settings(max_examples=25)
def test_equal_weights_never_split_and_the_tree_cuts_into_the_labels(data):
    model = data.draw(problems.models(graph=problems.complete_graphs, max_d=2))
    weight = model.graph.uniform_weight
    gammas = np.r_[0.0, np.geomspace(0.02, 2, 8), 100] * max(model.data.std(), 0.1) / weight
    path = cluster_path(model, gammas, refine=True)
    assert path.splits == []
    if not all(c.proved for c in path.clusterings):
        return
    assert path.n_clusters[-1] == 1
    assert is_valid_linkage(path.linkage)
    for gamma, clustering in zip(path.gammas, path.clusterings, strict=True):
        cut = fcluster(path.linkage, t=gamma, criterion="distance")
        assert problems.same_partition(cut, clustering.labels)


def test_tree_of_three_points_on_a_line():
    model = ConvexClustering([[0.0], [1.0], [6.0]], FusionGraph.complete(3), 1.0)
    path = cluster_path(model, [0.4, 0.6, 1.5, 3.0])
    # 0 and 1 meet at gamma = 1/2; their centroid and 6 at gamma = 11/6.
    assert path.n_clusters.tolist() == [3, 2, 2, 1]
    assert path.linkage.tolist() == [[0, 1, 0.6, 2], [3, 2, 3.0, 3]]


def test_clusters_that_meet_at_one_gamma_merge_at_one_height():
    path = cluster_path(ConvexClustering([[0.0], [1.0], [6.0]], FusionGraph.complete(3), 1.0), [9])
    assert path.linkage.tolist() == [[0, 1, 9, 2], [3, 2, 9, 3]]


def test_a_split_is_found_and_named():
    gammas = np.geomspace(0.02, 4, 16)
    path = cluster_path(SPLITTING, gammas)
    check_against_cold(path)
    [(k, points)] = path.splits
    judges = [
        cluster(ConvexClustering(SPLITTING.data, SPLITTING.graph, gamma), "clarabel", tol=1e-9)
        for gamma in path.gammas[k - 1 : k + 1]
    ]
    assert all(judge.proved for judge in judges)
    assert len(set(judges[0].labels[points])) == 1
    assert len(set(judges[1].labels[points])) == 2
    with pytest.raises(NoDendrogramError, match=f"at gamma = {gammas[k]:g} the cluster of point"):
        path.linkage  # noqa: B018


@pytest.mark.filterwarnings("ignore::bilad.models.DisconnectedGraphWarning")
def test_no_tree_while_clusters_remain():
    data = np.array([[0.0], [1.0], [5.0], [6.0]])
    apart = ConvexClustering(data, FusionGraph(4, [[0, 1], [2, 3]], [1.0, 1.0]), 1.0)
    path = cluster_path(apart, [0.1, 10])
    assert path.n_clusters.tolist() == [4, 2]
    advice = "2 clusters remain at the last gamma, 10: no gamma joins the 2 components of the graph"
    with pytest.raises(NoDendrogramError, match=advice):
        path.linkage  # noqa: B018
    joined = ConvexClustering(data, FusionGraph.complete(4, 0.1), 1.0)
    with pytest.raises(NoDendrogramError, match="4 clusters remain .*: add larger gammas"):
        cluster_path(joined, [0.1]).linkage  # noqa: B018
    weightless = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [1.0, 0.0, 1.0])
    with pytest.raises(NoDendrogramError, match="no gamma joins the 2 components"):
        cluster_path(ConvexClustering(data, weightless, 1.0), [0.1, 10]).linkage  # noqa: B018


def test_time_limit_zero_returns_an_empty_path():
    path = cluster_path(connected_model(groups()), GAMMAS, time_limit=0)
    assert (path.status, len(path.gammas), path.clusterings) == ("time limit", 0, ())
    assert path.n_clusters.shape == (0,)
    assert path.splits == []
    with pytest.raises(NoDendrogramError, match="unsolved"):
        path.linkage  # noqa: B018


def test_interrupt_keeps_what_is_done():
    seen = []

    def stop(index, clustering):
        seen.append((index, clustering.model.gamma))
        if index == 2:
            raise KeyboardInterrupt

    path = cluster_path(connected_model(groups()), GAMMAS[::-1], on_progress=stop)
    assert path.status == "interrupted"
    assert seen == list(enumerate(GAMMAS[:3]))
    assert np.array_equal(path.gammas, GAMMAS[:3])
    assert len(path.clusterings) == 3


def test_progress_bar_on_standard_error(capsys):
    cluster_path(connected_model(groups()), GAMMAS[:2], progress=True)
    assert "cluster path" in capsys.readouterr().err
    cluster_path(connected_model(groups()), GAMMAS[:2])
    assert capsys.readouterr() == ("", "")


def test_no_factorisation_is_kept_and_the_path_can_be_pickled():
    path = cluster_path(connected_model(groups()), GAMMAS)
    assert all(c.reusable is None for c in path.clusterings)
    again = pickle.loads(pickle.dumps(path))
    assert np.array_equal(again.n_clusters, path.n_clusters)


@pytest.mark.parametrize("d", [1, 3])
def test_plot(d):
    path = cluster_path(connected_model(groups(d=d)), GAMMAS)
    figure, ax = pyplot.subplots()
    if d == 1:
        assert path.plot(ax).get_xlabel() == "gamma"
    else:
        assert path.plot(ax, features=(0, 2)).get_ylabel() == "x2"
        with pytest.raises(ArgumentError, match="features"):
            path.plot(ax, features=(0, 3))
    figure.canvas.draw()
    [ways] = [c for c in ax.collections if hasattr(c, "get_segments")]
    assert np.array_equal(ways.get_segments()[4][1:, 1], [c.X[4, -1] for c in path.clusterings])
    pyplot.close(figure)


def test_without_gammas_the_path_goes_from_single_points_to_one_cluster():
    path = cluster_path(connected_model(groups()))
    assert path.status == "complete"
    assert len(path.gammas) == 50
    assert path.n_clusters[[0, -1]].tolist() == [30, 1]
    assert path.clusterings[-1].proved
    assert is_valid_linkage(path.linkage)


def test_a_limit_during_the_automatic_grid_is_a_status(monkeypatch):
    model = connected_model(groups())
    path = cluster_path(model, time_limit=0)
    assert (path.status, len(path.gammas), path.suggest()) == ("time limit", 0, [])

    def interrupt(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(GammaRange, "grid", interrupt)
    assert cluster_path(model).status == "interrupted"


def test_table_and_dictionary():
    path = cluster_path(connected_model(groups()), GAMMAS)
    table = path.to_frame()
    assert np.array_equal(table.gamma, GAMMAS)
    assert np.array_equal(table.n_clusters, path.n_clusters)
    assert table.largest.iloc[-1] == np.bincount(path.clusterings[-1].labels).max()
    record = json.loads(json.dumps(path.to_dict(), allow_nan=False))
    assert record["status"] == "complete"
    assert record["path"][2]["labels"] == path.clusterings[2].labels.tolist()
    assert record["path"][2]["gamma"] == GAMMAS[2]
    assert repr(path).startswith("ClusterPath(status='complete', gammas=7, range=(0.05, 5)")
    empty = cluster_path(connected_model(groups()), GAMMAS, time_limit=0)
    assert list(empty.to_frame()) == list(table)
    assert json.loads(json.dumps(empty.to_dict()))["path"] == []


@pytest.mark.parametrize("gammas", [GAMMAS, np.r_[0.0, GAMMAS], [0.0]])
def test_plot_of_the_number_of_clusters(gammas):
    path = cluster_path(connected_model(groups()), gammas)
    figure, ax = pyplot.subplots()
    assert path.plot_clusters(ax) is ax
    figure.canvas.draw()
    assert np.array_equal(ax.lines[0].get_ydata(), path.n_clusters)
    assert np.array_equal(ax.lines[0].get_xdata(), gammas)
    pyplot.close(figure)


def test_plot_of_labels_that_are_not_proved():
    path = cluster_path(connected_model(groups()), GAMMAS)
    doubtful = [replace(c, partition=nothing_proved(30)) for c in path.clusterings[:3]]
    ax = replace(path, clusterings=(*doubtful, *path.clusterings[3:])).plot_clusters()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "labels proved",
        "not proved",
    ]
    pyplot.close(ax.figure)


def test_plot_makes_its_own_figure():
    ax = cluster_path(connected_model(groups()), [1.0]).plot()
    pyplot.close(ax.figure)


def test_a_method_that_cannot_take_the_model_is_refused():
    with pytest.raises(UnsupportedError):
        cluster_path(connected_model(groups()), [1.0], method="exact")


def test_gamma_zero_does_not_choose_the_method_of_the_path():
    A = np.random.default_rng(0).normal(size=(12, 2))
    model = ConvexClustering(A, FusionGraph.knn(A, k=3), 1.0, 1)
    path = cluster_path(model, [0.0, 0.1, 1.0])
    assert [clustering.method for clustering in path.clusterings] == ["ssnal"] * 3
    assert path.n_clusters[0] == 12 > path.n_clusters[-1]


def test_a_solve_that_breaks_down_ends_the_path(monkeypatch):
    ssnal, calls = LOWER_METHODS["ssnal"], []

    def broken(*given):
        calls.append(given)
        if len(calls) == 3:
            raise MemoryError("no room")
        return ssnal.solve(*given)

    monkeypatch.setitem(LOWER_METHODS, "ssnal", replace(ssnal, solve=broken))
    found = cluster_path(connected_model(groups()), GAMMAS, "ssnal")
    assert found.status == "error: MemoryError: no room"
    assert len(found.clusterings) == len(found.gammas) == 2


def test_a_callback_that_raises_ends_the_path():
    def full(index, clustering):
        if index == 3:
            raise OSError(28, "No space left on device")

    found = cluster_path(connected_model(groups()), GAMMAS, on_progress=full)
    assert found.status.startswith("error: OSError")
    assert len(found.clusterings) == 4
    with pytest.raises(ArgumentError, match="on_progress"):
        cluster_path(connected_model(groups()), GAMMAS, on_progress=3)
