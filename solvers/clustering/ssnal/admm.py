"""ADMM with a penalty for each edge, the first phase of SSNAL.

On BX - U = 0 with multiplier Z and penalties sigma_e (Sun, Toh and Yuan start their SSNAL so too,
with one sigma):

    U, Z:  y_e = z_e + sigma_e u_e,   z_e <- Pi(y_e),   U_e <- (y_e - z_e) / sigma_e,
    X:     (M + B' diag(sigma) B) X = M A + B' (sigma U - Z),

where u_e = x_i - x_j, over-relaxed, and M = diag(masses) is I but in a contracted problem. An edge
that stays apart has curvature about r_e / ||u_e|| and asks for a penalty of that size; a fused one
is an equality, u_e = 0, and asks for a large one. With penalties so chosen, and revised now and
then, some 50 to 200 steps reach a relative gap of 1e-6, each at the cost of one solve with an n x n
factorisation.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.linear_systems import System
from bilad.solvers.clustering.ssnal.scaling import Candidate, StandardForm

RELAXATION = 1.7
CHECK_STEPS = 10  # the gap is measured after so many steps, later after twice as many
# Penalties over capacities, in data of unit spread: share of the curvature for edges apart (by q;
# a polyhedral norm has none), this many times their median for fused edges, and bounds.
CURVATURE_SHARE = {2.0: 0.1, 1.0: 0.5}
FUSED_FACTOR = 300.0
PENALTY_RANGE = (1e-2, 1e4)
# Penalties are revised at intervals that double up to LONGEST. From SETTLED steps on, if the gap is
# not SLOW times its last value or less, edges apart get REDUCTION times the penalty: a cluster
# moves as one, and many edges pull at it. From PATIENCE steps on, ADMM gives up if the gap has not
# fallen to WORTHWHILE times its last value.
LONGEST = 40
SETTLED, SLOW, REDUCTION = 40, 0.3, 0.1
PATIENCE, WORTHWHILE = 160, 0.6


def admm(
    form: StandardForm, start: Candidate, system: System, goal: float, steps: int, budget: Budget
) -> Candidate:
    """Take steps of ADMM until the relative gap is at most `goal`; return the best pair met.

    Parameters
    ----------
    form : StandardForm
    start : Candidate
        Where to begin.
    system : System
        For blocks of size one.
    goal : float
    steps : int
        Largest number of steps.
    budget : Budget
        Charged for the steps.
    """
    edges, radii, pull = form.edges, form.radii, form.weighted_data
    X, Z = start.X, start.Z.copy()
    U = form.differences(X)
    cold = not Z.any()
    share = CURVATURE_SHARE[form.q]
    sigma = radii.copy() if cold else _penalties(radii, U, share)
    system.update(sigma[:, None, None])
    forces = np.empty_like(X)
    best, revision, before = start, CHECK_STEPS, np.inf
    for step in range(1, steps + 1):
        edge_loops.admm_pass(
            edges.tails, edges.heads, radii, sigma, form.q, RELAXATION, pull, X, Z, U, forces
        )
        X = system.solve(forces)
        budget.admm_steps += 1
        if step % (CHECK_STEPS if step <= SETTLED else 2 * CHECK_STEPS) and not budget.exhausted:
            continue
        found = form.better_candidate(X, Z.copy(), row_norms(U, 2) == 0)
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
    """Choose the penalties by the present lengths: shape (m,)."""
    lengths = row_norms(U, 2)
    apart = lengths > 0
    with np.errstate(divide="ignore"):
        ratios = np.clip(share / lengths, *PENALTY_RANGE)
    typical = float(np.median(ratios[apart])) if apart.any() else 1.0
    ratios[~apart] = FUSED_FACTOR * typical
    return ratios * radii
