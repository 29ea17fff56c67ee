"""Logistic regression: the loss log(1 + exp(-y z)) of labels -1 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from bilad.models.learning.linear_model import LinearClassifier
from bilad.models.learning.margin_loss import MarginLoss
from bilad.models.validation import FloatArray


class LogisticLoss(MarginLoss):
    """The loss of the margin m is phi(m) = log(1 + exp(-m))."""

    def of_margin(self, m: Any, width: Any, functions: Any = np) -> Any:
        """Return log(1 + exp(-m)), without overflow for arrays; it needs no smoothing."""
        if functions is np:
            return np.logaddexp(0.0, -m)
        return functions.log(1 + functions.exp(-m))

    def derivatives(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return -s and s (1 - s) with s = 1 / (1 + exp(m))."""
        s = scipy.special.expit(-m)
        return -s, s * scipy.special.expit(m)


class LogisticRegression(LinearClassifier):
    """Logistic regression of two classes. Immutable.

        argmin_theta  sum_i log(1 + exp(-y_i x_i'theta)) + penalty / 2 ||theta||^2

    It equals scikit-learn's `LogisticRegression(C=1 / penalty, fit_intercept=False)`; with
    `intercept=True` the data of scikit-learn need another column of ones.

    Parameters
    ----------
    data : array_like, shape (n, d)
    targets : array_like, shape (n,)
        Labels of two classes; in sorted order they become -1 and 1. A perturbation may relax them
        to numbers between, whose loss is that of module `margin_loss`.
    penalty : float, default 1
    intercept : bool, default False
        As in `LinearModel`.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """

    loss_function = LogisticLoss()
