"""A flow inside a block of points that follows eps by an affine decision rule.

The centred supplies of a block are the supplies of its points (module `contracted_problem`) minus
their mean. The block is one cluster if and only if they can be routed along the edges inside it,
that is, if there is a flow z with B'z equal to the centred supplies and ||z_e||_q <= gamma w_e on
each edge e, where B is the incidence matrix and 1/p + 1/q = 1.

Theorem. Let z(eps) = z(0) + Y (change of the centred supplies), where B'Y is the identity on
vectors with sum zero. If on each edge ||z_e(0)|| plus the largest change within ||eps|| <= r fits
into the capacity that is left, then the block stays one cluster at every such eps. Proof: z(eps) is
a feasible flow.

Every z(0) and every Y of this kind give a proof. Here Y consists of electrical currents through
conductances, and the conductances are adapted until the edges use about the same share of their
capacity. Rounding errors leave a part of the supplies unrouted. This part is sent along a spanning
tree, where each edge carries at most half of the sum of the unrouted supplies of the points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.formulations.clustering.max_slack_flow import max_slack_flow
from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.norm_ball import ROUNDOFF, NormBall

ROUNDS, FEW_ROUNDS = 6, 2  # updates of the conductances; fewer if conic programs are solved
LEAST_SHARE = 1e-6  # least conductance, relative to the largest
CHEAP_FLOWS = 3_000  # entries of a flow that a conic program finds in about 0.1 s
MOST_FLOWS = 20_000  # for a flow with more entries no conic program is solved
MOST_CURRENTS = 30_000_000  # largest number of entries of Y; for a larger block nothing is proved
CHUNK = 2_000_000  # entries of the maps from eps to flows that are in memory at a time
WIDTH = 1e-9  # relative width of the bracket at which a bisection ends
DOUBLINGS, HALVINGS = 40, 80

Turns = Callable[[float], FloatArray]  # maps a radius to bounds on the changes of all zeta


@dataclass(frozen=True)
class AffineDecisionRule:
    """A flow that is affine in eps, with upper bounds on its norm on each edge.

    Attributes
    ----------
    capacities : ndarray, shape (m,)
        gamma w_e.
    used : ndarray, shape (m,)
        Flow at eps = 0.
    growth : ndarray, shape (m,)
        Additional flow plus lost capacity per unit of ||eps||, with every zeta fixed.
    turning : ndarray, shape (m, P)
        Additional flow per unit of ||zeta' - zeta||_q of each pair of blocks. zeta is the
        subgradient at the difference of the centroids (module `contracted_problem`).
    turning_growth : ndarray, shape (m, P)
        Increase of `turning` per unit of ||eps||, if weights between blocks change.
    """

    capacities: FloatArray
    used: FloatArray
    growth: FloatArray
    turning: FloatArray
    turning_growth: FloatArray

    @property
    def fixed_radius(self) -> float:
        """The radius up to which all capacities suffice if no zeta changes; or 0."""
        room = self.capacities - self.used
        lengths = np.full(len(room), np.inf)
        np.divide(room, self.growth, out=lengths, where=self.growth > 0)
        lengths[~(room >= 0)] = 0.0
        return float(lengths.min(initial=np.inf))

    def needs(self, radius: float, turns: FloatArray) -> FloatArray:
        """Bound the flow of each edge within a radius, if zeta changes by at most `turns` (P,)."""
        need = self.used + np.where(self.growth > 0, radius, 0.0) * self.growth
        further = self.turning_growth @ turns
        need += self.turning @ turns + np.where(further > 0, radius, 0.0) * further
        return need * (1 + (len(turns) + 32) * ROUNDOFF)

    def holds(self, radius: float, turns: FloatArray) -> bool:
        """Return whether every edge has the capacity that it needs."""
        return bool((self.needs(radius, turns) <= self.capacities).all())


@dataclass(frozen=True)
class ClusterFlow:
    """The edges inside one block of n points, and the supplies that they have to route.

    Attributes
    ----------
    ball : NormBall
        The unit ball of eps.
    q : float
        Exponent of the norm of the flow of an edge.
    incidence : sparse array, shape (m, n)
    capacities, loss : ndarray, shape (m,)
        gamma w_e, and the largest decrease of it per unit of ||eps||.
    supply : ndarray, shape (n, d)
    supply_map : ndarray, shape (n, d, k)
        The supply changes by `supply_map @ eps`, up to `supply_error`, shape (n,).
    forces, lost_forces : ndarray, shape (n, P)
        Factors with which the zeta of each adjacent pair of blocks acts on the points, and bounds
        on how eps changes them.
    pairs : ndarray of int, shape (P,)
        Numbers of the adjacent pairs among all pairs of blocks.
    rounding : float
        Bound on the rounding error of one supply.
    terms : int
        Number of summands whose rounding errors are counted in a product with Y.
    by_program : bool
        Whether flows at eps = 0 are also found by a conic program, if it is small enough.
    """

    ball: NormBall
    q: float
    incidence: sp.csr_array
    capacities: FloatArray
    loss: FloatArray
    supply: FloatArray
    supply_map: FloatArray
    supply_error: FloatArray
    forces: FloatArray
    lost_forces: FloatArray
    pairs: IntArray
    rounding: float
    terms: int
    by_program: bool

    @cached_property
    def _demand(self) -> FloatArray:
        """The centred supplies."""
        return self.supply - self.supply.mean(axis=0)

    @property
    def _has_program(self) -> bool:
        return self.by_program and len(self.capacities) * self.supply.shape[1] <= MOST_FLOWS

    @property
    def _rounds(self) -> int:
        numbers = len(self.capacities) * self.supply.shape[1]
        return FEW_ROUNDS if self._has_program and numbers > CHEAP_FLOWS else ROUNDS

    def radius(self, turns: Turns, most: float) -> float:
        """Return a radius within which the block stays one cluster, at most `most`."""
        best = 0.0
        if not self._routable():
            return best
        conductance = self.capacities
        for _ in range(self._rounds):
            load = conductance
            for rule in self._rules(conductance, best, turns):
                own = self._largest(rule, turns, most)
                best = max(best, own)
                if best >= most:
                    return most
                load = self._load(rule, own, turns)
            if not load.max(initial=0.0) > 0:
                break  # the supplies do not depend on eps
            conductance = self._reweighted(conductance, load)
        return best

    def overload(self, radius: float, turns: FloatArray) -> FloatArray | None:
        """Return a bound on the excess over the capacities, or None if it is proved to be 0.

        The excess (m,) is relative to the capacities, for the decision rule with the least excess.
        It is infinite if the edges do not connect the points, or if there are too many edges.
        """
        capacities = self.capacities
        best = np.full(len(capacities), np.inf)
        if not self._routable():
            return best
        conductance = capacities
        for _ in range(self._rounds):
            load = np.ones_like(best)
            for rule in self._rules(conductance, radius, lambda _: turns):
                load = rule.needs(radius, turns[self.pairs]) / capacities
                if (load <= 1).all():
                    return None
                if load.max() < best.max():
                    best = load
            conductance = self._reweighted(conductance, load)
        return best - 1

    def _routable(self) -> bool:
        """Return whether the edges connect the points, and Y is not too large."""
        m, n = self.incidence.shape
        ends = self.incidence.indices.reshape(m, 2)
        links = sp.coo_array((np.ones(m), (ends[:, 0], ends[:, 1])), shape=(n, n))
        return m * n <= MOST_CURRENTS and connected_components(links, directed=False)[0] == 1

    def _largest(self, rule: AffineDecisionRule, turns: Turns, most: float) -> float:
        """Return almost the largest radius within which a decision rule is feasible."""
        most = min(most, rule.fixed_radius)
        if most == 0:
            return 0.0

        def holds(radius: float) -> bool:
            return rule.holds(radius, turns(radius)[self.pairs])

        # An infinite radius is possible if eps has no effect on the block.
        return most if holds(most) else largest_radius(holds, 1.0, most)

    def _growth(self, rule: AffineDecisionRule, radius: float, turns: Turns) -> FloatArray:
        """Return the additional flow of each edge per unit of ||eps|| within a radius."""
        if not 0 < radius < np.inf:
            return rule.growth
        return rule.growth + rule.turning @ (turns(radius)[self.pairs] / radius)

    def _load(self, rule: AffineDecisionRule, radius: float, turns: Turns) -> FloatArray:
        """Return the share of its unused capacity that each edge needs."""
        capacities = self.capacities
        if radius == 0:
            return rule.used / capacities
        room = np.maximum(capacities - rule.used, LEAST_SHARE * capacities)
        return self._growth(rule, radius, turns) / room

    def _reweighted(self, conductance: FloatArray, load: FloatArray) -> FloatArray:
        """Lower the conductance of the edges with a large load."""
        relative = np.maximum(load / load.max(), LEAST_SHARE)
        conductance = conductance / (relative if self._has_program else np.sqrt(relative))
        return np.maximum(conductance / conductance.max(), LEAST_SHARE)

    def _rules(
        self, conductance: FloatArray, radius: float, turns: Turns
    ) -> Iterator[AffineDecisionRule]:
        """Yield decision rules with the currents of these conductances, the cheapest first."""
        Y, unrouted = self._currents(conductance)
        rule = self._rule(Y, unrouted)
        yield rule
        if not self._has_program:
            return
        growth = self._growth(rule, radius, turns)
        wanted = growth if growth.any() else self.capacities
        flow = max_slack_flow(self.incidence, self._demand, self.capacities, wanted, self.q)
        if flow is not None:
            flow = flow + Y @ (self._demand - self.incidence.T @ flow)
            yield replace(rule, used=self._used(flow))

    def _currents(self, conductance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return Y (m, n), and for each point a bound on the unrouted part of a supply of 1."""
        B, n = self.incidence, self.incidence.shape[1]
        weighted = (sp.diags_array(conductance) @ B).toarray()
        laplacian = B.T @ weighted
        ones = np.full((n, n), np.trace(laplacian) / n**2)
        Y = weighted @ np.linalg.inv(laplacian + ones)
        Y -= Y.mean(axis=1, keepdims=True)
        unrouted = np.abs(np.eye(n) - 1 / n - B.T @ Y).sum(axis=0)
        unrouted += 4 * self.terms * ROUNDOFF * (1 + abs(B.T) @ np.abs(Y)).sum(axis=0)
        return Y, unrouted

    def _used(self, flow: FloatArray) -> FloatArray:
        """Bound the flow of each edge at eps = 0 after a flow (m, d) is completed: shape (m,)."""
        n, d = self._demand.shape
        missing = row_norms(self._demand - self.incidence.T @ flow, 2).sum()
        lengths = row_norms(flow, 2)
        missing += 2 * n * self.rounding + 4 * d * self.terms * ROUNDOFF * lengths.sum()
        return lengths * (1 + (d + 8) * ROUNDOFF) + 0.5 * missing

    def _rule(self, Y: FloatArray, unrouted: FloatArray) -> AffineDecisionRule:
        """Return the decision rule with the flow Y (centred supplies) at eps = 0."""
        n, d = self._demand.shape
        error, carried = self.terms * ROUNDOFF, np.abs(Y)
        moved = self.ball.operator_norms(self.supply_map)
        growth = self._added(Y) + carried @ self.supply_error
        growth += d * error * carried.sum(axis=1) * moved.max(initial=0.0)
        growth += 0.5 * unrouted @ moved + self.supply_error.sum()
        centred_forces = self.forces - self.forces.mean(axis=0)
        centred = np.abs(centred_forces)
        turning = np.abs(Y @ centred_forces) + error * (carried @ centred)
        turning += 0.5 * unrouted @ centred
        turning += 4 * n * error * np.abs(self.forces).max(axis=0, initial=0.0)
        turning_growth = carried @ self.lost_forces + 0.5 * unrouted @ self.lost_forces
        used = self._used(Y @ self._demand)
        return AffineDecisionRule(
            self.capacities, used, growth + self.loss, turning, turning_growth
        )

    def _added(self, Y: FloatArray) -> FloatArray:
        """Bound the flow that eps adds on each edge: shape (m,)."""
        n, d, k = self.supply_map.shape
        step = max(1, CHUNK // (d * k))
        flat = self.supply_map.reshape(n, d * k)
        parts = [
            self.ball.operator_norms((Y[rows : rows + step] @ flat).reshape(-1, d, k))
            for rows in range(0, len(Y), step)
        ]
        return np.concatenate(parts)


def largest_radius(
    holds: Callable[[float], bool], guess: float, most: float = float("inf")
) -> float:
    """Return by bisection a radius of at most `most` at which a condition holds; or 0.

    The condition holds up to some radius and not beyond; the result is slightly below that radius.
    The search begins at the positive number `guess`.
    """
    if most < float("inf") and holds(most):
        return most
    low, high = 0.0, min(guess, most)
    for _ in range(DOUBLINGS):
        if high >= most or not holds(high):
            break
        low, high = high, min(2 * high, most)
    if low == 0.0 and not holds(0.0):
        return 0.0
    for _ in range(HALVINGS):
        if high - low <= WIDTH * high:
            break
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
