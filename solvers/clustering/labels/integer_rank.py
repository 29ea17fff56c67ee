"""A proof that an integer matrix has at most a given rank.

By Hadamard's inequality a minor of r + 1 columns of norm at most c is at most c^(r+1). If the rank
is at most r modulo each of several primes, each of them divides every such minor; if their product
is greater than c^(r+1), the minors are zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from bilad.models.validation import FloatArray

LARGEST_PRIME = 2**31 - 1  # products of two residues fit in 64 bits
MOST_WORK = 10**9  # rows times columns times rank times primes


def has_rank_at_most(matrix: FloatArray, rank: int) -> bool:
    """Return whether it is proved that a matrix of small integers has at most this rank.

    Parameters
    ----------
    matrix : ndarray, shape (k, t)
        Integers, as floating-point numbers.
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
    """Return so many primes, the largest up to the limit."""
    return tuple(prime for _, prime in zip(range(count), _descending_primes(), strict=False))


def _descending_primes() -> Iterator[int]:
    divisors = np.arange(3, int(LARGEST_PRIME**0.5) + 2, 2)
    for number in range(LARGEST_PRIME, 3, -2):
        if (number % divisors != 0).all():
            yield number
