"""Agreement of linear models with scikit-learn, and of hypergradients with difference quotients.

The models are random: 20 to 60 points, 2 to 8 features, two overlapping classes or a linear
regression, penalties from 0.1 to 10. The hypergradient is the derivative of the smooth validation
loss along a random direction in which data and targets move, as gradient methods compute it. For
it the labels are random numbers strictly between -1 and 1, where the loss is differentiable in
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn.linear_model
import sklearn.svm

from bilad.models import (
    LinearClassifier,
    LinearModel,
    LogisticRegression,
    MaxDeviation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    validation_loss,
)
from bilad.models.learning.learning_model import adjoint
from bilad.models.validation import FloatArray
from bilad.scripts.display import Cells
from bilad.solvers import fit

TOL = 1e-14  # of `fit`; Newton's last step makes the parameters as accurate as rounding allows
STEP = 1e-6  # of the difference quotients
WIDTH = 0.1  # of the smooth validation loss
PARAMETERS, HYPERGRADIENTS = 1e-7, 1e-5  # largest differences


def _ridge(model: LinearModel) -> Any:
    return sklearn.linear_model.Ridge(model.penalty, fit_intercept=False, solver="svd")


def _logistic(model: LinearModel) -> Any:
    return sklearn.linear_model.LogisticRegression(
        C=1.0 / model.penalty,
        fit_intercept=False,
        solver="newton-cholesky",
        tol=1e-12,
        max_iter=1000,
    )


def _svm(loss: str, model: LinearModel) -> Any:
    # The coordinate descent of the dual is the most accurate solver; with a smaller tolerance than
    # this it sometimes stops at a wrong point.
    return sklearn.svm.LinearSVC(
        C=1.0 / model.penalty,
        loss=loss,
        dual=True,
        fit_intercept=False,
        tol=1e-10,
        max_iter=1_000_000,
        random_state=0,
    )


@dataclass(frozen=True)
class Kind:
    """A linear model, and the estimator of scikit-learn with the same parameters."""

    name: str
    model: Callable[..., LinearModel]
    estimator: Callable[[LinearModel], Any]


KINDS = (
    Kind("ridge", Ridge, _ridge),
    Kind("logistic", LogisticRegression, _logistic),
    Kind("svm, squared hinge", SupportVectorMachine, partial(_svm, "squared_hinge")),
    Kind("svm, hinge", partial(SupportVectorMachine, loss="hinge"), partial(_svm, "hinge")),
)


def agreement(problems: int, kinds: Sequence[Kind] = KINDS) -> list[Cells]:
    """Return a row for each kind of model; `problems` is the number of them in all."""
    cells = []
    for kind in kinds:
        parameters, slopes = [], []
        for seed in range(problems // len(kinds)):
            rng = np.random.default_rng(seed)
            model, X, y = random_problem(kind, rng)
            parameters.append(parameter_difference(kind, model))
            slopes.append(hypergradient_difference(model, X, y, rng))
        agrees = max(parameters) <= PARAMETERS and max(slopes) <= HYPERGRADIENTS
        cells.append(
            {
                "": kind.name,
                "problems": len(slopes),
                "parameters: largest difference": f"{max(parameters):.1e}",
                "hypergradients: largest difference": f"{max(slopes):.1e}",
                "median": f"{np.median(slopes):.1e}",
                "status": "agrees" if agrees else "differs",
            }
        )
    return cells


def random_problem(
    kind: Kind, rng: np.random.Generator
) -> tuple[LinearModel, FloatArray, FloatArray]:
    """Draw a model, and held-out data and targets."""
    n, d = int(rng.integers(20, 61)), int(rng.integers(2, 9))
    X, truth = rng.normal(size=(2 * n, d)), rng.normal(size=d)
    scores = X @ truth + 0.5 * rng.normal(size=2 * n)
    y = scores if kind.name == "ridge" else np.where(scores >= 0, 1.0, -1.0)
    model = kind.model(X[:n], y[:n], penalty=10.0 ** rng.uniform(-1, 1))
    return model, X[n:], y[n:]


def parameter_difference(kind: Kind, model: LinearModel) -> float:
    """Return the largest difference of an entry of theta from that of scikit-learn."""
    theirs = kind.estimator(model).fit(model.data, model.targets).coef_.ravel()
    return float(np.abs(fit(model, TOL).theta - theirs).max())


def hypergradient_difference(
    model: LinearModel, X: FloatArray, y: FloatArray, rng: np.random.Generator
) -> float:
    """Return the difference of the derivative and a central difference quotient.

    It is relative to 1 plus their magnitude.
    """
    if isinstance(model, LinearClassifier):
        model = model.replace(targets=rng.uniform(0.1, 0.9, model.n) * model.targets)
    directions = {name: rng.normal(size=(part.size, 1)) for name, part in model.parts.items()}
    shapes = {name: part.shape for name, part in model.parts.items()}
    free = Perturbation(directions, shapes)
    problem = MaxDeviation(model, free, 1.0, deviation=validation_loss(X, y))
    smooth = problem.deviation.smoothed(fit(model, TOL).theta)

    def at(eps: float) -> tuple[float, FloatArray]:
        return smooth.at(fit(free.apply(model, [eps]), TOL).theta, WIDTH)

    solution = fit(model, TOL)
    direction = smooth.at(solution.theta, WIDTH)[1]
    slope = float(problem.gradient(adjoint(model, solution, direction, tuple(shapes)))[0])
    quotient = (at(STEP)[0] - at(-STEP)[0]) / (2.0 * STEP)
    return abs(slope - quotient) / (1.0 + abs(slope))
