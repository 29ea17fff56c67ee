"""Ridge regression with moved targets, in closed form: theta = (A'A + I)^-1 A'y."""

from dataclasses import dataclass, replace

import numpy as np
import pyomo.environ as pyo

from bilad.models import LearningModel
from bilad.models.deviation import DEVIATIONS
from bilad.models.learning.learning_model import adjoint, solve, write_follower


class ToyRidge(LearningModel):
    """The model at data (n, d) and targets (n,); its outcome is theta, shape (d,)."""

    outcomes = "parameters"

    def __init__(self, data, targets):
        super().__init__(data)
        self.targets = np.array(targets, dtype=float)
        self.gain = np.linalg.solve(self.data.T @ self.data + np.eye(self.d), self.data.T)

    @property
    def parts(self):
        return {"data": self.data, "targets": self.targets}

    def replace(self, **parts):
        return type(self)(**{**self.parts, **parts})


@dataclass(frozen=True)
class Theta:
    """An exact solution."""

    outcome: np.ndarray
    gap: float = 0.0
    proved: bool = True
    status: str = "optimal"

    @property
    def state(self):
        return self.outcome


@solve.register(ToyRidge)
def solve_ridge(model, start=None, tol=1e-8, time_limit=np.inf):
    return Theta(model.gain @ model.targets)


@adjoint.register(ToyRidge)
def gradient_in_targets(model, solution, direction, parts):
    return {"targets": model.gain.T @ direction}


@write_follower.register(ToyRidge)
def write_ridge(model, block, parts):
    block.theta = pyo.Var(range(model.d))
    rows = zip(model.data.tolist(), parts["targets"], strict=True)
    misfits = (sum(a * block.theta[c] for c, a in enumerate(row)) - y for row, y in rows)
    squares = sum(r**2 for r in misfits) + sum(t**2 for t in block.theta.values())
    block.misfit = pyo.Objective(expr=0.5 * squares)
    return list(block.theta.values())


class _Changed:
    """The number of predictions on the rows of X whose sign changed."""

    def __init__(self, X):
        self.X = X

    def __call__(self, theta, other):
        return int(((self.X @ theta > 0) != (self.X @ other > 0)).sum())

    def largest(self, n):
        return len(self.X)


def changed_predictions(X, smooth=False):
    """Return the deviation; its smooth form, if any, is that of the distance of the parameters."""
    value = _Changed(np.asarray(X))
    form = DEVIATIONS["distance"].smooth if smooth else None
    return replace(
        DEVIATIONS["distance"], name="toy-changes", value=value, largest=value.largest, smooth=form
    )


def two_classes(n, d=2, seed=0):
    """Return data and labels of two overlapping classes."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    return rng.normal(size=(n, d)) + 0.8 * y[:, None], y
