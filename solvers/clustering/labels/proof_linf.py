"""The proof for p = inf and d > 1, where the forces are chosen on faces of the dual balls.

If a single feature k attains ||u_e||_inf, then z_e = gamma w_e s_k e_k exactly, s = sign(u_e), as
long as the feature leads by more than the error of u_e. If several features tie, z_e lies on a face
(module `ties`), and the change of the forces from X to X_M is a change of the multipliers on the
faces. Such a change exists because the imbalance at X_M is orthogonal to M, so in the range of the
ties. It is at most imbalance / sigma, where sigma bounds the smallest singular value of the ties.
It stays on the faces if the edges of each tied pair of blocks together have multipliers at least as
large on every tied feature. Parallel edges share the change in proportion to their multipliers.

Ties couple blocks, and the blocks of a component of tied pairs are proved together or not at all. A
component with more than `LARGEST` features times blocks is not proved; its centroids are proved
apart by the duality gap only.
"""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.labels.active_set import ActiveSet
from bilad.solvers.clustering.labels.contracted_problem import aggregate_edges
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.proof import ROUNDOFF, Restriction
from bilad.solvers.clustering.labels.ties import (
    TiedPairs,
    TieSystem,
    central_multipliers,
    factorise_ties,
)

LARGEST = 1500  # rows of a matrix that is factorised densely
TOWARDS_CENTRE = 1e-3  # step towards the central multipliers


class PolyhedralRestriction(Restriction):
    """X is constant on the blocks and satisfies the ties, and Z lies on the faces.

    Parameters
    ----------
    model : ConvexClustering
    X, Z : ndarray, shapes (n, d) and (m, d)
    candidate : ActiveSet
        The blocks, and the rule by which features are taken as tied.
    deadline : float
        Value of `time.perf_counter()` after which no more ties are factorised.
    """

    def __init__(
        self,
        model: ConvexClustering,
        X: FloatArray,
        Z: FloatArray,
        candidate: ActiveSet,
        deadline: float = float("inf"),
    ) -> None:
        self.model, self.blocks, self.own = model, candidate.blocks, Z
        self.centroids = block_means(X, self.blocks)
        self.masses = np.bincount(self.blocks).astype(float)
        pairs = aggregate_edges(*model.graph.ends, model.radii, self.blocks)
        self.between, self.pair = pairs.between, pairs.pair
        self.ends = np.column_stack([pairs.tails, pairs.heads])
        self.direction, self.capacities = pairs.signs, pairs.weights
        self._find_ties(Z, candidate)
        self.Z = Z.copy()
        self.Z[self.between] = self._on_faces(Z[self.between])
        self._factorise_ties(deadline)
        for system in self.systems:
            self.centroids[system.members] = system.project(self.centroids[system.members])
        self._settle()

    def _settle(self) -> None:
        self._balance_ties()
        self._centre()
        self.offset = self._distance_from_manifold()

    def polish(self, deadline: float) -> bool:
        """Move the multipliers of ties by a small step towards the middle of their faces.

        A small step is enough to make all of them positive, and hardly changes the flow inside
        blocks.
        """
        if not self.systems:
            return False
        ties = TiedPairs(self.ends, self.tied, self.signs, self._multipliers())
        sums = self.masses[:, None] * self._mean_residual()
        shares = self._magnitudes()
        for system in self.systems:
            if time.perf_counter() >= deadline:
                break
            multipliers = central_multipliers(ties, system, sums[system.members])
            if multipliers is None:  # an optional step
                continue
            chosen = np.isin(self.pair, system.pairs)
            place = np.searchsorted(system.pairs, self.pair[chosen])
            total = multipliers.sum(axis=1)
            radii = self.model.radii[self.between][chosen]
            central = (radii / total[place])[:, None] * multipliers[place]
            shares[chosen] += TOWARDS_CENTRE * (central - shares[chosen])
        self.Z[self.between] = self.direction * self.signs[self.pair] * shares
        self._settle()
        return True

    def _find_ties(self, Z: FloatArray, candidate: ActiveSet) -> None:
        """Choose the tied features of each pair."""
        U = self.centroids[self.ends[:, 0]] - self.centroids[self.ends[:, 1]]
        magnitude = np.abs(U)
        self.signs = np.where(U < 0, -1.0, 1.0)
        lag = magnitude.max(axis=1, keepdims=True, initial=0.0) - magnitude
        flow = np.zeros(U.shape)
        np.add.at(flow, self.pair, self.direction * Z[self.between])
        used = np.maximum(self.signs * flow, 0.0)
        self.tied = candidate.vanishing(lag, used, self.capacities[:, None])

    def _factorise_ties(self, deadline: float) -> None:
        """Factorise the ties of each component of blocks that are coupled by ties."""
        several = np.flatnonzero(np.count_nonzero(self.tied, axis=1) > 1)
        K, d = self.centroids.shape
        links = sp.coo_array((np.ones(len(several)), tuple(self.ends[several].T)), shape=(K, K))
        self.component = connected_components(links, directed=False)[1]
        self.systems: list[TieSystem] = []
        self.left_out = False  # whether some ties were not factorised, by size or time
        of_pair = self.component[self.ends[several, 0]]
        by_component = np.argsort(self.component, kind="stable")
        starts = np.searchsorted(self.component[by_component], np.arange(K + 1))
        ties = TiedPairs(self.ends, self.tied, self.signs, self._multipliers())
        for component in np.unique(of_pair):
            members = by_component[starts[component] : starts[component + 1]]
            if len(members) * d > LARGEST or time.perf_counter() >= deadline:
                self.left_out = True
                continue
            pairs = several[of_pair == component]
            self.systems.append(factorise_ties(ties, members, pairs, self.masses[members]))

    def _on_faces(self, Z: FloatArray) -> FloatArray:
        """Return the flows between blocks, projected on the faces of their pairs."""
        signs = self.direction * self.signs[self.pair]
        shares = _project_on_simplices(
            signs * Z, self.tied[self.pair], self.model.radii[self.between]
        )
        return signs * shares

    def _magnitudes(self) -> FloatArray:
        """Return |z| of each edge between blocks; the rows sum to the capacities."""
        return np.abs(self.Z[self.between])

    def _multipliers(self) -> FloatArray:
        """Return the sums of |z| over the edges of each pair: shape (P, d)."""
        multipliers = np.zeros(self.tied.shape)
        np.add.at(multipliers, self.pair, self._magnitudes())
        return multipliers

    def _mean_residual(self) -> FloatArray:
        G = self.X - self.model.data + self.model.graph.adjoint(self.Z)
        return block_means(G, self.blocks)

    def _balance_ties(self) -> None:
        """Change the multipliers of the ties, within the faces, to balance the blocks."""
        if not self.systems:
            return
        sums = self.masses[:, None] * self._mean_residual()
        change = np.zeros(self.tied.shape)
        for system in self.systems:
            delta = system.balance(sums[system.members])
            pair, first, second = system.columns.T
            np.add.at(change, (pair, first), delta)
            np.add.at(change, (pair, second), -delta)
        multipliers, shares = self._multipliers(), self._magnitudes()
        with np.errstate(divide="ignore", invalid="ignore"):
            loss = np.where(change < 0, np.minimum(1.0, -change / multipliers), 0.0)
            gain = np.maximum(change, 0.0)
            gain = np.nan_to_num(gain / gain.sum(axis=1, keepdims=True))
        lost = shares * np.nan_to_num(loss)[self.pair]
        shares = shares - lost + lost.sum(axis=1, keepdims=True) * gain[self.pair]
        self.Z[self.between] = self.direction * self.signs[self.pair] * shares

    def _centre(self) -> None:
        """Move X to the minimiser on M, where the objective is quadratic with Hessian I."""
        centroids = self.centroids - self._tangent(self._mean_residual())
        for system in self.systems:  # removes the rounding error of the subtraction
            centroids[system.members] = system.project(centroids[system.members])
        self.centroids = centroids

    def _tangent(self, means: FloatArray) -> FloatArray:
        """Return the projection on M of a block-constant matrix, by block: shape (K, d)."""
        result = means.copy()
        for system in self.systems:
            result[system.members] = system.project(means[system.members])
        return result

    def _lead(self) -> FloatArray:
        """Return by how much the tied features of each pair exceed the other ones: shape (P,)."""
        U = self.centroids[self.ends[:, 0]] - self.centroids[self.ends[:, 1]]
        least = np.where(self.tied, self.signs * U, np.inf).min(axis=1, initial=np.inf)
        others = np.where(self.tied, 0.0, np.abs(U)).max(axis=1, initial=0.0)
        return least - others - 4 * ROUNDOFF * np.abs(U).max(axis=1, initial=0.0)

    def _distance_from_manifold(self) -> float:
        """Bound the distance; inf if Z may not be a subgradient at the nearest point of M."""
        if self.left_out:
            return float("inf")
        distances = [system.distance(self.centroids[system.members]) for system in self.systems]
        total = float(np.linalg.norm(distances))
        return total if self._leads(total).all() else float("inf")

    def _leads(self, error: float) -> NDArray[np.bool_]:
        """Return whether the same features attain the norm within the error of X: shape (P,)."""
        return self._lead() > 2 * np.sqrt(2) * error

    def tangent_norm(self, means: FloatArray) -> float:
        """Return ||P_M G||_F, with a bound on the rounding error of the bases of the ties."""
        root = np.sqrt(self.masses)[:, None]
        leakage = max((system.leakage for system in self.systems), default=0.0)
        total = float(np.linalg.norm(root * means))
        hidden = leakage * total if total else 0.0
        return float(np.linalg.norm(root * self._tangent(means))) + hidden

    def force_error(
        self, error: float, central: float, imbalance: float, subgradient: float = np.inf
    ) -> FloatArray:
        """Bound the change of the forces; inf in components where no bound is known."""
        result = np.zeros(len(self.centroids))
        error = max(error, central)
        if not np.isfinite(error) or self.left_out:
            result[:] = np.inf
            return result
        multipliers = self._multipliers() * (1 - len(self.between) * 1e-15)
        for system in self.systems:
            most = imbalance / system.sigma
            pairs = np.unique(system.columns[:, 0])
            enough = multipliers[pairs] >= np.sqrt(self.tied.shape[1]) * most
            held = (enough | ~self.tied[pairs]).all()
            change = 2 * np.sqrt(len(system.columns)) * most
            result[system.members] = change if held else np.inf
        failing = self.ends[~self._leads(error)].ravel()
        result[np.isin(self.component, self.component[failing])] = np.inf
        return result


def _project_on_simplices(
    values: FloatArray, allowed: NDArray[np.bool_], totals: FloatArray
) -> FloatArray:
    """Project each row on {v >= 0, sum v = its total, v = 0 where not allowed}."""
    open_values = np.where(allowed, values, -np.inf)
    descending = -np.sort(-open_values, axis=1)
    counts = np.arange(1, values.shape[1] + 1)
    finite = np.isfinite(descending)
    levels = (np.cumsum(np.where(finite, descending, 0.0), axis=1) - totals[:, None]) / counts
    active = np.count_nonzero(finite & (descending > levels), axis=1)
    level = levels[np.arange(len(values)), np.maximum(active, 1) - 1]
    return np.where(allowed, np.maximum(values - level[:, None], 0.0), 0.0)
