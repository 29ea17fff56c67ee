"""The unit ball of eps, and upper bounds on what linear maps make of it.

For a norm ||.|| and its dual norm ||.||_* the largest value of <c, eps> over ||eps|| <= 1 is
||c||_*. The Euclidean length of D eps is bounded through the dual norms of the rows of D, through
its columns and through its largest singular value, whichever is smallest. Every result is rounded
up, so that a radius that is derived from it is never too large. The maps themselves are taken as
they are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.norms import conjugate, row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

ROUNDOFF = float(np.finfo(float).eps)
LAPACK = 1e-12  # relative error that is allowed for in singular values and eigenvalues
UNDERFLOW = 2e-154  # square root of what a square may lose below the normal numbers
MOST_ROWS = 300  # the singular values of a matrix with more rows and columns are not computed


@dataclass(frozen=True)
class NormBall:
    """The ball {eps : ||eps|| <= 1}, or its intersection with {eps >= 0}.

    Attributes
    ----------
    norm : {1, 2, inf}
    nonnegative : bool
        Whether the ball is intersected with {eps >= 0}.
    """

    norm: float
    nonnegative: bool = False

    @classmethod
    def of(cls, problem: BilevelProblem) -> NormBall:
        """Return the unit ball of a problem; of the bounds on eps only eps >= 0 is used."""
        return cls(problem.norm, bool((problem.perturbation.lower >= 0).all()))

    def support(self, C: FloatArray) -> FloatArray:
        """Return max <c, eps> for each row c of C (m, k), exact up to rounding: shape (m,)."""
        return _norms(np.maximum(C, 0.0) if self.nonnegative else C, conjugate(self.norm))

    def magnitudes(self, C: FloatArray) -> FloatArray:
        """Return max |<c, eps>| for each row c of C (m, k), exact up to rounding: shape (m,)."""
        if not self.nonnegative:
            return self.support(C)
        return np.maximum(self.support(C), self.support(-C))

    def operator_norm(self, D: FloatArray) -> float:
        """Bound max ||D eps||_2 for D (r, k); exact for norm 1, and for norm 2 if D is small."""
        if D.size == 0 or not D.any():
            return 0.0
        if self.norm == 1:
            return float(_norms(D.T, 2).max())
        by_rows = float(_norms(self.magnitudes(D)[None, :], 2)[0])
        longest = 1.0 if self.norm == 2 else np.sqrt(D.shape[1])
        return min(by_rows, float(longest) * _singular_value(D))

    def operator_norms(self, D: FloatArray) -> FloatArray:
        """Bound max ||D_e eps||_2 for each map D_e of D (m, d, k): shape (m,).

        The bound is exact for d = 1, for the norm 1, and for the norm 2 if eps has both signs.
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
        return np.minimum(bound, longest * _singular_values(D))


def _norms(C: FloatArray, q: float) -> FloatArray:
    """Return the q-norm of each row, rounded up; a row of zeros has norm 0."""
    norms = row_norms(C, q) * (1 + 2 * (C.shape[1] + 8) * ROUNDOFF)
    if q == 2 and C.shape[1] > 1:
        norms += np.where(C.any(axis=1), np.sqrt(C.shape[1]) * UNDERFLOW, 0.0)
    return norms


def _singular_value(D: FloatArray) -> float:
    """Bound the largest singular value: computed, or by the row sums of the Gram matrix."""
    if min(D.shape) <= MOST_ROWS:
        return (1 + LAPACK) * float(np.linalg.norm(D, 2)) + UNDERFLOW * max(D.shape)
    wide = D if D.shape[0] <= D.shape[1] else D.T
    sums = np.abs(wide @ wide.T).sum(axis=1)
    lost = sum(wide.shape) * ROUNDOFF * np.linalg.norm(wide) ** 2
    return (1 + LAPACK) * float(np.sqrt(sums.max() + lost)) + UNDERFLOW * max(D.shape)


def _singular_values(D: FloatArray) -> FloatArray:
    """Bound the largest singular value of each (d, k) matrix: shape (m,)."""
    _, d, k = D.shape
    gram = D @ np.moveaxis(D, 2, 1)
    largest = np.maximum(np.linalg.eigvalsh(gram)[:, -1], 0.0)
    lost = 8 * (d + k) * ROUNDOFF * np.trace(gram, axis1=1, axis2=2)
    seen = D.any(axis=(1, 2))
    return (1 + LAPACK) * np.sqrt(largest + lost) + np.where(seen, (d + k) * UNDERFLOW, 0.0)
