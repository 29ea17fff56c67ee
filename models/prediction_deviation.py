"""Deviation functions of predictions: how much the predictions of a learning model have changed.

Predictions on held-out data are functions of the outcome of a solution. The deviation functions are
therefore bound to a learning model, whose `predictor` makes the predictions, before they can be
evaluated; (BL1) and (BL2) do so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation_function import DeviationFunction, constant
from bilad.models.learning.learning_model import LearningModel
from bilad.models.learning.predictor import Predictor, predictor
from bilad.models.smooth_deviation import Kernel, SmoothDeviation
from bilad.models.validation import ArgumentError, FloatArray, real_array

UNCERTAINTY = 1e-6  # relative distance within which the losses of two solutions of one model agree


def changed_predictions(X: ArrayLike | None = None) -> DeviationFunction:
    """Return the number of held-out points whose prediction differs from that at eps = 0.

    The prediction of a linear model is the sign of the score x'theta, also for `Ridge`. Those of a
    `BlackBox` are labels, or the numbers that a regressor returns.

    Parameters
    ----------
    X : array_like, shape (m, d), optional
        The held-out data; by default the model's own data at eps = 0.

    Raises
    ------
    ArgumentError
        If X is not a finite matrix with at least one row; once the problem is made, also if it has
        another number of features than the model, or the model has no `predictor`.
    """
    points = None if X is None else _held_out(X)
    return _unbound("changed-predictions", partial(_bind_changes, points))


def validation_loss(X: ArrayLike | None = None, y: ArrayLike | None = None) -> DeviationFunction:
    """Return the increase of the mean loss on held-out data over that at eps = 0, at least 0.

    The loss of a linear model is its own, without the penalty. That of a `BlackBox` is the 0/1 loss
    of a classifier, or half the squared error of a regressor.

    Parameters
    ----------
    X : array_like, shape (m, d), optional
    y : array_like, shape (m,), optional
        The held-out data and targets; by default the model's own at eps = 0.

    Raises
    ------
    ArgumentError
        If only one of X and y is given, or X is not a finite matrix with at least one row; once the
        problem is made, also if they do not fit the model, or the model has no `predictor`.
    """
    if (X is None) != (y is None):
        missing, given = ("X", "y") if X is None else ("y", "X")
        raise ArgumentError(missing, "None", f"the held-out data with {given}, or neither of them")
    points = None if X is None else _held_out(X)
    return _unbound("validation-loss", partial(_bind_loss, points, y))


def _held_out(X: ArrayLike) -> FloatArray:
    points = real_array(X, "X", (None, None))
    if len(points) == 0:
        raise ArgumentError("X", f"shape {points.shape}", "at least one row")
    return points


def _unbound(name: str, bind: Callable[[LearningModel], DeviationFunction]) -> DeviationFunction:
    """Return a deviation function that cannot be evaluated before it is bound to a model."""
    return DeviationFunction(
        name,
        partial(_not_bound, name),
        partial(constant, math.inf),
        compares="predictions",
        smooth=partial(_not_bound, name),
        bind=bind,
    )


def _not_bound(name: str, *arguments: Any) -> NoReturn:
    raise ArgumentError("deviation", repr(name), "one that is bound to a learning model")


def _bind_changes(X: Any, model: LearningModel) -> DeviationFunction:
    predictor.require(model)
    made, points = predictor(model), predictor(model).check(X, None)[0]
    return DeviationFunction(
        "changed-predictions",
        partial(_changes, made, points),
        partial(constant, float(len(points))),
        least_n=1,
        compares="predictions",
        smooth=partial(_smooth_changes, made, points) if made.is_smooth else None,
        decided=partial(_decided, made, points),
        bind=partial(_bind_changes, points),
        least_change=1.0,
        held_out=(points, None),
    )


def _bind_loss(X: Any, y: Any, model: LearningModel) -> DeviationFunction:
    predictor.require(model)
    made = predictor(model)
    points, targets = made.check(X, y)
    return DeviationFunction(
        "validation-loss",
        partial(_increase, made, points, targets),
        partial(constant, math.inf),
        least_n=1,
        compares="predictions",
        smooth=partial(_smooth_increase, made, points, targets) if made.is_smooth else None,
        tolerance=partial(_loss_tolerance, made, points, targets),
        agree=partial(_agree, made, points),
        bind=partial(_bind_loss, X, y),
        held_out=(points, targets),
    )


def _changes(made: Predictor, X: Any, before: Any, after: Any) -> int:
    return int(np.count_nonzero(made.predict(before, X) != made.predict(after, X)))


def _increase(made: Predictor, X: Any, y: Any, before: Any, after: Any) -> float:
    return max(0.0, made.loss(after, X, y) - made.loss(before, X, y))


def _loss_tolerance(made: Predictor, X: Any, y: Any, outcome: Any) -> float:
    return UNCERTAINTY * (1.0 + made.loss(outcome, X, y))


def _agree(made: Predictor, X: Any, one: Any, other: Any) -> bool:
    """Return whether two outcomes make the same predictions; equal losses can be a coincidence."""
    return _changes(made, X, one, other) == 0


def _decided(made: Predictor, X: Any, solution: Any) -> bool:
    return made.decided(solution, X)


def _smooth_changes(made: Predictor, X: Any, outcome: Any, kernel: Kernel) -> SmoothDeviation:
    return made.smooth_changes(outcome, X)


def _smooth_increase(
    made: Predictor, X: Any, y: Any, outcome: Any, kernel: Kernel
) -> SmoothDeviation:
    return made.smooth_loss(outcome, X, y)
