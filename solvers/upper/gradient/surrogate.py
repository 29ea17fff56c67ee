"""What a gradient method climbs: a smooth deviation, as a function of eps.

Two lower levels can stand between. Both cost one `lower.evaluate(eps)`, which is counted, and
scores the eps by the true deviation.

"smoothed": U_w(X_mu(eps)), X_mu of `lower.smoothing` with mu in proportion to w. Fused points are
a little apart in X_mu, so there is a slope along which a cluster tears. X_mu is found besides the
evaluation: one solve in `max_solves` is then two, of the true and of the smoothed lower level.

"solution": U_w(X*(eps)), with the implicit derivative of X* (`lower.derivative`). Fused points
feel nothing: it moves clusters and what has parted already, from an eps where something has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bilad.models.clustering_problem import clustering_of, edge_operator
from bilad.formulations.schedule import length_unit
from bilad.formulations.smooth_deviation import Kernel
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.lower.derivative import Derivative, SolutionDerivative
from bilad.solvers.lower.smoothing import SmoothedClustering, solve_smoothed
from bilad.solvers.upper.gradient.smoothed import smoothed_deviation
from bilad.solvers.upper.learner import solved
from bilad.solvers.upper.lower_level import LowerLevel


@dataclass(frozen=True)
class Slope:
    """The surrogate at one eps: its value and its gradient, shape (k,)."""

    value: float
    gradient: FloatArray


class Surrogate(Protocol):
    """A smooth function of eps, the sharper the smaller the width."""

    def at(self, eps: FloatArray, width: float) -> Slope:
        """Return value and gradient at eps (k,); the width > 0 is in units of `length_unit`.

        Raises
        ------
        BudgetSpentError
            If the limit on solves or on time has come.
        """


class SmoothedSurrogate:
    """U_w(X_mu(eps)).

    Parameters
    ----------
    lower : LowerLevel
    kernel : Kernel
    smoothing : float
        mu / w.
    """

    def __init__(self, lower: LowerLevel, kernel: Kernel, smoothing: float) -> None:
        self._lower, self._smoothing = lower, smoothing
        baseline = solved(lower.baseline)
        self._unit = length_unit(clustering_of(lower.problem), baseline.X)
        self._deviation = smoothed_deviation(lower.problem, baseline.labels, kernel)
        self._last: SmoothedClustering | None = None

    def at(self, eps: FloatArray, width: float) -> Slope:
        """Return value and gradient at eps."""
        problem, w = self._lower.problem, width * self._unit
        self._lower.evaluate(eps)
        self._lower.seconds_left()
        model = problem.perturbation.apply(clustering_of(problem), eps)
        deadline = self._lower.deadline
        found = solve_smoothed(model, self._smoothing * w, self._last, deadline=deadline)
        self._last = found
        value, V = self._deviation.at(found.X, w)
        return Slope(value, gradient_in_eps(problem, found, V))


class SolutionSurrogate:
    """U_w(X*(eps)).

    Parameters
    ----------
    lower : LowerLevel
    kernel : Kernel
    """

    def __init__(self, lower: LowerLevel, kernel: Kernel) -> None:
        self._lower = lower
        baseline = solved(lower.baseline)
        self._unit = length_unit(clustering_of(lower.problem), baseline.X)
        self._deviation = smoothed_deviation(lower.problem, baseline.labels, kernel)

    def at(self, eps: FloatArray, width: float) -> Slope:
        """Return value and gradient at eps."""
        derivative = SolutionDerivative(self._lower.solve(eps))
        value, V = self._deviation.at(derivative.X, width * self._unit)
        return Slope(value, gradient_in_eps(self._lower.problem, derivative, V))


def gradient_in_eps(problem: BilevelProblem, derivative: Derivative, V: FloatArray) -> FloatArray:
    """Return the gradient in eps, (k,), of a function of X with the gradient V, (n, d).

    By the adjoint, one linear system: with A(eps) = A + T eps and w(eps) = w (1 - S eps) it is
    T' (J V) - S' (w g), g the gradient in the weights.
    """
    W = derivative.apply(V)
    gradient = np.asarray(problem.operator("data").T @ W.ravel())
    if "weights" in problem.perturbation.operators:
        rates = clustering_of(problem).graph.weights * derivative.weights_part(W)
        gradient = gradient - edge_operator(problem).T @ rates
    return gradient
