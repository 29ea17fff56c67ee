"""Linear learning models on the public data of scikit-learn, split at random. Our settings.

A split has 100 training points, 100 validation points and the rest as test points. The features,
and the targets of a regression, are standardised by the mean and the standard deviation of the
training points. The labels are -1 and 1, penalty is 1, and theta has an intercept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn import datasets

from bilad.models import LinearModel, LogisticRegression, Ridge, SupportVectorMachine
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers import fit

TRAINING = VALIDATION = 100
MOVED = 10  # training points that the attacker moves
CANCER, DIABETES = "breast cancer", "diabetes"
MODELS: dict[str, tuple[str, type[LinearModel]]] = {
    "ridge": (CANCER, Ridge),
    "logistic": (CANCER, LogisticRegression),
    "svm": (CANCER, SupportVectorMachine),
    "diabetes": (DIABETES, Ridge),
}


@dataclass(frozen=True)
class Split:
    """A learning model on a split of its data.

    Attributes
    ----------
    model : LinearModel
        On the training points.
    X_validation, X_test : ndarray, shape (m, d)
    y_validation, y_test : ndarray, shape (m,)
    moved : ndarray of int, shape (10,)
        Training points, drawn at random.
    """

    model: LinearModel
    X_validation: FloatArray
    y_validation: FloatArray
    X_test: FloatArray
    y_test: FloatArray
    moved: IntArray

    @property
    def is_classification(self) -> bool:
        """Whether all targets are -1 or 1."""
        return bool((np.abs(self.y_test) == 1.0).all())

    def losses(self, model: LinearModel) -> tuple[float, float]:
        """Return the validation loss and the test error of a model that was trained here.

        The test error is the share of false labels, or the mean squared error of a regression.
        """
        trained = fit(model)
        validation = trained.decision_function(self.X_validation)
        test = trained.decision_function(self.X_test)
        loss = model.loss_function.value(self.y_validation, validation).mean()
        wrong = np.where(test >= 0, 1.0, -1.0) != self.y_test
        error = wrong if self.is_classification else (test - self.y_test) ** 2
        return float(loss), float(error.mean())


@cache
def split_of(name: str, number: int) -> Split:
    """Return split number `number` of one of `MODELS`."""
    data, kind = MODELS[name]
    load = datasets.load_breast_cancer if data == CANCER else datasets.load_diabetes
    X, y = load(return_X_y=True)
    rng = np.random.default_rng(number)
    order = rng.permutation(len(X))
    X, y = X[order], y[order]
    X = (X - X[:TRAINING].mean(axis=0)) / X[:TRAINING].std(axis=0)
    y = 2.0 * y - 1.0 if data == CANCER else (y - y[:TRAINING].mean()) / y[:TRAINING].std()
    end = TRAINING + VALIDATION
    return Split(
        kind(X[:TRAINING], y[:TRAINING], intercept=True),
        X[TRAINING:end],
        y[TRAINING:end],
        X[end:],
        y[end:],
        rng.choice(TRAINING, MOVED, replace=False),
    )
