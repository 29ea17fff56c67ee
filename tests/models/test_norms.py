"""Conjugate norms, and projections onto their balls."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models.norms import (
    conjugate,
    in_unit_range,
    project_rows,
    row_norms,
    subgradient_rows,
)
from bilad.models.validation import ArgumentError

NORMS = [1.0, 2.0, np.inf]


def test_conjugate():
    assert [conjugate(p) for p in NORMS] == [np.inf, 2.0, 1.0]
    assert [conjugate(conjugate(p)) for p in NORMS] == NORMS


@pytest.mark.parametrize("p", NORMS)
@given(data=st.data())
def test_row_norms_and_hoelder(p, data):
    d = data.draw(st.integers(1, 4))
    U, Z = (data.draw(problems.data(3, d, problems.reals)) for _ in range(2))
    assert row_norms(U, p) == pytest.approx([np.linalg.norm(u, ord=p) for u in U], rel=1e-14)
    bound = row_norms(U, p) * row_norms(Z, conjugate(p))
    assert (np.abs((U * Z).sum(axis=1)) <= bound * (1 + 1e-14) + 1e-300).all()


@pytest.mark.parametrize("q", NORMS)
@given(data=st.data())
def test_projection_is_the_nearest_point_of_the_ball(q, data):
    """y is the projection of z if and only if <z - y, v - y> <= 0 for all v in the ball."""
    d = data.draw(st.integers(1, 5))
    Z = data.draw(problems.data(4, d, problems.reals))
    radii = np.array(data.draw(st.lists(st.sampled_from([0, 0.5, 3, 40]), min_size=4, max_size=4)))
    Y = project_rows(Z, radii, q)
    assert (row_norms(Y, q) <= radii * (1 + 1e-14) + 1e-13).all()
    best = radii * row_norms(Z - Y, conjugate(q))  # the support function of the ball at z - y
    assert ((best - ((Z - Y) * Y).sum(axis=1)) <= 1e-10).all()


@pytest.mark.parametrize("q", NORMS)
def test_projection_against_cvxpy(q):
    rng = np.random.default_rng(3)
    Z, radii = 2 * rng.normal(size=(6, 3)), rng.uniform(0.1, 3, size=6)
    for z, radius, y in zip(Z, radii, project_rows(Z, radii, q), strict=True):
        variable = cp.Variable(3)
        problem = cp.Problem(
            cp.Minimize(cp.sum_squares(variable - z)), [cp.norm(variable, q) <= radius]
        )
        problem.solve(solver=cp.CLARABEL)
        assert y == pytest.approx(variable.value, abs=1e-5)


@pytest.mark.parametrize("q", NORMS)
@given(data=st.data())
def test_projection_leaves_the_ball_alone_and_is_idempotent(q, data):
    Z = data.draw(problems.data(3, 4, problems.reals))
    radii = row_norms(Z, q)
    assert np.array_equal(project_rows(Z, radii, q), Z)
    Y = project_rows(Z, radii / 2, q)
    assert project_rows(Y, radii / 2, q) == pytest.approx(Y, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("p", NORMS)
@given(data=st.data())
def test_subgradients_attain_the_norm(p, data):
    U = data.draw(problems.data(3, data.draw(st.integers(1, 4)), problems.reals))
    Z = subgradient_rows(U, p)
    assert (row_norms(Z, conjugate(p)) <= 1 + 1e-15).all()
    assert (U * Z).sum(axis=1) == pytest.approx(row_norms(U, p), rel=1e-13)


@pytest.mark.parametrize("power", [-1000, 0, 1000])
def test_ranges_are_scaled_without_rounding(power):
    """Up to a range 2^1010 times the smallest difference; a constant column becomes zero."""
    points = np.ldexp([[0.75, 7.0], [0.1, 7.0], [-0.25, 7.0]], power)
    scaled, exponent = in_unit_range(points, "A")
    assert np.ptp(scaled[:, 0]) == 2.0**499  # of 2^500, for a power of two the half
    assert np.array_equal(np.ldexp(scaled[:, 0], exponent), points[:, 0])
    assert not scaled[:, 1].any()


def test_differences_too_small_beside_others_are_refused():
    for power, refused in ((-1010, False), (-1012, True)):
        points = np.array([[0.0], [np.ldexp(1.0, power)], [1.0]])
        if refused:
            with pytest.raises(ArgumentError, match="A: got differences from"):
                in_unit_range(points, "A")
        else:
            scaled, exponent = in_unit_range(points, "A")
            assert np.array_equal(np.ldexp(scaled, exponent), points)
            assert (np.diff(scaled[:, 0]) ** 2 > 0).all()
    assert in_unit_range(np.full((3, 2), 5.0), "A")[1] == 0
