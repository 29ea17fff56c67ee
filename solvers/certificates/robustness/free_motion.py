"""How far blocks can move, whatever meets meanwhile: bounds that hold at every radius.

Cut the clusters into blocks, and let y'(eps) solve the problem contracted on these. At eps = 0 it
is y*, the clusters' own solution, which the structure's y is near. The bounds are those of module
`motion`, without its assumption that nothing meets:

*All at once.* With D_k = y'_k - y*_k and the means e_k of what acts (module `absorbed`)

    sum_k n_k ||D_k||^2 <= sum_k n_k <e_k, D_k>,

as a proximal map moves: D is in the ball of centre e / 2 and radius ||e|| / 2, ||e|| <= speed
||eps||. So a difference D_k - D_l is at most half of e_k - e_l and half of what ||e|| allows: of
these blocks or, where stiffness keeps blocks near the means of their clusters, of the clusters.

*Pair by pair*, from the conditions of optimality of two blocks: as there, with a turn of up to 2 of
every zeta whose pair may meet, or is of one cluster. Also on a line.

Where weights change, y* solves the problem with the new weights for data moved by M^-1 times the
change of forces. Between clusters that is the change of the weights times zeta*. Inside a cluster
y* leaves zeta free: shorten it, where it would not fit the new weights.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bilad.models.norms import row_norms, subgradient_rows
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.absorbed import Acting
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF, EpsBall
from bilad.solvers.certificates.robustness.structure import Structure

SWEEPS = 3
MARGIN = 1 + 1e-12  # for the roundings of a few operations
MOST_ENTRIES = 500_000  # of the maps from eps to differences of means that are looked at


class FreeMotion:
    """The motion of blocks into which the clusters are cut.

    Parameters
    ----------
    structure : Structure
        As `refined` makes it of the structure of the clusters.
    owner : ndarray of int, shape (K,)
        Cluster of each block.
    drift : Drift
        Of the structure.
    acting : Acting, optional
        What moves the blocks no less than eps.

    Attributes
    ----------
    first, second : ndarray of int, shape (R,)
        Pairs of blocks of different clusters, first < second.
    distances : ndarray, shape (R,)
        At eps = 0, between the structure's y.
    """

    def __init__(
        self, structure: Structure, owner: IntArray, drift: Drift, acting: Acting | None = None
    ) -> None:
        self.structure, self.drift = structure, drift
        self.owner, self.acting = owner, acting
        felt = None if acting is None else acting.felt
        self._moving = drift.with_data(felt, structure)
        sizes, K = structure.sizes, len(structure.sizes)
        first, second = np.triu_indices(K, 1)
        across = owner[first] != owner[second]
        self.first, self.second = first[across], second[across]
        place = np.full((K, K), -1)
        place[self.first, self.second] = np.arange(len(self.first))
        self._joined = place[structure.pairs[:, 0], structure.pairs[:, 1]]
        self._inside = self._joined < 0
        self._across = np.flatnonzero(~self._inside)
        self._joined = self._joined[self._across]
        y = structure.centroids
        self.distances = row_norms(y[self.first] - y[self.second], 2) / MARGIN
        self._scale = np.sqrt(1 / sizes[self.first] + 1 / sizes[self.second]) * MARGIN
        self._error = structure.error * self._scale
        self._strength = structure.pair_sums(structure.model.radii)
        self._change = structure.pair_sums(drift.change)

    def turns(self, radius: float) -> FloatArray:
        """Bound ||zeta' - zeta||_q for each joined pair, zeta the structure's: shape (P,)."""
        return self._turns(self._shifts_and_pulls(radius)[0])

    def apart(self, radius: float) -> BoolArray:
        """Return which of the pairs `first`, `second` never meet at ||eps|| <= radius: (R,)."""
        shifts, others = self._shifts_and_pulls(radius)
        nearer = self._error + radius * self._speeds[1] + others
        # The sign of <u*, zeta* - zeta'> is known, u only up to the error.
        own = (self._strength + radius * self._change)[self._across]
        own *= self._scale[self._joined] ** 2
        unsure = np.full(len(self._joined), np.inf)
        length = self.distances[self._joined]
        np.divide(4 * own * self._error[self._joined], length, out=unsure, where=length > 0)
        nearer[self._joined] += unsure
        return (shifts < self.distances) | (nearer * MARGIN < self.distances)

    def reach(self, radius: float) -> float:
        """Bound sqrt(sum_k n_k ||D_k||^2), D from the structure's y, but for what moves all alike.

        At every ||eps|| <= radius.
        """
        return (radius * self._speed + self.structure.error) * MARGIN

    def _shifts_and_pulls(self, radius: float) -> tuple[FloatArray, FloatArray]:
        """Bound the change of y_k - y_l, and what other forces do to it: both of shape (R,)."""
        structure, K = self.structure, len(self.structure.sizes)
        shifts = np.minimum(radius * self._shares, self._stiff_shifts(radius))
        shifts = (self._error + shifts) * MARGIN
        others = np.full(len(shifts), np.inf)
        strength = (self._strength + radius * self._change) * MARGIN
        weights = 1 / structure.sizes[structure.pairs[self._across]]
        for _ in range(SWEEPS if len(shifts) else 0):
            pull = strength * self._turns_between(shifts)
            ends = _at_blocks(structure, pull) * (1 + K * ROUNDOFF)
            others = ends[self.first] + ends[self.second]
            others *= 1 + 8 * ROUNDOFF
            own = pull[self._across] * weights.sum(axis=1)
            others[self._joined] -= own * (1 - 8 * ROUNDOFF)
            direct = (self._error + radius * self._speeds[0] + others) * MARGIN
            shifts = np.minimum(shifts, direct)
        return shifts, others

    def _turns(self, shifts: FloatArray) -> FloatArray:
        """Bound the turns away from the structure's zeta, which is 0 inside clusters: (P,)."""
        structure = self.structure
        own = self._of_joined(shifts)
        if structure.model.d == 1:
            turns = np.where(np.abs(structure.differences[:, 0]) > own, 0.0, 2.0)
        else:
            turns = structure.turns(own)
        return np.where(self._inside, 1.0, turns)

    def _turns_between(self, shifts: FloatArray) -> FloatArray:
        """Bound ||zeta' - zeta*||_q, zeta* at y*: shape (P,)."""
        if self.structure.smooth:
            turns = np.minimum(self._turns(shifts) + self._first_turns, 2.0)
        else:
            turns = self.structure.turns_between(self._of_joined(shifts))
        return np.where(self._inside, 2.0, turns)

    @cached_property
    def _first_turns(self) -> FloatArray:
        """Bound ||zeta* - zeta||_q."""
        return self._turns(self._error)

    def _of_joined(self, values: FloatArray) -> FloatArray:
        """Return the values (R,) of the joined pairs, infinite inside clusters: shape (P,)."""
        result = np.full(len(self.structure.pairs), np.inf)
        result[self._across] = values[self._joined]
        return result

    @cached_property
    def _mean_error(self) -> FloatArray:
        """What the drift's means leave out, per unit of ||eps||: shape (K,)."""
        if not self._change.any() or not self.structure.smooth:
            # Where zeta is not known, it has all the changes.
            return np.maximum(self.drift.mean_error, self._moving.mean_error)
        unknown = self._change * np.where(self._inside, 1.0, self._first_turns)
        return self.drift.mean_error + _at_blocks(self.structure, unknown) * MARGIN

    @cached_property
    def _speed(self) -> float:
        """Bound the motion of all at once, per unit of ||eps||, but for what moves all alike."""
        drift, sizes = self._moving, self.structure.sizes
        k, masses = drift.means.shape[2], np.sqrt(sizes)[:, None, None]
        common = np.tensordot(sizes / sizes.sum(), drift.means, axes=1)
        maps = (masses * (drift.means - common), masses * drift.means)
        least = min(drift.ball.to_euclidean(moved.reshape(-1, k)) for moved in maps)
        rows = drift.ball.magnitudes((masses * np.abs(drift.means)).reshape(-1, k))
        unseen = float(np.linalg.norm(masses[:, 0, 0] * self._mean_error))
        unseen += 4 * (len(sizes) + 8) * ROUNDOFF * float(np.linalg.norm(rows))
        return (least + unseen) * MARGIN

    @cached_property
    def _shares(self) -> FloatArray:
        """Bound the motion of y_k - y_l by that of all at once, per unit of ||eps||: (R,)."""
        moving = self._moving
        own = _pair_speeds(moving.ball, moving.means, self._mean_error, self.first, self.second)
        return 0.5 * (own + self._speed * self._scale) * MARGIN

    def _stiff_shifts(self, radius: float) -> FloatArray:
        """Bound the motion of y_k - y_l by that of their clusters' means: (R,).

        With q = ||e||^2 / 4 it is at most half the difference of the means of e, and

            max_T  scale sqrt(q - T) + T looseness.
        """
        if self.acting is None:
            return np.full(len(self.first), np.inf)
        low, high = self.owner[self.first], self.owner[self.second]
        sizes = np.bincount(self.owner, self.structure.sizes)
        scale = np.sqrt(1 / sizes[low] + 1 / sizes[high])
        loose = self._looseness[self.first] + self._looseness[self.second]
        known = np.isfinite(loose)
        loose = np.where(known, loose, 0.0)
        q = (0.5 * radius * self._speed) ** 2
        root = np.full(len(scale), np.sqrt(q))
        np.divide(scale, 2 * loose, out=root, where=2 * loose * np.sqrt(q) > scale)
        most = np.where(known, scale * root + loose * (q - root**2), np.inf)
        means = self._cluster_speeds
        return (0.5 * radius * means[low, high] + most) * MARGIN

    @cached_property
    def _looseness(self) -> FloatArray:
        """Bound the distance of a block's D from the mean of its cluster's, per unit of T: (K,).

        By its points, or by those of the rest of its cluster.
        """
        assert self.acting is not None
        cluster, sizes = self.owner[self.structure.blocks], self.structure.sizes
        known = np.isfinite(self.acting.looseness)
        values = np.where(known, self.acting.looseness, 0.0)
        own = np.bincount(self.structure.blocks, values)
        total = np.bincount(cluster, values)[self.owner]
        nearest = np.minimum(own, total - own) + 2 * len(values) * ROUNDOFF * total
        unknown = np.bincount(cluster, ~known)[self.owner] > 0
        whole = np.bincount(cluster)[self.owner] == sizes
        return np.where(unknown & ~whole, np.inf, nearest / sizes)

    @cached_property
    def _cluster_speeds(self) -> FloatArray:
        """Bound the differences of the means of what acts on the clusters: shape (C, C)."""
        _, d, k = self._moving.means.shape
        sizes = np.bincount(self.owner, self.structure.sizes)
        means, unseen = np.zeros((len(sizes), d, k)), np.zeros(len(sizes))
        shares = self.structure.sizes / sizes[self.owner]
        np.add.at(means, self.owner, shares[:, None, None] * self._moving.means)
        np.add.at(unseen, self.owner, shares * self._mean_error)
        lengths = self._moving.ball.to_edges(np.abs(means), 2)
        unseen = unseen * MARGIN + (len(self.owner) + 8) * ROUNDOFF * lengths
        result = np.zeros((len(sizes), len(sizes)))
        first, second = np.triu_indices(len(sizes), 1)
        result[first, second] = _pair_speeds(self._moving.ball, means, unseen, first, second)
        return np.maximum(result, result.T)

    @cached_property
    def _speeds(self) -> tuple[FloatArray, FloatArray]:
        """Bound what the means do to each pair: in any direction, and towards each other."""
        drift, first, second = self.drift, self.first, self.second
        _, d, k = drift.means.shape
        unseen = self._mean_error[first] + self._mean_error[second]
        if len(first) * d * k > MOST_ENTRIES:
            own = drift.ball.to_edges(drift.means, 2)
            speeds = (own[first] + own[second] + unseen) * MARGIN
            return speeds, speeds
        moved = drift.means[first] - drift.means[second]
        speeds = drift.ball.to_edges(moved, 2)
        y = self.structure.centroids
        units = subgradient_rows(y[first] - y[second], 2)
        nearer = drift.ball.support(-np.einsum("pd,pdk->pk", units, moved))
        # `units` and the product are right to a few roundings of what moves at all.
        nearer += 8 * (d + 4) * ROUNDOFF * speeds
        return (speeds + unseen) * MARGIN, (nearer + unseen) * MARGIN


def _pair_speeds(
    ball: EpsBall, means: FloatArray, unseen: FloatArray, first: IntArray, second: IntArray
) -> FloatArray:
    """Bound the differences of means (K, d, k) of pairs, per unit of ||eps||: shape (R,)."""
    _, d, k = means.shape
    if len(first) * d * k > MOST_ENTRIES:
        own = ball.to_edges(means, 2)
        return (own[first] + own[second] + unseen[first] + unseen[second]) * MARGIN
    speeds = ball.to_edges(means[first] - means[second], 2)
    return (speeds + unseen[first] + unseen[second]) * MARGIN


def _at_blocks(structure: Structure, values: FloatArray) -> FloatArray:
    """Return the sums of the values (P,) of each block's pairs, over its size: shape (K,)."""
    K = len(structure.sizes)
    return np.bincount(structure.pairs.T.ravel(), np.tile(values, 2), K) / structure.sizes
