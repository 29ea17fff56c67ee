"""A learning model of one's own: the mean of the points, constrained to be nonnegative.

    theta = argmin 1/2 sum_i ||x_i - theta||^2    s.t.    theta >= 0

It is a class with `replace`, and what it can do, registered. Nothing else is needed.
"""

from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo

from bilad.models import LearningModel
from bilad.models.learning.learning_model import adjoint, solve, write_follower


class NonnegativeMean(LearningModel):
    """The model at fixed data, shape (n, d); its outcome is theta, shape (d,)."""

    outcomes = "parameters"

    def replace(self, **parts):
        return type(self)(**{**self.parts, **parts})


@dataclass(frozen=True)
class Mean:
    """A solution: exact, so there is no gap and the outcome is proved."""

    outcome: np.ndarray
    gap: float = 0.0
    proved: bool = True
    status: str = "optimal"

    @property
    def state(self):
        return self.outcome


@solve.register(NonnegativeMean)
def solve_mean(model, start=None, tol=1e-8, time_limit=np.inf):
    return Mean(np.maximum(model.data.mean(axis=0), 0.0))


@adjoint.register(NonnegativeMean)
def gradient_of_mean(model, solution, direction, parts):
    """The gradient of <direction, theta> in the data."""
    in_theta = np.where(solution.outcome > 0, direction, 0.0)
    return {"data": np.tile(in_theta / model.n, (model.n, 1))}


@write_follower.register(NonnegativeMean)
def write_mean(model, block, parts):
    """The lower level in Pyomo; returns its variables in the order of `state.ravel()`."""
    block.theta = pyo.Var(range(model.d))
    block.nonnegative = pyo.Constraint(range(model.d), rule=lambda b, c: b.theta[c] >= 0)
    squares = ((a - block.theta[c]) ** 2 for row in parts["data"] for c, a in enumerate(row))
    block.misfit = pyo.Objective(expr=0.5 * sum(squares))
    return list(block.theta.values())
