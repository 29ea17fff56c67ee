"""Linear learning models against scikit-learn."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import sklearn.linear_model as sk
from numpy.typing import ArrayLike
from sklearn.svm import LinearSVC

from bilad.models.learning.linear_model import LinearModel
from bilad.models.validation import FloatArray
from bilad.scripts.soak.check import Instance, Verdict
from bilad.scripts.soak.problem_data import LINEAR, model_of
from bilad.solvers import fit

ROUNDING = 1e-13  # of two objectives that are compared, relative
ACCURATE = 1e-3  # relative distance at which scikit-learn's parameters are worth a comparison


def draw(rng: np.random.Generator) -> Instance:
    """Draw points, some of which may coincide or lie in a subspace, and targets."""
    n, d = int(rng.integers(4, 41)), int(rng.integers(1, 7))
    kind = str(rng.choice(list(LINEAR)))
    data = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-2, 2)
    if rng.random() < 0.2:
        data = data[rng.integers(0, n, n)]
    if rng.random() < 0.2:
        data[:, -1] = data[:, 0]
    scores = data @ rng.normal(size=d) + rng.normal(size=n)
    targets = scores if kind == "ridge" else np.where(scores > np.median(scores), 1, 0)
    targets[:2] = (0, 1)
    return {
        "kind": kind,
        "data": data.tolist(),
        "targets": targets.tolist(),
        "penalty": 10.0 ** rng.uniform(-2, 2),
        "intercept": bool(rng.integers(2)),
    }


def examine(given: Instance) -> Verdict:
    """Compare objectives, parameters and predictions, within what the gaps prove."""
    verdict, model = Verdict(), model_of(given)
    found = fit(model)
    estimator = of_scikit_learn(given["kind"], model.design, given["targets"], model.penalty)
    theirs: FloatArray = np.ravel(estimator.coef_)
    ours, other = model.primal(found.theta), model.primal(theirs)
    excess = other - ours + found.absolute_gap + ROUNDING * (1 + abs(ours))
    verdict.hope(found.proved, f"the parameters are not proved: {found.status}")
    if excess < 0:
        verdict.mismatches.append(f"scikit-learn's objective is {-excess:.3g} below the bound")
        return verdict
    distance = math.sqrt(2 * excess / model.penalty)  # of theirs to the minimiser
    apart = float(np.linalg.norm(found.theta - theirs))
    verdict.expect(
        apart <= distance + found.distance_bound,
        f"the parameters differ by {apart:.6g}, and by at most {distance:.6g} in theory",
    )
    is_accurate = distance <= ACCURATE * (1 + float(np.linalg.norm(theirs)))
    verdict.hope(is_accurate, "scikit-learn is not accurate")
    _compare_predictions(verdict, model, found, estimator, distance)
    return verdict


def _compare_predictions(
    verdict: Verdict, model: LinearModel, found: Any, estimator: Any, distance: float
) -> None:
    """Compare the predictions of the rows for which both signs are proved."""
    scores = np.abs(model.design @ np.ravel(estimator.coef_))
    sure = scores > np.linalg.norm(model.design, axis=1) * distance
    sure &= found.proved_predictions(model.data)
    ours, theirs = found.predict(model.data)[sure], estimator.predict(model.design)[sure]
    verdict.expect((np.sign(ours) == np.sign(theirs)).all(), "a proved prediction differs")


def of_scikit_learn(name: str, design: FloatArray, targets: ArrayLike, penalty: float) -> Any:
    """Return the fitted estimator of scikit-learn; a column of ones is the intercept."""
    if name == "ridge":
        solver = sk.Ridge(alpha=penalty, fit_intercept=False, solver="cholesky")
    elif name == "logistic":
        solver = sk.LogisticRegression(
            C=1 / penalty, fit_intercept=False, solver="newton-cholesky", tol=1e-12, max_iter=1000
        )
    else:
        loss = name.replace(" ", "_")
        solver = LinearSVC(C=1 / penalty, loss=loss, fit_intercept=False, tol=1e-10, max_iter=10**5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own tolerance is not always reached
        return solver.fit(design, targets)
