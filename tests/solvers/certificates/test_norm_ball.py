"""Norms of linear maps of eps: never below a sampled maximum, and met where called exact."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import rational

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.norms import row_norms
from bilad.solvers.certificates import norm_ball
from bilad.solvers.certificates.norm_ball import MOST_ROWS, NormBall

NORMS = (1, 2, np.inf)
seeds = st.integers(0, 2**32 - 1)
balls = st.builds(NormBall, st.sampled_from(NORMS), st.booleans())


def samples(rng, ball, k, most=200):
    """Eps of size 1: random, corners, units; shape (r, k)."""
    eps = np.vstack([rng.normal(size=(most, k)), np.eye(k), -np.eye(k)])
    if k <= 6:
        eps = np.vstack([eps, list(itertools.product([-1.0, 0.0, 1.0], repeat=k))])
    eps = np.maximum(eps, 0.0) if ball.nonnegative else eps
    sizes = np.linalg.norm(eps, ball.norm, axis=1)
    return eps[sizes > 0] / sizes[sizes > 0, None]


@given(seed=seeds, ball=balls)
def test_bounds_are_never_below_samples(seed, ball):
    rng = np.random.default_rng(seed)
    m, d, k = rng.integers(1, 5, 3)
    D = rng.normal(size=(m, d, k)) * (rng.random((m, d, k)) < 0.7)
    eps = samples(rng, ball, k)
    at_edges = np.einsum("edk,rk->red", D, eps)
    seen = np.array([row_norms(values, 2) for values in at_edges]).max(axis=0)
    assert (ball.operator_norms(D) >= seen).all()
    flat = D.reshape(m * d, k)
    assert ball.operator_norm(flat) >= np.linalg.norm(eps @ flat.T, axis=1).max()
    assert (ball.support(flat) >= (eps @ flat.T).max(axis=0)).all()
    assert (ball.magnitudes(flat) >= np.abs(eps @ flat.T).max(axis=0)).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_norms_are_rounded_up(norm, nonnegative):
    """Never below the exact ones, and above them by some roundings only."""
    rng, ball = np.random.default_rng(0), NormBall(norm, nonnegative)
    C = rng.normal(size=(60, 7)) * rng.choice([1e-30, 1.0, 1e30], (60, 1))
    spectral = [ball.operator_norm(row[None, :]) for row in C]
    for row, support, size, length in zip(
        C.tolist(), ball.support(C), ball.magnitudes(C), spectral, strict=True
    ):
        up = [max(Fraction(c), 0) if nonnegative else Fraction(c) for c in row]
        down = [max(-Fraction(c), 0) if nonnegative else Fraction(c) for c in row]
        exact = rational.dual_norm_squared(up, norm)
        largest = max(exact, rational.dual_norm_squared(down, norm))
        slack = 1 + Fraction(1, 10**11)
        assert exact <= Fraction(support) ** 2 <= exact * slack
        assert largest <= Fraction(size) ** 2 <= largest * slack
        assert largest <= Fraction(length) ** 2


@given(seed=seeds)
def test_exact_where_called_exact(seed):
    rng = np.random.default_rng(seed)
    d, k = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    D = rng.normal(size=(1, d, k))
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=k)))
    units = np.vstack([np.eye(k), -np.eye(k)])

    def largest(eps, rows=D[0]):
        return row_norms(eps @ rows.T, 2).max()

    assert NormBall(1).operator_norms(D)[0] == pytest.approx(largest(units), rel=1e-11)
    assert NormBall(1).operator_norm(D[0]) == pytest.approx(
        np.linalg.norm(units @ D[0].T, axis=1).max(), rel=1e-11
    )
    if d == 1:
        assert NormBall(np.inf).operator_norms(D)[0] == pytest.approx(largest(corners), rel=1e-11)
    spectral = np.linalg.norm(D[0], 2)
    assert NormBall(2).operator_norms(D)[0] == pytest.approx(spectral, rel=1e-9)
    assert NormBall(2).operator_norm(D[0]) == pytest.approx(spectral, rel=1e-11)
    row = D[0, :1]
    assert NormBall(np.inf, True).support(row)[0] == pytest.approx(row[row > 0].sum(), rel=1e-11)
    assert NormBall(1, True).magnitudes(row)[0] == pytest.approx(np.abs(row).max(), rel=1e-11)


def test_large_maps_are_bounded_by_their_gram_matrix():
    rng = np.random.default_rng(0)
    D = rng.normal(size=(MOST_ROWS + 20, MOST_ROWS + 10))
    assert NormBall(2).operator_norm(D) >= np.linalg.norm(D, 2)
    rows = np.kron(np.eye(MOST_ROWS + 1), np.ones((1, 3)))  # disjoint: exact
    assert NormBall(2).operator_norm(rows) == pytest.approx(np.sqrt(3), rel=1e-9)


@pytest.mark.parametrize(("lower", "upper", "nonnegative"), [(0.0, 1.0, True), (-0.5, 1.0, False)])
def test_only_eps_that_are_all_nonnegative_lose_their_sign(lower, upper, nonnegative):
    model = ConvexClustering([[0.0], [1.0]], FusionGraph.complete(2), 1.0)
    free = Perturbation.linear((2, 1), np.eye(2), lower=[lower, 0.0], upper=upper)
    assert NormBall.of(MaxDeviation(model, free, 1.0)).nonnegative == nonnegative


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_moves_nothing_and_little_is_not_nothing(norm):
    ball = NormBall(norm)
    assert ball.operator_norm(np.zeros((2, 3))) == 0
    np.testing.assert_array_equal(ball.operator_norms(np.zeros((2, 2, 3))), 0)
    for last in (1e-200, 0.0):
        tiny = np.full((1, 2, 3), 1e-200)  # its squares underflow
        tiny[0, 1, 2] = last
        assert ball.operator_norms(tiny)[0] >= 1e-200
        assert ball.operator_norm(tiny[0]) >= 1e-200
        assert (ball.support(tiny[0]) >= 1e-200).all()


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (3, 3)])
def test_without_singular_values_the_gram_matrix_of_the_shorter_side_bounds(
    monkeypatch, shape, nonnegative
):
    """Integers, of which the Gram matrix and its row sums are exact."""
    monkeypatch.setattr(norm_ball, "MOST_ROWS", 1)
    rng, ball = np.random.default_rng(0), NormBall(2, nonnegative)
    for scale in (1.0, 2.0**-40):
        D = scale * rng.integers(-4, 5, shape)
        wide = D if shape[0] <= shape[1] else D.T
        expected = np.sqrt(np.abs(wide @ wide.T).sum(axis=1).max())
        rows = np.sqrt((ball.magnitudes(D) ** 2).sum())
        found = ball.operator_norm(D)
        assert found == pytest.approx(min(expected, rows), rel=1e-11)
        assert found >= np.linalg.norm(D, 2) or nonnegative
    line = np.full((2, 2), 0.1)  # of rank 1: the row sums of its Gram matrix are exact
    assert Fraction(ball.operator_norm(line)) ** 2 >= 4 * Fraction(0.1) ** 2


@pytest.mark.parametrize("norm", NORMS)
def test_each_map_has_the_least_of_its_bounds(norm):
    """Of small maps among large ones: by rows, by columns and by singular values."""
    rng, dual = np.random.default_rng(1), {1: np.inf, 2: 2, np.inf: 1}[norm]
    D = rng.normal(size=(6, 3, 4)) * 10.0 ** np.arange(-6, 6, 2)[:, None, None]
    D[1, :, 1:] = 0.0
    D[2, 1:] = 0.0
    D[3] = np.outer([1.0, -2.0, 0.5], [1.0, 1.0, -1.0, 1.0])
    rows = np.linalg.norm(np.linalg.norm(D, dual, axis=2), axis=1)
    columns = np.linalg.norm(np.linalg.norm(D, axis=1), dual, axis=1)
    longest = {1: 1.0, 2: 1.0, np.inf: 2.0}[norm]
    expected = np.minimum.reduce([rows, columns, longest * np.linalg.norm(D, 2, axis=(1, 2))])
    found = NormBall(norm).operator_norms(D)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (found >= expected * (1 - 1e-15)).all()
    for one, bound in zip(D, found, strict=True):
        assert NormBall(norm).operator_norm(one) >= bound * (1 - 1e-9)
