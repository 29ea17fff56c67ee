"""Together, robustly: flows inside a block that answer every eps up to some radius.

A block is one cluster iff what its members feel, less the mean, can be routed along the edges
inside it with ||z_e||_q <= gamma w_e. Let the flow follow eps by a fixed rule: as a current through
conductances c_e. For each edge, z_e at eps = 0 and the worst that the rule adds within the radius
must fit in the capacity. Any conductances make a proof; good ones leave every edge the same room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from bilad.formulations.central_flow import central_flow
from bilad.models.bilevel import BilevelProblem
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.operator_norms import functional_norms, to_edges
from bilad.solvers.certificates.robustness.structure import ROUNDOFF, Structure

ROUNDS = 6  # of reweighting the conductances
LEAST_SHARE = 1e-6  # of the largest conductance
CHUNK = 2_000_000  # numbers of the maps from eps to flows that are held at a time


@dataclass(frozen=True)
class Drift:
    """What moves in a structure as eps does.

    Attributes
    ----------
    felt : ndarray, shape (n d, k)
        What eps adds to what the points feel while no zeta turns.
    capacity : ndarray, shape (m,)
        Largest loss of capacity of an edge, per unit of ||eps||.
    """

    felt: FloatArray
    capacity: FloatArray

    @classmethod
    def of(cls, problem: BilevelProblem, structure: Structure) -> Drift:
        """Take T eps, and the change of the forces by that of the weights."""
        model, S = problem.white_box, problem.edge_operator
        felt = problem.data_operator.toarray()
        if S.nnz == 0:
            return cls(felt, np.zeros(model.graph.m))
        directions = structure.edge_zeta()
        for feature in range(model.d):
            lost = sp.diags_array(model.radii * directions[:, feature]) @ S
            felt[feature :: model.d] += (model.graph.incidence.T @ lost).toarray()
        return cls(felt, model.radii * functional_norms(S.toarray(), problem.norm))


class FusedBlock:
    """The edges inside one block, with a rule for their flow.

    Parameters
    ----------
    problem : BilevelProblem
    structure : Structure
    drift : Drift
    block : int
    """

    def __init__(
        self, problem: BilevelProblem, structure: Structure, drift: Drift, block: int
    ) -> None:
        model = structure.model
        self.norm, self.q, self.d = problem.norm, conjugate(model.p), model.d
        points = np.flatnonzero(structure.blocks == block)
        inside = structure.blocks[model.graph.edges] == block
        edges = np.flatnonzero(inside.all(axis=1) & (model.radii > 0))
        self.n = len(points)
        self.incidence = model.graph.incidence[edges][:, points].toarray()
        self.radii = model.radii[edges]
        self.loss = drift.capacity[edges]
        felt = model.data - structure.forces @ structure.zeta
        self.demand = (felt - felt[points].mean(axis=0))[points]
        uneven = structure.uneven[points]
        self.pairs = np.unique(uneven.nonzero()[1])
        self.uneven = uneven[:, self.pairs].toarray()
        self.weakened = structure.weakened(drift.capacity)[points][:, self.pairs].toarray()
        rows = (points[:, None] * self.d + np.arange(self.d)).ravel()
        self.own = drift.felt[rows].reshape(self.n, self.d, -1)
        scale = np.abs(model.data).max(initial=0.0) + np.abs(self.demand).max(initial=0.0)
        degree = abs(structure.forces[points]).sum(axis=1).max(initial=0.0)
        self.rounding = 8 * ROUNDOFF * self.n * (scale + float(degree) + self.radii.sum())

    def rules(self) -> list[Rule]:
        """Return rules for the flow, each a proof of its own: the later, the more even."""
        if not self._connected():
            return []
        conductance = self.radii.copy()
        found: list[Rule] = []
        for _ in range(ROUNDS):
            currents = self._currents(conductance)
            rule = self._central_rule(currents)
            if rule is None:
                break
            found.append(rule)
            room = np.maximum(rule.radii - rule.used, LEAST_SHARE * rule.radii)
            strain = rule.growth / room
            if not strain.max() > 0:
                break  # nothing moves
            conductance = conductance * np.maximum(strain / strain.max(), LEAST_SHARE) ** 0.5
            conductance = np.maximum(conductance / conductance.max(), LEAST_SHARE)
        return found

    def _connected(self) -> bool:
        laplacian = self.incidence.T @ self.incidence
        return int(np.linalg.matrix_rank(laplacian)) == self.n - 1

    def _currents(self, conductance: FloatArray) -> FloatArray:
        """Return Y, (m, n): demands that sum to zero flow as currents Y @ demand."""
        weighted = conductance[:, None] * self.incidence
        laplacian = self.incidence.T @ weighted
        ones = np.full((self.n, self.n), np.trace(laplacian) / self.n**2)
        Y = weighted @ np.linalg.inv(laplacian + ones)
        return Y - Y.mean(axis=1, keepdims=True)

    def _central_rule(self, Y: FloatArray) -> Rule | None:
        """Return the rule that adds currents to the flow which leaves them the most room."""
        growth = self._growth(Y) + self.loss
        B = sp.csr_array(self.incidence)
        wanted = growth if growth.any() else self.radii
        flow = central_flow(B, self.demand, self.radii, wanted, self.q)
        if flow is None:
            return None
        flow = flow + Y @ (self.demand - self.incidence.T @ flow)
        missing = row_norms(self.demand - self.incidence.T @ flow, self.q).sum()
        unrouted = np.abs(np.eye(self.n) - 1 / self.n - self.incidence.T @ Y).sum()
        largest = to_edges(self.own, self.norm, self.q).max(initial=0.0)
        return Rule(
            radii=self.radii,
            used=row_norms(flow, self.q) + 0.5 * missing + self.rounding,
            growth=growth + 0.5 * unrouted * largest,
            turning=np.abs(Y @ self.uneven),
            turning_growth=np.abs(Y) @ self.weakened,
        )

    def _growth(self, Y: FloatArray) -> FloatArray:
        """Bound what eps adds to each edge's flow, per unit of ||eps||: shape (m,)."""
        k = self.own.shape[2]
        step = max(1, CHUNK // max(1, self.d * k))
        flat = self.own.reshape(self.n, self.d * k)
        parts = [
            to_edges((Y[rows : rows + step] @ flat).reshape(-1, self.d, k), self.norm, self.q)
            for rows in range(0, len(Y), step)
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class Rule:
    """A flow that follows eps, edge by edge: shapes (m,), of the last two (m, P).

    Attributes
    ----------
    radii : ndarray
        Capacities gamma w_e.
    used : ndarray
        At eps = 0.
    growth : ndarray
        At most this is added per unit of ||eps||, lost capacity included.
    turning : ndarray
        At most this is added per unit of ||zeta' - zeta||_q of each pair of blocks.
    turning_growth : ndarray
        By so much `turning` grows per unit of ||eps||, as weights between blocks change.
    """

    radii: FloatArray
    used: FloatArray
    growth: FloatArray
    turning: FloatArray
    turning_growth: FloatArray

    @property
    def least_radius(self) -> float:
        """Up to which all edges hold if no zeta turns; 0 if they do not hold at eps = 0."""
        room = self.radii - self.used
        with np.errstate(divide="ignore", invalid="ignore"):
            lengths = np.where(self.growth > 0, room / self.growth, np.inf)
        return float(np.maximum(np.where(room < 0, 0.0, lengths), 0.0).min(initial=np.inf))

    def holds(self, radius: float, turns: FloatArray) -> bool:
        """Whether all edges hold within the radius, if each zeta turns by at most that much."""
        need = self.used + radius * self.growth
        need += (self.turning + radius * self.turning_growth) @ turns
        return bool((need <= self.radii * (1 - 8 * ROUNDOFF)).all())
