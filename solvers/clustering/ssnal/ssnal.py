"""SSNAL: the semismooth Newton based augmented Lagrangian method for convex clustering, any p.

Sun, Toh and Yuan, "Convex clustering: model, theoretical guarantee and efficient algorithm",
JMLR 22(9), 2021, Algorithms 1 and 2. The constraint BX - U = 0 has the multiplier Z. Each iteration
minimises the augmented Lagrangian over X and U (module `subproblem`) and replaces z_e by Pi(y_e).

The implementation differs from the paper in four points. Each edge has a penalty of its own,
sigma_e = s gamma w_e. ADMM runs until the gap is small and not for a fixed number of steps. The
Newton system is factorised where that is faster than conjugate gradients. The duality gap must be
small as well, and is also measured with X averaged over the edges that Pi leaves unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.ssnal.admm import admm
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.newton import NewtonSystem
from bilad.solvers.clustering.ssnal.scaling import PrimalDualPair, ScaledProblem
from bilad.solvers.clustering.ssnal.subproblem import Iterate, Subproblem, minimise
from bilad.solvers.clustering.ssnal.workspace import Workspace

# A subproblem is solved until ||grad phi|| is at most SUBPROBLEM_SHARE times the primal
# infeasibility ||BX - U||, or times the tolerance. Its Newton directions are as accurate as
# FORCING_SHARE of the decrease of the gradient that is still needed.
SUBPROBLEM_SHARE, FORCING_SHARE = 0.3, 0.1
# The factor s of the penalties starts at FIRST_PENALTY and is multiplied by PENALTY_FACTOR after
# each subproblem, as long as the rounding error of the gradient, which is proportional to s, is at
# most ROUNDING_SHARE of the remaining error.
FIRST_PENALTY, PENALTY_FACTOR, ROUNDING_SHARE = 100.0, 5.0, 0.1
TOL_SHARE = 0.99  # share of the tolerance; the rest is for rounding errors in the change of units
# ADMM ends when the relative gap is at most ADMM_GOAL, or after ADMM_STEPS steps. With a warm start
# whose gap is at most WARM_GOAL, ADMM is omitted.
ADMM_GOAL, WARM_GOAL, ADMM_STEPS = 1e-6, 1e-3, 400
STALLED_ROUNDS = 10  # consecutive subproblems without progress, attributed to rounding errors


@dataclass(frozen=True)
class Solution:
    """The result of SSNAL: X (n, d), the feasible Z (m, d), and the number of steps.

    Attributes
    ----------
    status : str
        "optimal", "inaccurate" (rounding errors prevent progress), "iteration limit" or
        "time limit".
    workspace : Workspace or None
        For the next solve on the same graph; None if no edge has positive capacity.
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
    reference: float = 1.0,
) -> Solution:
    """Solve until the relative KKT residual and the relative gap are at most `tol`.

    Parameters
    ----------
    model : ConvexClustering
    tol : float
    start : (X, Z), optional
        Warm start, shapes (n, d) and (m, d).
    workspace : Workspace, optional
        Of an earlier solution; it is used if it fits the model.
    max_iterations : int, default 1000
        Largest number of steps of ADMM and of Newton's method together.
    deadline : float, default inf
        Value of `time.perf_counter()` at which to stop.
    reference : float, default 1
        Relative errors are divided by reference + ||A||, or by reference^2 + |objective|; at most
        1.
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
    for part, begin, penalty in zip_longest(parts, starts, penalties):
        problem = ScaledProblem(
            part, workspace.positive, workspace.edges, 1 / len(parts), reference
        )
        best, penalty = _two_phases(problem, TOL_SHARE * tol, begin, penalty, workspace, budget)
        pairs.append(problem.leave(best.X, best.Z))
        workspace.penalties.append(penalty)
        if best.error > TOL_SHARE * tol:
            short.append(budget.exhausted or "inaccurate")
    X, Z = (np.hstack(features) for features in zip(*pairs, strict=True))
    status = short[0] if short else "optimal"
    return Solution(X, Z, status, budget.admm_steps, budget.newton_steps, workspace)


def _two_phases(
    problem: ScaledProblem,
    tol: float,
    start: tuple[FloatArray, FloatArray] | None,
    penalty: float | None,
    workspace: Workspace,
    budget: Budget,
) -> tuple[PrimalDualPair, float]:
    """Run ADMM if the start is not good enough, then Algorithm 1; return the best pair and s."""
    goal = ADMM_GOAL if start is None else WARM_GOAL
    X, Z = problem.cold_start() if start is None else problem.enter(*start)
    best = problem.measure(X, Z)
    if best.gap > max(goal, tol) and not budget.exhausted:
        penalty = None
        goal = max(ADMM_GOAL, tol)
        best = admm(problem, best, workspace.point_system, goal, ADMM_STEPS, budget)
    penalty = penalty or FIRST_PENALTY
    if best.error <= tol:
        return best, penalty
    return _augmented_lagrangian(problem, tol, best, penalty, workspace.newton_system, budget)


def _augmented_lagrangian(
    problem: ScaledProblem,
    tol: float,
    start: PrimalDualPair,
    penalty: float,
    system: NewtonSystem,
    budget: Budget,
) -> tuple[PrimalDualPair, float]:
    """Run Algorithm 1; return the best pair that was met and the last s."""
    best, X, Z = start, start.X, start.Z
    stalled = 0
    while stalled < STALLED_ROUNDS and not budget.exhausted:
        iterate = _minimise(problem, Z, penalty, X, tol, system, budget)
        X, Z = iterate.X, iterate.P
        found = problem.better_pair(X, Z, (iterate.P == iterate.Y).all(axis=1))
        stalled = 0 if found.error < best.error else stalled + 1
        best = min(best, found, key=lambda pair: pair.error)
        if best.error <= tol:
            break
        visible = ROUNDING_SHARE * max(best.error, tol) * (1.0 + problem.norm)
        largest = max(FIRST_PENALTY, visible / problem.rounding)
        penalty = float(min(PENALTY_FACTOR * penalty, largest))
    return best, penalty


def _minimise(
    problem: ScaledProblem,
    Z: FloatArray,
    penalty: float,
    X: FloatArray,
    tol: float,
    system: NewtonSystem,
    budget: Budget,
) -> Iterate:
    """Minimise the augmented Lagrangian for the multiplier Z and the penalties s gamma w_e."""
    subproblem = Subproblem(problem, Z, penalty * problem.radii)
    rounding = penalty * problem.rounding + problem.forces_rounding  # of the gradient
    least = max(SUBPROBLEM_SHARE * tol * (1.0 + problem.norm), rounding)

    def target(iterate: Iterate) -> float:
        return max(least, SUBPROBLEM_SHARE * subproblem.infeasibility(iterate))

    def forcing(norm: float, target: float) -> float:
        return FORCING_SHARE * target / norm

    return minimise(subproblem, X, system.solve, target, forcing, budget)
