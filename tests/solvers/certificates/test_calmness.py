"""Calmness with modulus 1, globally: X* is a proximal map of the data, firmly nonexpansive.

||X*(eps) - X*(eps')||_F <= ||A(eps) - A(eps')||_F,       for any eps and eps'
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import problems

from bilad.models import Perturbation
from bilad.solvers import cluster

NORMS = (1, 2, float("inf"))


def solution(model):
    """X, and a proved bound of its distance from X*: sqrt(2 g) for a duality gap g."""
    solved = cluster(model, tol=1e-12)
    rounding = 1e-14 * (1 + abs(solved.objective))
    return solved.X, np.sqrt(2 * (model.absolute_gap(solved.X, solved.Z) + rounding))


def check_pair(model, other):
    """The modulus, and firm nonexpansiveness; what the solver left open is counted."""
    (X, error), (Y, other_error) = solution(model), solution(other)
    moved, step = X - Y, model.data - other.data
    unsure = error + other_error
    assert np.linalg.norm(moved) <= np.linalg.norm(step) + unsure
    slack = unsure * (np.linalg.norm(step) + 2 * np.linalg.norm(moved) + unsure)
    assert np.vdot(moved, moved) <= np.vdot(moved, step) + slack


@pytest.mark.parametrize("p", NORMS)
def test_any_two_data(p):
    @settings(max_examples=20)
    @given(problems.models(p=p), st.data())
    def check(model, data):
        far = data.draw(problems.data(*model.data.shape))
        check_pair(model, model.replace(data=far))

    check()


@pytest.mark.parametrize("p", NORMS)
def test_two_eps_of_a_perturbation(p):
    """Near and far, at the kinks and away from them; the bound holds for eps, so for A(eps)."""

    @settings(max_examples=10)
    @given(problems.models(p=p), st.data())
    def check(model, data):
        V = data.draw(problems.data(*model.data.shape).filter(np.any))
        shift = Perturbation.shift(V)
        eps, other = (data.draw(st.floats(-4, 4)) for _ in range(2))
        check_pair(shift.apply(model, eps), shift.apply(model, other))
        check_pair(shift.apply(model, eps), shift.apply(model, eps + 1e-3))

    check()


@pytest.mark.parametrize("p", NORMS)
def test_the_modulus_is_attained(p):
    """By moving all points together: no smaller one serves."""
    model = problems.random_model(3)
    model = type(model)(model.data, model.graph, model.gamma, p)
    (X, error), (Y, other) = solution(model), solution(model.replace(data=model.data + 1.0))
    assert np.linalg.norm(Y - X) == pytest.approx(np.sqrt(X.size), abs=2 * (error + other))
