"""Ranks of integer matrices, proved: against exact elimination, and where primes mislead."""

from fractions import Fraction

import numpy as np
import pytest

from bilad.solvers.clustering.labels.integer_rank import LARGEST_PRIME, has_rank_at_most


def exact_rank(matrix):
    rows = [[Fraction(int(value)) for value in row] for row in matrix]
    rank = 0
    for column in range(matrix.shape[1]):
        pivot = next((k for k in range(rank, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for k in range(rank + 1, len(rows)):
            ratio = rows[k][column] / rows[rank][column]
            rows[k] = [a - ratio * b for a, b in zip(rows[k], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("seed", range(20))
def test_the_rank_is_proved_and_no_smaller_one(seed):
    rng = np.random.default_rng(seed)
    k, t, r = rng.integers(1, 13, size=3)
    matrix = rng.integers(-2, 3, size=(k, r)) @ rng.integers(-1, 2, size=(r, t))
    rank = exact_rank(matrix)
    assert has_rank_at_most(matrix.astype(float), rank)
    assert rank == 0 or not has_rank_at_most(matrix.astype(float), rank - 1)


def test_a_multiple_of_the_first_prime_is_not_zero():
    matrix = np.array([[float(LARGEST_PRIME), 0.0], [0.0, 1.0]])
    assert not has_rank_at_most(matrix, 1)
    assert has_rank_at_most(matrix, 2)


def test_too_much_work_proves_nothing():
    assert not has_rank_at_most(np.zeros((1000, 1000)), 999)
