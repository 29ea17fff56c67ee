"""The derivative of the lower-level solution X* in the data and in the weights.

Where the partition is locally constant, X* stays on a linear manifold M on which the fusion terms
are smooth. Let s_e be the gradient of ||u_e||_p there and H the Hessian of the fusion terms. Then

    dX* = J (dA - gamma B' (dw_e s_e)),     J the inverse of I + H on M, zero across M.

J is symmetric and 0 <= J <= I, so X* is nonexpansive in the data (Definition 2 with modulus 1).

    p = 1    Each feature is constant on clusters of its own, H = 0, and J averages over them.
    p = 2    X is constant on the clusters. J averages over them and multiplies the centroids by
             (N + H)^-1 N, N = diag(n_k).
    p = inf  X is constant on the clusters, and tied features move together (module `labels.ties`).
             H = 0, and J is the orthogonal projection on M.

At a breakpoint, where the partition changes, X* is not differentiable. The result is then the
derivative for the given labels; undecided pairs have the same label and are taken as fused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, svds

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import subgradient_rows
from bilad.models.validation import FloatArray, real_array
from bilad.solvers.clustering.manifold import solution_manifold
from bilad.solvers.clustering.result import Clustering

FEW = 64  # parameters up to which a modulus is computed from a dense matrix


class Derivative(ABC):
    """The linear map (dA, dw) -> dX = J (dA - gamma B' (dw_e s_e)), and its adjoint.

    Parameters
    ----------
    model : ConvexClustering
        With the data and the weights at which the derivative is taken.
    """

    def __init__(self, model: ConvexClustering) -> None:
        self.model = model

    @abstractmethod
    def apply(self, R: FloatArray) -> FloatArray:
        """Return J R, of the shape (n, d) of R; J is symmetric."""

    @cached_property
    @abstractmethod
    def forces(self) -> FloatArray:
        """s_e, the dual variable of each edge for gamma w_e = 1: shape (m, d)."""

    def times(self, dA: FloatArray, dw: FloatArray | None = None) -> FloatArray:
        """Return the directional derivative of X.

        Parameters
        ----------
        dA : ndarray, shape (n, d)
            Direction in the data.
        dw : ndarray, shape (m,), optional
            Direction in the weights, default zero.

        Returns
        -------
        ndarray, shape (n, d)
        """
        graph, gamma = self.model.graph, self.model.gamma
        R = real_array(dA, "dA", self.model.data.shape)
        if dw is not None:
            rates = real_array(dw, "dw", (graph.m,))
            R = R - gamma * graph.adjoint(rates[:, None] * self.forces)
        return self.apply(R)

    def adjoint(self, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of <V, X> in the data and in the weights.

        Parameters
        ----------
        V : ndarray, shape (n, d)

        Returns
        -------
        in_data : ndarray, shape (n, d)
            J V.
        in_weights : ndarray, shape (m,)
            -gamma <(B J V)_e, s_e>.
        """
        W = self.apply(real_array(V, "V", self.model.data.shape))
        return W, self.weights_part(W)

    def weights_part(self, W: FloatArray) -> FloatArray:
        """Return the gradient in the weights (m,) for the gradient W (n, d) in the data."""
        differences = self.model.graph.differences(W)
        return -self.model.gamma * np.einsum("ij,ij->i", differences, self.forces)

    def modulus(self, operator: sp.csr_array | None = None) -> float:
        """Return the local Lipschitz modulus of X for data A + T eps: the 2-norm of J T.

        Parameters
        ----------
        operator : sparse array, shape (n d, k), optional
            T; by default the identity: every entry of the data is free.

        Returns
        -------
        float
            At most ||T||; 1 for the identity, since all points may move alike.
        """
        n, d = self.model.data.shape
        if operator is None:
            operator = sp.eye_array(n * d, format="csr")

        def forth(eps: FloatArray) -> FloatArray:
            return self.apply(np.asarray(operator @ eps).reshape(n, d)).ravel()

        k = operator.shape[1]
        if k <= FEW:
            return float(np.linalg.norm(np.stack([forth(e) for e in np.eye(k)], axis=1), ord=2))

        def back(V: FloatArray) -> FloatArray:
            return np.asarray(operator.T @ self.apply(V.reshape(n, d)).ravel())

        map_ = LinearOperator((n * d, k), matvec=forth, rmatvec=back, dtype=np.float64)
        start = np.random.default_rng(0).normal(size=min(n * d, k))
        return float(svds(map_, k=1, v0=start, return_singular_vectors=False)[0])


class SolutionDerivative(Derivative):
    """The derivative of X* at a solution.

    Parameters
    ----------
    clustering : Clustering
        Its labels determine M, for p = inf together with X and Z. The accuracy of X determines the
        accuracy of H.

    Attributes
    ----------
    model : ConvexClustering
        The model of the clustering.
    X : ndarray, shape (n, d)
        The solution, projected on M.
    """

    def __init__(self, clustering: Clustering) -> None:
        super().__init__(clustering.model)
        self._manifold = solution_manifold(clustering)
        self.X = self._manifold.X

    def apply(self, R: FloatArray) -> FloatArray:
        """Return J R, of the shape (n, d) of R; J is symmetric."""
        return self._manifold.apply(R)

    @cached_property
    def forces(self) -> FloatArray:
        """s_e, the gradient of ||u_e||_p on M, zero inside clusters: shape (m, d)."""
        return subgradient_rows(self.model.graph.differences(self.X), self.model.p)
