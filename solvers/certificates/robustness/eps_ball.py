"""The eps of a norm at most 1, and bounds on what linear maps make of them.

Exact where that is cheap, never too small: a radius that rests on one is then never too large.
Roundings are counted, of the bounds themselves; the maps are taken as they are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.norms import conjugate, row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

ROUNDOFF = float(np.finfo(float).eps)
LAPACK = 1e-12  # relative error allowed to singular values and eigenvalues
UNDERFLOW = 2e-154  # root of what a square may lose below the normal numbers
MOST_ROWS = 300  # of a matrix whose singular values are computed


@dataclass(frozen=True)
class EpsBall:
    """{eps : ||eps|| <= 1}, or its part with eps >= 0.

    Attributes
    ----------
    norm : {1, 2, inf}
    nonnegative : bool
        Whether only eps >= 0 are asked about.
    """

    norm: float
    nonnegative: bool = False

    @classmethod
    def of(cls, problem: BilevelProblem) -> EpsBall:
        """Return the unit ball of a problem; of its bounds on eps, only 0 <= eps is used."""
        return cls(problem.norm, bool((problem.perturbation.lower >= 0).all()))

    def support(self, C: FloatArray) -> FloatArray:
        """Return max <c, eps> for each row c of C (m, k), exact up to rounding: shape (m,)."""
        return _norms(np.maximum(C, 0.0) if self.nonnegative else C, conjugate(self.norm))

    def magnitudes(self, C: FloatArray) -> FloatArray:
        """Return max |<c, eps>| for each row c of C (m, k), exact up to rounding: shape (m,)."""
        if not self.nonnegative:
            return self.support(C)
        return np.maximum(self.support(C), self.support(-C))

    def to_euclidean(self, D: FloatArray) -> float:
        """Bound max ||D eps||_2, D (r, k); exact for norm 1, and norm 2 if D is small."""
        if D.size == 0 or not D.any():
            return 0.0
        if self.norm == 1:
            return float(_norms(D.T, 2).max())
        by_rows = _length(self.magnitudes(D))
        longest = 1.0 if self.norm == 2 else np.sqrt(D.shape[1])
        return min(by_rows, float(longest) * _spectral(D))

    def to_edges(self, D: FloatArray) -> FloatArray:
        """Bound max ||D_e eps||_2 for each map D_e of D, (m, d, k): shape (m,).

        Exact for d = 1, for the norm 1 of eps, and for norm 2 if eps has both signs.
        """
        m, d, k = D.shape
        bound = _norms(self.magnitudes(D.reshape(m * d, k)).reshape(m, d), 2)
        if d == 1:
            return bound
        columns = _norms(np.moveaxis(D, 2, 1).reshape(m * k, d), 2).reshape(m, k)
        if self.norm == 1:
            return columns.max(axis=1, initial=0.0)
        bound = np.minimum(bound, _norms(columns, conjugate(self.norm)))
        longest = 1.0 if self.norm == 2 else np.sqrt(k)
        return np.minimum(bound, longest * _spectral_stack(D))


def _norms(C: FloatArray, q: float) -> FloatArray:
    """Return the q-norm of each row, and a little more for the rounding; 0 for rows of zeros."""
    norms = row_norms(C, q) * (1 + 2 * (C.shape[1] + 8) * ROUNDOFF)
    if q == 2 and C.shape[1] > 1:
        norms += np.where(C.any(axis=1), np.sqrt(C.shape[1]) * UNDERFLOW, 0.0)
    return norms


def _length(v: FloatArray) -> float:
    return float(_norms(v[None, :], 2)[0])


def _spectral(D: FloatArray) -> float:
    """Bound the largest singular value: computed, or by the row sums of the Gram matrix."""
    if min(D.shape) <= MOST_ROWS:
        return (1 + LAPACK) * float(np.linalg.norm(D, 2)) + UNDERFLOW * max(D.shape)
    wide = D if D.shape[0] <= D.shape[1] else D.T
    sums = np.abs(wide @ wide.T).sum(axis=1)
    lost = sum(wide.shape) * ROUNDOFF * np.linalg.norm(wide) ** 2
    return (1 + LAPACK) * float(np.sqrt(sums.max() + lost)) + UNDERFLOW * max(D.shape)


def _spectral_stack(D: FloatArray) -> FloatArray:
    """Bound the largest singular value of each (d, k) matrix: shape (m,)."""
    _, d, k = D.shape
    gram = D @ np.moveaxis(D, 2, 1)
    largest = np.maximum(np.linalg.eigvalsh(gram)[:, -1], 0.0)
    lost = 8 * (d + k) * ROUNDOFF * np.trace(gram, axis1=1, axis2=2)
    seen = D.any(axis=(1, 2))
    return (1 + LAPACK) * np.sqrt(largest + lost) + np.where(seen, (d + k) * UNDERFLOW, 0.0)
