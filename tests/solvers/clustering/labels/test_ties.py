"""Ties: independent columns, the bound on the singular value, the projection, the middle."""

import itertools
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest

from bilad.solvers.clustering.labels import ties as ties_module
from bilad.solvers.clustering.labels.ties import (
    LARGEST_PRIME,
    TiedPairs,
    _primes,
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


def test_the_balance_is_the_weighted_least_squares_solution():
    """It is exact for forces in the range of the ties, and orthogonal to the rest of others."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ties = random_ties(rng, 3, 3)
        pairs = np.flatnonzero(np.count_nonzero(ties.tied, axis=1) > 1)
        if len(pairs) == 0:
            continue
        masses = rng.integers(1, 9, size=3).astype(float)
        system = factorise_ties(ties, np.arange(3), pairs, masses)
        delta = rng.normal(size=len(system.columns))
        sums = -(system.matrix @ delta).reshape(3, 3)
        assert system.balance(sums) == pytest.approx(delta, rel=1e-9)
        other = rng.normal(size=(3, 3))
        rest = system.matrix @ system.balance(other) + other.ravel()
        assert system.matrix.T @ (rest / np.repeat(masses, 3)) == pytest.approx(0.0, abs=1e-12)


def test_the_distance_from_a_tie_is_rounded_up():
    """In exact arithmetic, for values that satisfy the tie up to a few roundings, or do not."""
    ties = TiedPairs(
        np.array([[0, 1]]), np.ones((1, 2), bool), np.array([[1.0, -1.0]]), np.ones((1, 2))
    )
    masses = np.array([3.0, 7.0])
    system = factorise_ties(ties, np.arange(2), np.arange(1), masses)
    squared_sigma = 2 * (Fraction(1, 3) + Fraction(1, 7))
    assert Fraction(system.sigma) ** 2 <= squared_sigma
    assert system.sigma == pytest.approx(float(squared_sigma) ** 0.5, rel=1e-13)
    rng = np.random.default_rng(0)
    for scale in (0.0, 1e-16, 1.0):
        for _ in range(100):
            values = rng.normal(size=(2, 2))
            values[0, 0] = values[1, 0] - (values[0, 1] - values[1, 1]) + scale * rng.normal()
            (a, b), (c, d) = (map(Fraction, row) for row in values)
            exact = abs(a - c + b - d)
            found = system.distance(values)
            assert Fraction(found) ** 2 * squared_sigma >= exact**2
            assert found <= float(exact) / system.sigma + 1e-14


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_ties_with_large_multipliers_are_independent_first(order):
    """Of the three ties of a triangle two are; the levels of the multipliers decide which."""
    least = np.array([1.0, 1e-5, 1e-8])[list(order)]
    ends = np.array([[0, 1], [0, 2], [1, 2]])
    multipliers = np.column_stack([np.ones(3), least])
    ties = TiedPairs(ends, np.ones((3, 2), bool), np.ones((3, 2)), multipliers)
    system = factorise_ties(ties, np.arange(3), np.arange(3), np.ones(3))
    assert sorted(system.columns[:, 0]) == sorted(np.argsort(-least)[:2])


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_central_multipliers_balance_the_blocks(scale):
    """On a complete graph of four blocks, against the same linear program in CVXPY."""
    rng = np.random.default_rng(0)
    ends = np.array(list(itertools.combinations(range(4), 2)))
    tied = np.column_stack([np.ones((6, 2), dtype=bool), rng.random(6) < 0.5])
    signs = rng.choice([-1.0, 1.0], (6, 3))
    multipliers = scale * rng.uniform(0.5, 1.0, (6, 3)) * tied
    ties = TiedPairs(ends, tied, signs, multipliers)
    system = factorise_ties(ties, np.arange(4), np.arange(6), np.ones(4))
    incidence = np.zeros((4, 6))
    incidence[ends[:, 0], np.arange(6)], incidence[ends[:, 1], np.arange(6)] = 1.0, -1.0
    change = 0.01 * scale * rng.normal(size=(6, 3)) * tied
    change -= tied * (change.sum(axis=1) / tied.sum(axis=1))[:, None]
    sums = incidence @ (signs * change)
    found = central_multipliers(ties, system, sums)
    variable, least = cp.Variable((6, 3)), cp.Variable()
    balanced = incidence @ (signs * multipliers) - sums
    conditions = [
        cp.sum(variable, axis=1) == multipliers.sum(axis=1) / scale,
        incidence @ cp.multiply(signs, variable) == balanced / scale,
        cp.multiply(~tied, variable) == 0,
        variable >= cp.multiply(tied, least * np.ones((6, 3))),
    ]
    cp.Problem(cp.Maximize(least), conditions).solve(solver=cp.CLARABEL)
    assert found[tied].min() == pytest.approx(scale * least.value, rel=1e-5)
    assert not found[~tied].any()
    assert found.sum(axis=1) == pytest.approx(multipliers.sum(axis=1), rel=1e-9)
    assert incidence @ (signs * found) == pytest.approx(balanced, abs=1e-7 * scale)
    assert central_multipliers(ties, system, sums + scale) is None  # cannot be balanced
    nothing = TiedPairs(ends, tied, signs, np.zeros((6, 3)))
    assert central_multipliers(nothing, system, 0 * sums) is None


def test_the_primes_are_the_largest_below_the_limit():
    assert _primes(4) == (2**31 - 1, 2147483629, 2147483587, 2147483579)


def test_a_rank_that_is_not_proved_bounds_nothing(monkeypatch):
    """The three ties of a triangle depend on each other; those of two of its edges do not."""
    monkeypatch.setattr(ties_module, "has_rank_at_most", lambda *_: False)
    ends = np.array([[0, 1], [0, 2], [1, 2]])
    ties = TiedPairs(ends, np.ones((3, 2), bool), np.ones((3, 2)), np.ones((3, 2)))
    system = factorise_ties(ties, np.arange(3), np.arange(3), np.ones(3))
    assert (system.sigma, system.leakage) == (0.0, np.inf)
    assert system.distance(np.zeros((3, 2))) == np.inf
    independent = factorise_ties(ties, np.arange(3), np.arange(2), np.ones(3))
    assert independent.sigma > 0
    assert independent.distance(np.zeros((3, 2))) == 0
