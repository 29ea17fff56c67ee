"""Forces on faces, p = inf and d > 1: how much they change where several features may lead.

Write S(zeta) for what the forces do to the blocks, in sum, and v for the change of S(zeta) in the
metric of the masses, v = N^-1/2 (S(zeta') - S(zeta*)), at any solution y' of the contracted problem
for data whose means move by e. By the conditions of optimality v = N^1/2 (e - D), D = y' - y*; and
<S(zeta') - S(zeta*), D> >= 0, so that v is in the ball of centre N^1/2 e / 2 through 0.

*Faces.* A feature that falls short of the largest |u_k| by more than u' - u allows is none of those
that lead at u'. So zeta' is on the face of the others, perhaps on its border: ties may break. With
a first feature a of the face, zeta' - zeta is the sum of t_b (s_b e_b - s_a e_a), where t_b is the
change of the share of feature b, at most 1. (Where signs may change too, of t_b e_b, at most 2.)

*Totals.* So v = C t for a matrix C with one column for each t_b. Let G be any matrix, E = I - G C:

    t = G v + E t,        |t_b| <= |(G v)_b| + sum_c |E_bc| * (1 or 2).

With the pseudoinverse G, E is zero but for roundings in the rows of all t_b that the totals
determine: in forests of pairs that are not steady, and wherever the columns are independent. Others
have no bound. Nothing is asked of the G that is computed: E is looked at, with its roundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF, EpsBall
from bilad.solvers.certificates.robustness.structure import Structure

LARGEST = 400  # rows or columns of C; larger ones are not looked at
SINGULAR = 1e-9  # relative: smaller singular values are taken for zero


@dataclass(frozen=True)
class Push:
    """What eps does to the means of the blocks, in the metric of the masses.

    Attributes
    ----------
    ball : EpsBall
    map : ndarray, shape (K d, k)
        N^1/2 e, less what moves all blocks alike.
    unseen : float
        Bound on the norm of what the map leaves out, per unit of ||eps||.
    rounding : float
        Bound on the norm of |map| |eps|, times the unit roundoff.
    speed : float
        Bound on ||N^1/2 e||, per unit of ||eps||.
    """

    ball: EpsBall
    map: FloatArray
    unseen: float
    rounding: float
    speed: float


@dataclass(frozen=True)
class _Bounds:
    """Bounds on the changes of the shares of all features: shape (P, d), and of zeta: (P,).

    Each has a part per unit of ||eps||, and a part for the errors at eps = 0.
    """

    allowed: BoolArray
    free: BoolArray
    growth: FloatArray
    fixed: FloatArray
    away: FloatArray


class Faces:
    """The pairs of a structure, each with the face that its zeta may be on.

    Parameters
    ----------
    structure : Structure
        p = inf and d > 1.
    push : Push
    """

    def __init__(self, structure: Structure, push: Push) -> None:
        self.structure, self.push = structure, push
        self.magnitude = np.abs(structure.differences)
        self.strength = structure.pair_sums(structure.model.radii)
        ends = structure.sizes[structure.pairs]
        self.scale = np.sqrt((1 / ends).sum(axis=1))
        self._known: dict[bytes, _Bounds] = {}

    def turns(self, radius: float, shifts: FloatArray) -> FloatArray:
        """Bound ||zeta' - zeta||_1, and ||zeta' - zeta*||_1, for each joined pair: shape (P,).

        Parameters
        ----------
        radius : float
            Of eps.
        shifts : ndarray, shape (P,)
            Bounds on the Euclidean norm of the change of y_k - y_l from y to y* and y'.
        """
        bounds = self._bounds(shifts)
        shares = np.minimum(bounds.fixed + radius * bounds.growth, 2.0).sum(axis=1)
        turns = bounds.away + np.where(bounds.free, 1.0, 2.0) * shares
        return np.asarray(np.minimum(turns * (1 + 16 * ROUNDOFF), 2.0), dtype=float)

    def _bounds(self, shifts: FloatArray) -> _Bounds:
        """Return the bounds on the faces that shifts leave open, kept for later."""
        largest = self.magnitude.max(axis=1, initial=0.0)
        reach = (2 + 16 * ROUNDOFF) * shifts + 8 * ROUNDOFF * largest
        allowed = largest[:, None] - self.magnitude <= reach[:, None]
        free = largest + self.magnitude.min(axis=1) <= reach
        key = allowed.tobytes() + free.tobytes()
        if key not in self._known:
            self._known[key] = self._bounded(allowed, free)
        return self._known[key]

    def _bounded(self, allowed: BoolArray, free: BoolArray) -> _Bounds:
        zeta, signs = self.structure.zeta, np.where(self.structure.differences < 0, -1.0, 1.0)
        shares = np.where(allowed, np.maximum(signs * zeta, 0.0), 0.0)
        shares += np.where(allowed & (shares.sum(axis=1) == 0)[:, None], 1.0, 0.0)
        on_faces = signs * shares / shares.sum(axis=1, keepdims=True)
        on_faces[free] = np.where(allowed, zeta, 0.0)[free]
        away = zeta - on_faces
        lengths = row_norms(away, 1) + (len(signs.T) + 8) * ROUNDOFF
        error = 2 * self.structure.error + float(self.strength * self.scale @ lengths)
        growth, fixed = np.zeros(allowed.shape), np.zeros(allowed.shape)
        pair, feature, C = self._columns(allowed, free, signs)
        if len(pair):
            most = np.where(free[pair], 2.0, 1.0)
            growth[pair, feature], fixed[pair, feature] = self._shares(C, most, error)
        return _Bounds(allowed, free, growth, fixed, lengths)

    def _columns(
        self, allowed: BoolArray, free: BoolArray, signs: FloatArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Return the pair and the feature of each column of C, and C: shape (K d, t)."""
        structure, d = self.structure, allowed.shape[1]
        first = np.argmax(allowed, axis=1)
        moving = allowed.copy()
        steady = ~free
        moving[np.flatnonzero(steady), first[steady]] = False
        pair, feature = np.nonzero(moving)
        C = np.zeros((len(structure.sizes) * d, len(pair)))
        which = np.arange(len(pair))
        tied = steady[pair]
        for side, way in ((0, 1.0), (1, -1.0)):
            block = structure.pairs[pair, side]
            value = way * self.strength[pair] / np.sqrt(structure.sizes[block])
            C[block * d + feature, which] = value * signs[pair, feature]
            C[(block * d + first[pair])[tied], which[tied]] = -(value * signs[pair, first[pair]])[
                tied
            ]
        return pair, feature, C

    def _shares(
        self, C: FloatArray, most: FloatArray, error: float
    ) -> tuple[FloatArray, FloatArray]:
        """Bound the coefficients of the columns: per unit of ||eps||, and at eps = 0."""
        if max(C.shape) > LARGEST:
            return np.zeros(len(most)), most
        push, terms = self.push, len(C) + self.structure.model.graph.m + 16
        G = np.asarray(np.linalg.pinv(C, rcond=SINGULAR), dtype=float)
        lengths = row_norms(G, 2) * (1 + terms * ROUNDOFF)
        E = np.abs(np.eye(len(most)) - G @ C) + terms * ROUNDOFF * (1 + np.abs(G) @ np.abs(C))
        along = push.ball.magnitudes(G @ push.map)
        along += lengths * (push.unseen + terms * push.rounding)
        anywhere = lengths * push.speed
        growth = 0.5 * (np.minimum(along, anywhere) + anywhere)
        slack = 1 + terms * ROUNDOFF
        return growth * slack, (lengths * error + E @ most) * slack
