"""The ball of eps and the objective of (BL2) for each norm, compared with NumPy's norms."""

import itertools

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import make_problem, violations

from bilad.formulations.reformulations import KKT, VALUE_FUNCTION
from bilad.models import MaxDeviation, MinPerturbation
from bilad.solvers import cluster

RADIUS = 1.5
OF_EPS = {"ball", "above", "below", "eps", "magnitude", "largest"}


def build(norm, k, kind=MaxDeviation, formulation=KKT):
    options = {"budget": RADIUS} if kind is MaxDeviation else {"budget": 2.0, "limit": RADIUS}
    problem = make_problem("line", n=4, k=k, norm=norm, problem=kind, **options)
    baseline = cluster(problem.model)
    return formulation(problem, baseline)


def set_eps(model, eps):
    """Set eps, and the auxiliary variables to their smallest feasible values."""
    for k, value in enumerate(eps):
        model.eps[k].set_value(value, skip_validation=True)
        if hasattr(model, "magnitude"):
            model.magnitude[k].set_value(abs(value), skip_validation=True)
    if hasattr(model, "largest"):
        model.largest.set_value(max(map(abs, eps)), skip_validation=True)


def excess(model):
    """The largest violation of the constraints of eps."""
    return max(violations(model, OF_EPS).values())


def directions(k):
    rng = np.random.default_rng(k)
    signs = [np.array(s, float) for s in itertools.product((-1, 0, 1), repeat=k) if any(s)]
    return [*signs, *rng.normal(size=(20, k))]


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("formulation", [KKT, VALUE_FUNCTION])
def test_accepts_exactly_the_ball(norm, k, kind, formulation):
    model = build(norm, k, kind, formulation).model
    for direction in directions(k):
        on_the_sphere = RADIUS * direction / np.linalg.norm(direction, norm)
        set_eps(model, 0.999 * on_the_sphere)
        assert excess(model) == 0
        set_eps(model, 1.001 * on_the_sphere)
        assert excess(model) > 1e-4


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("k", [1, 3])
def test_the_objective_of_bl2_orders_eps_by_norm(norm, k):
    model = build(norm, k, MinPerturbation).model
    assert model.goal.sense == pyo.minimize
    points = [r * RADIUS * v for v in directions(k) for r in (0.1, 0.5)] + [np.zeros(k)]
    values = []
    for eps in points:
        set_eps(model, eps)
        values.append(pyo.value(model.goal))
    for (a, f), (b, g) in itertools.combinations(zip(points, values, strict=True), 2):
        shorter = np.linalg.norm(a, norm) - np.linalg.norm(b, norm)
        if abs(shorter) > 1e-9:
            assert np.sign(f - g) == np.sign(shorter)
    assert values[-1] == 0


@pytest.mark.parametrize("norm", [1, np.inf])
def test_the_objective_of_bl2_cannot_be_less_than_the_norm(norm):
    """A smaller value of any auxiliary variable violates a constraint."""
    model = build(norm, 3, MinPerturbation).model
    eps = np.array([0.4, -0.3, 0.2])
    set_eps(model, eps)
    assert pyo.value(model.goal) == pytest.approx(np.linalg.norm(eps, norm))
    assert excess(model) == 0
    for variable in [*model.magnitude.values()] if norm == 1 else [model.largest]:
        value = variable.value
        variable.set_value(value - 1e-3)
        assert excess(model) > 5e-4
        variable.set_value(value)


def test_a_point_outside_is_scaled_back_into_the_ball():
    for norm in (1, 2, np.inf):
        built = build(norm, 3)
        set_eps(built.model, [3.0, -1.0, 0.5])
        eps = built.eps()
        assert np.linalg.norm(eps, norm) <= RADIUS
        assert np.linalg.norm(eps, norm) == pytest.approx(RADIUS)
        assert eps / eps[0] == pytest.approx(np.array([1, -1 / 3, 1 / 6]))
