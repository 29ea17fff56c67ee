"""SSNAL: semismooth Newton based augmented Lagrangian method for convex clustering, any p.

Sun, Toh and Yuan, "Convex clustering: model, theoretical guarantee and efficient algorithm",
JMLR 22(9), 2021, Algorithms 1 and 2. With U = BX and multiplier Z, the augmented Lagrangian
subproblem in X alone is

    phi(X) = 1/2 ||X - A||^2 + sum_e ( <Pi(y_e), y_e> - 1/2 ||Pi(y_e)||^2 ) / sigma_e,
    y_e    = z_e + sigma_e (x_i - x_j),     Pi the projection on the q-ball of radius gamma w_e,
    grad   = X - A + B' Pi(y),

and the next multiplier is Pi(y). In a contracted problem points have masses, M = diag(masses):
1/2 <X - A, M (X - A)> and M (X - A) take the place of the first terms. Differences from the paper:
each edge has its own penalty, sigma_e = s gamma w_e; ADMM runs until the gap is small, not a fixed
number of steps; the Newton system is factorised where that pays; the duality gap must be small
too, with X averaged over the edges that Pi leaves fused.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from threadpoolctl import ThreadpoolController

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.admm import admm
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.newton import NewtonSystem
from bilad.solvers.clustering.ssnal.scaling import Candidate, StandardForm
from bilad.solvers.clustering.ssnal.workspace import Workspace

# Algorithm 2 (SSNCG): Armijo condition with slope share mu, step reduced by delta.
LINE_SEARCH_MU = 1e-4
LINE_SEARCH_DELTA = 0.5
LINE_SEARCH_TRIALS = 30
NEWTON_STEPS = 100
# Algorithm 1: the subproblem is solved until ||grad|| <= SUBPROBLEM_SHARE times the primal
# infeasibility ||Z+ - Z|| / sigma, or times the tolerance.
SUBPROBLEM_SHARE = 0.3
# s starts at FIRST_PENALTY, and grows by PENALTY_FACTOR up to where the rounding of the gradient,
# which grows with it, is this share of the error that is left.
FIRST_PENALTY = 100.0
PENALTY_FACTOR = 5.0
ROUNDING_SHARE = 0.1
TOL_SHARE = 0.99  # of the tolerance, so that rounding in a change of units does not exceed it
# ADMM ends at this gap, or after so many steps; a warm start with this gap does without.
ADMM_GOAL = 1e-6
WARM_GOAL = 1e-3
ADMM_STEPS = 400
STALLED_ROUNDS = 10  # subproblems that bring no better pair: rounding is in the way
# The systems are small: threads of BLAS cost more than they save, and by far on a busy machine.
BLAS = ThreadpoolController()


@dataclass(frozen=True)
class Solution:
    """Where SSNAL ended: X (n, d), feasible Z (m, d), the cost, and what helps the next solve.

    Attributes
    ----------
    status : str
        "optimal", "inaccurate" (rounding is in the way), "iteration limit" or "time limit".
    """

    X: FloatArray
    Z: FloatArray
    status: str
    admm_steps: int
    newton_steps: int
    workspace: Workspace | None


def solve_ssnal(
    model: ConvexClustering,
    tol: float,
    start: tuple[FloatArray, FloatArray] | None = None,
    workspace: Workspace | None = None,
    max_iterations: int = 1000,
    deadline: float = float("inf"),
    one: float = 1.0,
) -> Solution:
    """Solve until the relative KKT residual and the relative gap are at most `tol`.

    Parameters
    ----------
    model : ConvexClustering
    tol : float
    start : (X, Z), optional
        Warm start, shapes (n, d) and (m, d).
    workspace : Workspace, optional
        Of an earlier solution, or made with masses; used if it fits the model.
    max_iterations : int, default 1000
        Largest number of steps, of ADMM and of Newton together.
    deadline : float, default inf
        Value of `time.perf_counter()` at which to stop.
    one : float, default 1
        Errors are relative to this + the size of the objective, or of the data; at most 1.
    """
    if not (model.radii > 0).any():
        return Solution(model.data, np.zeros((model.graph.m, model.d)), "optimal", 0, 0, None)
    if workspace is None or not workspace.fits(model):
        workspace = Workspace(model)
    budget = Budget(max_iterations, deadline)
    parts, starts = [model], [start]
    if model.p == 1 and model.d > 1:  # one problem for each feature
        columns = [[k] for k in range(model.d)]
        parts = [ConvexClustering(model.data[:, k], model.graph, model.gamma, 1) for k in columns]
        starts = [start and (start[0][:, k], start[1][:, k]) for k in columns]
    penalties = workspace.penalties if start else []
    pairs, workspace.penalties, short = [], [], []
    with BLAS.limit(limits=1, user_api="blas"):
        for part, begin, penalty in zip_longest(parts, starts, penalties):
            form = StandardForm(part, workspace.kept, workspace.edges, 1 / len(parts), one)
            best, penalty = _two_phases(form, TOL_SHARE * tol, begin, penalty, workspace, budget)
            pairs.append(form.leave(best.X, best.Z))
            workspace.penalties.append(penalty)
            if best.error > TOL_SHARE * tol:
                short.append(budget.exhausted or "inaccurate")
    X, Z = (np.hstack(features) for features in zip(*pairs, strict=True))
    status = short[0] if short else "optimal"
    return Solution(X, Z, status, budget.admm_steps, budget.newton_steps, workspace)


def _two_phases(
    form: StandardForm,
    tol: float,
    start: tuple[FloatArray, FloatArray] | None,
    penalty: float | None,
    workspace: Workspace,
    budget: Budget,
) -> tuple[Candidate, float]:
    """Run ADMM where it is needed, then Algorithm 1; return the best pair and the last s."""
    goal = ADMM_GOAL if start is None else WARM_GOAL
    X, Z = form.cold_start() if start is None else form.enter(*start)
    best = form.candidate(X, Z)
    if best.gap > max(goal, tol) and not budget.exhausted:
        penalty = None
        goal = max(ADMM_GOAL, tol)
        best = admm(form, best, workspace.point_system, goal, ADMM_STEPS, budget)
    if best.error <= tol:
        return best, penalty or FIRST_PENALTY
    return _outer_loop(form, tol, best, penalty or FIRST_PENALTY, workspace.newton_system, budget)


def _outer_loop(
    form: StandardForm,
    tol: float,
    start: Candidate,
    penalty: float,
    system: NewtonSystem,
    budget: Budget,
) -> tuple[Candidate, float]:
    """Algorithm 1; return the best pair met and the last s."""
    best, X, Z = start, start.X, start.Z
    stalled = 0
    while stalled < STALLED_ROUNDS and not budget.exhausted:
        point = _minimise(_Subproblem(form, Z, penalty), X, tol, system, budget)
        X, Z = point.X, point.P
        found = form.better_candidate(X, Z, (point.P == point.Y).all(axis=1))
        stalled = 0 if found.error < best.error else stalled + 1
        best = min(best, found, key=lambda pair: pair.error)
        if best.error <= tol:
            break
        visible = ROUNDING_SHARE * max(best.error, tol) * (1.0 + form.norm)
        largest = max(FIRST_PENALTY, visible / form.rounding)
        penalty = float(min(PENALTY_FACTOR * penalty, largest))
    return best, penalty


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
        gradient = form.masses * misfit
        value = 0.5 * float(np.vdot(misfit, gradient))
        envelope = edge_loops.moreau_pass(
            edges.tails, edges.heads, form.radii, self.sigma, form.q, X, self.Z, Y, P, gradient
        )
        return _Point(X, Y, P, value + envelope, gradient)

    def infeasibility(self, point: _Point) -> float:
        """Return ||BX - U||."""
        return float(np.linalg.norm((point.P - self.Z) / self.sigma[:, None]))

    def newton_direction(self, point: _Point, system: NewtonSystem, rtol: float) -> FloatArray:
        a, v = np.empty_like(self.Z), np.empty_like(self.Z)
        form = self.form
        edge_loops.jacobian_pass(form.radii, self.sigma, form.q, point.Y, point.P, a, v)
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
