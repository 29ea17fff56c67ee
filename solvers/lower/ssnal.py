"""SSNAL: semismooth Newton based augmented Lagrangian method for convex clustering, any p.

Sun, Toh and Yuan, "Convex clustering: model, theoretical guarantee and efficient algorithm",
JMLR 22(9), 2021, Algorithms 1 and 2. With U = BX and multiplier Z, the augmented Lagrangian
subproblem in X alone is

    phi(X) = 1/2 ||X - A||^2 + sum_e ( <Pi(y_e), y_e> - 1/2 ||Pi(y_e)||^2 ) / sigma_e,
    y_e    = z_e + sigma_e (x_i - x_j),     Pi the projection on the q-ball of radius gamma w_e,
    grad   = X - A + B' Pi(y),

and the next multiplier is Pi(y). Differences from the paper: each edge has its own penalty,
sigma_e = s gamma w_e; ADMM runs until the gap is small, not a fixed number of steps; the Newton
system is factorised where that pays; the duality gap must be small too, with X averaged over the
edges that Pi leaves fused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import ThreadpoolController

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray
from bilad.solvers.lower import kernels
from bilad.solvers.lower.admm import admm
from bilad.solvers.lower.budget import Budget
from bilad.solvers.lower.linear_systems import System
from bilad.solvers.lower.newton import NewtonSystem, newton_system
from bilad.solvers.lower.standard_form import Candidate, StandardForm

# Algorithm 2 (SSNCG): Armijo condition with slope share mu, step reduced by delta.
LINE_SEARCH_MU = 1e-4
LINE_SEARCH_DELTA = 0.5
LINE_SEARCH_TRIALS = 30
NEWTON_STEPS = 100
# Algorithm 1: the subproblem is solved until ||grad|| <= SUBPROBLEM_SHARE times the primal
# infeasibility ||Z+ - Z|| / sigma, or times the tolerance.
SUBPROBLEM_SHARE = 0.3
# s starts at FIRST_PENALTY, and grows by PENALTY_FACTOR up to where rounding would hide a gradient
# that the tolerance still asks for.
FIRST_PENALTY = 100.0
PENALTY_FACTOR = 5.0
TOL_SHARE = 0.99  # of the tolerance, so that rounding in a change of units does not exceed it
# ADMM ends here, or after so many steps.
ADMM_GOAL = 1e-6
ADMM_STEPS = 400
STALLED_ROUNDS = 10  # subproblems that bring no better pair: rounding is in the way
# The systems are small: threads of BLAS cost more than they save, and by far on a busy machine.
BLAS = ThreadpoolController()


@dataclass
class Solution:
    """Where SSNAL ended: X (n, d), feasible Z (m, d), and the cost.

    Attributes
    ----------
    status : str
        "optimal", "iteration limit" or "time limit".
    penalty : float
        s of the last subproblem, for a warm start.
    """

    X: FloatArray
    Z: FloatArray
    status: str
    penalty: float
    admm_steps: int = 0
    newton_steps: int = 0
    remark: str = ""


def solve_ssnal(
    model: ConvexClustering,
    tol: float,
    start: Solution | None,
    max_iterations: int,
    deadline: float,
) -> Solution:
    """Solve until the relative KKT residual and the relative gap are at most `tol`.

    Parameters
    ----------
    model : ConvexClustering
    tol : float
    start : Solution, optional
        Warm start: of a model on the same graph.
    max_iterations : int
        Largest number of steps, of ADMM and of Newton together.
    deadline : float
        Value of `time.perf_counter()` at which to stop.
    """
    if not (model.radii > 0).any():
        return Solution(model.data, np.zeros((model.graph.m, model.d)), "optimal", FIRST_PENALTY)
    budget = Budget(max_iterations, deadline)
    with BLAS.limit(limits=1, user_api="blas"):
        if model.p == 1 and model.d > 1:
            return _each_feature(model, tol, start, budget)
        return _solve(model, tol, start, budget)


def _each_feature(
    model: ConvexClustering, tol: float, start: Solution | None, budget: Budget
) -> Solution:
    """Solve a model with p = 1: one problem for each feature."""
    parts = []
    for k in range(model.d):
        part = ConvexClustering(model.data[:, [k]], model.graph, model.gamma, 1)
        begin = start and replace(start, X=start.X[:, [k]], Z=start.Z[:, [k]])
        parts.append(_solve(part, tol, begin, budget, 1.0 / model.d))
    short = [part.status for part in parts if part.status != "optimal"]
    return Solution(
        np.hstack([part.X for part in parts]),
        np.hstack([part.Z for part in parts]),
        short[0] if short else "optimal",
        min(part.penalty for part in parts),
        budget.admm_steps,
        budget.newton_steps,
        parts[0].remark,
    )


def _solve(
    model: ConvexClustering,
    tol: float,
    start: Solution | None,
    budget: Budget,
    share: float = 1.0,
) -> Solution:
    form = StandardForm(model, share)
    run = _Run(form, TOL_SHARE * tol, budget)
    penalty = FIRST_PENALTY
    if start is None:
        best = form.candidate(form.data, np.zeros((len(form.radii), model.d)))
    else:
        best = form.candidate(*form.enter(start.X, start.Z))
        penalty = start.penalty
    best = run.solve(best, penalty)
    X, Z = form.leave(best.X, best.Z)
    status = "optimal" if best.error <= run.tol else budget.exhausted or "inaccurate"
    return Solution(X, Z, status, run.penalty, budget.admm_steps, budget.newton_steps, run.remark)


class _Run:
    """One solve: the two phases."""

    def __init__(self, form: StandardForm, tol: float, budget: Budget) -> None:
        self.form, self.tol, self.budget = form, tol, budget
        self.penalty = FIRST_PENALTY
        self.remark = ""

    def solve(self, start: Candidate, penalty: float) -> Candidate:
        form = self.form
        best = start
        goal = max(ADMM_GOAL, self.tol)
        if best.gap > goal:
            system = System(form.edges, 1)
            best = admm(form, best, system, goal, ADMM_STEPS, self.budget)
            penalty = min(penalty, FIRST_PENALTY)
        self.penalty = penalty
        if best.error <= self.tol or self.budget.exhausted:
            return best
        return self.outer_loop(best)

    def outer_loop(self, start: Candidate) -> Candidate:
        """Algorithm 1, from a warm start; return the best pair met."""
        form = self.form
        system = newton_system(form.edges, form.data.shape[1], form.q == 2.0)
        largest = max(self.penalty, 0.1 * self.tol * (1.0 + form.norm) / form.rounding)
        best, X, Z = start, start.X, start.Z
        stalled = 0
        while stalled < STALLED_ROUNDS and not self.budget.exhausted:
            subproblem = _Subproblem(form, Z, self.penalty)
            point = _minimise(subproblem, X, self.tol, system, self.budget)
            X, Z = point.X, point.P
            fused = (point.P == point.Y).all(axis=1)
            found = form.better_candidate(X, Z, fused)
            stalled = 0 if found.error < best.error else stalled + 1
            best = min(best, found, key=lambda pair: pair.error)
            if best.error <= self.tol:
                break
            self.penalty = min(PENALTY_FACTOR * self.penalty, largest)
        return best


@dataclass(frozen=True)
class _Point:
    """phi and its gradient at one X; Y and P are y and Pi(y) of every edge."""

    X: FloatArray
    Y: FloatArray
    P: FloatArray
    value: float
    gradient: FloatArray

    @property
    def slope(self) -> float:
        return float(np.linalg.norm(self.gradient))


class _Subproblem:
    """phi for one multiplier Z and one penalty s."""

    def __init__(self, form: StandardForm, Z: FloatArray, penalty: float) -> None:
        self.form, self.Z, self.penalty = form, Z, penalty
        self.sigma = penalty * form.radii

    def at(self, X: FloatArray) -> _Point:
        form, edges = self.form, self.form.edges
        Y, P = np.empty_like(self.Z), np.empty_like(self.Z)
        misfit = X - form.data
        gradient = misfit.copy()
        envelope = kernels.moreau_pass(
            edges.tails, edges.heads, form.radii, self.sigma, form.q, X, self.Z, Y, P, gradient
        )
        return _Point(X, Y, P, 0.5 * float(np.vdot(misfit, misfit)) + envelope, gradient)

    def infeasibility(self, point: _Point) -> float:
        """Return ||BX - U||."""
        return float(np.linalg.norm((point.P - self.Z) / self.sigma[:, None]))

    def newton_direction(self, point: _Point, system: NewtonSystem, rtol: float) -> FloatArray:
        a, v = np.empty_like(self.Z), np.empty_like(self.Z)
        form = self.form
        kernels.jacobian_pass(form.radii, self.sigma, form.q, point.Y, point.P, a, v)
        return system.solve(a, v, -point.gradient, rtol)

    def rounding(self) -> float:
        """Below this, rounding hides ||grad||."""
        return self.penalty * self.form.rounding + self.form.forces_rounding


def _minimise(
    subproblem: _Subproblem, X: FloatArray, tol: float, system: NewtonSystem, budget: Budget
) -> _Point:
    """Minimise phi by Algorithm 2 from X."""
    point = subproblem.at(X)
    least = max(SUBPROBLEM_SHARE * tol * (1.0 + subproblem.form.norm), subproblem.rounding())
    for _ in range(NEWTON_STEPS):
        enough = max(least, SUBPROBLEM_SHARE * subproblem.infeasibility(point))
        if point.slope <= enough or budget.exhausted:
            break
        rtol = min(0.1, 0.1 * enough / point.slope)
        direction = subproblem.newton_direction(point, system, rtol)
        budget.newton_steps += 1
        better = _line_search(subproblem, point, direction)
        if better is None:
            break
        point = better
    return point


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
