"""The flow inside a block that leaves each edge the most room for what may come: an LP or SOCP.

    max rho   s.t.   B'z = demand,   ||z_e||_q + rho growth_e <= r_e

linear for q = 1 and q = inf, second-order cones for q = 2.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from bilad.models.validation import FloatArray


def max_slack_flow(
    B: sp.csr_array, demand: FloatArray, radii: FloatArray, growth: FloatArray, q: float
) -> FloatArray | None:
    """Return z, approximately, or None if no flow is found.

    Parameters
    ----------
    B : sparse array, shape (m, n)
        Incidence of a connected graph.
    demand : ndarray, shape (n, d)
        Columns that sum to zero.
    radii, growth : ndarray, shape (m,)
        Capacities, and what each unit of rho takes of them; not all zero.
    q : {1, 2, inf}
    """
    unit = float(radii.max())
    z, rho = cp.Variable((len(radii), demand.shape[1])), cp.Variable()
    lengths = cp.norm(z, q, axis=1)
    scale = float(growth.max()) / unit
    room = lengths + rho * (growth / scale) / unit <= radii / unit
    # One point's balance follows from the others'.
    balance = (B.T.tocsr() @ z)[1:] == demand[1:] / unit
    problem = cp.Problem(cp.Maximize(rho), [room, balance])
    try:
        problem.solve(solver=cp.CLARABEL)
    except cp.SolverError:
        return None
    return None if z.value is None else unit * np.asarray(z.value)
