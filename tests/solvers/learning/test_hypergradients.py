"""Hypergradients of the smooth validation loss, as gradient methods compute them.

They are compared with difference quotients along random directions in which data and targets move.
Labels are numbers strictly between -1 and 1, where the loss is differentiable in them.
"""

import numpy as np
import pytest

from bilad.models import (
    LogisticRegression,
    MaxDeviation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    validation_loss,
)
from bilad.models.learning.learning_model import adjoint
from bilad.solvers import fit

KINDS = {
    "ridge": (Ridge, {}),
    "logistic": (LogisticRegression, {}),
    "squared hinge": (SupportVectorMachine, {}),
    "hinge": (SupportVectorMachine, {"loss": "hinge"}),
}
ACCURATE, WIDTH, STEP = 1e-14, 0.1, 1e-6


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", KINDS)
def test_hypergradients_against_difference_quotients(name, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(20, 61)), int(rng.integers(2, 9))
    X, truth = rng.normal(size=(2 * n, d)), rng.normal(size=d)
    y = X @ truth + 0.5 * rng.normal(size=2 * n)
    kind, options = KINDS[name]
    if kind is not Ridge:
        y = np.where(y >= 0, 1.0, -1.0)
    model = kind(X[:n], y[:n], penalty=10.0 ** rng.uniform(-1, 1), **options)
    if kind is not Ridge:
        model = model.replace(targets=rng.uniform(0.1, 0.9, n) * model.targets)
    shapes = {part: value.shape for part, value in model.parts.items()}
    directions = {part: rng.normal(size=(value.size, 1)) for part, value in model.parts.items()}
    free = Perturbation(directions, shapes)
    problem = MaxDeviation(model, free, 1.0, deviation=validation_loss(X[n:], y[n:]))
    smooth = problem.deviation.smoothed(fit(model, ACCURATE).theta)

    def value(eps):
        return smooth.at(fit(free.apply(model, [eps]), ACCURATE).theta, WIDTH)[0]

    solution = fit(model, ACCURATE)
    direction = smooth.at(solution.theta, WIDTH)[1]
    slope = float(problem.gradient(adjoint(model, solution, direction, tuple(shapes)))[0])
    quotient = (value(STEP) - value(-STEP)) / (2 * STEP)
    assert abs(slope - quotient) <= 1e-5 * (1 + abs(slope))
