"""A feasible flow inside blocks that balances given forces and leaves capacity unused.

A block is proved to be one cluster by a feasible Z inside it. The Z of a solver may use edges to
full capacity although another feasible Z does not.
"""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import SuperLU, splu

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, project_rows, row_norms
from bilad.models.validation import FloatArray, IntArray

SPARED_CAPACITIES = (1e-3, 1e-5)  # shares of the capacities to leave unused, one attempt for each
LEAST_CONDUCTANCE, FIRST_ROUNDS = 1e-9, 2
LEAK = 1e-13  # relative conductance to the ground, since a block may be hardly connected
ROUNDS = 500
STALL_ROUNDS, STALLED = 50, 0.99  # end if this number of rounds leaves this share
BALANCED = 1e-10  # imbalance at a point, relative to the largest capacity, that ends the rounds
# Flows on more edges are not changed; the rounds process at most MOST_WORK numbers in total.
MOST_EDGES, MOST_WORK = 200_000, 10_000_000


def block_sums(values: FloatArray, blocks: IntArray, count: int = 0) -> FloatArray:
    """Return the sum of the rows of each block 0..K-1, K at least `count`: shape (K, d)."""
    columns = [np.bincount(blocks, column, count) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


def block_means(values: FloatArray, blocks: IntArray) -> FloatArray:
    """Return the mean of the rows of each block: shape (K, d)."""
    return block_sums(values, blocks) / np.bincount(blocks)[:, None]


def balance_flow(
    model: ConvexClustering,
    X: FloatArray,
    Z: FloatArray,
    blocks: IntArray,
    settled: NDArray[np.bool_] | None = None,
    spared: float = SPARED_CAPACITIES[0],
    deadline: float = float("inf"),
) -> FloatArray:
    """Reduce the imbalance of a flow inside blocks, without violating the capacities.

    Parameters
    ----------
    model : ConvexClustering
    X : ndarray, shape (n, d)
        Constant on each block.
    Z : ndarray, shape (m, d)
        A dual-feasible flow; unchanged on the edges between blocks.
    blocks : ndarray of int, shape (n,)
    settled : ndarray of bool, shape (K,), optional
        Blocks whose flow is not changed either.
    spared : float
        Share of each capacity that should stay unused.
    deadline : float, default inf
        Value of `time.perf_counter()` after which no round is begun.

    Returns
    -------
    ndarray, shape (m, d)
        Dual feasible. The remaining imbalance is not bounded; the proof measures it.
    """
    graph = model.graph
    i, j = graph.edges.T
    inside = (blocks[i] == blocks[j]) & (model.radii > 0)
    if settled is not None:
        inside &= ~settled[blocks[i]]
    chosen = np.flatnonzero(inside)
    if not 0 < len(chosen) <= MOST_EDGES:
        return Z
    result = Z.copy()
    result[chosen] = 0.0
    points = np.unique(graph.edges[chosen])
    _, inner = np.unique(blocks[points], return_inverse=True)
    demand = (X - model.data + graph.adjoint(result))[points]
    demand -= block_means(demand, inner)[inner]
    result[chosen] = _balanced_flow(
        graph.incidence[chosen][:, points].tocsr(),
        demand,
        Z[chosen],
        model.radii[chosen],
        inner,
        conjugate(model.p),
        spared,
        deadline,
    )
    return result


def _balanced_flow(
    B: sp.csr_array,
    demand: FloatArray,
    Z: FloatArray,
    radii: FloatArray,
    blocks: IntArray,
    q: float,
    spared: float,
    deadline: float,
) -> FloatArray:
    """Return feasible Z with demand + B'Z small, starting from Z.

    The first rounds add an electrical flow whose conductances are the unused capacities, which is
    enough for a small imbalance. The other rounds are alternating projections on the flows that
    meet the demand and on the capacities reduced by `spared`.
    """
    transpose = B.T.tocsr()
    ground = np.zeros(B.shape[1])  # one point of each block, which makes the Laplacian regular
    ground[np.unique(blocks, return_index=True)[1]] = radii.max()

    def factorised(conductance: FloatArray) -> SuperLU | None:
        laplacian = transpose @ sp.diags_array(conductance) @ B
        grounded = ground + LEAK * laplacian.diagonal()
        try:
            return splu((laplacian + sp.diags_array(grounded)).tocsc())
        except RuntimeError:  # singular to rounding: capacities of many magnitudes
            return None

    unused = np.maximum(radii - row_norms(Z, q), LEAST_CONDUCTANCE * radii)
    factor = factorised(unused)
    if factor is None:
        return Z
    for _ in range(FIRST_ROUNDS):
        Z = Z - unused[:, None] * (B @ factor.solve(demand + transpose @ Z))
        Z = project_rows(Z, radii, q)
    if np.abs(demand + transpose @ Z).max() <= BALANCED * radii.max():
        return Z

    factor = factorised(radii)
    if factor is None:
        return Z
    work = Z.shape[1] * (2 * len(radii) + factor.nnz)
    shrunk = (1 - spared) * radii
    before = np.inf
    for done in range(min(ROUNDS, max(1, MOST_WORK // work))):
        missing = demand + transpose @ Z
        worst = float(np.abs(missing).max())
        if worst <= BALANCED * radii.max() or time.perf_counter() >= deadline:
            break
        if done and done % STALL_ROUNDS == 0:
            if worst > STALLED * before:
                break  # the two sets probably do not intersect
            before = worst
        Z = project_rows(Z - radii[:, None] * (B @ factor.solve(missing)), shrunk, q)
    return Z
