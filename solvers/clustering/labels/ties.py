"""Ties between features, p = inf: which |u_k| of two blocks are largest, and what they tie.

The subgradients of r ||u||_inf are r conv{s_k e_k : |u_k| = ||u||_inf}, s = sign(u). Where several
features tie, z is free on a face, and X is bound by s_k u_k = s_l u_l: the manifold of a solution
is {X constant on blocks, C'X = 0}, one column of C for each tie (K d rows). Ties are the rule, not
the exception.

Columns of C may depend on each other, as those of the edges of a triangle do. Rank decided in
floating point proves nothing; so independent columns T are chosen by a pivoted QR factorisation,
and that C has no greater rank is proved in integers (module `integer_rank`). Then C and T have the
same range, and the smallest singular value of T (scaled by the masses: T' = N^-1/2 T) bounds the
change of multipliers: the N^-1/2 C delta = -g that balances g in the range has a solution with
||delta|| <= ||g|| / sigma_min(T').
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.optimize import linprog

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.integer_rank import has_rank_at_most

ROUNDOFF = float(np.finfo(float).eps)
RANK_TOLERANCE = 1e-9
ROOM_LEVELS = (1e-3, 1e-6, 0.0)  # of the largest, in the choice of independent ties


@dataclass(frozen=True)
class TieSystem:
    """The ties among the blocks of one component, factorised.

    Attributes
    ----------
    members : ndarray of int, shape (k,)
        The component's blocks.
    pairs : ndarray of int
        The component's tied pairs.
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
    pairs: IntArray
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
    if rank < C.shape[1] and not has_rank_at_most(C, rank):
        sigma = 0.0
    leakage = error / sigma if sigma else float("inf")
    return TieSystem(members, pairs, columns[order[:rank]], T, basis, root_masses, sigma, leakage)


def central_stock(ties: Ties, system: TieSystem, sums: FloatArray) -> FloatArray | None:
    """Return stock that leaves the most on the tied feature that has least; None if none is found.

    Where ties depend on each other the multipliers are not unique, and a solver may return some
    that are zero: max t subject to stock >= t on every tied feature, the pairs' totals, and the
    balance of the blocks, is a linear program.

    Parameters
    ----------
    ties : Ties
    system : TieSystem
    sums : ndarray, shape (k, d)
        Forces that are to be balanced.

    Returns
    -------
    ndarray, shape (len(system.pairs), d)
    """
    k, d = sums.shape
    row, feature = np.nonzero(ties.tied[system.pairs])
    pair = system.pairs[row]
    ends = np.searchsorted(system.members, ties.ends[pair])
    which = np.arange(len(row))
    forces = np.zeros((k * d, len(row) + 1))
    forces[ends[:, 0] * d + feature, which] = ties.signs[pair, feature]
    forces[ends[:, 1] * d + feature, which] = -ties.signs[pair, feature]
    totals = np.zeros((len(system.pairs), len(row) + 1))
    totals[row, which] = 1.0
    held = ties.stock[system.pairs].sum(axis=1)
    unit = held.max()  # the tolerances of the linear program are absolute
    if not unit > 0:
        return None
    present = np.append(ties.stock[pair, feature], 0.0) / unit
    least = np.hstack([-np.eye(len(row)), np.ones((len(row), 1))])
    solution = linprog(
        -np.eye(len(row) + 1)[-1],
        A_ub=least,
        b_ub=np.zeros(len(row)),
        A_eq=np.vstack([forces, totals]),
        b_eq=np.concatenate([forces @ present - sums.ravel() / unit, totals @ present]),
    )
    if solution.x is None:
        return None
    stock = np.zeros((len(system.pairs), d))
    stock[row, feature] = unit * solution.x[:-1]
    kept = stock.sum(axis=1) > 0.5 * held  # a pair far below the unit is lost in the tolerances
    return stock if kept.all() else None


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
