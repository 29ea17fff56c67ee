"""The contracted problem, p = 2: blocks as single points, solved to the last digits.

    min_y  1/2 sum_k n_k ||y_k - abar_k||^2 + sum_{k<l} r_kl ||y_k - y_l||,    r_kl = gamma w^(k,l)

Where all y_k differ the objective is smooth, and Newton's method started from a solver's centroids
needs a few steps. The forces between blocks are then known as well as rounding allows, although
the solver stopped earlier.
"""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.flow import block_means

STEPS, HALVINGS = 20, 8
# Newton's matrix is factorised up to this many rows, and this many entries if it is sparse.
MOST_ROWS, MOST_ENTRIES, DENSE_ROWS = 30_000, 1_000_000, 1_000


class ContractedProblem:
    """The problem of the blocks' centroids."""

    def __init__(self, model: ConvexClustering, blocks: IntArray) -> None:
        self.d = model.d
        self.masses = np.bincount(blocks).astype(float)[:, None]
        self.means = block_means(model.data, blocks)
        K = len(self.masses)
        ends = np.sort(blocks[model.graph.edges], axis=1)
        between = (ends[:, 0] != ends[:, 1]) & (model.radii > 0)
        keys, pair = np.unique(ends[between] @ [K, 1], return_inverse=True)
        self.radii = np.bincount(pair, model.radii[between], len(keys))
        self.heads, self.tails = np.divmod(keys, K)
        rows = np.arange(len(keys))
        signs = np.repeat([1.0, -1.0], len(keys))
        places = (np.tile(rows, 2), np.concatenate([self.heads, self.tails]))
        self.B = sp.csr_array((signs, places), shape=(len(keys), K))

    @property
    def small(self) -> bool:
        """Whether there is a Newton matrix, and one cheap to factorise."""
        rows, entries = self.means.size, 2 * len(self.radii) * self.d**2
        if entries == 0:
            return False
        return rows <= DENSE_ROWS or (rows <= MOST_ROWS and entries <= min(MOST_ENTRIES, 50 * rows))

    def gradient(self, y: FloatArray) -> FloatArray:
        """Return the gradient at distinct centroids: shape (K, d)."""
        U = y[self.heads] - y[self.tails]
        pull = self.radii[:, None] * U / np.linalg.norm(U, axis=1, keepdims=True)
        return self.masses * (y - self.means) + self.B.T @ pull

    def newton_step(self, y: FloatArray) -> FloatArray:
        """Return the step -H^-1 gradient: shape (K, d)."""
        U = y[self.heads] - y[self.tails]
        lengths = np.linalg.norm(U, axis=1)
        unit = U / lengths[:, None]
        curvature = np.eye(self.d) - unit[:, :, None] * unit[:, None, :]
        curvature *= (self.radii / lengths)[:, None, None]
        P = len(lengths)
        diagonal = sp.bsr_array((curvature, np.arange(P), np.arange(P + 1)))
        B = sp.kron(self.B, sp.eye_array(self.d), format="csr")
        H = B.T @ (diagonal.tocsr() @ B) + sp.diags_array(np.repeat(self.masses[:, 0], self.d))
        gradient = self.gradient(y).ravel()
        if H.shape[0] <= DENSE_ROWS:
            return -np.linalg.solve(H.toarray(), gradient).reshape(y.shape)
        return -splu(H.tocsc()).solve(gradient).reshape(y.shape)

    def polished(self, y: FloatArray, deadline: float = float("inf")) -> FloatArray:
        """Return centroids with a smaller gradient, if Newton's method finds any.

        Parameters
        ----------
        y : ndarray, shape (K, d)
        deadline : float, default inf
            Value of `time.perf_counter()` after which no step is begun.
        """

        def size(y: FloatArray) -> float:
            distinct = (y[self.heads] != y[self.tails]).any(axis=1).all()
            return float(np.linalg.norm(self.gradient(y))) if distinct else np.inf

        before = size(y)
        for _ in range(STEPS if np.isfinite(before) and before else 0):
            if time.perf_counter() >= deadline:
                return y
            try:
                step = self.newton_step(y)
            except (np.linalg.LinAlgError, RuntimeError):  # singular to rounding: blocks meet
                return y
            for _ in range(HALVINGS):
                after = size(y + step)
                if after < before:
                    break
                step = 0.5 * step
            else:
                return y
            y, improved, before = y + step, after < 0.9 * before, after
            if not improved:
                return y
        return y
