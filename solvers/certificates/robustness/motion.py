"""How far the centroids of a structure can move, and when two of them could meet.

*All at once.* The contracted problem is a proximal map in the metric of the masses, so it is
nonexpansive: sqrt(sum_k n_k ||y'_k - y_k||^2) <= speed ||eps||. Weights that change act as data
that move by M^-1 times the change of the forces, zeta held.

*Pair by pair.* Subtract the conditions of optimality of two blocks at eps from those at 0. With
u = y_k - y_l, the forces between k and l themselves can only hinder the change of u, since
<u' - u, zeta' - zeta> >= 0; so ||u' - u|| is at most what the means and the turns of the other
forces do. A turn is bounded by the shift of its own pair: a few sweeps improve all the bounds.

*On a line* forces are signs: as long as the order is kept, y is affine in eps.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF
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
        masses = np.sqrt(sizes)
        flat = (masses[:, None, None] * drift.means).reshape(-1, drift.means.shape[2])
        unseen = float(np.linalg.norm(masses * drift.mean_error))
        self.speed = (drift.ball.to_euclidean(flat) + unseen) * MARGIN
        self.strength = structure.pair_sums(structure.model.radii)
        self.change = structure.pair_sums(drift.change)
        if structure.model.d > 1:
            self.direct = self._direct_speeds()

    def turns(self, radius: float) -> FloatArray:
        """Bound ||zeta' - zeta||_q for each joined pair, at any ||eps|| <= radius: shape (P,).

        On a line, only within the radius of `merge`.
        """
        if self.structure.model.d == 1 or len(self.structure.pairs) == 0:
            return np.zeros(len(self.structure.pairs))
        return self.structure.turns(self.shifts(radius)[self.joined])

    def merge(self) -> float:
        """Return a radius within which all centroids are distinct; on a line, in their order."""
        if len(self.structure.sizes) == 1:
            return np.inf
        return self._merge_on_a_line() if self.structure.model.d == 1 else self._merge()

    def shifts(self, radius: float) -> FloatArray:
        """Bound the change of y_k - y_l, for all pairs k < l: shape (K (K - 1) / 2,)."""
        structure = self.structure
        error = structure.error * self.scale
        shifts = error + radius * self.speed * self.scale
        strength = self.strength + radius * self.change
        for _ in range(SWEEPS):
            pull = strength * structure.turns_between(shifts[self.joined]) * MARGIN
            at_blocks = np.bincount(
                structure.pairs.T.ravel(), np.tile(pull, 2), len(structure.sizes)
            )
            ends = at_blocks * ((1 + len(structure.sizes) * ROUNDOFF) / structure.sizes)
            others = ends[self.first] + ends[self.second]
            rounding = 8 * ROUNDOFF * others
            others[self.joined] -= pull * (1 / structure.sizes[structure.pairs]).sum(axis=1)
            shifts = np.minimum(shifts, error + radius * self.direct + others + rounding)
        return shifts * MARGIN

    def _direct_speeds(self) -> FloatArray:
        """Bound the change of the difference of the means, for all pairs: (K (K - 1) / 2,)."""
        drift, first, second = self.drift, self.first, self.second
        _, d, k = drift.means.shape
        if len(first) * d * k <= MOST_ENTRIES:
            speeds = drift.ball.to_edges(drift.means[first] - drift.means[second], 2)
        else:
            own = drift.ball.to_edges(drift.means, 2)
            speeds = own[first] + own[second]
        return speeds + drift.mean_error[first] + drift.mean_error[second]

    def _merge(self) -> float:
        y, d = self.structure.centroids, self.structure.model.d
        distances = row_norms(y[self.first] - y[self.second], 2) * (1 - (d + 8) * ROUNDOFF)

        def distinct(radius: float) -> bool:
            return bool((self.shifts(radius) < distances).all())

        reach = float((distances / self.scale).min()) - self.structure.error
        if reach <= 0:
            return 0.0
        if self.speed == 0:
            return np.inf
        return largest_radius(distinct, float(reach / self.speed))

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
