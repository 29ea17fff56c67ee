"""Flows with maximal slack in the edge capacities: an LP for q = 1, inf, an SOCP for q = 2."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from bilad.models.validation import FloatArray


def max_slack_flow(
    B: sp.csr_array, demand: FloatArray, radii: FloatArray, growth: FloatArray, q: float
) -> FloatArray | None:
    """Return a flow z that leaves the largest multiple of `growth` unused on all edges.

    It solves, approximately,

        max_{z, rho} rho   s.t.   B'z = demand,   ||z_e||_q + rho growth_e <= r_e.

    Parameters
    ----------
    B : sparse array, shape (m, n)
        Incidence matrix of a connected graph.
    demand : ndarray, shape (n, d)
        The columns sum to 0.
    radii : ndarray, shape (m,)
        The capacities r.
    growth : ndarray, shape (m,)
        The weights of the slack; not all zero.
    q : {1, 2, inf}

    Returns
    -------
    ndarray, shape (m, d), or None
        None if the solver does not find a flow.
    """
    unit = float(radii.max())
    z, rho = cp.Variable((len(radii), demand.shape[1])), cp.Variable()
    lengths = cp.norm(z, q, axis=1)
    scale = float(growth.max()) / unit
    room = lengths + rho * (growth / scale) / unit <= radii / unit
    # The balance at one point is redundant, because the columns of B' and of the demand sum to 0.
    balance = (B.T.tocsr() @ z)[1:] == demand[1:] / unit
    problem = cp.Problem(cp.Maximize(rho), [room, balance])
    try:
        problem.solve(solver=cp.CLARABEL)
    except cp.SolverError:
        return None
    return None if z.value is None else unit * np.asarray(z.value)
