"""Ties between features, p = inf: which |u_k| of two blocks are largest, and what they tie.

The subgradients of r ||u||_inf are r conv{s_k e_k : |u_k| = ||u||_inf}, s = sign(u). Where several
features tie, z is free on a face, and X is bound by s_k u_k = s_l u_l: the manifold of a solution
is {X constant on blocks, C'X = 0}, one column of C for each tie (K d rows). Ties are the rule, not
the exception.

Columns of C may depend on each other, as those of the edges of a triangle do. Rank decided in
floating point proves nothing; so independent columns T are chosen by a pivoted QR factorisation,
and each other column c must satisfy q c = T a in integers, a and q small. Then C and T have the
same range, and the smallest singular value of T (scaled by the masses: T' = N^-1/2 T) bounds the
change of multipliers: the N^-1/2 C delta = -g that balances g in the range has a solution with
||delta|| <= ||g|| / sigma_min(T').
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from bilad.models.validation import FloatArray, IntArray

ROUNDOFF = float(np.finfo(float).eps)
RANK_TOLERANCE = 1e-9
ROOM_LEVELS = (1e-3, 1e-6, 0.0)  # of the largest, in the choice of independent ties
DENOMINATORS = (1, 2, 3, 4, 5, 6, 12)


@dataclass(frozen=True)
class TieSystem:
    """The ties among the blocks of one component, factorised.

    Attributes
    ----------
    members : ndarray of int, shape (k,)
        The component's blocks.
    columns : ndarray of int, shape (t, 3)
        The independent ties: pair of blocks, first feature, second feature.
    matrix : ndarray, shape (k d, t)
        T, of full rank.
    basis : ndarray, shape (k d, t)
        Orthonormal, of the same range as N^-1/2 T.
    root_masses : ndarray, shape (k d,)
        Diagonal of N^1/2.
    sigma : float
        Proved lower bound on the smallest singular value of N^-1/2 T; 0 if nothing is proved.
    leakage : float
        Bound on the norm of the basis projected on the space where the ties hold.
    """

    members: IntArray
    columns: IntArray
    matrix: FloatArray
    basis: FloatArray
    root_masses: FloatArray
    sigma: float
    leakage: float

    def project(self, values: FloatArray) -> FloatArray:
        """Return the nearest values, in the norm of the masses, that keep the ties: (k, d)."""
        scaled = self.root_masses * values.ravel()
        for _ in range(2):  # twice is enough
            scaled = scaled - self.basis @ (self.basis.T @ scaled)
        return (scaled / self.root_masses).reshape(values.shape)

    def distance(self, values: FloatArray) -> float:
        """Bound how far values are, in the norm of the masses, from some that keep the ties."""
        if self.sigma == 0:
            return float("inf")
        violation = np.linalg.norm(self.matrix.T @ values.ravel())
        rounding = 8 * ROUNDOFF * np.sqrt(len(self.columns)) * np.abs(values).max()
        return float((violation + rounding) / self.sigma)

    def balance(self, sums: FloatArray) -> FloatArray:
        """Return the multipliers delta that nearly balance forces, T delta = -sums: shape (t,)."""
        scaled = self.matrix / self.root_masses[:, None]
        target = -sums.ravel() / self.root_masses
        return np.asarray(np.linalg.lstsq(scaled, target, rcond=None)[0], dtype=float)


@dataclass(frozen=True)
class Ties:
    """The pairs of blocks and their leading features.

    Attributes
    ----------
    ends : ndarray of int, shape (P, 2)
        The two blocks of each pair.
    tied, signs : ndarray, shape (P, d)
        The features that attain the norm, and the signs of u.
    stock : ndarray, shape (P, d)
        The sum of |z| over the pair's edges.
    """

    ends: IntArray
    tied: NDArray[np.bool_]
    signs: FloatArray
    stock: FloatArray


def tie_system(ties: Ties, members: IntArray, pairs: IntArray, masses: FloatArray) -> TieSystem:
    """Write down and factorise the ties of one component.

    Parameters
    ----------
    ties : Ties
    members : ndarray of int, shape (k,)
        The component's blocks, increasing.
    pairs : ndarray of int
        Its tied pairs.
    masses : ndarray, shape (k,)
        Sizes of the blocks.
    """
    d = ties.tied.shape[1]
    columns = _columns(pairs, ties.tied)
    local = np.searchsorted(members, ties.ends[columns[:, 0]])
    C = np.zeros((len(members) * d, len(columns)))
    which = np.arange(len(columns))
    for feature, side in ((columns[:, 1], 1.0), (columns[:, 2], -1.0)):
        value = side * ties.signs[columns[:, 0], feature]
        C[local[:, 0] * d + feature, which] = value
        C[local[:, 1] * d + feature, which] = -value
    root_masses = np.repeat(np.sqrt(masses), d)
    order, rank = _independent(C, _room(ties, columns[:, 0]))
    T = C[:, order[:rank]]
    scaled = T / root_masses[:, None]
    basis, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    error = 10 * len(C) * ROUNDOFF * float(np.linalg.norm(scaled))
    sigma = max(0.0, float(singular[-1]) - error)
    if not _spanned(T, C[:, order[rank:]]):
        sigma = 0.0
    leakage = error / sigma if sigma else float("inf")
    return TieSystem(members, columns[order[:rank]], T, basis, root_masses, sigma, leakage)


def _room(ties: Ties, pairs: IntArray) -> FloatArray:
    """Return the smallest stock of a tied feature of each pair."""
    return np.where(ties.tied, ties.stock, np.inf)[pairs].min(axis=1)


def _independent(C: FloatArray, room: FloatArray) -> tuple[IntArray, int]:
    """Order the columns, independent ones first, of these those with room; return their number.

    Only independent ties have to change, so those that cannot are better among the dependent.
    """
    order = np.argsort(-room, kind="stable")
    kept, others = order[:0], order
    for level in ROOM_LEVELS:
        chosen = others[room[others] >= level * room[order[0]]]
        others = others[room[others] < level * room[order[0]]]
        if len(chosen) == 0:
            continue
        residual = C[:, chosen]
        if len(kept):
            basis = qr(C[:, kept], mode="economic")[0]
            residual = residual - basis @ (basis.T @ residual)
        _, R, pivots = qr(residual, mode="economic", pivoting=True)
        rank = int(np.count_nonzero(np.abs(np.diag(R)) > RANK_TOLERANCE))
        kept = np.concatenate([kept, chosen[pivots[:rank]]])
    rest = np.setdiff1d(order, kept)
    return np.concatenate([kept, rest]), len(kept)


def _columns(pairs: IntArray, tied: NDArray[np.bool_]) -> IntArray:
    """Return pair, first tied feature and another, for every tie of the pairs: shape (t, 3)."""
    first = np.argmax(tied[pairs], axis=1)
    others = tied[pairs].copy()
    others[np.arange(len(pairs)), first] = False
    row, feature = np.nonzero(others)
    return np.column_stack([pairs[row], first[row], feature])


def _spanned(T: FloatArray, others: FloatArray) -> bool:
    """Prove, in integers, that the other columns lie in the range of T."""
    remaining = others
    coefficients = np.linalg.lstsq(T, others, rcond=None)[0]
    for q in DENOMINATORS:
        if remaining.shape[1] == 0:
            break
        whole = np.rint(q * coefficients)
        # Entries are small integers: the products are exact in double precision.
        exact = (T @ whole == q * remaining).all(axis=0)
        exact &= np.abs(whole).max(axis=0, initial=0.0) < 2**20
        remaining, coefficients = remaining[:, ~exact], coefficients[:, ~exact]
    return remaining.shape[1] == 0
