"""Ties: independent columns, the bound on the singular value, the projection, the middle."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from bilad.solvers.clustering.labels.ties import (
    LARGEST_PRIME,
    TiedPairs,
    central_multipliers,
    factorise_ties,
    has_rank_at_most,
)


def random_ties(rng, K, d):
    """All pairs of K blocks, each with random leading features and signs."""
    ends = np.array(list(itertools.combinations(range(K), 2)))
    tied = rng.random((len(ends), d)) < 0.7
    tied[:, 0] = True
    signs = rng.choice([-1.0, 1.0], size=(len(ends), d))
    return TiedPairs(ends, tied, signs, rng.random((len(ends), d)) * tied)


def all_columns(ties, K):
    P, d = ties.tied.shape
    rows = []
    for pair in range(P):
        first, *others = np.flatnonzero(ties.tied[pair])
        for other in others:
            row = np.zeros((K, d))
            for feature, side in ((first, 1.0), (other, -1.0)):
                row[ties.ends[pair, 0], feature] += side * ties.signs[pair, feature]
                row[ties.ends[pair, 1], feature] -= side * ties.signs[pair, feature]
            rows.append(row.ravel())
    return np.array(rows).reshape(-1, K * d).T


@pytest.mark.parametrize("seed", range(12))
def test_the_independent_ties_span_all_and_sigma_is_a_lower_bound(seed):
    rng = np.random.default_rng(seed)
    K, d = int(rng.integers(2, 6)), int(rng.integers(2, 4))
    ties = random_ties(rng, K, d)
    C = all_columns(ties, K)
    if C.shape[1] == 0:
        return
    pairs = np.flatnonzero(np.count_nonzero(ties.tied, axis=1) > 1)
    masses = rng.integers(1, 9, size=K).astype(float)
    system = factorise_ties(ties, np.arange(K), pairs, masses)
    rank = np.linalg.matrix_rank(C)
    assert system.matrix.shape[1] == rank
    if system.sigma:
        scaled = system.matrix / system.root_masses[:, None]
        assert 0 < system.sigma <= np.linalg.svd(scaled, compute_uv=False)[-1]
    values = rng.normal(size=(K, d))
    projected = system.project(values)
    assert np.abs(C.T @ projected.ravel()).max() < 1e-13
    moved = np.sqrt(masses)[:, None] * (values - projected)
    assert np.vdot(moved * np.sqrt(masses)[:, None], projected) == pytest.approx(0.0, abs=1e-12)
    if system.sigma:
        assert np.linalg.norm(moved) <= system.distance(values)


def test_the_ties_of_a_triangle_depend_on_each_other():
    ends = np.array([[0, 1], [0, 2], [1, 2]])
    every = np.ones((3, 2), dtype=bool)
    ties = TiedPairs(ends, every, np.ones((3, 2)), np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]))
    system = factorise_ties(ties, np.arange(3), np.arange(3), np.ones(3))
    assert sorted(system.columns[:, 0]) == [0, 2]  # pair 1 has no room
    assert system.sigma == pytest.approx(np.sqrt(2.0))


def test_central_multipliers_are_positive_on_every_tied_feature_of_a_triangle():
    ends = np.array([[0, 1], [0, 2], [1, 2]])
    every = np.ones((3, 2), dtype=bool)
    multipliers = np.array([[0.4, 0.6], [0.0, 1.0], [0.4, 0.6]])
    ties = TiedPairs(ends, every, np.ones((3, 2)), multipliers)
    system = factorise_ties(ties, np.arange(3), np.arange(3), np.ones(3))
    central = central_multipliers(ties, system, np.zeros((3, 2)))
    assert central.min() == pytest.approx(0.2)
    incidence = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    assert incidence.T @ central == pytest.approx(incidence.T @ multipliers)
    assert central.sum(axis=1) == pytest.approx(multipliers.sum(axis=1))


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
