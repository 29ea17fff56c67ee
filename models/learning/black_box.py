"""Learning algorithms known by their results and nothing else: any scikit-learn estimator."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.learning_model import Answer, LearningModel, LearningModelError, solve
from bilad.models.learning.linear_model import held_out_data, known_labels, label_array
from bilad.models.learning.predictor import predictor
from bilad.models.validation import ArgumentError, FloatArray, real_array, whole_number


class EstimatorError(LearningModelError):
    """The estimator raised an exception, or returned something that is no prediction."""


class ClustererError(EstimatorError):
    """The clusterer raised an exception, or did not return a partition of its data."""


class BlackBox(LearningModel):
    """An estimator applied to fixed data, known by its results only. Immutable.

    Without targets the estimator is a clusterer, whose labels are the outcome. With targets it is a
    classifier or a regressor, whose predictions on held-out data deviations compare; the model is
    then a `BlackBoxPredictor`. Each query fits a new clone of the estimator.

    Parameters
    ----------
    data : array_like, shape (n, d)
        One row per point, n >= 2, d >= 1, finite.
    estimator : object with scikit-learn's interface
        A clusterer with `fit_predict(data)`, or a classifier or regressor with `fit(data, targets)`
        and `predict(X)`. It must be deterministic, so set its `random_state`. The labels of a
        clusterer are used unchanged: the label -1 of DBSCAN, for noise, is a cluster like any
        other.
    max_queries : int, optional
        The largest number of queries of an attack. The query at eps = 0 and the queries that check
        that the estimator is deterministic do not count.
    targets : array_like, shape (n,), optional
        The labels of a classifier (numbers, Booleans or strings), or the numbers that a regressor
        predicts; at least two different values.

    Raises
    ------
    ArgumentError
        If an argument is invalid, or the estimator lacks a method.
    """

    methods: ClassVar[tuple[str, ...]] = ("fit_predict",)
    expected: ClassVar[str] = "an object with fit_predict, or targets for a classifier or regressor"
    error: ClassVar[type[EstimatorError]] = ClustererError
    result: ClassVar[str] = "partitions"

    # The defaults serve `copy` and `pickle`, which make an instance of a class without arguments.
    def __new__(
        cls,
        data: ArrayLike = (),
        estimator: Any = None,
        max_queries: int | None = None,
        targets: ArrayLike | None = None,
    ) -> BlackBox:
        """Return an instance of `BlackBoxPredictor` if there are targets."""
        return super().__new__(cls if targets is None else BlackBoxPredictor)

    def __init__(
        self,
        data: ArrayLike,
        estimator: Any,
        max_queries: int | None = None,
        targets: ArrayLike | None = None,
    ) -> None:
        from sklearn.base import clone  # slow to import

        super().__init__(data)
        callables = [callable(getattr(estimator, name, None)) for name in self.methods]
        if isinstance(estimator, type) or not all(callables):
            given = estimator if isinstance(estimator, type) else type(estimator)
            what = "the class " if isinstance(estimator, type) else ""
            raise ArgumentError("estimator", what + given.__name__, self.expected)
        self.estimator = clone(estimator, safe=False)
        self.max_queries = (
            None if max_queries is None else whole_number(max_queries, "max_queries", least=0)
        )

    def summary(self) -> dict[str, Any]:
        """Return the sizes of the data, the estimator, and the limit on queries if there is one."""
        limit = {} if self.max_queries is None else {"max_queries": self.max_queries}
        return {**super().summary(), "estimator": self.estimator, **limit}

    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same estimator with other data of the same shape."""
        new = type(self)(self._read(parts)["data"], self.estimator, self.max_queries)
        return new._set_names(self._names)

    def _read(self, parts: Mapping[str, ArrayLike]) -> dict[str, Any]:
        """Return all parts, of which some are given."""
        if set(parts) - set(self.parts):
            expected = ", ".join(map(repr, self.parts))
            raise ArgumentError("parts", ", ".join(sorted(parts)), expected)
        return {
            name: real_array(parts.get(name, value), name, value.shape)
            for name, value in self.parts.items()
        }

    def contradiction(self) -> EstimatorError:
        """Return the error to raise if the estimator gave two results for the same parts."""
        return self.error(
            f"{type(self.estimator).__name__} is not deterministic: it returned two different "
            f"{self.result} of the same data; set its random_state"
        )

    def query(self) -> Any:
        """Return the cluster label of each point: shape (n,).

        Raises
        ------
        ClustererError
            If the clusterer raises an exception, or does not return one integer for each point.
        """
        answer = self._call(self._clone().fit_predict, np.array(self.data))
        labels = np.asarray(answer)
        if labels.shape != (self.n,) or not np.issubdtype(labels.dtype, np.integer):
            raise self._strange(labels, f"integers of shape ({self.n},)")
        return labels.astype(np.int64)

    def _clone(self) -> Any:
        from sklearn.base import clone

        return clone(self.estimator, safe=False)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the estimator."""
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:  # third-party code can raise anything
            name = type(self.estimator).__name__
            raise self.error(f"{name} raised {type(error).__name__}: {error}") from error

    def _strange(self, array: np.ndarray, expected: str) -> EstimatorError:
        """Return the error to raise if the estimator returned another kind of array."""
        given = f"a {array.dtype} array of shape {array.shape}"
        return self.error(f"{type(self.estimator).__name__} returned {given}, expected {expected}")


class BlackBoxPredictor(BlackBox):
    """A classifier or regressor fitted to fixed data and targets. Immutable.

    `BlackBox` with targets returns it; the parameters are described there. The outcome of a query
    is the fitted estimator, and deviations compare its predictions: "changed-predictions" counts
    those that differ, and "validation-loss" is the increase of the mean 0/1 loss of a classifier or
    of half the mean squared error of a regressor. Both have no smooth form, and no method needs
    one that applies to black boxes.

    Attributes
    ----------
    data : ndarray, shape (n, d)
    targets : ndarray, shape (n,)
        Read-only; they are a part, which a perturbation may change, if they are numbers.
    is_classifier : bool
        Whether scikit-learn considers the estimator as a classifier; otherwise it is a regressor.
    """

    outcomes = "predictions"
    methods = ("fit", "predict")
    expected = "an object with fit and predict"
    error = EstimatorError
    result = "sets of predictions"

    def __init__(
        self,
        data: ArrayLike,
        estimator: Any,
        max_queries: int | None = None,
        targets: Any = None,
    ) -> None:
        super().__init__(data, estimator, max_queries)
        self.is_classifier = _is_classifier(estimator)
        if self.is_classifier:
            self.targets = label_array(targets, "targets", self.n)
        if not self.is_classifier or self.targets.dtype.kind in "iuf":
            self.targets = real_array(targets, "targets", (self.n,))
        self.classes = np.unique(self.targets)
        if len(self.classes) < 2:
            given = f"the constant {self.targets[0]!s}"
            raise ArgumentError("targets", given, "at least two different values")

    @property
    def parts(self) -> Mapping[str, FloatArray]:
        """The data, shape (n, d), and the targets, shape (n,), if they are numbers."""
        has_numbers = self.targets.dtype.kind == "f"
        return {"data": self.data, **({"targets": self.targets} if has_numbers else {})}

    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same estimator with other data, other targets, or both.

        The targets may be any numbers; a classifier may refuse them when it is fitted.
        """
        new = copy.copy(self)
        for name, value in self._read(parts).items():
            setattr(new, name, value)
        return new

    def query(self) -> Any:
        """Return the fitted estimator.

        Raises
        ------
        EstimatorError
            If the estimator raises an exception.
        """
        fitted = self._clone()
        self._call(fitted.fit, np.array(self.data), np.array(self.targets))
        return fitted

    def predictions(self, fitted: Any, X: FloatArray) -> np.ndarray:
        """Return the predictions of a fitted estimator for the rows of X: shape (m,).

        Raises
        ------
        EstimatorError
            If the estimator raises an exception, or does not return one label or one finite number
            for each row.
        """
        made = np.asarray(self._call(fitted.predict, np.array(X)))
        if made.shape != (len(X),):
            raise self._strange(made, f"predictions of shape ({len(X)},)")
        if not self.is_classifier and made.dtype.kind not in "iuf":
            raise self._strange(made, "numbers")
        if made.dtype.kind == "f" and not np.isfinite(made).all():
            raise self._strange(made, "finite predictions")
        return made


def _is_classifier(estimator: Any) -> bool:
    """Return whether it is a classifier, and raise `ArgumentError` unless it is a regressor."""
    from sklearn.base import is_classifier, is_regressor

    try:
        if is_classifier(estimator):
            return True
        known = is_regressor(estimator)
    except AttributeError:  # an object without scikit-learn's tags
        known = False
    if not known:
        expected = "a classifier or a regressor according to scikit-learn's is_classifier and "
        raise ArgumentError("estimator", type(estimator).__name__, f"{expected}is_regressor")
    return False


@dataclass(frozen=True)
class BlackBoxPredictions:
    """The predictions of a black box as functions of its fitted estimator (`Predictor`)."""

    model: BlackBoxPredictor
    is_smooth: ClassVar[bool] = False

    def check(self, X: ArrayLike | None, y: ArrayLike | None) -> tuple[FloatArray, np.ndarray]:
        """Return the held-out data and targets; the model's own where they are None."""
        model = self.model
        points = model.data if X is None else held_out_data(model, X)
        if y is None:
            return points, model.targets if X is None else np.zeros(len(points))
        if model.is_classifier:
            return points, known_labels(y, model.classes, len(points))
        return points, real_array(y, "y", (len(points),))

    def predict(self, fitted: Any, X: FloatArray) -> np.ndarray:
        """Return the estimator's predictions: labels, or numbers of a regressor."""
        return self.model.predictions(fitted, X)

    def loss(self, fitted: Any, X: FloatArray, y: np.ndarray) -> float:
        """Return the mean 0/1 loss of a classifier, or half the mean squared error."""
        made = self.predict(fitted, X)
        return float(np.mean(made != y if self.model.is_classifier else 0.5 * (made - y) ** 2))

    def decided(self, solution: Any, X: FloatArray) -> bool:
        """Return True: the predictions of a black box are what it returns."""
        return True

    def smooth_changes(self, fitted: Any, X: FloatArray) -> NoReturn:
        """Not available, because a black box has no state."""
        raise TypeError("the predictions of a black box have no smooth form")

    def smooth_loss(self, fitted: Any, X: FloatArray, y: np.ndarray) -> NoReturn:
        """Not available, because a black box has no state."""
        raise TypeError("the predictions of a black box have no smooth form")


predictor.register(BlackBoxPredictor)(BlackBoxPredictions)


@solve.register(BlackBox)
def _ask(
    model: BlackBox, start: Any = None, tol: float = 1e-8, time_limit: float = math.inf
) -> Answer:
    """Return the result of one query; `start`, `tol` and `time_limit` have no effect."""
    return Answer(model.query())
