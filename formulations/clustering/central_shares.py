"""Forces on faces and flows inside blocks, p = inf, that leave each edge much room: an LP.

max rho   s.t.   y_k(i) + (B'z)_i = a_i,      y on the manifold of the ties,
z_e = r_e sum_j share_ej s_j e_j  between blocks, share >= rho where tied,
||z_e||_1 <= (1 - rho) r_e        inside them.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray


def central_shares(
    model: ConvexClustering, blocks: IntArray, signs: FloatArray, ties: FloatArray
) -> FloatArray | None:
    """Return the shares of the edges, approximately, or None if none are found.

    Parameters
    ----------
    model : ConvexClustering
    blocks : ndarray of int, shape (n,)
    signs : ndarray, shape (m, d)
        Of each edge between blocks: s on the features that lead, 0 on others; 0 inside blocks.
    ties : ndarray, shape (K d, t)
        Columns that are orthogonal to all centroids with these ties.

    Returns
    -------
    ndarray, shape (m, d)
    """
    unit = float(model.radii.max())
    radii = model.radii / unit
    inside = (signs == 0).all(axis=1)
    several = np.count_nonzero(signs, axis=1) > 1
    between = model.graph.incidence[~inside].T.tocsr()
    within = model.graph.incidence[inside].T.tocsr()
    share = cp.Variable(signs[~inside].shape, nonneg=True)
    flow, rho = cp.Variable(signs[inside].shape), cp.Variable()
    y = cp.Variable((int(blocks.max()) + 1, model.d))
    forces = cp.multiply(radii[~inside, None] * signs[~inside], share)
    own = within @ flow if inside.any() else 0.0
    tied = (signs[~inside] != 0) & several[~inside, None]
    constraints = [
        y[blocks] + between @ forces + own == model.data / unit,
        cp.sum(share, axis=1) == 1,
        share[signs[~inside] == 0] == 0,
        share[tied] >= rho,
        ties.T @ cp.vec(y, order="C") == 0,
    ]
    if inside.any():
        constraints.append(cp.norm(flow, 1, axis=1) + rho * radii[inside] <= radii[inside])
    problem = cp.Problem(cp.Maximize(rho), constraints)
    try:
        problem.solve(solver=cp.CLARABEL)
    except cp.SolverError:
        return None
    if share.value is None:
        return None
    result = np.zeros(signs.shape)
    result[~inside] = share.value
    return result
