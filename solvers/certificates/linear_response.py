"""Ridge regression whose targets are moved: its parameters are linear in eps, so proofs are exact.

With H = X'X + penalty I and targets y + T eps, the parameters are theta_0 + M eps, M = H^-1 X'T.

*Changed predictions.* The score of a row x is f + c'eps with f = x'theta_0 and c = M'x. Its sign
can change only if <-sign(f) c, eps> >= |f|. The shortest such eps within the bounds of eps has a
closed form; without bounds its norm is |f| / ||c||_*, where ||.||_* is the dual norm. The number of
rows for which it is at most the budget bounds (BL1), and the t-th smallest of these norms is a
lower bound of (BL2) for the target t, which is the optimum for t = 1.

*Distance.* Without bounds of eps, max ||M eps||_2 over ||eps|| <= a is a times the largest norm of
a column (norm 1), or a times the largest singular value (norm 2).

*Validation loss.* With the residuals r and C the matrix of the rows c', the mean loss is
||C eps + r||^2 / (2 m), a convex quadratic function. Without bounds of eps, its maximum is at a
vertex of the ball (norm 1), or solves a trust region problem (norm 2). With A = C'C / m and
b = C'r / m the increase is at most the dual value

    mu a^2 / 2 + b'(mu I - A)^-1 b / 2        for every mu > lambda_max(A),

and equals the least of these values.

Maximising over the box (norm inf) is NP-hard, and no bound is computed then. Rounding errors are
bounded, and all bounds are rounded to the safe side.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import scipy.optimize
from scipy.linalg import cho_factor, cho_solve

from bilad.models.deviation import parameter_distance
from bilad.models.learning.linear_model import UNIT_ROUNDOFF, Fit
from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.deviation_bound import DeviationBound, is_in_range
from bilad.solvers.certificates.norm_ball import LAPACK

BEYOND = 1e-7  # relative length by which a witness exceeds the radius


def linear_response(problem: BilevelProblem, fit: Fit) -> DeviationBound | None:
    """Return the bound for ridge regression whose targets are moved, or None if there is none.

    Parameters
    ----------
    problem : BilevelProblem
        Its model is a `Ridge`.
    fit : Fit
        At eps = 0.
    """
    perturbation, deviation = problem.perturbation, problem.deviation
    if set(perturbation.operators) != {"targets"} or not is_in_range(problem, fit):
        return None
    if deviation.held_out is not None and deviation.is_discrete:
        return ChangedPredictions(problem, fit)
    is_bounded = np.isfinite(perturbation.lower).any() or np.isfinite(perturbation.upper).any()
    if problem.norm == np.inf or is_bounded:
        return None
    if deviation.held_out is not None:
        return HeldOutLoss(problem, fit)
    return Distance(problem, fit) if deviation.value is parameter_distance else None


class LinearResponse(DeviationBound):
    """The map M from eps to the change of the parameters, with bounds of its errors."""

    method = "linear response"

    @cached_property
    def response(self) -> tuple[FloatArray, FloatArray]:
        """M, shape (p, k), and bounds of the error of each of its columns in the 2-norm: (k,).

        With the residual R = X'T - H M the error is H^-1 R, and ||H^-1|| <= 1 / penalty.
        """
        X, penalty = self.model.design, self.model.penalty
        T = self.problem.operator("targets")
        right, hessian = (T.T @ X).T, self.model.hessian(self.fit.theta)
        M = cho_solve(cho_factor(hessian), right)
        residual = right - (X.T @ (X @ M) + penalty * M)
        size = np.abs(X).T @ (np.abs(X) @ np.abs(M)) + penalty * np.abs(M)
        size += (abs(T).T @ np.abs(X)).T
        rounding = (sum(X.shape) + 4) * UNIT_ROUNDOFF * size
        return M, (row_norms(residual.T, 2) + row_norms(rounding.T, 2)) / penalty

    @cached_property
    def rows(self) -> FloatArray:
        """The held-out points, as rows of the design: shape (m, p)."""
        assert self.problem.deviation.held_out is not None
        return self.model.design_of(self.problem.deviation.held_out[0])

    @cached_property
    def changes(self) -> tuple[FloatArray, FloatArray]:
        """C, whose rows map eps to the changes of the held-out scores, and its errors: (m, k)."""
        (M, error), D = self.response, self.rows
        rounding = (D.shape[1] + 2) * UNIT_ROUNDOFF * (np.abs(D) @ np.abs(M))
        return D @ M, row_norms(D, 2)[:, None] * error + rounding

    @cached_property
    def scores(self) -> tuple[FloatArray, FloatArray]:
        """The held-out scores at eps = 0, and bounds of their errors: shape (m,).

        The error of theta is at most the gradient over the penalty. It is computed in extended
        precision where there is one, since small scores have small radii. The rounding errors of
        the targets y + T eps, at most u |y|, move theta by at most ||H^-1 X'|| u ||y||, and
        ||H^-1 X'|| <= 1 / (2 sqrt(penalty)).
        """
        D, theta, penalty = self.rows, self.fit.theta, self.model.penalty
        X, y = self.model.design.astype(np.longdouble), self.model.targets
        long = theta.astype(np.longdouble)
        slopes = X @ long - y
        gradient = X.T @ slopes + penalty * long
        size = np.abs(X).T @ (np.abs(X) @ np.abs(long) + np.abs(slopes)) + penalty * np.abs(long)
        rounding = (sum(X.shape) + 4) * float(np.finfo(np.longdouble).eps)
        error = float(np.linalg.norm(gradient) + rounding * np.linalg.norm(size)) / penalty
        error = min(error * (1 + LAPACK), self.fit.distance_bound)
        error += UNIT_ROUNDOFF * float(np.linalg.norm(y)) / penalty**0.5
        in_product = (D.shape[1] + 2) * UNIT_ROUNDOFF * (np.abs(D) @ np.abs(theta))
        return D @ theta, row_norms(D, 2) * error + in_product

    def _with_deviation(self, eps: FloatArray) -> tuple[FloatArray, float]:
        theta = self.fit.theta
        return eps, self.problem.deviation.value(theta, theta + self.response[0] @ eps)


class ChangedPredictions(LinearResponse):
    """The number of changed predictions."""

    @cached_property
    def _towards(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """<-sign(f) c, eps> >= |f| changes a prediction: the rows, their errors, and |f|."""
        scores, (C, error) = self.scores[0], self.changes
        return np.where(scores >= 0, -1.0, 1.0)[:, None] * C, error, np.abs(scores)

    @cached_property
    def radii(self) -> FloatArray:
        """The least norm of an eps that changes each held-out prediction, rounded down: (m,)."""
        towards, error, gaps = self._towards
        lower, upper = self.problem.perturbation.lower, self.problem.perturbation.upper
        k = towards.shape[1]
        rising = np.where(towards > error, upper, np.maximum(upper, -lower))
        bounds = np.where(towards < -error, -lower, rising)
        safe = (gaps - self.scores[1]) * (1 - (4 * k + 16) * UNIT_ROUNDOFF)
        sizes = np.abs(towards) + error
        eps = shortest(sizes, bounds, safe, self.problem.norm)
        radii = row_norms(eps, self.problem.norm) * (1 - (k + 8) * UNIT_ROUNDOFF)
        return np.where(sizes.any(axis=1), radii, math.inf)

    def largest(self, radius: float) -> float:
        """Return the number of predictions that some eps changes."""
        return float(np.count_nonzero(self.radii <= radius))

    def least(self, target: float, limit: float) -> float:
        """Return the t-th smallest radius, where t is the target rounded up."""
        return float(np.sort(self.radii)[math.ceil(target) - 1])

    def witness(self, radius: float) -> tuple[FloatArray, float] | None:
        """Return the shortest eps that changes the prediction whose radius this is."""
        radii = np.ceil(self.radii) if self.problem.is_binary else self.radii
        row = [int(np.argmin(np.abs(radii - radius)))]
        towards, error, gaps = (part[row] for part in self._towards)
        lower, upper = self.problem.perturbation.lower, self.problem.perturbation.upper
        bounds = np.where(towards > 0, upper, -lower)
        gap = gaps * (1 + BEYOND) + self.scores[1][row]
        eps = shortest(np.maximum(np.abs(towards) - error, 0.0), bounds, gap, self.problem.norm)[0]
        eps = np.ceil(eps) if self.problem.is_binary else np.sign(towards[0]) * eps
        return self._with_deviation(eps) if np.isfinite(eps).all() else None


class Distance(LinearResponse):
    """The distance of the parameters."""

    @cached_property
    def _fastest(self) -> tuple[float, FloatArray]:
        """The largest ||M eps||_2 over ||eps|| <= 1, rounded up, and an eps that attains it."""
        M, error = self.response
        if self.problem.norm == 1:
            lengths = row_norms(M.T, 2)
            unit = np.eye(M.shape[1])[lengths.argmax()]
            return float((lengths * (1 + LAPACK) + error).max()), unit
        _, sizes, directions = np.linalg.svd(M, full_matrices=False)
        return float(sizes[0] * (1 + LAPACK) + np.linalg.norm(error)), directions[0]

    def largest(self, radius: float) -> float:
        """Return the radius times the norm of the linear map."""
        return self._fastest[0] * radius

    def least(self, target: float, limit: float) -> float:
        """Return the target over the norm of the linear map, rounded down."""
        speed = self._fastest[0]
        return target / speed * (1 - 4 * UNIT_ROUNDOFF) if speed > 0 else math.inf

    def witness(self, radius: float) -> tuple[FloatArray, float] | None:
        """Return the eps of the largest distance."""
        return self._with_deviation((1 + BEYOND) * radius * self._fastest[1])


class HeldOutLoss(LinearResponse):
    """The increase of the mean loss."""

    @cached_property
    def _quadratic(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The residuals r, the singular values of C / sqrt(m), and their right vectors.

        With the held-out rows D = Q R they are those of R M / sqrt(m), which has p rows.
        """
        assert self.problem.deviation.held_out is not None
        residuals = self.scores[0] - self.problem.deviation.held_out[1]
        triangle = np.asarray(np.linalg.qr(self.rows, mode="r")) / math.sqrt(len(residuals))
        _, sizes, directions = np.linalg.svd(triangle @ self.response[0], full_matrices=False)
        return residuals, sizes, directions

    def largest(self, radius: float) -> float:
        """Return the largest increase, with the effect q of the errors on the root of the loss."""
        increase = self._maximum(radius)[0]
        residuals = self._quadratic[0]
        peak = 0.5 * float(np.mean(residuals**2)) + increase
        errors = row_norms(self.changes[1], 2) * radius + self.scores[1]
        spread = float(np.linalg.norm(self.rows) * np.linalg.norm(self.response[0]))
        errors += LAPACK * (np.abs(residuals) + spread / math.sqrt(len(residuals)) * radius)
        q = math.sqrt(0.5 * float(np.mean(errors**2)))
        return increase * (1 + LAPACK) + 4 * math.sqrt(peak) * q + q**2

    def _maximum(self, radius: float) -> tuple[float, FloatArray]:
        """Return the largest increase without errors, and an eps that attains it."""
        residuals, sizes, directions = self._quadratic
        C = self.changes[0]
        slope = C.T @ residuals / len(C)
        if self.problem.norm == 1:
            rises = 0.5 * radius**2 * np.mean(C**2, axis=0) + radius * np.abs(slope)
            k = int(rises.argmax())
            sign = 1.0 if slope[k] >= 0 else -1.0
            return float(rises[k]), radius * sign * np.eye(len(slope))[k]
        return _trust_region(sizes**2, directions, directions @ slope, radius)

    def witness(self, radius: float) -> tuple[FloatArray, float] | None:
        """Return the eps of the largest loss."""
        return self._with_deviation(self._maximum((1 + BEYOND) * radius)[1])


def _trust_region(
    values: FloatArray, vectors: FloatArray, slopes: FloatArray, radius: float
) -> tuple[float, FloatArray]:
    """Bound max eps'A eps / 2 + b'eps over ||eps||_2 <= radius by its dual, and return an eps.

    Parameters
    ----------
    values, vectors : ndarray, shapes (r,) and (r, k)
        The eigenvalues of A in decreasing order, all >= 0, and the eigenvectors as rows.
    slopes : ndarray, shape (r,)
        b in the basis of the eigenvectors, which span it.
    radius : float
    """
    length = float(np.linalg.norm(slopes))
    low = max(values[0] * (1 + 4 * UNIT_ROUNDOFF), values[0] + abs(slopes[0]) / radius)
    high = values[0] + 2 * length / radius
    if high <= values[0]:  # b = 0
        return 0.5 * float(low) * radius**2, radius * vectors[0]

    def excess(mu: float) -> float:
        """Return the norm of the stationary point, relative to the radius, less 1."""
        return float(np.linalg.norm(slopes / (mu - values))) / radius - 1.0

    mu = low
    if excess(low) > 0:
        mu = scipy.optimize.brentq(excess, low, high, xtol=1e-300, maxiter=500)
    point = slopes / (mu - values)
    bound = 0.5 * (mu * radius**2 + float(slopes @ point))
    return bound, radius / float(np.linalg.norm(point)) * (point @ vectors)


def shortest(sizes: FloatArray, bounds: FloatArray, gaps: FloatArray, norm: float) -> FloatArray:
    """Return for each row the eps >= 0 of least norm with <sizes, eps> >= gap and eps <= bounds.

    For norm 1 the entries of largest size are raised to their bounds one after another. For the
    others eps = min(t v, bounds), where v is 1 for norm inf and the sizes for norm 2.

    Parameters
    ----------
    sizes, bounds : ndarray, shape (m, k)
        >= 0; the bounds may be infinite.
    gaps : ndarray, shape (m,)
        Rows with gap <= 0 have eps = 0.
    norm : {1, 2, inf}

    Returns
    -------
    ndarray, shape (m, k)
        A row without any such eps is infinite.
    """
    largest = sizes.max(axis=1)
    scale = np.where(largest > 0, largest, 1.0)
    sizes, gaps = sizes / scale[:, None], np.maximum(gaps, 0.0) / scale
    bounds = np.where(sizes > 0, bounds, 0.0)
    speeds = np.where(sizes > 0, sizes if norm == 2 else 1.0, 1.0)
    order = np.argsort(-sizes if norm == 1 else bounds / speeds, axis=1)
    sizes, bounds, speeds = (np.take_along_axis(part, order, 1) for part in (sizes, bounds, speeds))
    gains = sizes * bounds
    earlier = _before(gains)
    if norm == 1:
        rates, reached = sizes, earlier + gains
    else:
        rates = np.cumsum((sizes * speeds)[:, ::-1], axis=1)[:, ::-1]
        reached = earlier + bounds / speeds * rates
    last = np.count_nonzero(reached < gaps[:, None], axis=1, keepdims=True)
    at = np.minimum(last, sizes.shape[1] - 1)  # the entry at which the gap is reached
    left = gaps[:, None] - np.take_along_axis(earlier, at, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(left > 0, left / np.take_along_axis(rates, at, 1), 0.0)
        if norm == 1:
            used = _before(bounds)
            found = np.clip(np.take_along_axis(used, at, 1) + step - used, 0.0, bounds)
        else:
            found = np.minimum(step * speeds, bounds)
    eps = np.empty_like(found)
    np.put_along_axis(eps, order, found, 1)
    eps[last[:, 0] == sizes.shape[1]] = np.inf
    return eps


def _before(values: FloatArray) -> FloatArray:
    """Return the sum of the earlier entries of each row, for each entry."""
    sums = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=sums[:, 1:])
    return sums
