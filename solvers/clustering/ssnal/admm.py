"""ADMM with a penalty for each edge, the first phase of SSNAL.

For the constraint BX - U = 0 with multiplier Z and penalties sigma_e, one step is

    U, Z:  y_e = z_e + sigma_e u_e,   z_e <- Pi(y_e),   U_e <- (y_e - z_e) / sigma_e,
    X:     (I + B' diag(sigma) B) X = A + B' (sigma U - Z),

where u_e is an over-relaxed x_i - x_j and Pi is the projection on the q-ball of radius
r_e = gamma w_e. (The SSNAL of Sun, Toh and Yuan starts with ADMM too, with one sigma.)

An edge that stays apart has curvature about r_e / ||u_e|| and needs a penalty of that size. A fused
edge is an equality constraint and needs a large penalty. With penalties chosen in this way and
revised from time to time, about 50 to 200 steps reach a relative gap of 1e-6. Each step costs one
solve with an n x n factorisation.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.linear_systems import System
from bilad.solvers.clustering.ssnal.scaling import PrimalDualPair, ScaledProblem

RELAXATION = 1.7
CHECK_STEPS = 10  # steps between two measurements of the gap; later twice as many
# Penalties relative to capacities, in data of unit spread. The penalty of an edge that stays apart
# is this share of the curvature (by q; a polyhedral norm has no curvature), within PENALTY_RANGE.
# That of a fused edge is FUSED_FACTOR times the median of these.
CURVATURE_SHARE = {2.0: 0.1, 1.0: 0.5}
FUSED_FACTOR, PENALTY_RANGE = 300.0, (1e-2, 1e4)
# Penalties are revised at intervals that double up to LONGEST steps. After SETTLED steps, if the
# gap is more than SLOW times its last value, the penalties of edges that stay apart are multiplied
# by REDUCTION, because a cluster moves like one point with many edges. After PATIENCE steps, ADMM
# stops if the gap is more than WORTHWHILE times its last value.
LONGEST = 40
SETTLED, SLOW, REDUCTION = 40, 0.3, 0.1
PATIENCE, WORTHWHILE = 160, 0.6


def admm(
    problem: ScaledProblem,
    start: PrimalDualPair,
    system: System,
    goal: float,
    steps: int,
    budget: Budget,
) -> PrimalDualPair:
    """Take steps of ADMM until the relative gap is at most `goal`; return the best pair.

    Parameters
    ----------
    problem : ScaledProblem
    start : PrimalDualPair
    system : System
        For edge blocks of size one.
    goal : float
    steps : int
        Largest number of steps.
    budget : Budget
        Charged for the steps.
    """
    edges, radii, data = problem.edges, problem.radii, problem.data
    X, Z = start.X, start.Z.copy()
    U = problem.differences(X)
    cold = not Z.any()
    share = CURVATURE_SHARE[problem.q]
    sigma = radii.copy() if cold else _penalties(radii, U, share)
    system.update(sigma[:, None, None])
    forces = np.empty_like(X)
    best, revision, before = start, CHECK_STEPS, np.inf
    for step in range(1, steps + 1):
        edge_loops.admm_pass(
            edges.tails,
            edges.heads,
            radii,
            sigma,
            problem.q,
            RELAXATION,
            data,
            X,
            Z,
            U,
            forces,
        )
        X = system.solve(forces)
        budget.admm_steps += 1
        if step % (CHECK_STEPS if step <= SETTLED else 2 * CHECK_STEPS) and not budget.exhausted:
            continue
        found = problem.better_pair(X, Z.copy(), row_norms(U, 2) == 0)
        best = min(best, found, key=lambda pair: pair.gap)
        if best.gap <= goal or budget.exhausted:
            break
        if step == revision:
            if step >= PATIENCE and best.gap > WORTHWHILE * before:
                break
            if step > SETTLED and best.gap > SLOW * before:
                share *= REDUCTION
            revision, before = step + min(step, LONGEST), best.gap
            sigma = _penalties(radii, U, share)
            system.update(sigma[:, None, None])
    return best


def _penalties(radii: FloatArray, U: FloatArray, share: float) -> FloatArray:
    """Choose the penalties by the present lengths of the edges: shape (m,)."""
    lengths = row_norms(U, 2)
    apart = lengths > 0
    with np.errstate(divide="ignore"):
        ratios = np.clip(share / lengths, *PENALTY_RANGE)
    typical = float(np.median(ratios[apart])) if apart.any() else 1.0
    ratios[~apart] = FUSED_FACTOR * typical
    return ratios * radii
