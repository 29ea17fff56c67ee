"""The subproblem of the augmented Lagrangian method, minimised by a semismooth Newton method.

For a fixed multiplier Z and penalties sigma_e > 0 the augmented Lagrangian, minimised over U, is

    phi(X) = 1/2 ||X - A||_F^2 + sum_e ( <Pi(y_e), y_e> - 1/2 ||Pi(y_e)||^2 ) / sigma_e,
    y_e    = z_e + sigma_e (x_i - x_j),        grad phi(X) = X - A + B' Pi(y),

where Pi is the projection on the q-ball of radius gamma w_e. For Z = 0 and sigma_e = gamma w_e / mu
the sum is the Moreau envelope of the fusion terms, see module `smoothing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.scaling import ScaledProblem

NEWTON_STEPS = 100
LARGEST_FORCING = 0.1  # largest relative accuracy of a Newton direction
# Armijo's condition: the decrease is at least this share of the one that the slope predicts; the
# step is halved until that holds. A predicted decrease below ROUNDING times the objective cannot be
# observed in the objective.
ARMIJO, HALVINGS, ROUNDING = 1e-4, 30, 1e-13


@dataclass(frozen=True)
class Iterate:
    """The value and the gradient of phi at X; Y and P hold y_e and Pi(y_e) for every edge."""

    X: FloatArray
    Y: FloatArray
    P: FloatArray
    value: float
    gradient: FloatArray

    @property
    def gradient_norm(self) -> float:
        """||grad phi(X)||_F."""
        return float(np.linalg.norm(self.gradient))


class Subproblem:
    """phi for one multiplier and one vector of penalties.

    Parameters
    ----------
    problem : ScaledProblem
    Z : ndarray, shape (m, d)
        Multiplier.
    sigma : ndarray, shape (m,)
        Penalties, positive.
    """

    def __init__(self, problem: ScaledProblem, Z: FloatArray, sigma: FloatArray) -> None:
        self.problem, self.Z, self.sigma = problem, Z, sigma

    def at(self, X: FloatArray) -> Iterate:
        """Evaluate phi and its gradient at X."""
        problem, edges = self.problem, self.problem.edges
        Y, P = np.empty_like(self.Z), np.empty_like(self.Z)
        misfit = X - problem.data
        gradient = misfit.copy()
        value = 0.5 * float(np.vdot(misfit, misfit))
        value += edge_loops.moreau_pass(
            edges.tails,
            edges.heads,
            problem.radii,
            self.sigma,
            problem.q,
            X,
            self.Z,
            Y,
            P,
            gradient,
        )
        return Iterate(X, Y, P, value, gradient)

    def curvature(self, iterate: Iterate) -> tuple[FloatArray, FloatArray]:
        """Return a and v, (m, d): the Newton matrix is I + B'HB with H_e = diag(a_e) - v_e v_e'."""
        a, v = np.empty_like(self.Z), np.empty_like(self.Z)
        problem = self.problem
        edge_loops.jacobian_pass(problem.radii, self.sigma, problem.q, iterate.Y, iterate.P, a, v)
        return a, v

    def infeasibility(self, iterate: Iterate) -> float:
        """Return ||BX - U||_F for the U that minimises the augmented Lagrangian."""
        return float(np.linalg.norm((iterate.P - self.Z) / self.sigma[:, None]))


def minimise(
    subproblem: Subproblem,
    X: FloatArray,
    solve: Callable[[FloatArray, FloatArray, FloatArray, float], FloatArray],
    target: Callable[[Iterate], float],
    forcing: Callable[[float, float], float],
    budget: Budget,
) -> Iterate:
    """Minimise phi by the semismooth Newton method (Algorithm 2 of Sun, Toh and Yuan).

    Parameters
    ----------
    subproblem : Subproblem
    X : ndarray, shape (n, d)
        The starting point.
    solve : callable(a, v, R, rtol)
        Solves the Newton system for the right-hand side R.
    target : callable(iterate)
        The gradient norm at which to stop.
    forcing : callable(gradient norm, target)
        The relative accuracy of the next Newton direction.
    budget : Budget
        Charged for the steps.
    """
    iterate = subproblem.at(X)
    for _ in range(NEWTON_STEPS):
        norm, goal = iterate.gradient_norm, target(iterate)
        if norm <= goal or budget.exhausted:
            break
        rtol = min(LARGEST_FORCING, forcing(norm, goal))
        direction = solve(*subproblem.curvature(iterate), -iterate.gradient, rtol)
        budget.newton_steps += 1
        better = _line_search(subproblem, iterate, direction)
        if better is None:
            break
        iterate = better
    return iterate


def _line_search(subproblem: Subproblem, iterate: Iterate, direction: FloatArray) -> Iterate | None:
    """Return the first point X + 2^-k D that satisfies Armijo's condition, or None.

    Near the solution the decrease is smaller than the rounding error of phi. There the slope along
    D must have fallen by half instead, which is progress as well because phi is convex.
    """
    descent = float(np.vdot(iterate.gradient, direction))
    step = 1.0
    for _ in range(HALVINGS):
        trial = subproblem.at(iterate.X + step * direction)
        if -step * descent > ROUNDING * abs(iterate.value):
            accepted = trial.value <= iterate.value + ARMIJO * step * descent
        else:
            accepted = float(np.vdot(trial.gradient, direction)) <= -0.5 * descent
        if accepted:
            return trial
        step *= 0.5
    return None
