"""A model as the lower-level solver works on it: centred data of unit spread, flat edge arrays.

Edges of capacity zero are left out. What is measured here (gap, KKT residual) is relative in the
data's units and in the standardised ones, whichever is worse, so that the answer scales with the
data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate
from bilad.models.validation import BoolArray, FloatArray
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.linear_systems import Edges


@dataclass(frozen=True)
class Candidate:
    """A primal-dual pair and its error, the larger of relative gap and relative KKT residual."""

    X: FloatArray
    Z: FloatArray
    gap: float
    residual: float

    @property
    def error(self) -> float:
        """What is compared with the tolerance."""
        return max(self.gap, self.residual)


class StandardForm:
    """A model in centred data of unit spread, with the edges of positive capacity only.

    Parameters
    ----------
    model : ConvexClustering
    kept : ndarray of bool, shape (edges of the graph,)
        Edges of positive capacity.
    edges : Edges
        The same.
    share : float
        Errors are relative to share + |objective| and share + ||A||: less than 1 for a part of a
        model, so that the errors of the parts add up to one of the whole.
    one : float
        The 1 of relative errors, in the unit of the model.

    Attributes
    ----------
    data : ndarray, shape (n, d)
    masses : ndarray, shape (n, 1)
        Of the points: each counts so often.
    weighted_data : ndarray, shape (n, d)
        Their product.
    edges : Edges
        Ends of the edges kept, m of them.
    radii : ndarray, shape (m,)
        Their capacities gamma w_e, positive.
    q : float
        Conjugate exponent of the model's norm.
    """

    def __init__(
        self,
        model: ConvexClustering,
        kept: BoolArray,
        edges: Edges,
        share: float,
        one: float = 1.0,
    ) -> None:
        scaled, self._centre, self._unit = model.standardised()
        one = min(1.0, one / self._unit)
        self._one = share * one, share * one**2
        self._model = model
        self._kept = kept
        self.data = np.array(scaled.data)
        self.masses = edges.masses[:, None]
        self.weighted_data = self.masses * self.data
        self.edges = edges
        self.radii = scaled.radii[self._kept]
        self.q = conjugate(model.p) if model.d > 1 else 2.0
        self._roots = np.sqrt(self.masses)
        self._norm = float(np.linalg.norm(self._roots * self.data))

    def cold_start(self) -> tuple[FloatArray, FloatArray]:
        """Return the data and no flow."""
        return self.data, np.zeros((len(self.radii), self.data.shape[1]))

    def enter(self, X: FloatArray, Z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return X and the feasible Z in standardised units, from the model's."""
        Z = self._model.project_dual(Z)[self._kept]
        return (X - self._centre) / self._unit, Z / self._unit

    def leave(self, X: FloatArray, Z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return X and the feasible Z of the model, from standardised units."""
        everywhere = np.zeros((len(self._kept), X.shape[1]))
        everywhere[self._kept] = self._unit * Z
        return self._centre + self._unit * X, self._model.project_dual(everywhere)

    def differences(self, X: FloatArray) -> FloatArray:
        """Return BX: shape (m, d)."""
        return X.take(self.edges.tails, axis=0) - X.take(self.edges.heads, axis=0)

    def adjoint(self, Z: FloatArray) -> FloatArray:
        """Return B'Z: shape (n, d)."""
        forces = np.zeros_like(self.data)
        edge_loops.adjoint(self.edges.tails, self.edges.heads, Z, forces)
        return forces

    def candidate(self, X: FloatArray, Z: FloatArray) -> Candidate:
        """Measure a primal-dual pair, Z feasible."""
        edges = self.edges
        fusion, edge_gaps, fixed_point = edge_loops.fenchel_young(
            edges.tails, edges.heads, self.radii, self.q, X, Z
        )
        misfit = self._roots * (X - self.data)
        stationarity = float(np.linalg.norm(misfit + self.adjoint(Z) / self._roots))
        primal = 0.5 * float(np.vdot(misfit, misfit)) + fusion
        gap = 0.5 * stationarity**2 + edge_gaps
        residual = max(stationarity, float(np.sqrt(fixed_point)))
        return Candidate(
            X,
            Z,
            gap / (self._one[1] + primal),
            residual / (self._one[0] + self._norm),
        )

    def better_candidate(self, X: FloatArray, Z: FloatArray, fused: BoolArray) -> Candidate:
        """Measure (X, Z), and (X averaged over the components of the fused edges, Z)."""
        plain = self.candidate(X, Z)
        blocks = self._blocks(fused)
        masses = np.bincount(blocks, self.edges.masses)
        sums = [np.bincount(blocks, column) for column in (self.masses * X).T]
        means = np.stack(sums, axis=1) / masses[:, None]
        return min(plain, self.candidate(means[blocks], Z), key=lambda pair: pair.error)

    def _blocks(self, fused: BoolArray) -> np.ndarray:
        ends = self.edges.tails[fused], self.edges.heads[fused]
        n = self.edges.n
        links = sp.coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(n, n))
        return connected_components(links, directed=False)[1]

    @cached_property
    def rounding(self) -> float:
        """Rounding error of B'Pi(Z + sigma BX), for sigma = 1: each x is off by an ulp."""
        spread = np.sqrt(2.0 * float(self.radii @ self.radii)) * float(np.abs(self.data).max())
        return 2.0 * float(np.finfo(float).eps) * spread

    @property
    def forces_rounding(self) -> float:
        """Rounding error of M (X - A) + B'Z."""
        sizes = np.linalg.norm(self.weighted_data) + np.linalg.norm(self.radii)
        return 2.0 * float(np.finfo(float).eps) * float(sizes)

    @property
    def norm(self) -> float:
        """||sqrt(M) A||_F."""
        return self._norm
