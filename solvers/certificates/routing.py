"""Routing: a flow inside blocks that balances given forces and leaves capacity unused.

Used to prove that a block is one cluster: contract the clusters, and exhibit a feasible Z inside
each. A solver's own Z may fill edges to the brim although another flow would not.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import project_rows
from bilad.models.validation import FloatArray, IntArray

SPARED_CAPACITY = 1e-3  # share of each edge's capacity that the flow tries to leave unused
ROUNDS = 500
STALL_ROUNDS, STALLED = 50, 0.99  # give up if so many rounds leave so much of the missing flow
BALANCED = 1e-10  # missing flow at a point, relative to the largest capacity, that ends the rounds


def block_means(values: FloatArray, blocks: IntArray) -> FloatArray:
    """Return the mean of the rows of each block: shape (K, d)."""
    sums = np.stack([np.bincount(blocks, column) for column in values.T], axis=1)
    return sums / np.bincount(blocks)[:, None]


def reroute(model: ConvexClustering, X: FloatArray, Z: FloatArray, blocks: IntArray) -> FloatArray:
    """Alternate between the balanced flows and the balls, shrunk, of the edges inside blocks.

    Parameters
    ----------
    model : ConvexClustering
    X : ndarray, shape (n, d)
        Constant on each block.
    Z : ndarray, shape (m, d)
        A dual-feasible flow; kept on the edges between blocks.
    blocks : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (m, d)
        Dual feasible; the nearer to balance, the better for the proof, but nothing is promised.
    """
    graph = model.graph
    inside = (blocks[graph.edges[:, 0]] == blocks[graph.edges[:, 1]]) & (model.radii > 0)
    conductance = np.where(inside, model.radii, 0.0)
    laplacian = graph.incidence.T @ sp.diags_array(conductance) @ graph.incidence
    ground = np.zeros(graph.n)
    ground[np.unique(blocks, return_index=True)[1]] = model.radii.max(initial=0.0) or 1.0
    factor = splu((laplacian + sp.diags_array(ground)).tocsc())
    radii = np.where(inside, (1 - SPARED_CAPACITY) * model.radii, model.radii)
    before = np.inf
    for done in range(ROUNDS):
        residual = X - model.data + graph.adjoint(Z)
        missing = residual - block_means(residual, blocks)[blocks]
        worst = float(np.abs(missing).max())
        if worst <= BALANCED * model.radii.max(initial=0.0):
            break
        if done and done % STALL_ROUNDS == 0:
            if worst > STALLED * before:
                break  # the sets do not meet: there is no such flow
            before = worst
        Z = Z - conductance[:, None] * graph.differences(factor.solve(missing))
        Z = project_rows(Z, radii, 2)
    return Z
