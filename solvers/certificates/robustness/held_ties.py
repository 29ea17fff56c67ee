"""Ties that hold, p = inf and d > 1: a solution that follows eps on the manifold of its ties.

Bind the centroids to the manifold M of guessed ties (module `ties`): there the fusion term is
linear, and the minimiser is y' = P_M N^-1 (sums of the data, less the forces S of any shares on the
faces), P_M the projection in the metric of the masses. It solves the contracted problem if

    the tied features lead at y', and
    there are shares in [0, 1] with forces S' that balance: N y' + S' = sums of the data.

Let g = N^-1/2 (sums of the data - S) at eps = 0, and let the means move by e. Then the change of
the forces that is missing is (1 - P_M) (g + N^1/2 e), in the range of the ties: T t for some t, if
T is some of their columns, of the same range. For any matrix W and H = W T', H P_M = 0; so

    t = H (g + N^1/2 e) + E t,      E = 1 - H T,

and ||E|| < 1 proves T of full rank. The change of the shares is t over the strength of the pair,
the same for all its edges; but each may begin with shares of its own. So parallel edges carry flow
between the members of a block by way of another, which one zeta for each pair cannot do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.formulations.clustering.central_shares import central_shares
from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF
from bilad.solvers.certificates.robustness.faces import Push
from bilad.solvers.certificates.robustness.search import largest_radius
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.partition.integer_rank import has_rank_at_most
from bilad.solvers.partition.routing import block_means
from bilad.solvers.partition.ties import Ties, TieSystem, tie_system

LARGEST = 10_000  # numbers in a flow; larger models are not looked at
MOST_ROWS = 300  # of T


@dataclass(frozen=True)
class _Inverse:
    """How T t = v is solved.

    Attributes
    ----------
    T : ndarray, shape (K d, t)
        In the metric of the masses.
    H : ndarray, shape (t, K d)
    lengths : ndarray, shape (t,)
        Bounds on the norms of the rows of H.
    defect : ndarray, shape (t,)
        Bounds on the absolute row sums of E.
    hidden : float
        Bound on the norm of what rounding changes in a row of H.
    """

    T: FloatArray
    H: FloatArray
    lengths: FloatArray
    defect: FloatArray
    hidden: float

    @classmethod
    def of(cls, system: TieSystem, terms: int) -> _Inverse | None:
        """Invert T' T; None if that fails."""
        T = system.matrix / system.root_masses[:, None]
        S = np.linalg.pinv(T.T @ T)
        H = S @ T.T
        lost = terms * ROUNDOFF * (np.abs(S) @ np.abs(T.T))
        E = np.abs(np.eye(T.shape[1]) - H @ T)
        defect = (E + (lost + terms * ROUNDOFF * np.abs(H)) @ np.abs(T)).sum(axis=1)
        defect = defect * (1 + terms * ROUNDOFF) + terms * ROUNDOFF
        if not defect.max(initial=0.0) < 0.5:
            return None
        lengths = row_norms(H, 2) * (1 + terms * ROUNDOFF) + row_norms(lost, 2)
        return cls(T, H, lengths, defect, float(row_norms(lost, 2).max(initial=0.0)))

    def solved(self, known: FloatArray) -> FloatArray:
        """Bound |t|, given bounds on |H (g + N^1/2 e)|: shape (t,)."""
        return known + self.defect * 2 * known.max(initial=0.0)


class HeldTies:
    """The solution on the manifold of its ties, as eps moves it; no weight changes.

    Parameters
    ----------
    structure : Structure
    push : Push
    signs : ndarray, shape (P, d)
        s on the tied features of each pair, 0 on others.
    system : TieSystem
    inverse : _Inverse

    Attributes
    ----------
    zeta : ndarray, shape (P, d)
        Of each pair, on average over its edges.
    felt : ndarray, shape (n, d)
        The data less the forces between blocks at eps = 0.
    """

    def __init__(
        self,
        structure: Structure,
        push: Push,
        signs: FloatArray,
        system: TieSystem,
        inverse: _Inverse,
    ) -> None:
        self.structure, self.push, self.signs = structure, push, signs
        self.inverse, self.columns = inverse, system.columns
        self.strength = structure.pair_sums(structure.model.radii)
        ends = structure.sizes[structure.pairs]
        self.scale = np.sqrt((1 / ends).sum(axis=1)) * (1 + 8 * ROUNDOFF)
        model = structure.model
        self.terms = 4 * model.n + model.graph.m + structure.centroids.size + 32
        along = push.ball.magnitudes(inverse.H @ push.map)
        hidden = push.unseen + self.terms * push.rounding
        self.growth = along + inverse.lengths * hidden + inverse.hidden * push.speed
        self.moves = self._moves(hidden)

    @classmethod
    def of(cls, structure: Structure, push: Push) -> HeldTies | None:
        """Guess the ties, and choose shares; None if there are none, or nothing is found."""
        model = structure.model
        if model.graph.m * model.d > LARGEST:
            return None
        ends = structure.sizes[structure.pairs]
        reach = 4 * structure.error * np.sqrt((1 / ends).sum(axis=1))
        magnitude = np.abs(structure.differences)
        tied = magnitude >= magnitude.max(axis=1, keepdims=True) - reach[:, None]
        signs = np.where(tied, np.where(structure.differences < 0, -1.0, 1.0), 0.0)
        several = np.flatnonzero(np.count_nonzero(tied, axis=1) > 1)
        if len(several) == 0 or structure.centroids.size > MOST_ROWS:
            return None
        ties = Ties(structure.pairs, tied, signs, np.abs(structure.zeta))
        system = tie_system(ties, np.arange(len(structure.sizes)), several, structure.sizes)
        inverse = _Inverse.of(system, 8 * (structure.centroids.size + 8))
        if inverse is None or not _spans(structure, signs, system):
            return None
        held = cls(structure, push, signs, system, inverse)
        return held if held._choose_shares() else None

    def turns(self, radius: float) -> FloatArray:
        """Bound ||zeta' - zeta||_1 for each pair at ||eps|| <= radius, if ties hold: (P,)."""
        return np.asarray(self._changes(radius).sum(axis=1) * (1 + 8 * ROUNDOFF), dtype=float)

    def radius(self, most: float) -> float:
        """Return a radius within which the ties hold, at most `most`."""
        return largest_radius(self._holds, min(1.0, most), most)

    def _moves(self, hidden: float) -> FloatArray:
        """Bound the change of each feature of y_k - y_l, per unit of ||eps||: shape (P, d)."""
        inverse, ends, d = self.inverse, self.structure.pairs, self.structure.model.d
        masses = np.repeat(np.sqrt(self.structure.sizes), d)[:, None]
        moved = (self.push.map - inverse.T @ (inverse.H @ self.push.map)) / masses
        moved = moved.reshape(-1, d, moved.shape[1])
        changes = (moved[ends[:, 0]] - moved[ends[:, 1]]).reshape(-1, moved.shape[2])
        seen = self.push.ball.magnitudes(changes).reshape(-1, d)
        spread = float(np.linalg.norm(inverse.T))
        wrong = self.growth - self.push.ball.magnitudes(inverse.H @ self.push.map)
        wrong += inverse.defect * 2 * self.growth.max(initial=0.0)
        unseen = hidden + spread * float(np.linalg.norm(wrong))
        unseen += 2 * self.terms * self.push.rounding * spread * float(inverse.lengths.sum())
        slack = 1 + self.terms * ROUNDOFF
        scale = self.scale[:, None]
        return np.minimum(seen + scale * unseen, scale * self.push.speed) * slack

    def _holds(self, radius: float) -> bool:
        if not (self.least >= self._changes(radius)).all():
            return False
        moves = radius * self.moves + (self.scale * self.error)[:, None]
        tied = self.signs != 0
        least = self.leader - np.where(tied, moves, 0.0).max(axis=1)
        others = np.where(tied, 0.0, self.others + moves).max(axis=1)
        return bool((least > others * (1 + 16 * ROUNDOFF)).all())

    def _changes(self, radius: float) -> FloatArray:
        """Bound the change of the shares of each pair's features: shape (P, d)."""
        t = self.inverse.solved(self.missing + radius * self.growth)
        pair, first, second = self.columns.T
        change = np.zeros(self.signs.shape)
        share = t / self.strength[pair] * (1 + self.terms * ROUNDOFF)
        np.add.at(change, (pair, first), share)
        np.add.at(change, (pair, second), share)
        return change * (1 + 16 * ROUNDOFF)

    def _choose_shares(self) -> bool:
        """Set the shares, and all that follows from them; return whether there are any."""
        structure, model = self.structure, self.structure.model
        _, owner, way, between = structure._joins
        signs = np.zeros((model.graph.m, model.d))
        signs[between] = way[:, None] * self.signs[owner]
        T = self.inverse.T * np.repeat(np.sqrt(structure.sizes), model.d)[:, None]
        shares = central_shares(model, structure.blocks, signs, T)
        if shares is None:
            return False
        own = np.maximum(shares[between], 0.0) * (signs[between] != 0)
        own /= np.maximum(own.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        self._settle(own, signs[between])
        pair, first, second = self.columns.T
        change = np.zeros(self.signs.shape)  # what balances the blocks better
        delta = self.inverse.H @ self.g / self.strength[pair]
        np.add.at(change, (pair, first), delta)
        np.add.at(change, (pair, second), -delta)
        own = np.maximum(own + change[owner], 0.0)
        self._settle(own / own.sum(axis=1, keepdims=True), signs[between])
        return True

    def _settle(self, shares: FloatArray, signs: FloatArray) -> None:
        """Take these shares, of the edges between blocks."""
        structure, model = self.structure, self.structure.model
        _, owner, way, between = structure._joins
        Z = np.zeros((model.graph.m, model.d))
        Z[between] = model.radii[between][:, None] * signs * shares
        forces = model.graph.adjoint(Z)
        self.felt = model.data - forces
        zeta = np.zeros((len(structure.pairs), model.d))
        np.add.at(zeta, owner, way[:, None] * Z[between])
        self.zeta = zeta / self.strength[:, None]
        self.least = np.full(zeta.shape, np.inf)
        np.minimum.at(self.least, owner, np.where(signs != 0, shares, np.inf))
        self._place(block_means(self.felt, structure.blocks))

    def _place(self, means: FloatArray) -> None:
        """Find y at eps = 0, the features that lead there and the others, and the errors."""
        structure, inverse, d = self.structure, self.inverse, self.structure.model.d
        masses = np.repeat(np.sqrt(structure.sizes), d)
        self.g = masses * means.ravel()
        size = np.abs(structure.model.data).max() + abs(structure.forces).sum(axis=1).max()
        rounding = ROUNDOFF * self.terms * np.sqrt(structure.model.n * d) * float(size)
        rounding += self.terms * ROUNDOFF * float(np.linalg.norm(self.g))
        found = inverse.H @ self.g
        unseen = inverse.lengths * rounding + inverse.hidden * float(np.linalg.norm(self.g))
        self.missing = np.abs(found) + unseen
        loose = unseen + inverse.defect * 2 * self.missing.max(initial=0.0)
        spread = float(np.linalg.norm(inverse.T) * np.linalg.norm(loose))
        self.error = (spread + 4 * rounding) * (1 + self.terms * ROUNDOFF)
        y = ((self.g - inverse.T @ found) / masses).reshape(-1, d)
        u = y[structure.pairs[:, 0]] - y[structure.pairs[:, 1]]
        tied = self.signs != 0
        lost = 16 * ROUNDOFF * float(np.abs(y).max())
        self.leader = np.where(tied, self.signs * u, np.inf).min(axis=1) - lost
        self.others = np.where(tied, 0.0, np.abs(u)) + lost


def _spans(structure: Structure, signs: FloatArray, system: TieSystem) -> bool:
    """Whether it is proved that the columns of T have the range of all ties."""
    tied = signs != 0
    first = np.argmax(tied, axis=1)
    others = tied.copy()
    others[np.arange(len(tied)), first] = False
    pair, feature = np.nonzero(others)
    if len(pair) == system.matrix.shape[1]:
        return True
    d = tied.shape[1]
    C = np.zeros((structure.centroids.size, len(pair)))
    which = np.arange(len(pair))
    for column, way in ((feature, 1.0), (first[pair], -1.0)):
        value = way * signs[pair, column]
        C[structure.pairs[pair, 0] * d + column, which] = value
        C[structure.pairs[pair, 1] * d + column, which] = -value
    return has_rank_at_most(C, system.matrix.shape[1])
