"""How far the centroids of a structure can move, and when two of them could meet.

*All at once.* The contracted problem is a proximal map in the metric of the masses, so it is
nonexpansive: sqrt(sum_k n_k ||y'_k - y_k||^2) <= speed ||eps||. Weights that change act as data
that move by M^-1 times the change of the forces, zeta held. What moves all data alike moves all
centroids alike, and is left out.

*Pair by pair.* Subtract the conditions of optimality of two blocks at eps from those at 0. With
u = y_k - y_l, the forces between k and l themselves can only hinder the change of u, since
<u' - u, zeta' - zeta> >= 0; so ||u' - u|| is at most what the means and the turns of the other
forces do. A turn is bounded by the shift of its own pair: a few sweeps improve all the bounds.
Likewise they can only hinder u from losing length along itself, since <u, zeta - zeta'> >= 0; so
<u, u'> / ||u|| falls by at most what the means do in that direction, and the other forces.

Of p = inf the turn is bounded by what the totals determine, too: module `faces`.

*On a line* forces are signs: as long as the order is kept, y is affine in eps.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import row_norms, subgradient_rows
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF
from bilad.solvers.certificates.robustness.faces import Faces, Push
from bilad.solvers.certificates.robustness.search import largest_radius
from bilad.solvers.certificates.robustness.structure import Structure

SWEEPS = 4
MARGIN = 1 + 1e-12  # for the roundings of a few operations
MOST_ENTRIES = 20_000_000  # of the maps from eps to differences of means that are looked at


class Motion:
    """The motion of the centroids.

    Parameters
    ----------
    structure : Structure
    drift : Drift
    """

    def __init__(self, structure: Structure, drift: Drift) -> None:
        self.structure, self.drift = structure, drift
        sizes, K = structure.sizes, len(structure.sizes)
        self.first, self.second = np.triu_indices(K, 1)
        low, high = structure.pairs.T
        self.joined = low * K - low * (low + 1) // 2 + high - low - 1
        self.scale = np.sqrt(1 / sizes[self.first] + 1 / sizes[self.second]) * MARGIN
        self.push = self._push()
        self.speed = self.push.speed
        self.strength = structure.pair_sums(structure.model.radii)
        self.change = structure.pair_sums(drift.change)
        self.faces = None if structure.smooth else Faces(structure, self.push)
        if structure.model.d > 1:
            y = structure.centroids
            self.distances = row_norms(y[self.first] - y[self.second], 2) / MARGIN
            self.direct, self.approach = self._speeds()

    def turns(self, radius: float) -> FloatArray:
        """Bound ||zeta' - zeta||_q for each joined pair, at any ||eps|| <= radius: shape (P,).

        On a line, only within the radius of `merge`.
        """
        if self.structure.model.d == 1 or len(self.structure.pairs) == 0:
            return np.zeros(len(self.structure.pairs))
        shifts = self.shifts(radius)[self.joined]
        turns = self.structure.turns(shifts)
        return turns if self.faces is None else np.minimum(turns, self.faces.turns(radius, shifts))

    def merge(self) -> float:
        """Return a radius within which all centroids are distinct; on a line, in their order."""
        if len(self.structure.sizes) == 1:
            return np.inf
        return self._merge_on_a_line() if self.structure.model.d == 1 else self._merge()

    def shifts(self, radius: float) -> FloatArray:
        """Bound the change of y_k - y_l, for all pairs k < l: shape (K (K - 1) / 2,)."""
        return self._shifts_and_pulls(radius)[0]

    def _shifts_and_pulls(self, radius: float) -> tuple[FloatArray, FloatArray]:
        """Return the shifts, and bounds on what the other forces do to each pair."""
        structure = self.structure
        error = structure.error * self.scale
        shifts = error + radius * self.speed * self.scale
        strength = self.strength + radius * self.change
        for _ in range(SWEEPS):
            turns = structure.turns_between(shifts[self.joined])
            if self.faces is not None:
                turns = np.minimum(turns, self.faces.turns(radius, shifts[self.joined]))
            pull = strength * turns * MARGIN
            at_blocks = np.bincount(
                structure.pairs.T.ravel(), np.tile(pull, 2), len(structure.sizes)
            )
            ends = at_blocks * ((1 + len(structure.sizes) * ROUNDOFF) / structure.sizes)
            others = ends[self.first] + ends[self.second]
            others *= 1 + 8 * ROUNDOFF
            own = pull * (1 / structure.sizes[structure.pairs]).sum(axis=1)
            others[self.joined] -= own * (1 - 8 * ROUNDOFF)
            shifts = np.minimum(shifts, error + radius * self.direct + others)
        return shifts * MARGIN, others

    def _push(self) -> Push:
        """Bound the motion of all at once, per unit of ||eps||, but for what moves all alike."""
        drift, sizes = self.drift, self.structure.sizes
        k, masses = drift.means.shape[2], np.sqrt(sizes)[:, None, None]
        common = np.tensordot(sizes / sizes.sum(), drift.means, axes=1)
        maps = [(masses * (drift.means - common)).reshape(-1, k)]
        if drift.ball.norm == np.inf:  # where less motion may have a larger bound
            maps.append((masses * drift.means).reshape(-1, k))
        least = min(drift.ball.to_euclidean(moved) for moved in maps)
        rows = drift.ball.magnitudes((masses * np.abs(drift.means)).reshape(-1, k))
        length = float(np.linalg.norm(rows))
        unseen = float(np.linalg.norm(masses[:, 0, 0] * drift.mean_error))
        unseen += 4 * (len(sizes) + 8) * ROUNDOFF * length
        speed = (least + unseen) * MARGIN
        return Push(drift.ball, maps[0], unseen * MARGIN, 2 * ROUNDOFF * length * MARGIN, speed)

    def _speeds(self) -> tuple[FloatArray, FloatArray]:
        """Bound what the means do to all pairs: in any direction, and towards each other.

        Both of shape (K (K - 1) / 2,), per unit of ||eps||.
        """
        drift, first, second = self.drift, self.first, self.second
        _, d, k = drift.means.shape
        unseen = drift.mean_error[first] + drift.mean_error[second]
        if len(first) * d * k > MOST_ENTRIES:
            own = drift.ball.to_edges(drift.means, 2)
            speeds = own[first] + own[second] + unseen
            return speeds, speeds
        moved = drift.means[first] - drift.means[second]
        speeds = drift.ball.to_edges(moved, 2)
        y = self.structure.centroids
        units = subgradient_rows(y[first] - y[second], 2)
        nearer = drift.ball.support(-np.einsum("pd,pdk->pk", units, moved))
        # `units` and the product are right to a few roundings of what moves at all.
        return speeds + unseen, nearer + unseen + 8 * (d + 4) * ROUNDOFF * speeds

    def _distinct(self, radius: float) -> bool:
        """Whether all centroids are distinct at any ||eps|| <= radius."""
        shifts, others = self._shifts_and_pulls(radius)
        error = self.structure.error * self.scale
        nearer = error + radius * self.approach + others
        # u is known up to that error, and so is the sign of <u, zeta - zeta'>.
        own = (self.strength + radius * self.change) * self.scale[self.joined] ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            nearer[self.joined] += 2 * own * error[self.joined] / self.distances[self.joined]
        return bool(((shifts < self.distances) | (nearer * MARGIN < self.distances)).all())

    def _merge(self) -> float:
        reach = float((self.distances / self.scale).min()) - self.structure.error
        if reach <= 0:
            return 0.0
        if self.speed == 0:
            return np.inf
        return largest_radius(self._distinct, float(reach / self.speed))

    def _merge_on_a_line(self) -> float:
        drift, error = self.drift, self.drift.mean_error
        order = np.argsort(self.structure.centroids[:, 0])
        y, means = self.structure.centroids[order, 0], drift.means[order, 0]
        gaps = np.diff(y) - 2 * self.structure.error
        approach = drift.ball.support(means[:-1] - means[1:])
        speeds = (approach + error[order[:-1]] + error[order[1:]]) * MARGIN
        if (gaps <= 0).any():
            return 0.0
        moving = speeds > 0
        return float((gaps[moving] / speeds[moving]).min(initial=np.inf))
