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
    tiny = np.full((1, 2, 3), 1e-200)  # its squares underflow
    assert ball.operator_norms(tiny)[0] >= 1e-200
    assert ball.operator_norm(tiny[0]) >= 1e-200
    assert ball.support(tiny[0])[0] >= 1e-200
