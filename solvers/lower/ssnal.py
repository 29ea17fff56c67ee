"""SSNAL: semismooth Newton based augmented Lagrangian method for convex clustering, p = 2.

Sun, Toh and Yuan, "Convex clustering: model, theoretical guarantee and efficient algorithm",
JMLR 22(9), 2021, Algorithms 1 and 2. With U = BX and multiplier Z, the augmented Lagrangian
subproblem in X alone is

    phi(X) = 1/2 ||X - A||^2 + 1/sigma sum_e ( <Pi(y_e), y_e> - 1/2 ||Pi(y_e)||^2 ),
    y_e    = z_e + sigma (x_i - x_j),       Pi the projection on the ball of radius gamma w_e,
    grad   = X - A + B' Pi(y),

and the next multiplier is Pi(y). Differences from the paper: the Newton system is solved by a
factorisation, not by conjugate gradients; the duality gap must be small too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from threadpoolctl import ThreadpoolController

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.lower.newton import NewtonSystem, newton_system

# Algorithm 2 (SSNCG): Armijo condition with slope share mu, step reduced by delta.
LINE_SEARCH_MU = 1e-4
LINE_SEARCH_DELTA = 0.5
LINE_SEARCH_TRIALS = 30
NEWTON_STEPS = 100
# Algorithm 1, stopping criterion (A): ||grad|| <= EPSILON_RATIO^k eps_0 / max(1, sqrt(sigma)).
EPSILON_RATIO = 0.1
# Sigma rule: raised by SIGMA_FACTOR unless the primal infeasibility fell by more than that, and
# never so far that rounding, which grows with sigma, exceeds SIGMA_CAUTION times the tolerance.
SIGMA_FACTOR = 5.0
SIGMA_CAUTION = 0.1
TOL_SHARE = 0.99  # of the tolerance, so that rounding in a change of units does not exceed it
# The systems are small: threads of BLAS cost more than they save, and by far on a busy machine.
BLAS = ThreadpoolController()


@dataclass
class Iterate:
    """Where SSNAL stands: X (n, d), feasible Z (m, d), and the cost so far."""

    X: FloatArray
    Z: FloatArray
    status: str = "iteration limit"
    newton_systems: int = 0


def refusal(model: ConvexClustering) -> str | None:
    """Say why this method cannot take the model, or None."""
    if model.p != 2 and model.d > 1:
        return f"SSNAL is for p = 2 (any p if d = 1), the model has p = {model.p:g}, d = {model.d}"
    return None


def solve_ssnal(
    model: ConvexClustering,
    tol: float,
    start: tuple[FloatArray, FloatArray] | None,
    max_iterations: int,
    deadline: float,
) -> Iterate:
    """Run Algorithm 1 until the relative KKT residual and the relative gap are at most `tol`.

    Works, and measures these, in centred data of unit spread, so that the answer scales with the
    data.

    Parameters
    ----------
    model : ConvexClustering
        One that `refusal` accepts.
    tol : float
    start : (X, Z), optional
        Warm start, shapes (n, d) and (m, d).
    max_iterations : int
        Largest number of Newton systems.
    deadline : float
        Value of `time.perf_counter()` at which to stop.
    """
    if not (model.radii > 0).any():
        return Iterate(model.data, np.zeros((model.graph.m, model.d)), "optimal")
    scaled, centre, unit = model.standardised()
    X, Z = (model.data, np.zeros((model.graph.m, model.d))) if start is None else start
    iterate = Iterate((X - centre) / unit, scaled.project_dual(Z / unit))
    with BLAS.limit(limits=1, user_api="blas"):
        _outer_loop(scaled, unit, tol, iterate, max_iterations, deadline)
    iterate.Z = model.project_dual(unit * iterate.Z)
    iterate.X = model.data - model.graph.adjoint(iterate.Z)
    return iterate


def _outer_loop(
    model: ConvexClustering,
    unit: float,
    tol: float,
    iterate: Iterate,
    max_iterations: int,
    deadline: float,
) -> None:
    """Algorithm 1, moving the iterate; it ends at the best multiplier met."""
    system = newton_system(model.graph, model.d)
    sigma = _first_sigma(model)
    largest_sigma = max(sigma, _largest_sigma(model, tol))
    epsilon = tol**0.5 * (1.0 + float(np.linalg.norm(model.data)))
    infeasibility = best_error = np.inf
    best = iterate.Z
    for _ in range(max_iterations):
        epsilon *= EPSILON_RATIO
        criterion_a = max(
            epsilon / max(1.0, np.sqrt(sigma)), _rounding_level(model, iterate.X, sigma)
        )
        _newton(model, iterate, sigma, criterion_a, system, max_iterations, deadline)
        Z = model.project_dual(iterate.Z + sigma * model.graph.differences(iterate.X))
        previous, infeasibility = infeasibility, float(np.linalg.norm(Z - iterate.Z)) / sigma
        iterate.Z = Z
        error = _error(model, Z, unit)
        if error < best_error:
            best_error, best = error, Z
        if error <= TOL_SHARE * tol:
            iterate.status = "optimal"
            break
        if time.perf_counter() >= deadline:
            iterate.status = "time limit"
            break
        if iterate.newton_systems >= max_iterations:
            break
        if infeasibility * SIGMA_FACTOR > previous:
            sigma = min(sigma * SIGMA_FACTOR, largest_sigma)
    iterate.Z = best


def _first_sigma(model: ConvexClustering) -> float:
    """Make sigma ||u_e|| comparable with the radii; the data have unit spread."""
    lengths = row_norms(model.graph.differences(model.data), 2)
    typical = float(np.mean(lengths))
    return float(np.mean(model.radii)) / (typical if typical > 1e-12 else 1.0)


def _rounding_level(model: ConvexClustering, X: FloatArray, sigma: float) -> float:
    """Below this, rounding hides ||grad||: each edge difference is off by an ulp of x."""
    differences = sigma * np.sqrt(2.0 * model.graph.m) * float(np.abs(X).max())
    forces = float(np.linalg.norm(model.data) + np.linalg.norm(model.radii))
    return 2.0 * float(np.finfo(float).eps) * (differences + forces)


def _largest_sigma(model: ConvexClustering, tol: float) -> float:
    """Return the sigma at which rounding would hide a gradient that `tol` still asks for."""
    asked = SIGMA_CAUTION * tol * (1.0 + float(np.linalg.norm(model.data)))
    return asked / _rounding_level(model, model.data, 1.0)


def _error(model: ConvexClustering, Z: FloatArray, unit: float) -> float:
    """Return the larger of gap and KKT residual, relative in both the data's units and ours."""
    X = model.data - model.graph.adjoint(Z)
    norm = float(np.linalg.norm(model.data))
    residual = model.kkt_residual(X, Z) * (1.0 + norm) / (min(1.0, 1.0 / unit) + norm)
    gap = model.absolute_gap(X, Z) / (min(1.0, 1.0 / unit**2) + model.primal(X))
    return max(residual, gap)


def _newton(
    model: ConvexClustering,
    iterate: Iterate,
    sigma: float,
    criterion_a: float,
    system: NewtonSystem,
    max_iterations: int,
    deadline: float,
) -> None:
    """Minimise phi by Algorithm 2, moving `iterate.X`."""
    subproblem = _Subproblem(model, iterate.Z, sigma)
    point = subproblem.at(iterate.X)
    for _ in range(NEWTON_STEPS):
        out_of_time = time.perf_counter() >= deadline
        if point.slope <= criterion_a or iterate.newton_systems >= max_iterations or out_of_time:
            break
        direction = system.solve(subproblem.hessian_blocks(point), -point.gradient)
        iterate.newton_systems += 1
        better = _line_search(subproblem, point, direction)
        if better is None:
            break
        point = better
    iterate.X = point.X


@dataclass(frozen=True)
class _Point:
    """phi and its gradient at one X."""

    X: FloatArray
    y: FloatArray
    lengths: FloatArray
    value: float
    gradient: FloatArray

    @property
    def slope(self) -> float:
        return float(np.linalg.norm(self.gradient))


class _Subproblem:
    """phi for one multiplier Z and one sigma."""

    def __init__(self, model: ConvexClustering, Z: FloatArray, sigma: float) -> None:
        self.model, self.Z, self.sigma = model, Z, sigma

    def at(self, X: FloatArray) -> _Point:
        model, sigma = self.model, self.sigma
        y = self.Z + sigma * model.graph.differences(X)
        lengths = row_norms(y, 2)
        outside = lengths > model.radii
        scale = np.where(outside, model.radii / np.where(outside, lengths, 1.0), 1.0)
        misfit = X - model.data
        clipped = np.minimum(lengths, model.radii)
        envelope = float(clipped @ (lengths - 0.5 * clipped)) / sigma
        value = 0.5 * float(np.vdot(misfit, misfit)) + envelope
        gradient = misfit + model.graph.adjoint(y * scale[:, None])
        return _Point(X, y, lengths, value, gradient)

    def hessian_blocks(self, point: _Point) -> FloatArray:
        """Return sigma dPi(y_e), one (d, d) block per edge: the identity inside the ball."""
        d, radii = self.model.d, self.model.radii
        outside = point.lengths > radii
        if d == 1:
            return np.where(outside, 0.0, self.sigma)[:, None, None]
        blocks = np.broadcast_to(self.sigma * np.eye(d), (len(radii), d, d)).copy()
        length = point.lengths[outside]
        unit = point.y[outside] / length[:, None]
        tangent = np.eye(d) - unit[:, :, None] * unit[:, None, :]
        blocks[outside] = (self.sigma * radii[outside] / length)[:, None, None] * tangent
        return blocks


def _line_search(subproblem: _Subproblem, point: _Point, direction: FloatArray) -> _Point | None:
    """Return the first point of X + delta^k D that satisfies Armijo's condition, if any.

    Near the solution the decrease drowns in the rounding of phi. There the slope along D, which
    keeps its digits, must have fallen by half: as phi is convex, that is progress too.
    """
    descent = float(np.vdot(point.gradient, direction))
    rounding = 1e-13 * abs(point.value)
    step = 1.0
    for _ in range(LINE_SEARCH_TRIALS):
        trial = subproblem.at(point.X + step * direction)
        if -step * descent > rounding:
            accepted = trial.value <= point.value + LINE_SEARCH_MU * step * descent
        else:
            accepted = float(np.vdot(trial.gradient, direction)) <= -0.5 * descent
        if accepted:
            return trial
        step *= LINE_SEARCH_DELTA
    return None
