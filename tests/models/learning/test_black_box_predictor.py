"""Classifiers and regressors as black boxes: predictions, losses, invalid arguments, errors."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from bilad.models import (
    ArgumentError,
    BlackBox,
    EstimatorError,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    changed_predictions,
    supports,
    validation_loss,
)
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError

RNG = np.random.default_rng(0)
A = RNG.normal(size=(20, 2))
LABELS = np.where(A[:, 0] + 0.4 * RNG.normal(size=20) > 0, "yes", "no")
NUMBERS = A @ [1.0, -2.0] + 0.1 * RNG.normal(size=20)
X = RNG.normal(size=(15, 2))
Y = np.where(X[:, 0] > 0, "yes", "no")
FREE = Perturbation.additive(A.shape, points=[0, 1, 2])


class Constant(RegressorMixin, BaseEstimator):
    """A regressor that predicts what `answer` returns for X; it counts its fits."""

    fits = 0

    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, data, targets):
        type(self).fits += 1
        self.mean_ = targets.mean()
        return self

    def predict(self, data):
        return np.full(len(data), self.mean_) if self.answer is None else self.answer(data)


class Fickle(ClassifierMixin, BaseEstimator):
    """A classifier that errs at another held-out point after each fit, so that its loss is one."""

    fits = 0

    def fit(self, data, targets):
        type(self).fits += 1
        self.wrong_ = type(self).fits % len(X)
        return self

    def predict(self, data):
        labels = np.where(data[:, 0] > 0, "yes", "no")
        labels[self.wrong_] = "no" if labels[self.wrong_] == "yes" else "yes"
        return labels


def raising(data):
    raise ZeroDivisionError("far out")


@pytest.mark.parametrize(
    "estimator", [KNeighborsClassifier(3), DecisionTreeClassifier(max_depth=2, random_state=0)]
)
def test_the_deviations_are_those_of_a_refit(estimator):
    box = BlackBox(A, estimator, targets=LABELS)
    for function in (changed_predictions(X), validation_loss(X, Y)):
        problem = MaxDeviation(box, FREE, 2.0, np.inf, function)
        found = attack(problem, "corners", max_solves=40)
        before, after = (
            copy.deepcopy(estimator).fit(data, LABELS).predict(X)
            for data in (A, FREE.apply(box, found.eps).data)
        )
        losses = np.mean(after != Y) - np.mean(before != Y)
        expected = np.sum(after != before) if "changed" in function.name else losses
        assert found.deviation == pytest.approx(expected)
        assert found.deviation > 0
        assert found.proved
        assert found.gap is None
        assert (found.outcome.predict(X) == after).all()


@pytest.mark.parametrize("part", ["data", "targets"])
def test_a_regressor_is_attacked_as_the_linear_model_that_it_is(part):
    estimator = SklearnRidge(alpha=1.0, fit_intercept=False)
    models = BlackBox(A, estimator, targets=NUMBERS), Ridge(A, NUMBERS)
    size = models[0].parts[part].size
    free = Perturbation({part: np.eye(size)[:, :3]}, {part: models[0].parts[part].shape})
    own = [
        attack(
            MaxDeviation(model, free, 0.5, np.inf, validation_loss(X, X[:, 0])),
            "corners",
            max_solves=20,
            closing="none",
        )
        for model in models
    ]
    assert own[0].eps.tolist() == own[1].eps.tolist()
    assert own[0].deviation == pytest.approx(own[1].deviation, rel=1e-6)


def test_held_out_data_are_the_models_own_by_default():
    box = BlackBox(A, KNeighborsClassifier(1), targets=LABELS)
    problem = MinPerturbation(box, FREE, 1, np.inf, "changed-predictions")
    assert attack(problem, "corners", max_solves=200).deviation >= 1
    assert MaxDeviation(box, FREE, 1.0, np.inf, "validation-loss").deviation.name


def test_a_model_with_targets_is_no_clusterer():
    box = BlackBox(A, KNeighborsClassifier(), 7, LABELS)
    assert box.max_queries == 7
    assert supports(box, "predictor")
    assert not supports(BlackBox(A, KMeans(2)), "predictor")
    with pytest.raises(ArgumentError, match="deviation: got 'delta', of labels, expected a devi"):
        MaxDeviation(box, FREE, 1.0)
    with pytest.raises(ArgumentError, match="'distance', of parameters"):
        MaxDeviation(box, FREE, 1.0, deviation="distance")
    with pytest.raises(ArgumentError, match="'predictor' is registered"):
        MaxDeviation(BlackBox(A, KMeans(2)), FREE, 1.0, deviation=changed_predictions(X))
    with pytest.raises(UnsupportedError, match="'adjoint', which is not registered"):
        attack(MaxDeviation(box, FREE, 1.0, 2, changed_predictions(X)), "hypergradient")


def test_targets_are_a_part_where_they_are_numbers():
    assert list(BlackBox(A, KNeighborsClassifier(), targets=LABELS).parts) == ["data"]
    assert list(BlackBox(A, KNeighborsClassifier(), targets=A[:, 0] > 0).parts) == ["data"]
    box = BlackBox(A, KNeighborsClassifier(), targets=(A[:, 0] > 0).astype(int))
    assert list(box.parts) == ["data", "targets"]
    moved = box.replace(targets=1 - box.targets)
    assert (moved.query().predict(A) == 1 - box.query().predict(A)).all()
    with pytest.raises(ArgumentError, match="parts: got targets, expected 'data'"):
        BlackBox(A, KNeighborsClassifier(), targets=LABELS).replace(targets=NUMBERS)
    with pytest.raises(ArgumentError, match=r"targets: got shape \(3,\)"):
        box.replace(targets=[0, 1, 0])


def test_it_is_immutable_and_can_be_copied():
    labels = LABELS.copy()
    box = BlackBox(A, KNeighborsClassifier(), targets=labels)
    labels[:] = "no"
    assert (box.targets == LABELS).all()
    with pytest.raises(ValueError, match="read-only"):
        box.targets[0] = "no"
    for same in (copy.deepcopy(box), pickle.loads(pickle.dumps(box))):
        assert type(same) is type(box)
        assert (same.query().predict(X) == box.query().predict(X)).all()
    assert not hasattr(box.estimator, "classes_")


@pytest.mark.parametrize(
    ("estimator", "targets", "words"),
    [
        (3, LABELS, "estimator: got int, expected an object with fit and predict"),
        (KNeighborsClassifier, LABELS, "estimator: got the class KNeighborsClassifier"),
        (DecisionTreeClassifier().fit, LABELS, "estimator: got method"),
        (KMeans(2), LABELS, "estimator: got KMeans, expected a classifier or a regressor"),
        (type("Duck", (), {"fit": 1, "predict": 1})(), LABELS, "estimator: got Duck"),
        (KNeighborsClassifier(), LABELS[:3], r"targets: got shape \(3,\)"),
        (KNeighborsClassifier(), ["yes"] * 20, "targets: got the constant yes"),
        (KNeighborsClassifier(), [1] * 20, "targets: got the constant 1"),
        (KNeighborsClassifier(), [np.nan, *range(19)], "targets: got a label that is infinite"),
        (LinearRegression(), [2.5] * 20, "targets: got the constant 2.5"),
        (LinearRegression(), LABELS, "targets: got text"),
        (LinearRegression(), np.column_stack([NUMBERS] * 2), r"targets: got shape \(20, 2\)"),
        (LinearRegression(), [np.inf, *range(19)], "targets: got inf"),
    ],
)
def test_arguments_are_checked(estimator, targets, words):
    with pytest.raises(ArgumentError, match=words):
        BlackBox(A, estimator, targets=targets)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (changed_predictions(X[:, :1]), r"X: got shape \(15, 1\)"),
        (validation_loss(X, Y[:3]), r"y: got shape \(3,\)"),
        (
            validation_loss(X, np.where(Y == "yes", "maybe", "no")),
            "y: got maybe, expected the labels no and yes",
        ),
        (validation_loss(X, np.ones(15)), "y: got 1.0, expected the labels no and yes"),
    ],
)
def test_held_out_data_are_checked(function, words):
    with pytest.raises(ArgumentError, match=words):
        MaxDeviation(BlackBox(A, KNeighborsClassifier(), targets=LABELS), FREE, 1.0, 2, function)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raising, "Constant raised ZeroDivisionError: far out"),
        (lambda data: np.zeros(3), r"shape \(3,\), expected predictions of shape \(15,\)"),
        (lambda data: np.full(len(data), np.nan), "expected finite predictions"),
        (lambda data: ["one"] * len(data), "expected numbers"),
        (lambda data: None, "object array"),
    ],
)
def test_what_is_no_prediction_is_named_with_its_eps(answer, words):
    box = BlackBox(A, Constant(answer), targets=NUMBERS)
    problem = MaxDeviation(box, FREE, 1.0, 2, validation_loss(X, X[:, 0]))
    with pytest.raises(EstimatorError, match=rf"at eps = \[0\.[\s\S]*{words}"):
        attack(problem, "corners")


def test_an_error_beyond_eps_0_ends_the_attack():
    class Fragile(Constant):
        def predict(self, data):
            return raising(data) if abs(self.mean_ - NUMBERS.mean()) > 0.1 else data[:, 0]

    targets = Perturbation({"targets": np.eye(20)[:, :2]}, {"targets": (20,)})
    box = BlackBox(A, Fragile(), targets=NUMBERS)
    found = attack(MaxDeviation(box, targets, 4.0, 2, changed_predictions(X)), "direct", step=0.5)
    assert found.termination.startswith("error: EstimatorError: at eps = [")


def test_an_error_of_fit_is_named():
    box = BlackBox(A, LogisticRegression(), targets=A[:, 0])
    with pytest.raises(EstimatorError, match="LogisticRegression raised ValueError: Unknown label"):
        box.query()


def test_a_fit_that_is_not_deterministic_is_found_even_if_its_loss_is_the_same():
    box = BlackBox(A, Fickle(), targets=LABELS)
    for function in (changed_predictions(X), validation_loss(X, Y)):
        with pytest.raises(EstimatorError, match="not deterministic.*sets of predictions"):
            attack(MaxDeviation(box, FREE, 1.0, 2, function), "corners")


@pytest.mark.parametrize("queries", [0, 6])
def test_queries_are_counted(queries):
    Constant.fits = 0
    targets = Perturbation({"targets": np.eye(20)[:, :2]}, {"targets": (20,)})
    box = BlackBox(A, Constant(), queries, NUMBERS)
    found = attack(MaxDeviation(box, targets, 1.0, 2, validation_loss(X, X[:, 0])), "random")
    assert found.lower_solves <= queries
    assert Constant.fits <= queries + 2 + 8  # twice at 0, and to confirm
    assert found.termination == "solve limit"


@pytest.mark.parametrize("method", ["greedy", "random"])
def test_labels_of_a_black_box_are_flipped(method):
    box = BlackBox(A, KNeighborsClassifier(1), targets=np.where(LABELS == "yes", 1, -1))
    flips = Perturbation.flips(points=range(6))
    found = attack(MaxDeviation(box, flips, 2, "count", "changed-predictions"), method)
    assert found.deviation == found.norm == 2
    assert set(found.eps.tolist()) == {0.0, 1.0}
