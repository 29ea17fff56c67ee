"""Data frames in and out: names of features, indices, and columns that cannot be used."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LinearRegression

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LogisticRegression,
    Perturbation,
    Ridge,
    load_dataset,
)
from bilad.solvers import ConvexClusterer, cluster, fit

A = np.array([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0], [6.0, 5.5]])
NAMES, INDEX = ("length", "1"), ["a", "b", "c", "d"]
FRAME = pd.DataFrame(A, columns=["length", 1], index=INDEX)  # a name that is no text
GRAPH = FusionGraph.complete(4)
MODEL = ConvexClustering(FRAME, GRAPH, 1.5)
TARGETS = pd.Series([1.0, 2.0, 3.0, 5.0], index=INDEX)

MODELS = {
    "clustering": MODEL,
    "ridge": Ridge(FRAME, TARGETS),
    "logistic": LogisticRegression(FRAME, pd.Series(["x", "x", "y", "y"])),
    "clusterer": BlackBox(FRAME, DBSCAN()),
    "predictor": BlackBox(FRAME, LinearRegression(), targets=TARGETS),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_keeps_names_and_index(name):
    model = MODELS[name]
    moved = Perturbation.additive((4, 2)).apply(model, np.ones(8))
    assert np.array_equal(moved.data, A + 1)
    copies = [copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for one in (model, model.replace(data=A + 1), moved, *copies):
        assert one.feature_names == NAMES
        assert list(one.index) == INDEX
    assert model.to_dict()["feature_names"] == list(NAMES)


def test_every_change_of_a_clustering_model_keeps_them():
    other = GRAPH.with_weights(np.full(6, 2.0))
    for one in (MODEL.with_graph(other), MODEL.with_gamma(3), MODEL.standardised()[0]):
        assert one.feature_names == NAMES
        assert list(one.index) == INDEX
    fewer = MODEL.without([1, 2])
    assert list(fewer.index) == ["a", "d"]
    assert fewer.feature_names == NAMES
    assert list(MODEL.index) == INDEX


def test_an_array_has_no_names():
    model = ConvexClustering(A, GRAPH, 1.5)
    for one in (model, model.with_gamma(1), model.without([0])):
        assert one.feature_names is None
        assert one.index is None


def test_another_gamma():
    other = MODEL.with_gamma(0)
    assert (other.gamma, other.p, other.graph) == (0.0, 2.0, GRAPH)
    assert np.array_equal(other.data, A)
    assert MODEL.gamma == 1.5
    for wrong in (-1, np.nan, np.inf, "2", None):
        with pytest.raises(ArgumentError, match="gamma: got"):
            MODEL.with_gamma(wrong)


def test_data_of_a_frame_are_those_of_its_array():
    mixed = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1, 2], "c": [4, 5, 6]})
    given = mixed.astype({"c": "Int64"})
    model = ConvexClustering(given, FusionGraph.knn(given, 2), 1)
    assert np.array_equal(model.data, mixed.to_numpy())
    assert np.array_equal(model.graph.weights, FusionGraph.knn(mixed.to_numpy(), 2).weights)


BAD = {
    "text": (["x", "y", "z"], "'x' at index (0,)"),
    "missing": ([1.0, np.nan, 2.0], "nan at index (1,)"),
    "missing integer": (pd.array([1, 2, None], dtype="Int64"), "nan at index (2,)"),
    "Boolean": ([True, False, True], "Booleans"),
    "date": (pd.to_datetime(["2020-01-01"] * 3), "dates"),
    "category": (pd.Categorical(["u", "v", "u"]), "'u' at index (0,)"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_column_that_cannot_be_used_is_named(name):
    column, given = BAD[name]
    frame = pd.DataFrame({"good": [1.0, 2.0, 3.0], "my column": column})
    graph = FusionGraph.complete(3)
    for make in (
        lambda: ConvexClustering(frame, graph, 1),
        lambda: FusionGraph.knn(frame, 1),
        lambda: Perturbation.multiplicative(frame),
    ):
        with pytest.raises(ArgumentError) as caught:
            make()
        assert f"got {given} in column 'my column', expected" in str(caught.value)


def test_frames_without_columns_or_rows_are_refused():
    for frame in (pd.DataFrame(index=range(3)), FRAME.iloc[:1], FRAME.iloc[:, :0]):
        with pytest.raises(ArgumentError, match="data: got"):
            ConvexClustering(frame, FusionGraph.complete(3), 1)


def test_a_clustering_as_a_frame():
    clustering = cluster(MODEL)
    frame = clustering.to_frame()
    assert list(frame.columns) == ["label", *NAMES]
    assert list(frame.index) == INDEX
    assert np.array_equal(frame[list(NAMES)], clustering.X)
    assert np.array_equal(frame.label, clustering.labels)
    plain = cluster(ConvexClustering(A, GRAPH, 1.5)).to_frame()
    assert list(plain.columns) == ["label", "x0", "x1"]
    assert list(plain.index) == [0, 1, 2, 3]


def test_a_feature_may_be_called_label():
    frame = pd.DataFrame(A, columns=["label", "label"])
    clustering = cluster(ConvexClustering(frame, GRAPH, 1.5))
    assert np.array_equal(clustering.to_frame().iloc[:, 1:], clustering.X)


def test_parameters_as_a_frame():
    found = fit(Ridge(FRAME, TARGETS, intercept=True))
    frame = found.to_frame()
    assert list(frame.index) == [*NAMES, "intercept"]
    assert np.array_equal(frame.theta, found.theta)
    assert (frame.lower <= frame.theta).all()
    assert np.allclose(frame.upper - frame.lower, 2 * found.distance_bound)
    assert list(fit(Ridge(A, TARGETS)).to_frame().index) == ["x0", "x1"]


def test_predictions_need_the_columns_of_the_model():
    found = fit(Ridge(FRAME, TARGETS))
    assert np.array_equal(found.predict(FRAME), found.predict(A))
    with pytest.raises(ArgumentError, match=r"X: got the columns \['1', 'length'\], expected"):
        found.predict(FRAME[[1, "length"]])
    assert len(fit(Ridge(A, TARGETS)).predict(FRAME)) == 4  # a model without names takes any


def test_a_data_set_as_a_frame():
    given = FRAME.assign(species=["u", "v", "u", "v"])
    data = load_dataset(given)
    frame = data.to_frame()
    assert list(frame.columns) == ["label", *NAMES]
    assert frame.label.tolist() == [0, 1, 0, 1]
    assert load_dataset(FRAME).to_frame().shape == (4, 2)


def test_the_estimator_keeps_names():
    frame = FRAME.rename(columns=str)
    clusterer = ConvexClusterer(gamma=0.1, weights="complete").fit(frame)
    assert list(clusterer.feature_names_in_) == list(NAMES)
    assert clusterer.clustering_.model.feature_names == NAMES
    assert list(clusterer.clustering_.to_frame().index) == INDEX
    assert np.array_equal(clusterer.fit_predict(frame), clusterer.fit_predict(A))
    clusterer.fit(A)
    assert not hasattr(clusterer, "feature_names_in_")
    with pytest.raises(ValueError, match="could not convert string"):
        clusterer.fit(frame.assign(length=["p", "q", "r", "s"]))
