"""What an attack shows of itself besides one line: a data frame, and two pictures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.cluster import AgglomerativeClustering
from sklearn.linear_model import LogisticRegression as OtherRegression
from support.toy_model import NonnegativeMean

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.solvers import attack, cluster

LINE = pd.DataFrame({"x": [0.0, 1.0, 9.0, 10.0], "y": 0.0}, index=list("abcd"))
MODEL = ConvexClustering(LINE, FusionGraph.complete(4), 0.6)  # clusters {a, b} and {c, d}
MOVE = Perturbation.additive((4, 2), points=[1], features=[0])
BL1, BL2 = MaxDeviation(MODEL, MOVE, 3.0), MinPerturbation(MODEL, MOVE, 2.0)
FAST = {"bound": "none", "closing": "none", "max_solves": 40}


@pytest.fixture(autouse=True)
def no_figure_remains():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def found():
    return attack(BL1, "corners", **FAST)


def test_one_row_a_point(found):
    frame = found.to_frame()
    assert found.deviation > 0
    assert list(frame.index) == list(LINE.index)
    assert list(frame.columns) == ["label", "attacked_label", "changed", "moved", "x", "y"]
    assert frame.label.tolist() == [0, 0, 1, 1]
    assert frame.changed.sum() == 1  # the clusters have their old names where most points stay
    assert frame.moved.tolist() == [0.0, abs(found.eps[0]), 0.0, 0.0]
    assert np.allclose(frame[["x", "y"]], MOVE.apply(MODEL, found.eps).data)


def test_a_model_that_was_not_solved_has_no_answers():
    nothing = attack(MaxDeviation(MODEL, MOVE, 1.0), "corners", max_solves=0, bound="none")
    frame = nothing.to_frame()
    assert not frame.changed.any()
    assert not frame.moved.any()
    assert frame[["x", "y"]].equals(LINE)


@pytest.mark.parametrize("estimator", [None, OtherRegression()])
def test_predictions(estimator):
    y = [0, 0, 1, 1]
    model = BlackBox(LINE, estimator, targets=y) if estimator else LogisticRegression(LINE, y)
    part = Perturbation.targets(4) if estimator is None else Perturbation.additive((4, 2))
    problem = MaxDeviation(model, part, 40.0, deviation="changed-predictions")
    found = attack(problem, "random", **FAST)
    frame = found.to_frame()
    assert found.deviation > 0
    assert frame.changed.sum() == found.deviation
    assert ("attacked_target" in frame) == (estimator is None)
    assert found.plot().get_title().startswith("deviation")


def test_parameters_that_predict_nothing():
    model = NonnegativeMean(LINE)
    problem = MaxDeviation(model, MOVE, 1.0, deviation="distance")
    found = attack(problem, "random", **FAST)
    assert list(found.to_frame().columns) == ["moved", "x", "y"]
    assert found.plot().get_title().startswith("deviation")


def test_other_labels_keep_their_names():
    model = BlackBox(LINE, AgglomerativeClustering(2))
    found = attack(MaxDeviation(model, MOVE, 20.0), "random", **FAST)
    assert found.to_frame().changed.sum() == 1


def test_the_features_that_move_are_drawn(found):
    axes = found.plot()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "changed (1)" in legend
    assert "label 0 (1)" in legend
    wide = ConvexClustering(np.column_stack([np.ones((4, 3)), LINE.x]), MODEL.graph, 0.6)
    other = MaxDeviation(wide, Perturbation.additive((4, 4), [1], [3]), 3.0)
    assert attack(other, "corners", **FAST).plot().get_ylabel() == "x3"


def test_given_axes_are_used(found):
    axes = pyplot.subplots()[1]
    assert found.plot(axes, features=("y", 0)) is axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("y", "x")
    assert found.plot_history(axes) is axes
    clustering = cluster(MODEL)
    assert clustering.plot(axes) is axes


@pytest.mark.parametrize(
    "features", [(0, 2), (-1, 0), (0,), (0, 1, 1), "xy", 3, ("x", "z"), (0, 1.0)]
)
def test_features_that_do_not_exist(found, features):
    before = pyplot.get_fignums()
    for plot in (found.plot, cluster(MODEL).plot):
        with pytest.raises(ArgumentError, match="features: got"):
            plot(features=features)
    assert pyplot.get_fignums() == before


def test_axes_that_are_none(found):
    for plot in (found.plot, found.plot_history, cluster(MODEL).plot):
        with pytest.raises(ArgumentError, match="ax: got Figure"):
            plot(pyplot.figure())


def test_a_clustering_and_its_legend():
    axes = cluster(MODEL).plot(features=("x", "y"))
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "cluster 0 (2)",
        "cluster 1 (2)",
        "rows of X",
    ]
    axes.figure.canvas.draw()
    assert legend.get_window_extent().x0 >= axes.get_window_extent().x1  # it covers no point


def test_a_single_feature_is_drawn_against_the_points():
    model = ConvexClustering(LINE[["x"]], FusionGraph.complete(4), 0.6)
    axes = cluster(model).plot()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "point")
    problem = MaxDeviation(model, Perturbation.shift([[0.0], [1.0], [0.0], [0.0]]), 3.0)
    assert attack(problem, **FAST).plot().get_xlabel() == "x"


@pytest.mark.parametrize("problem", [BL1, BL2])
def test_the_history_shows_the_best_attack_so_far(problem):
    found = attack(problem, "corners", **FAST)
    axes = found.plot_history()
    counts, best = axes.lines[0].get_data()
    assert best[-1] == pytest.approx(found.deviation if problem is BL1 else found.norm)
    steps = np.diff(best)
    assert (steps >= 0).all() if problem is BL1 else (steps <= 0).all()
    assert (np.diff(counts) > 0).all()
    assert sum(len(one.get_offsets()) for one in axes.collections) == len(found.history)


def test_a_history_without_an_attack_has_no_line():
    nothing = attack(BL1, "corners", max_solves=0, bound="none", closing="none")
    assert len(nothing.plot_history().lines) == 0
