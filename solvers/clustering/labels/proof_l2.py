"""The proof for p = 2, or d = 1, where the centroids determine the forces between blocks.

M is the set of X constant on the blocks. Between blocks z_e = gamma w_e u_e / ||u_e||. If u_e is
known up to an error, its direction is known up to 2 error / ||u_e||. For d = 1 the direction is a
sign, which is either known exactly or not at all.

A second bound does not deteriorate where two blocks are close. Let g be a subgradient at X, or its
projection on M, and let Y be the minimiser, on M in the second case. Strong convexity and the
monotonicity of the subdifferentials give

    ||X - Y||^2 + sum_e <z_e - z_e*, u_e - u_e*> <= ||g|| ||X - Y||,

so that the sum is at most ||g||^2 / 4. An edge of capacity r contributes
r (||u|| + ||u*||) ||z - z*||^2 / (2 r^2), so that ||z - z*|| <= ||g|| sqrt(r / (2 ||u||)), also if
u* = 0; and by the inequality of Cauchy and Schwarz the changes of several edges add up to at most
||g|| sqrt(sum_e r_e / (2 ||u_e||)).
"""

from __future__ import annotations

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.flow_loops import turned_forces
from bilad.solvers.clustering.labels.proof import ROUNDOFF, Restriction


class EuclideanRestriction(Restriction):
    """X is constant on the blocks, and Z has the direction of its differences between blocks."""

    def __init__(
        self, model: ConvexClustering, X: FloatArray, Z: FloatArray, blocks: IntArray
    ) -> None:
        self.model, self.blocks, self.own = model, blocks, Z
        self.centroids = block_means(X, blocks)
        self.Z = self._aligned(Z)
        if model.d == 1:
            self._centre()

    def polish(self, deadline: float) -> bool:
        """Solve the contracted problem to rounding accuracy; return whether that was tried."""
        if self.model.d == 1 or len(self.centroids) == 1:
            return False
        problem = ContractedProblem.of(self.model, self.blocks)
        if not problem.small:
            return False
        self.centroids = problem.polished(self.centroids, deadline)
        self.Z = self._aligned(self.Z)
        return True

    def _aligned(self, Z: FloatArray) -> FloatArray:
        """Return Z, replaced by gamma w_e u_e / ||u_e|| where u_e is not zero."""
        U = self.model.graph.differences(self.X)
        lengths = row_norms(U, 2)
        between = lengths > 0
        result = Z.copy()
        result[between] = (self.model.radii[between] / lengths[between])[:, None] * U[between]
        return result

    def _centre(self) -> None:
        """Move X to the minimiser on M if that does not change the order of the blocks."""
        G = self.X - self.model.data + self.model.graph.adjoint(self.Z)
        centroids = self.centroids - block_means(G, self.blocks)
        order = np.argsort(self.centroids[:, 0])
        if (np.diff(centroids[order, 0]) > 0).all() and (
            np.diff(self.centroids[order, 0]) > 0
        ).all():
            self.centroids = centroids

    def tangent_norm(self, means: FloatArray) -> float:
        """Return ||P_M G||_F: P_M takes the mean on each block."""
        return float(np.linalg.norm(np.sqrt(np.bincount(self.blocks))[:, None] * means))

    def force_error(
        self, error: float, central: float, imbalance: float, subgradient: float = np.inf
    ) -> FloatArray:
        """Bound the change of the forces; each u_e is known up to sqrt(2) times the error."""
        centroids = np.stack([self.centroids, np.zeros_like(self.centroids)])
        graph, error = self.model.graph, np.sqrt(2) * error * (1 + 4 * ROUNDOFF)
        return turned_forces(
            *graph.ends, self.model.radii, self.blocks, centroids, subgradient, error
        )
