"""Linear models: their losses, their arguments, and the deviations of their predictions."""

import copy
import pickle
from decimal import Decimal
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as sk
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    changed_predictions,
    deviation,
    validation_loss,
)
from bilad.models.learning.linear_model import Fit
from bilad.models.learning.logistic import LogisticLoss
from bilad.models.learning.predictor import predictor
from bilad.models.learning.ridge import SquaredLoss
from bilad.models.learning.svm import LOSSES

ALL_LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss(), **LOSSES}
MODELS = [Ridge, LogisticRegression, SupportVectorMachine]
X = np.random.default_rng(0).normal(size=(8, 3))
Y = np.array([0, 1, 0, 1, 1, 0, 1, 0])
number = st.floats(-3, 3)


@pytest.mark.parametrize("name", ALL_LOSSES)
@given(y=number, z=number)
def test_derivatives_of_losses(name, y, z):
    """Central differences, away from kinks."""
    loss, h = ALL_LOSSES[name], 1e-6
    if min(abs(1 - z), abs(1 + z), abs(1 - y), abs(1 + y)) < 1e-3:
        return
    y, z = np.array([y]), np.array([z])

    def difference(function, in_y=False):
        step = (h, 0) if in_y else (0, h)
        return (function(y + step[0], z + step[1]) - function(y - step[0], z - step[1])) / (2 * h)

    near = {"abs": 1e-7, "rel": 1e-6}
    assert loss.slope(y, z) == pytest.approx(difference(loss.value), **near)
    assert loss.curvature(y, z) == pytest.approx(difference(loss.slope), **near)
    assert loss.target_slope(y, z) == pytest.approx(difference(loss.slope, in_y=True), **near)
    smooth = difference(lambda y, z: loss.smoothed(y, z, 0.5))
    assert loss.smoothed_slope(y, z, 0.5) == pytest.approx(smooth, **near)
    assert loss.smoothed(y, z, 1e-9) == pytest.approx(loss.value(y, z), abs=1e-8)


def test_classes_are_sorted():
    for labels in (Y, Y == 1, np.where(Y, "b", "a"), np.where(Y, 7.5, -2.0)):
        model = LogisticRegression(X, labels)
        assert model.targets.tolist() == (2.0 * Y - 1).tolist()
        assert model.classes.tolist() == np.unique(labels).tolist()


def test_labels_are_numbers_booleans_or_strings():
    few, text = np.eye(4), np.array(["a", "b", "a", "b"])
    model = LogisticRegression(few, text)
    for labels in (text.astype(object), text.astype(np.dtypes.StringDType()), pd.Categorical(text)):
        assert LogisticRegression(few, labels).classes.dtype == text.dtype
    assert Ridge(few, [1e308, -1e308] * 2).targets[0] == 1e308
    for labels in (
        ["a", 1, "a", 1],
        ["a", None] * 2,
        np.array([np.nan, 1.0] * 2, dtype=object),
        np.array(["2020", "NaT"] * 2, dtype="M8[Y]"),
        np.array([1, 2] * 2, dtype="m8[s]"),
        np.array([(1, 2)] * 4, dtype=[("a", int), ("b", int)]),
        [b"a", b"b"] * 2,
        [frozenset([1]), frozenset([2])] * 2,
        [Decimal(1), Decimal(2)] * 2,
    ):
        for read in (
            lambda given: LogisticRegression(few, given),
            lambda given: BlackBox(few, sk.LogisticRegression(), targets=given),
            lambda given: model.read_held_out(given, 4),
        ):
            with pytest.raises(ArgumentError, match=r"(targets|y): got .*label"):
                read(labels)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogisticRegression(X, np.zeros(8)), r"targets: got 1 class: 0.0, expected labels"),
        (lambda: SupportVectorMachine(X, np.arange(8)), "targets: got 8 classes: 0, 1, 2, 3, ..."),
        (lambda: LogisticRegression(X, [*Y[:7], np.nan]), "targets: got a label that is infinite"),
        (lambda: LogisticRegression(X, Y[:7]), r"targets: got shape \(7,\), expected shape \(8,\)"),
        (lambda: LogisticRegression(X, np.ma.masked_equal(Y, 1)), "targets: got masked entries"),
        (lambda: LogisticRegression(X, Y * 1j), "targets: got labels of type complex"),
        (lambda: Ridge(X, np.ones(8)), "targets: got the constant 1, expected at least two"),
        (lambda: Ridge(X, np.where(Y, "b", "a")), "targets: got text"),
        (lambda: Ridge(X, [*Y[:7], np.inf]), "targets: got inf at index"),
        (lambda: Ridge(X, Y, 0.0), "penalty: got 0.0, expected a finite number > 0"),
        (lambda: Ridge(X, Y, -1.0), "penalty: got -1.0"),
        (lambda: Ridge(X, Y, np.nan), "penalty: got nan"),
        (lambda: Ridge(X, Y, intercept=1), "intercept: got 1, expected True or False"),
        (lambda: SupportVectorMachine(X, Y, loss="log"), "loss: got 'log', expected one of"),
        (lambda: Ridge(X[:1], Y[:1]), "data: got shape"),
        (lambda: Ridge(X, Y).replace(weights=Y), "parts: got weights, expected 'data', 'targets'"),
        (lambda: Ridge(X, Y).replace(targets=Y[:3]), "targets: got shape"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_parts_are_replaced_without_changing_the_model():
    model = SupportVectorMachine(X, Y, intercept=True)
    _ = model.design
    other = model.replace(data=X + 1, targets=np.linspace(-1, 1, 8))
    assert (other.design[:, :3] == X + 1).all()
    assert (other.design[:, 3] == 1).all()
    assert other.targets[0] == -1
    assert (model.data == X).all()
    assert model.targets.tolist() == (2.0 * Y - 1).tolist()
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (same.design == model.design).all()


def problem(model, function, kind=MaxDeviation, size=1.0):
    moves = Perturbation.additive(X.shape, points=[0])
    return kind(model, moves, size, deviation=function)


@pytest.mark.parametrize("kind", MODELS)
def test_deviations_of_predictions(kind):
    model = kind(X, Y)
    held = np.random.default_rng(1).normal(size=(5, 3))
    labels = np.array([0, 1, 1, 0, 1])
    before, after = np.array([1.0, 2, -1]), np.array([-1.0, 2, 1])
    changes = problem(model, changed_predictions(held)).deviation
    assert changes.value(before, after) == np.sum((held @ before >= 0) != (held @ after >= 0)) > 0
    assert changes.largest(8) == 5
    assert changes.is_discrete
    loss = problem(model, validation_loss(held, labels)).deviation
    y = labels if kind is Ridge else 2.0 * labels - 1
    values = [model.loss_function.value(y, held @ theta).mean() for theta in (before, after)]
    for one, other, expected in (
        (before, after, values[1] - values[0]),
        (after, before, values[0] - values[1]),
    ):
        assert loss.value(one, other) == pytest.approx(max(0.0, expected), abs=1e-15)
    assert not loss.is_discrete
    for function in (changes, loss):
        smooth, rng = function.smoothed(before), np.random.default_rng(2)
        theta, v, h = rng.normal(size=3), rng.normal(size=3), 1e-6
        value, gradient = smooth.at(theta, 0.3)
        slope = (smooth.at(theta + h * v, 0.3)[0] - smooth.at(theta - h * v, 0.3)[0]) / (2 * h)
        assert gradient @ v == pytest.approx(slope, rel=1e-6)
        assert (
            smooth.at(theta, 1e-9)[0] == pytest.approx(function.value(before, theta), abs=1e-6)
            or value < 0
        )
        assert pickle.loads(pickle.dumps(function)).value(before, after) == function.value(
            before, after
        )


def test_names_stand_for_the_training_data():
    model = Ridge(X, 2.0 * Y - 1)
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=(2, 3))
    for name, function in (
        ("changed-predictions", deviation.changed_predictions(X)),
        ("validation-loss", deviation.validation_loss(X, 2.0 * Y - 1)),
    ):
        named, given_ = (problem(model, f).deviation for f in (name, function))
        assert named.name == name
        assert named.value(before, after) == given_.value(before, after)


def test_bad_held_out_data():
    ridge, svm = Ridge(X, Y), SupportVectorMachine(X, Y)
    for call, message in (
        (lambda: validation_loss(X), "y: got None, expected the held-out data with X"),
        (lambda: validation_loss(y=Y), "X: got None, expected the held-out data with y"),
        (lambda: changed_predictions(Y), "X: got shape"),
        (lambda: changed_predictions(X * np.nan), "X: got nan"),
        (lambda: problem(ridge, changed_predictions(X[:, :2])), r"X: got shape \(8, 2\), expected"),
        (lambda: problem(ridge, validation_loss(X, Y[:5])), r"y: got shape \(5,\)"),
        (lambda: problem(svm, validation_loss(X, Y + 1)), "y: got 2, expected the labels 0 and 1"),
        (lambda: problem(svm, "delta"), "deviation: got 'delta', of labels"),
        (lambda: changed_predictions(X).value(Y, Y), "deviation: got 'changed-predictions'"),
        (
            lambda: problem(ridge, changed_predictions(X), MinPerturbation, 9.0),
            "target: got 9.0, expected at most 8",
        ),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
    clusters = ConvexClustering(X, FusionGraph.complete(8), 0.1)
    with pytest.raises(ArgumentError, match="model: got ConvexClustering.*'predictor'"):
        problem(clusters, changed_predictions(X))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_the_objective_and_its_derivatives(kind, intercept):
    model = kind(X, Y, 0.7, intercept=intercept)
    rng, size = np.random.default_rng(5), 3 + intercept
    theta, h = 0.2 * rng.normal(size=size), 1e-6
    scores = X @ theta[:3] + (theta[3] if intercept else 0.0)
    losses = model.loss_function.value(model.targets, scores)
    assert model.primal(theta) == pytest.approx(losses.sum() + 0.35 * (theta**2).sum())
    for k, step in enumerate(h * np.eye(size)):
        slope = (model.primal(theta + step) - model.primal(theta - step)) / (2 * h)
        assert model.gradient(theta)[k] == pytest.approx(slope, rel=1e-6, abs=1e-7)
        bend = (model.gradient(theta + step) - model.gradient(theta - step)) / (2 * h)
        assert model.hessian(theta)[k] == pytest.approx(bend, rel=1e-6, abs=1e-7)


def test_a_gap_bounds_the_distance_and_the_predictions():
    """The gap 0.02 and the penalty 4 bound the distance by 0.1."""
    model = LogisticRegression(X, Y, 4.0, intercept=True)
    given_fit = Fit(model, np.array([3.0, -1.0, 2.0, 0.5]), 0.02, "optimal", 1)
    assert given_fit.distance_bound == pytest.approx(0.1, rel=1e-15)
    assert given_fit.gap == pytest.approx(0.02 / (1 + model.primal(given_fit.theta)), rel=1e-15)
    rows = np.array([[0.0, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.61, 0.0], [0.0, 0.63, 0.0], X[0]])
    design = np.column_stack([rows, np.ones(5)])
    scores, norms = design @ given_fit.theta, np.linalg.norm(design, axis=1)
    assert given_fit.decision_function(rows) == pytest.approx(scores)
    assert given_fit.predict(rows).tolist() == (scores >= 0).astype(int).tolist()
    assert given_fit.proved_predictions(rows).tolist() == (np.abs(scores) > 0.1 * norms).tolist()
    assert predictor(model).decided(given_fit, rows[[1]])
    assert not predictor(model).decided(given_fit, rows[:2])
    frame = given_fit.to_frame()
    assert frame.upper.tolist() == pytest.approx(given_fit.theta + 0.1)
    assert frame.lower.tolist() == pytest.approx(given_fit.theta - 0.1)
    length = 1 + np.linalg.norm(given_fit.theta)
    for share, proved in ((0.99, True), (1.01, False)):
        gap = 2.0 * (share * 1e-5 * length) ** 2
        assert Fit(model, given_fit.theta, gap, "optimal", 1).proved is proved


def test_a_score_of_zero_is_predicted_as_the_second_class():
    model = SupportVectorMachine(X, np.where(Y, "yes", "no"))
    found = Fit(model, np.array([1.0, 0.0, 0.0]), 0.0, "optimal", 1)
    rows = np.array([[0.0, 1.0, 2.0], [-1e-9, 0.0, 0.0]])
    assert found.predict(rows).tolist() == ["yes", "no"]
    assert predictor(model).predict(found.theta, rows).tolist() == [1.0, -1.0]
    assert model.read_held_out(["no", "yes"], 2).tolist() == [-1.0, 1.0]
    assert Fit(Ridge(X, Y), found.theta, 0.0, "optimal", 1).predict(rows).tolist() == [0.0, -1e-9]
    zero = Fit(model, np.zeros(3), 0.0, "optimal", 1)  # exact, but no sign of any score is
    assert zero.proved_predictions(rows).tolist() == [False, False]
    assert zero.proved_predictions(np.zeros((1, 3))).tolist() == [True]


def test_the_least_and_the_uncertain_changes_of_predictions():
    model = LogisticRegression(X, Y)
    changes, loss = (
        problem(model, one).deviation for one in (changed_predictions(X), "validation-loss")
    )
    assert changes.of_any_change() == (changes, 1.0)
    theta = np.array([1.0, 2.0, -1.0])
    mean = model.loss_function.value(model.targets, X @ theta).mean()
    assert loss.uncertainty(theta) == pytest.approx(1e-6 * (1 + mean), rel=1e-12)
    assert changes.uncertainty(theta) == 0
    assert loss.are_the_same(theta, 1.5 * theta)  # the same predictions, though another loss
    assert not loss.are_the_same(theta, -theta)
    assert (changes.least_n, loss.least_n, loss.largest(8)) == (1, 1, np.inf)
    points, targets = loss.held_out
    assert points is model.data
    assert targets is model.targets
    exact, rough = (Fit(model, theta, gap, "optimal", 1) for gap in (0.0, 1e9))
    assert changes.decided(exact)
    assert not changes.decided(rough)
    assert loss.decided(rough)
    assert predictor(model).check(X[:2], None)[1].tolist() == [0.0, 0.0]


def test_a_sign_is_not_proved_by_a_rounding_error():
    """1 + 3/4 u - 1 - 7/8 u < 0 is rounded to a positive score in some of the orders."""
    u, wrong = 2.0**-52, 0
    for theta in permutations([1.0, 0.75 * u, -1.0, -0.875 * u]):
        found = Fit(Ridge(np.eye(4), [0.0, 1.0, 2.0, 3.0]), np.array(theta), 0.0, "optimal", 1)
        rows = np.ones((1, 4))
        wrong += found.decision_function(rows)[0] > 0
        assert not found.proved_predictions(rows)[0]
    assert wrong
