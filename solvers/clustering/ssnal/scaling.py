"""The scaled problem on which SSNAL works: centred data of unit spread, and flat edge arrays.

Edges of capacity zero are left out. Errors (relative gap, relative KKT residual) are relative to
the size of the problem in the units of the data or in scaled units, whichever is smaller, so that
the accuracy does not depend on the units of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate
from bilad.models.validation import BoolArray, FloatArray
from bilad.solvers.clustering.labels.components import components
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.linear_systems import Edges


@dataclass(frozen=True)
class PrimalDualPair:
    """A primal point X, a dual point Z, and their relative gap and relative KKT residual."""

    X: FloatArray
    Z: FloatArray
    gap: float
    residual: float

    @property
    def error(self) -> float:
        """The larger of the two errors, which is compared with the tolerance."""
        return max(self.gap, self.residual)


class ScaledProblem:
    """A model in centred data of unit spread, with the edges of positive capacity only.

    Parameters
    ----------
    model : ConvexClustering
    positive : ndarray of bool, shape (edges of the graph,)
        Which edges have positive capacity.
    edges : Edges
        The ends of these edges.
    share : float, default 1
        Share of the model's errors that this problem may have: less than 1 for a part of a model,
        so that the errors of the parts add up to those of the whole.
    reference : float, default 1
        Relative errors are divided by reference + ||A||, or by reference^2 + |objective|, in the
        unit of the model.

    Attributes
    ----------
    centre : ndarray, shape (d,)
    unit : float
        The data of the model are centre + unit * data.
    data : ndarray, shape (n, d)
    edges : Edges
        m edges.
    radii : ndarray, shape (m,)
        Their capacities gamma w_e in scaled units, positive.
    q : float
        Conjugate exponent of the model's norm.
    norm : float
        ||A||_F for the scaled data A.
    """

    def __init__(
        self,
        model: ConvexClustering,
        positive: BoolArray,
        edges: Edges,
        share: float = 1.0,
        reference: float = 1.0,
    ) -> None:
        scaled, self.centre, self.unit = model.standardised()
        reference = min(1.0, reference / self.unit)
        self._references = share * reference, share * reference**2
        self._model = model
        self._positive = positive
        self.data = np.array(scaled.data)
        self.edges = edges
        self.radii = scaled.radii[positive]
        self.q = conjugate(model.p) if model.d > 1 else 2.0
        self.norm = float(np.linalg.norm(self.data))

    def cold_start(self) -> tuple[FloatArray, FloatArray]:
        """Return X = A and Z = 0."""
        return self.data, np.zeros((len(self.radii), self.data.shape[1]))

    def enter(self, X: FloatArray, Z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Convert X and Z of the model to scaled units, with Z projected to be feasible."""
        Z = self._model.project_dual(Z)[self._positive]
        return (X - self.centre) / self.unit, Z / self.unit

    def leave(self, X: FloatArray, Z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Convert X and Z to the units of the model, with Z projected to be feasible."""
        everywhere = np.zeros((len(self._positive), X.shape[1]))
        everywhere[self._positive] = self.unit * Z
        return self.centre + self.unit * X, self._model.project_dual(everywhere)

    def differences(self, X: FloatArray) -> FloatArray:
        """Return BX: shape (m, d)."""
        return X.take(self.edges.tails, axis=0) - X.take(self.edges.heads, axis=0)

    def adjoint(self, Z: FloatArray) -> FloatArray:
        """Return B'Z: shape (n, d)."""
        forces = np.zeros_like(self.data)
        edge_loops.adjoint(self.edges.tails, self.edges.heads, Z, forces)
        return forces

    def measure(self, X: FloatArray, Z: FloatArray) -> PrimalDualPair:
        """Compute the errors of X and a feasible Z."""
        edges = self.edges
        fusion, edge_gaps, fixed_point = edge_loops.fenchel_young(
            edges.tails, edges.heads, self.radii, self.q, X, Z
        )
        misfit = X - self.data
        stationarity = float(np.linalg.norm(misfit + self.adjoint(Z)))
        primal = 0.5 * float(np.vdot(misfit, misfit)) + fusion
        gap = 0.5 * stationarity**2 + edge_gaps
        residual = max(stationarity, float(np.sqrt(fixed_point)))
        linear, square = self._references
        return PrimalDualPair(X, Z, gap / (square + primal), residual / (linear + self.norm))

    def better_pair(self, X: FloatArray, Z: FloatArray, fused: BoolArray) -> PrimalDualPair:
        """Return (X, Z), or (X averaged over the components of the fused edges, Z) if better."""
        plain = self.measure(X, Z)
        blocks = components(self.edges.tails, self.edges.heads, fused, self.edges.n)
        means = block_means(X, blocks)
        return min(plain, self.measure(means[blocks], Z), key=lambda pair: pair.error)

    @cached_property
    def rounding(self) -> float:
        """Bound on the rounding error of B'Pi(Z + sigma BX) for sigma_e = gamma w_e."""
        spread = np.sqrt(2.0 * float(self.radii @ self.radii)) * float(np.abs(self.data).max())
        return 2.0 * float(np.finfo(float).eps) * spread

    @property
    def forces_rounding(self) -> float:
        """Bound on the rounding error of X - A + B'Z."""
        sizes = np.linalg.norm(self.data) + np.linalg.norm(self.radii)
        return 2.0 * float(np.finfo(float).eps) * float(sizes)
