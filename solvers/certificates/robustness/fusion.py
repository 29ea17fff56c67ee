"""Together, robustly: flows inside a block that answer every eps up to some radius.

A block is one cluster iff what its members feel, less the mean, can be routed along the edges
inside it with ||z_e||_q <= gamma w_e. Let the flow follow eps by a linear rule: as currents through
conductances c_e. For each edge, z_e at eps = 0 and the worst that the rule adds within the radius
must fit in the capacity. Any flow and any conductances make a proof; good ones leave each edge the
same room. What rounding leaves unrouted can go along a spanning tree, of which an edge carries at
most half of the sum of what is missing at the points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.formulations.clustering.max_slack_flow import max_slack_flow
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF
from bilad.solvers.certificates.robustness.rule import Currents, Rule
from bilad.solvers.certificates.robustness.search import largest_radius
from bilad.solvers.certificates.robustness.structure import Structure

ROUNDS, FEW_ROUNDS = 6, 2  # of reweighting the conductances; few where a round is expensive
LEAST_SHARE = 1e-6  # of the largest conductance
CHEAP_FLOWS = 3_000  # numbers in a flow that a conic program finds in some 0.1 s
MOST_FLOWS = 20_000  # more are not found by one: currents alone, which may not fit
MOST_CURRENTS = 30_000_000  # numbers in a matrix of currents; larger blocks have no proof
CHUNK = 2_000_000  # numbers of the maps from eps to flows that are held at a time


class FusedBlock:
    """The edges inside one block, and what its points feel.

    Parameters
    ----------
    structure : Structure
    drift : Drift
    block : int
    by_program : bool, default True
        Whether flows at eps = 0 are also found by a conic program, if it is small enough.
    """

    def __init__(
        self, structure: Structure, drift: Drift, block: int, by_program: bool = True
    ) -> None:
        model = structure.model
        self.ball, self.q = drift.ball, conjugate(model.p)
        points = np.flatnonzero(structure.blocks == block)
        inside = structure.blocks[model.graph.edges] == block
        edges = np.flatnonzero(inside.all(axis=1) & (model.radii > 0))
        self.incidence = model.graph.incidence[edges][:, points].tocsr()
        self.radii, self.loss = model.radii[edges], drift.loss[edges]
        felt = (model.data - structure.forces @ structure.zeta)[points]
        self.demand = felt - felt.mean(axis=0)
        self.felt, self.felt_error = drift.felt[points], drift.felt_error[points]
        forces = structure.forces[points]
        self.pairs = np.unique(forces.nonzero()[1])
        self.forces = forces[:, self.pairs].toarray()
        self.uneven = self.forces - self.forces.mean(axis=0)
        self.weakened = structure.weakened(drift.change)[points][:, self.pairs].toarray()
        # Of what one point feels, in every norm: sums over edges, pairs and members.
        terms = model.d * (4 * model.n + model.d + 16)
        size = np.abs(model.data).max() + np.abs(felt).max()
        size += np.abs(self.forces).sum(axis=1).max(initial=0.0)
        self.rounding = ROUNDOFF * terms * float(size)
        self.terms = model.n + model.d + 16
        numbers = len(edges) * model.d
        self.by_program = by_program and numbers <= MOST_FLOWS
        self.expensive = self.by_program and numbers > CHEAP_FLOWS

    def radius(self, turns: Callable[[float], FloatArray], most: float) -> float:
        """Return a radius within which the block stays together, at most `most`.

        Parameters
        ----------
        turns : callable
            Takes a radius to bounds on the turns of all pairs of blocks, at most `most` far.
        most : float
            Larger radii are not wanted.
        """
        best = 0.0
        if not self._routable():
            return best
        conductance = self.radii
        for _ in range(FEW_ROUNDS if self.expensive else ROUNDS):
            currents = self.currents(conductance)
            strain = currents.growth
            for flow in self._flows(currents, best, turns):
                rule = self.rule(currents, flow)
                own = self._held(rule, turns, most)
                best = max(best, own)
                if best >= most:
                    return most
                strain = self._strain(rule, own, turns)
            if not strain.max(initial=0.0) > 0:
                break  # nothing moves
            relative = np.maximum(strain / strain.max(), LEAST_SHARE)
            conductance = conductance / (relative if self.by_program else np.sqrt(relative))
            conductance = np.maximum(conductance / conductance.max(), LEAST_SHARE)
        return best

    def overload(self, radius: float, turns: FloatArray) -> FloatArray | None:
        """Return by how much edges may overflow within a radius, or None if it is proved none do.

        Parameters
        ----------
        radius : float
            Finite.
        turns : ndarray
            Bounds on the turns of all pairs of blocks within it.

        Returns
        -------
        ndarray or None
            Of the rule that comes nearest, relative to the capacities; shape (m,). Infinite if the
            edges do not connect the points, or are too many.
        """
        best = np.full(len(self.radii), np.inf)
        if not self._routable():
            return best
        conductance = self.radii
        for _ in range(FEW_ROUNDS if self.expensive else ROUNDS):
            currents = self.currents(conductance)
            load = np.ones_like(best)
            for flow in self._flows(currents, radius, lambda _: turns):
                load = self.rule(currents, flow).needs(radius, turns[self.pairs]) / self.radii
                if (load <= 1).all():
                    return None
                if load.max() < best.max():
                    best = load
            relative = np.maximum(load / load.max(), LEAST_SHARE)
            conductance = conductance / (relative if self.by_program else np.sqrt(relative))
            conductance = np.maximum(conductance / conductance.max(), LEAST_SHARE)
        return best - 1

    def _routable(self) -> bool:
        """Whether the edges connect the points, and currents are not too many."""
        m, n = self.incidence.shape
        ends = self.incidence.indices.reshape(m, 2)
        links = sp.coo_array((np.ones(m), (ends[:, 0], ends[:, 1])), shape=(n, n))
        return m * n <= MOST_CURRENTS and connected_components(links, directed=False)[0] == 1

    def _held(self, rule: Rule, turns: Callable[[float], FloatArray], most: float) -> float:
        most = min(most, rule.least_radius)
        if most == 0:
            return 0.0

        def holds(radius: float) -> bool:
            return rule.holds(radius, turns(radius)[self.pairs])

        return largest_radius(holds, 1.0, most)

    def _strain(
        self, rule: Rule, radius: float, turns: Callable[[float], FloatArray]
    ) -> FloatArray:
        """Return how much of its room each edge needs: those that need much should carry less."""
        if radius == 0:
            return rule.used / self.radii
        needed = rule.currents.growth.copy()
        if radius < np.inf:
            needed += rule.currents.turning @ (turns(radius)[self.pairs] / radius)
        return needed / np.maximum(self.radii - rule.used, LEAST_SHARE * self.radii)

    def _flows(
        self, currents: Currents, radius: float, turns: Callable[[float], FloatArray]
    ) -> Iterator[FloatArray]:
        """Yield flows that meet the demand at eps = 0, approximately: cheap ones first."""
        yield currents.Y @ self.demand
        if self.by_program:
            growth = currents.growth
            if 0 < radius < np.inf:
                growth = growth + currents.turning @ (turns(radius)[self.pairs] / radius)
            wanted = growth if growth.any() else self.radii
            flow = max_slack_flow(self.incidence, self.demand, self.radii, wanted, self.q)
            if flow is not None:
                yield flow + currents.Y @ (self.demand - self.incidence.T @ flow)

    def currents(self, conductance: FloatArray) -> Currents:
        """Return the rule by which flows follow eps, and bounds on what it adds to them."""
        n = self.incidence.shape[1]
        Y, unrouted = self._currents(conductance)
        carried = np.abs(Y).sum(axis=1)  # by an edge, if all points feel 1
        moved = self.ball.to_edges(self.felt)
        growth = self._growth(Y) + np.abs(Y) @ self.felt_error
        growth += self.felt.shape[1] * self.terms * ROUNDOFF * carried * moved.max(initial=0.0)
        growth += 0.5 * unrouted @ moved + self.felt_error.sum()
        even = np.abs(self.uneven)
        turning = np.abs(Y @ self.uneven) + self.terms * ROUNDOFF * (np.abs(Y) @ even)
        turning += 0.5 * unrouted @ even
        turning += 4 * n * self.terms * ROUNDOFF * np.abs(self.forces).max(axis=0, initial=0.0)
        turning_growth = np.abs(Y) @ self.weakened + 0.5 * unrouted @ self.weakened
        return Currents(Y, growth + self.loss, turning, turning_growth)

    def _currents(self, conductance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return Y, and what `Y @ demand` leaves unrouted at most if one point feels 1: (n,)."""
        B, n = self.incidence, self.incidence.shape[1]
        weighted = (sp.diags_array(conductance) @ B).toarray()
        laplacian = B.T @ weighted
        ones = np.full((n, n), np.trace(laplacian) / n**2)
        Y = weighted @ np.linalg.inv(laplacian + ones)
        Y -= Y.mean(axis=1, keepdims=True)
        unrouted = np.abs(np.eye(n) - 1 / n - B.T @ Y).sum(axis=0)
        unrouted += 4 * self.terms * ROUNDOFF * (1 + abs(B.T) @ np.abs(Y)).sum(axis=0)
        return Y, unrouted

    def rule(self, currents: Currents, flow: FloatArray) -> Rule:
        """Return the rule that adds the currents to a flow (m, d)."""
        n, d = self.demand.shape
        missing = row_norms(self.demand - self.incidence.T @ flow, 2).sum()
        lengths = row_norms(flow, 2)
        missing += 2 * n * self.rounding + 4 * d * self.terms * ROUNDOFF * lengths.sum()
        used = lengths * (1 + (d + 8) * ROUNDOFF) + 0.5 * missing
        return Rule(self.radii, used, currents)

    def _growth(self, Y: FloatArray) -> FloatArray:
        """Bound what eps adds to each edge's flow: shape (m,)."""
        n, d, k = self.felt.shape
        step = max(1, CHUNK // (d * k))
        flat = self.felt.reshape(n, d * k)
        parts = [
            self.ball.to_edges((Y[rows : rows + step] @ flat).reshape(-1, d, k))
            for rows in range(0, len(Y), step)
        ]
        return np.concatenate(parts)
