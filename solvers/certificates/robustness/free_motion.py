"""How far blocks can move, whatever meets meanwhile: bounds that hold at every radius.

Cut the clusters into blocks, and let y'(eps) solve the problem contracted on these. At eps = 0 it
is y*, the clusters' own solution, which the structure's y is near. With D_k = y'_k - y*_k and the
means e_k of what eps does to the data of a block,

    sum_k n_k ||D_k||^2 <= sum_k n_k <e_k, D_k>,

as a proximal map moves: D is in the ball of centre e / 2 and radius ||e|| / 2, ||e|| <= speed
||eps||. So a difference D_k - D_l is at most half of e_k - e_l and half of what ||e|| allows.

Where weights change, y* solves the problem with the new weights for data moved by M^-1 times the
change of forces. Between clusters that is the change of the weights times zeta*. Inside a cluster
y* leaves zeta free: shorten it, where it would not fit the new weights.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF, EpsBall
from bilad.solvers.certificates.robustness.structure import Structure

MARGIN = 1 + 1e-12  # for the roundings of a few operations
MOST_ENTRIES = 500_000  # of the maps from eps to differences of means that are looked at


class FreeMotion:
    """The motion of blocks into which the clusters are cut.

    Parameters
    ----------
    structure : Structure
        As `refined` makes it of the structure of the clusters, or that itself.
    owner : ndarray of int, shape (K,)
        Cluster of each block.
    drift : Drift
        Of the structure.

    Attributes
    ----------
    first, second : ndarray of int, shape (R,)
        Pairs of blocks of different clusters, first < second.
    distances : ndarray, shape (R,)
        At eps = 0, between the structure's y.
    """

    def __init__(self, structure: Structure, owner: IntArray, drift: Drift) -> None:
        self.structure, self.drift = structure, drift
        sizes, K = structure.sizes, len(structure.sizes)
        first, second = np.triu_indices(K, 1)
        across = owner[first] != owner[second]
        self.first, self.second = first[across], second[across]
        place = np.full((K, K), -1)
        place[self.first, self.second] = np.arange(len(self.first))
        self._joined = place[structure.pairs[:, 0], structure.pairs[:, 1]]
        self._inside = self._joined < 0
        y = structure.centroids
        self.distances = row_norms(y[self.first] - y[self.second], 2) / MARGIN
        self._scale = np.sqrt(1 / sizes[self.first] + 1 / sizes[self.second]) * MARGIN
        self._error = structure.error * self._scale
        self._change = structure.pair_sums(drift.change)

    def shifts(self, radius: float) -> FloatArray:
        """Bound the change of y_k - y_l at ||eps|| <= radius, from the structure's y: (R,)."""
        return (self._error + radius * self._shares) * MARGIN

    def turns(self, radius: float) -> FloatArray:
        """Bound ||zeta' - zeta||_q for each joined pair, zeta the structure's: shape (P,)."""
        return self._turns(self.shifts(radius))

    def apart(self, radius: float) -> BoolArray:
        """Return which of the pairs `first`, `second` never meet at ||eps|| <= radius: (R,)."""
        never: BoolArray = self.shifts(radius) < self.distances
        return never

    def merge(self) -> float:
        """Return a radius within which all pairs are `apart`."""
        room = self.distances / MARGIN**2 - self._error
        if (room <= 0).any():
            return 0.0
        moving = self._shares > 0
        lengths = room[moving] / self._shares[moving]
        return float(lengths.min(initial=np.inf)) / MARGIN

    def reach(self, radius: float) -> float:
        """Bound sqrt(sum_k n_k ||D_k||^2), D from the structure's y, but for what moves all alike.

        At every ||eps|| <= radius.
        """
        return (radius * self._speed + self.structure.error) * MARGIN

    def _turns(self, shifts: FloatArray) -> FloatArray:
        """Bound the turns away from the structure's zeta, which is 0 inside clusters: (P,)."""
        structure = self.structure
        own = np.full(len(structure.pairs), np.inf)
        own[~self._inside] = shifts[self._joined[~self._inside]]
        if structure.model.d == 1:
            turns = np.where(np.abs(structure.differences[:, 0]) > own, 0.0, 2.0)
        else:
            turns = structure.turns(own)
        return np.where(self._inside, 1.0, turns)

    @cached_property
    def _mean_error(self) -> FloatArray:
        """What the drift's means leave out, per unit of ||eps||: shape (K,)."""
        if not self._change.any():
            return self.drift.mean_error
        first_turns = self._turns(self._error)  # bounds on ||zeta* - zeta||_q
        unknown = self._change * np.where(self._inside, 1.0, first_turns)
        return self.drift.mean_error + _at_blocks(self.structure, unknown) * MARGIN

    @cached_property
    def _speed(self) -> float:
        """Bound the motion of all at once, per unit of ||eps||, but for what moves all alike."""
        drift, sizes = self.drift, self.structure.sizes
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
        drift = self.drift
        own = _pair_speeds(drift.ball, drift.means, self._mean_error, self.first, self.second)
        return 0.5 * (own + self._speed * self._scale) * MARGIN


def _pair_speeds(
    ball: EpsBall, means: FloatArray, unseen: FloatArray, first: IntArray, second: IntArray
) -> FloatArray:
    """Bound the differences of means (K, d, k) of pairs, per unit of ||eps||: shape (R,)."""
    _, d, k = means.shape
    if len(first) * d * k > MOST_ENTRIES:
        own = ball.to_edges(means)
        return (own[first] + own[second] + unseen[first] + unseen[second]) * MARGIN
    speeds = ball.to_edges(means[first] - means[second])
    return (speeds + unseen[first] + unseen[second]) * MARGIN


def _at_blocks(structure: Structure, values: FloatArray) -> FloatArray:
    """Return the sums of the values (P,) of each block's pairs, over its size: shape (K,)."""
    K = len(structure.sizes)
    return np.bincount(structure.pairs.T.ravel(), np.tile(values, 2), K) / structure.sizes
