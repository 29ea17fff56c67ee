"""Ties: independent columns, the bound on the singular value, the projection, the middle."""

import itertools

import numpy as np
import pytest

from bilad.solvers.clustering.labels.ties import Ties, central_stock, tie_system


def random_ties(rng, K, d):
    """All pairs of K blocks, each with random leading features and signs."""
    ends = np.array(list(itertools.combinations(range(K), 2)))
    tied = rng.random((len(ends), d)) < 0.7
    tied[:, 0] = True
    signs = rng.choice([-1.0, 1.0], size=(len(ends), d))
    return Ties(ends, tied, signs, rng.random((len(ends), d)) * tied)


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
    system = tie_system(ties, np.arange(K), pairs, masses)
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
    ties = Ties(ends, every, np.ones((3, 2)), np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]))
    system = tie_system(ties, np.arange(3), np.arange(3), np.ones(3))
    assert sorted(system.columns[:, 0]) == [0, 2]  # pair 1 has no room
    assert system.sigma == pytest.approx(np.sqrt(2.0))


def test_central_multipliers_leave_stock_on_every_tied_feature_of_a_triangle():
    ends = np.array([[0, 1], [0, 2], [1, 2]])
    every = np.ones((3, 2), dtype=bool)
    stock = np.array([[0.4, 0.6], [0.0, 1.0], [0.4, 0.6]])
    ties = Ties(ends, every, np.ones((3, 2)), stock)
    system = tie_system(ties, np.arange(3), np.arange(3), np.ones(3))
    central = central_stock(ties, system, np.zeros((3, 2)))
    assert central.min() == pytest.approx(0.2)
    incidence = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    assert incidence.T @ central == pytest.approx(incidence.T @ stock)
    assert central.sum(axis=1) == pytest.approx(stock.sum(axis=1))
