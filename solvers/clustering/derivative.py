"""The derivative of the lower level's solution in the data and the weights.

Where the partition is constant, X* stays on a linear manifold M, and the fusion terms are smooth
on it. With s_e the gradient of ||u_e||_p there and H the Hessian of the fusion terms,

    dX* = J (dA - gamma B' (dw_e s_e)),     J the inverse of I + H on M, zero across M.

J is symmetric and 0 <= J <= I: X* is nonexpansive in the data (paper, Definition 2, modulus 1).

    p = 1    M: each feature constant on clusters of its own. H = 0: J averages over them.
    p = 2    M: constant on clusters. J averages, then takes (N + H)^-1 N on the centroids,
             N = diag(n_k).
    p = inf  M: constant on clusters, and tied features move together (module `ties` of the
             certificates). H = 0: J is the orthogonal projector on M.

At a step of the staircase X* has no derivative; this is then that of the piece with the labels
given. Undecided pairs are labelled together, and so taken for fused.
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

FEW = 64  # parameters up to which a modulus is the norm of a dense matrix


class Derivative(ABC):
    """The linear map (dA, dw) -> dX = J (dA - gamma B' (dw_e s_e)), and its adjoint.

    Parameters
    ----------
    model : ConvexClustering
        With the data and the weights at which it is the derivative.
    """

    def __init__(self, model: ConvexClustering) -> None:
        self.model = model

    @abstractmethod
    def apply(self, R: FloatArray) -> FloatArray:
        """Return J R, of the shape (n, d) of R; J is symmetric."""

    @cached_property
    @abstractmethod
    def forces(self) -> FloatArray:
        """s_e, the force of each edge for gamma w_e = 1: shape (m, d)."""

    def times(self, dA: FloatArray, dw: FloatArray | None = None) -> FloatArray:
        """Return the change of X.

        Parameters
        ----------
        dA : ndarray, shape (n, d)
            Change of the data.
        dw : ndarray, shape (m,), optional
            Change of the weights; none by default.

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
        data_part : ndarray, shape (n, d)
            J V.
        weights_part : ndarray, shape (m,)
            -gamma <(B J V)_e, s_e>.
        """
        W = self.apply(real_array(V, "V", self.model.data.shape))
        return W, self.weights_part(W)

    def weights_part(self, W: FloatArray) -> FloatArray:
        """Return the gradient in the weights, (m,), from that in the data, (n, d)."""
        differences = self.model.graph.differences(W)
        return -self.model.gamma * np.einsum("ij,ij->i", differences, self.forces)

    def modulus(self, operator: sp.csr_array | None = None) -> float:
        """Return the local Lipschitz modulus of X for data A + T eps: the 2-norm of J T.

        Parameters
        ----------
        operator : sparse array, shape (n d, k), optional
            T; by default the identity, every entry of the data free.

        Returns
        -------
        float
            At most ||T||. With T the identity it is 1: all points may move alike.
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
    """The derivative of X*, at a solution.

    Parameters
    ----------
    clustering : Clustering
        The more accurate it is, the more accurate is H; M follows from its labels, for p = inf
        also from its X and Z.

    Attributes
    ----------
    model : ConvexClustering
        That of the clustering.
    X : ndarray, shape (n, d)
        Its solution, moved onto M.
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
        """s_e, the gradient of ||u_e||_p on M: shape (m, d); zero inside clusters."""
        return subgradient_rows(self.model.graph.differences(self.X), self.model.p)
