"""Upper bounds on norms of linear maps: from eps in a ball of norm N to a vector in norm q.

Exact where that is cheap, never too small: a radius that rests on one is then never too large.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray

INFLATION = 1 + 1e-12  # of what LAPACK computes to a few ulps
MOST_ENTRIES = 4_000_000  # of a matrix whose singular values are computed


def functional_norms(C: FloatArray, norm: float) -> FloatArray:
    """Return max <c, eps> over ||eps|| <= 1 for each row c of C: the dual norms, shape (m,)."""
    return row_norms(C, conjugate(norm))


def to_euclidean(D: FloatArray, norm: float) -> float:
    """Bound max ||D eps||_2 over ||eps|| <= 1; exact for the norms 1 and 2.

    Parameters
    ----------
    D : ndarray, shape (r, k)
    norm : {1, 2, inf}
        Of eps.
    """
    if D.size == 0 or not D.any():
        return 0.0
    if norm == 1:
        return INFLATION * float(row_norms(D.T, 2).max())
    if norm == 2:
        return _spectral(D)
    by_signs = float(np.linalg.norm(np.abs(D).sum(axis=1)))
    return min(INFLATION * by_signs, np.sqrt(D.shape[1]) * _spectral(D))


def _spectral(D: FloatArray) -> float:
    if D.size > MOST_ENTRIES:
        rows, columns = np.abs(D).sum(axis=1).max(), np.abs(D).sum(axis=0).max()
        return INFLATION * float(min(np.linalg.norm(D), np.sqrt(rows * columns)))
    return INFLATION * float(np.linalg.norm(D, 2))


def to_edges(D: FloatArray, norm: float, q: float) -> FloatArray:
    """Bound max ||D_e eps||_q over ||eps|| <= 1 for each map D_e: shape (m,).

    Exact for d = 1, for the norm 1 of eps, and from norm 2 to q = 2 and q = inf.

    Parameters
    ----------
    D : ndarray, shape (m, d, k)
    norm : {1, 2, inf}
        Of eps.
    q : {1, 2, inf}
    """
    m, d, k = D.shape
    rows = functional_norms(D.reshape(m * d, k), norm).reshape(m, d)
    bound = row_norms(rows, q)  # each feature at its own worst
    if d == 1 or q == np.inf:
        return bound
    columns = row_norms(np.moveaxis(D, 2, 1).reshape(m * k, d), q).reshape(m, k)
    if norm == 1:
        return columns.max(axis=1, initial=0.0)
    bound = np.minimum(bound, columns.sum(axis=1) if norm == np.inf else row_norms(columns, 2))
    if norm == 2:
        gram = D @ np.moveaxis(D, 2, 1)
        spectral = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[:, -1], 0.0))
        spectral += np.sqrt(d * np.finfo(float).eps * np.trace(gram, axis1=1, axis2=2))
        bound = np.minimum(bound, spectral * (np.sqrt(d) if q == 1 else 1.0))
    return bound
