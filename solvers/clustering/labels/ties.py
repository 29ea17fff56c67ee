"""Ties between features for p = inf, and the linear constraints that they impose.

The subdifferential of r ||u||_inf is r conv{s_k e_k : |u_k| = ||u||_inf}, s = sign(u). If several
features attain the norm, z lies on a face, and X satisfies the ties s_k u_k = s_l u_l. The manifold
of a solution is {X constant on blocks, C'X = 0} with one column of C for each tie (K d rows). Most
solutions have ties.

Columns of C may be linearly dependent, as those of the edges of a triangle are. A rank that is
decided in floating point proves nothing. So independent columns T are chosen by a pivoted QR
factorisation, and it is proved in integer arithmetic that the rank of C is not larger
(`has_rank_at_most`). Then C and T have the same range. For T' = N^-1/2 T, N = diag(n_k), the
smallest singular value bounds the change of multipliers: a g in the range is balanced by some
delta, T' delta = -g, with ||delta|| <= ||g|| / sigma_min(T').
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.optimize import linprog

from bilad.models.validation import FloatArray, IntArray

ROUNDOFF = float(np.finfo(float).eps)
RANK_TOLERANCE = 1e-9
LARGEST_PRIME = 2**31 - 1  # products of two residues fit in 64 bits
MOST_WORK = 10**9  # rows times columns times rank times primes
LEVELS = (1e-3, 1e-6, 0.0)  # relative to the largest multiplier, in the choice of independent ties


@dataclass(frozen=True)
class TieSystem:
    """The factorised ties of one component of blocks.

    Attributes
    ----------
    members : ndarray of int, shape (k,)
        The blocks of the component.
    pairs : ndarray of int
        The tied pairs of the component.
    columns : ndarray of int, shape (t, 3)
        The independent ties: pair of blocks, first feature, second feature.
    matrix : ndarray, shape (k d, t)
        T, of full rank.
    basis : ndarray, shape (k d, t)
        Orthonormal, of the same range as N^-1/2 T.
    root_masses : ndarray, shape (k d,)
        Diagonal of N^1/2.
    sigma : float
        Proved lower bound on the smallest singular value of N^-1/2 T, or 0.
    leakage : float
        Bound on the norm of the basis projected on the subspace where the ties hold.
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
        """Project on the ties in the norm weighted by the masses: shape (k, d)."""
        scaled = self.root_masses * values.ravel()
        for _ in range(2):  # two passes reach rounding accuracy
            scaled = scaled - self.basis @ (self.basis.T @ scaled)
        return (scaled / self.root_masses).reshape(values.shape)

    def distance(self, values: FloatArray) -> float:
        """Bound the distance from the ties in the norm weighted by the masses."""
        if self.sigma == 0:
            return float("inf")
        violation = np.linalg.norm(self.matrix.T @ values.ravel())
        rounding = 8 * ROUNDOFF * np.sqrt(len(self.columns)) * np.abs(values).max()
        return float((violation + rounding) / self.sigma)

    def balance(self, sums: FloatArray) -> FloatArray:
        """Return the least-squares solution delta of T delta = -sums: shape (t,)."""
        scaled = self.matrix / self.root_masses[:, None]
        target = -sums.ravel() / self.root_masses
        return np.asarray(np.linalg.lstsq(scaled, target, rcond=None)[0], dtype=float)


@dataclass(frozen=True)
class TiedPairs:
    """The pairs of blocks and the features that attain the norm of their difference.

    Attributes
    ----------
    ends : ndarray of int, shape (P, 2)
        The two blocks of each pair.
    tied, signs : ndarray, shape (P, d)
        The features that attain the norm, and the signs of u.
    multipliers : ndarray, shape (P, d)
        The sum of |z| over the pair's edges.
    """

    ends: IntArray
    tied: NDArray[np.bool_]
    signs: FloatArray
    multipliers: FloatArray


def factorise_ties(
    ties: TiedPairs, members: IntArray, pairs: IntArray, masses: FloatArray
) -> TieSystem:
    """Build and factorise the ties of one component.

    Parameters
    ----------
    ties : TiedPairs
    members : ndarray of int, shape (k,)
        The blocks of the component, increasing.
    pairs : ndarray of int
        The tied pairs of the component.
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
    order, rank = _independent(C, _smallest(ties, columns[:, 0]))
    T = C[:, order[:rank]]
    scaled = T / root_masses[:, None]
    basis, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    error = 10 * len(C) * ROUNDOFF * float(np.linalg.norm(scaled))
    sigma = max(0.0, float(singular[-1]) - error)
    if rank < C.shape[1] and not has_rank_at_most(C, rank):
        sigma = 0.0
    leakage = error / sigma if sigma else float("inf")
    return TieSystem(members, pairs, columns[order[:rank]], T, basis, root_masses, sigma, leakage)


def central_multipliers(ties: TiedPairs, system: TieSystem, sums: FloatArray) -> FloatArray | None:
    """Return multipliers whose smallest entry on a tied feature is as large as possible, or None.

    If the ties are linearly dependent the multipliers are not unique, and a solver may return some
    that are zero. The linear program maximises t subject to multipliers >= t on every tied feature,
    the totals of the pairs, and the balance of the blocks.

    Parameters
    ----------
    ties : TiedPairs
    system : TieSystem
    sums : ndarray, shape (k, d)
        Forces to be balanced.

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
    held = ties.multipliers[system.pairs].sum(axis=1)
    unit = held.max()  # the tolerances of the solver are absolute
    if not unit > 0:
        return None
    present = np.append(ties.multipliers[pair, feature], 0.0) / unit
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
    multipliers = np.zeros((len(system.pairs), d))
    multipliers[row, feature] = unit * solution.x[:-1]
    kept = multipliers.sum(axis=1) > 0.5 * held  # smaller pairs are below the tolerances
    return multipliers if kept.all() else None


def _smallest(ties: TiedPairs, pairs: IntArray) -> FloatArray:
    """Return the smallest multiplier on a tied feature of each pair."""
    return np.where(ties.tied, ties.multipliers, np.inf)[pairs].min(axis=1)


def _independent(C: FloatArray, smallest: FloatArray) -> tuple[IntArray, int]:
    """Order the columns, independent ones first, and return the order and the rank.

    Only the multipliers of independent ties are changed, so ties with large multipliers are chosen
    as independent first.
    """
    order = np.argsort(-smallest, kind="stable")
    kept, others = order[:0], order
    for level in LEVELS:
        chosen = others[smallest[others] >= level * smallest[order[0]]]
        others = others[smallest[others] < level * smallest[order[0]]]
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


def has_rank_at_most(matrix: FloatArray, rank: int) -> bool:
    """Return whether an integer matrix is proved to have at most the given rank.

    By Hadamard's inequality a minor of r + 1 columns of norm at most c is at most c^(r+1). If the
    rank is at most r modulo each of several primes, each of them divides every such minor, and if
    the product of the primes is greater than c^(r+1), all these minors are zero.

    Parameters
    ----------
    matrix : ndarray, shape (k, t)
        Small integers, as floating-point numbers.
    rank : int
    """
    whole = np.rint(matrix).astype(np.int64)
    squares = (whole**2).sum(axis=0).max(initial=1)
    bits = (rank + 1) * 0.5 * float(np.log2(max(squares, 2)))
    count = int(bits / np.log2(LARGEST_PRIME - 10**5)) + 1
    if whole.size * (rank + 1) * count > MOST_WORK:
        return False
    return all(_rank_modulo(whole, prime) <= rank for prime in _primes(count))


def _rank_modulo(matrix: np.ndarray, prime: int) -> int:
    """Return the rank modulo a prime, by Gaussian elimination."""
    rows = matrix % prime
    rank = 0
    for column in range(rows.shape[1]):
        candidates = np.flatnonzero(rows[rank:, column])
        if len(candidates) == 0:
            continue
        pivot = rank + candidates[0]
        rows[[rank, pivot]] = rows[[pivot, rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, column]), -1, prime) % prime
        below = rank + 1 + np.flatnonzero(rows[rank + 1 :, column])
        rows[below] = (rows[below] - rows[below, column, None] * rows[rank] % prime) % prime
        rank += 1
        if rank == len(rows):
            break
    return rank


@cache
def _primes(count: int) -> tuple[int, ...]:
    """Return the largest primes up to the limit, in descending order."""
    return tuple(prime for _, prime in zip(range(count), _descending_primes(), strict=False))


def _descending_primes() -> Iterator[int]:
    divisors = np.arange(3, int(LARGEST_PRIME**0.5) + 2, 2)
    for number in range(LARGEST_PRIME, 3, -2):
        if (number % divisors != 0).all():
            yield number
