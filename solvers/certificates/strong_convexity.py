"""Bounds from strong convexity: how far the parameters of a linear model move with its targets.

The objective f_eps is strongly convex with modulus `penalty` at every eps, so for every theta

    ||theta(eps) - theta|| <= ||grad f_eps(theta)|| / penalty.

At the parameters theta of eps = 0, only the slopes of the losses differ from those of f_0. If T eps
moves target i by t_i within an interval on which the slope has the Lipschitz constant L_i in the
target, then

    ||grad f_eps(theta)|| <= ||grad f_0(theta)|| + ||sum_i c_i x_i||,        |c_i| <= L_i |t_i|,

and with w_k = sum_i L_i |T_ik| ||x_i|| the last norm is at most the largest <w, |eps|>. For norm 2
it is also at most ||diag(L) X|| ||T|| ||eps||, in spectral norms, and ||T||^2 is at most the
product of the largest absolute sums of a row and of a column. The resulting distance r bounds

- the distance of the parameters;
- the number of changed predictions, by the number of rows with |x'theta| <= ||x|| r;
- the increase of a held-out loss, which is convex in the score, by its larger value at one of
  x'theta - ||x|| r and x'theta + ||x|| r.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from bilad.models.deviation import parameter_distance
from bilad.models.learning.linear_model import UNIT_ROUNDOFF, Fit
from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.deviation_bound import DeviationBound, is_in_range
from bilad.solvers.certificates.norm_ball import LAPACK


def strong_convexity(problem: BilevelProblem, fit: Fit) -> DeviationBound | None:
    """Return the bound for a linear model whose targets are moved, or None if there is none.

    Parameters
    ----------
    problem : BilevelProblem
        Its model is a linear model. There is no bound if eps acts on its data, or if the slope of
        its loss is not Lipschitz continuous in the target, except for the norm "count".
    fit : Fit
        At eps = 0.
    """
    deviation, distance = problem.deviation, Displacement(problem, fit)
    if set(problem.perturbation.operators) != {"targets"} or not is_in_range(problem, fit):
        return None
    if distance.lipschitz(problem.radius) is None:
        return None
    if deviation.held_out is None:
        return distance if deviation.value is parameter_distance else None
    return UncertainSigns(problem, fit) if deviation.is_discrete else UncertainLoss(problem, fit)


class Displacement(DeviationBound):
    """The distance of the parameters, on which the bounds of other deviations rest."""

    method = "strong convexity"

    def _box(self, radius: float) -> tuple[FloatArray, FloatArray]:
        given = self.problem.perturbation
        return np.maximum(given.lower, -radius), np.minimum(given.upper, radius)

    def lipschitz(self, radius: float) -> FloatArray | None:
        """Return L, shape (n,), over ||eps|| <= radius, or None if the loss has no such constants.

        For the norm "count" it is |c_i| / |t_i| at eps = 1, if each target has its own eps.
        """
        loss, y, X = self.model.loss_function, self.model.targets, self.model.design
        T, scores = self.problem.operator("targets"), X @ self.fit.theta
        if self.problem.is_binary and np.diff(T.indptr).max() <= 1:
            t = np.asarray(T.sum(axis=1)).ravel()
            rounding = len(self.fit.theta) * UNIT_ROUNDOFF * float(np.linalg.norm(self.fit.theta))
            error = row_norms(X, 2) * (self.fit.distance_bound + rounding)
            changes = loss.largest_slope_change(y, y + t, scores, error)
            return None if changes is None else changes / np.where(t == 0, 1.0, np.abs(t))
        (low, high), up, down = self._box(radius), T.maximum(0), T.minimum(0)
        return loss.largest_target_slope(
            y + up @ low + down @ high, y + up @ high + down @ low, scores
        )

    def largest(self, radius: float) -> float:
        """Return the bound r of ||theta(eps) - theta||, theta the computed parameters at 0."""
        model, problem, T = self.model, self.problem, self.problem.operator("targets")
        low, high = self._box(radius)
        constants = self.lipschitz(radius)
        assert constants is not None  # otherwise there is no bound
        rows = constants[:, None] * model.design
        weights = abs(T).T @ row_norms(rows, 2)
        force = _largest_product(weights, np.maximum(-low, high), problem.norm, radius)
        if problem.norm == 2:
            moved = np.diff(T.indptr) > 0
            size_of_T = math.sqrt(abs(T).sum(axis=0).max() * abs(T).sum(axis=1).max())
            gram = rows[moved].T @ rows[moved]
            lost = sum(rows.shape) * UNIT_ROUNDOFF * np.trace(gram)
            size_of_rows = math.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0) + lost)
            force = min(force, size_of_rows * size_of_T * radius)
        return force * (1 + LAPACK * T.shape[0]) / model.penalty + self.fit.distance_bound


class _OfHeldOutData(Displacement):
    @cached_property
    def _rows(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The rows of the design, their norms rounded up, and the scores: held-out data."""
        assert self.problem.deviation.held_out is not None
        D = self.model.design_of(self.problem.deviation.held_out[0])
        return D, row_norms(D, 2) * (1 + (D.shape[1] + 8) * UNIT_ROUNDOFF), D @ self.fit.theta

    def _moves(self, radius: float) -> FloatArray:
        """Return by how much the computed scores may change, with rounding: shape (m,)."""
        D, norms, _ = self._rows
        rounding = (D.shape[1] + 2) * UNIT_ROUNDOFF * (np.abs(D) @ np.abs(self.fit.theta))
        return norms * super().largest(radius) + rounding


class UncertainSigns(_OfHeldOutData):
    """The number of changed predictions."""

    def largest(self, radius: float) -> float:
        """Return the number of held-out scores that may change their sign."""
        scores, moves = np.abs(self._rows[2]), self._moves(radius)
        certain = (scores > moves) | (moves == 0)  # neither, if an overflow made them NaN
        return float(np.count_nonzero(~certain))


class UncertainLoss(_OfHeldOutData):
    """The increase of the mean loss."""

    def largest(self, radius: float) -> float:
        """Return the increase if each score moves in its worst direction."""
        assert self.problem.deviation.held_out is not None
        y, scores, moves = self.problem.deviation.held_out[1], self._rows[2], self._moves(radius)
        loss = self.model.loss_function.value
        with np.errstate(over="ignore", invalid="ignore"):
            worst = np.maximum(loss(y, scores - moves), loss(y, scores + moves))
            increase = float(np.mean(worst) - np.mean(loss(y, scores)))
        if not math.isfinite(increase):  # an overflow
            return math.inf
        return max(increase, 0.0) + 8 * UNIT_ROUNDOFF * (len(y) + 1) * float(np.mean(worst))


def _largest_product(weights: FloatArray, bounds: FloatArray, norm: float, radius: float) -> float:
    """Bound <weights, |eps|> over ||eps|| <= radius and |eps| <= bounds; exact but for norm 2."""
    if norm != 1:
        total = float(weights @ bounds)
        return total if norm == np.inf else min(total, radius * float(np.linalg.norm(weights)))
    order = np.argsort(-weights)
    left = radius - np.concatenate([[0.0], np.cumsum(bounds[order])[:-1]])
    return float(weights[order] @ np.clip(left, 0.0, bounds[order]))
