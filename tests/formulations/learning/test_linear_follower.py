"""Linear models as followers: KKT conditions and value function, on problems with known answers."""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.formulations import KKT, VALUE_FUNCTION
from bilad.formulations.follower_state import WrittenFollower
from bilad.formulations.leader import add_eps
from bilad.formulations.schedule import ScheduleStage
from bilad.models import (
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    changed_predictions,
    validation_loss,
)
from bilad.solvers import attack, fit
from bilad.solvers.nlp import IpoptSession

MODELS = {
    "ridge": lambda *data, **options: Ridge(*data, **options),
    "logistic": lambda *data, **options: LogisticRegression(*data, **options),
    "squared hinge": lambda *data, **options: SupportVectorMachine(*data, **options),
    "hinge": lambda *data, **options: SupportVectorMachine(*data, loss="hinge", **options),
}


def data(n=14, d=2, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    return rng.normal(size=(n, d)) + 1.5 * labels[:, None], labels


def problem(name, function=None, kind=MaxDeviation, size=1.0, norm=2, **options):
    X, y = data()
    held = validation_loss(*data(10, seed=1)) if function is None else function
    model = MODELS[name](X, y, **options)
    return kind(model, Perturbation.additive(X.shape, points=[0, 3]), size, norm, held)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_written_follower_has_the_solution_of_the_model(name, intercept):
    """IPOPT minimises the follower at a fixed eps; the result is that of `fit`."""
    case = problem(name, intercept=intercept)
    model = pyo.ConcreteModel()
    add_eps(model, case)
    follower = WrittenFollower(case.model, model, case)
    eps = case.project(np.random.default_rng(2).normal(size=4))
    for k, value in enumerate(eps):
        model.eps[k].fix(float(value))
    session = IpoptSession(model, options={"tol": 1e-10})
    assert session.solve().status.has_point
    expected = fit(case.perturbation.apply(case.model, eps)).theta
    assert [v.value for v in follower.state] == pytest.approx(expected, abs=1e-5)


def check_feasible(single):
    for row in single.model.component_data_objects(pyo.Constraint, active=True):
        low, high = row.lower, row.upper
        body = pyo.value(row.body)
        assert low is None or body >= pyo.value(low) - 1e-6, row.name
        assert high is None or body <= pyo.value(high) + 1e-6, row.name


@pytest.mark.parametrize("method", ["kkt", "value-function"])
@pytest.mark.parametrize("name", MODELS)
def test_a_solution_is_feasible(name, method):
    """At eps with its own solution all conditions hold, in the limit t = 0."""
    case = problem(name)
    single = VALUE_FUNCTION(case) if method != "kkt" else KKT(case, relaxation="scholtes")
    eps = case.project(np.array([0.3, -0.2, 0.1, 0.4]))
    single.set_stage(ScheduleStage(1e-9, 0.1))
    single.start_from(eps, fit(case.perturbation.apply(case.model, eps)))
    check_feasible(single)
    assert single.violation() <= 1e-6


@pytest.mark.parametrize("name", ["squared hinge", "hinge"])
def test_smoothed_conditions_hold_at_the_solution_of_the_smoothed_model(name):
    case = problem(name)
    single = KKT(case)
    eps = case.project(np.array([0.3, -0.2, 0.1, 0.4]))
    for width in (0.5, 0.01):
        single.set_stage(ScheduleStage(width, 0.1))
        single.start_from(eps, fit(case.perturbation.apply(case.model, eps).with_smoothing(width)))
        check_feasible(single)
        assert single.violation() == width


@pytest.mark.parametrize("name", MODELS)
def test_the_slope_of_the_value_function(name):
    case = problem(name)
    single = VALUE_FUNCTION(case)
    rng, h = np.random.default_rng(3), 1e-5
    eps, v = case.project(0.3 * rng.normal(size=4)), rng.normal(size=4)

    def value(eps):
        model = case.perturbation.apply(case.model, eps)
        return model.primal(fit(model).theta)

    single.start_from(eps, fit(case.perturbation.apply(case.model, eps)))
    slopes = [single.model.value_slope[k].value for k in range(4)]
    difference = (value(eps + h * v) - value(eps - h * v)) / (2 * h)
    assert slopes @ v == pytest.approx(difference, rel=1e-4, abs=1e-6)
    assert pyo.value(single.model.lower_value) == pytest.approx(value(eps), rel=1e-9)


# Shares of the largest deviation on a dense sample; the hinge loss has local maxima.
REACHED = {("hinge", "hypergradient"): 0.75, ("hinge", "kkt"): 0.97}


@pytest.mark.parametrize("method", ["kkt", "hypergradient"])
@pytest.mark.parametrize("name", MODELS)
def test_attacks_are_as_good_as_a_dense_sample(name, method):
    """The point with the smallest margin moves in a disc; U is largest on its boundary."""
    X, y = data(seed=2)
    model = MODELS[name](X, y)
    before = fit(model).outcome
    moves = Perturbation.additive(X.shape, points=[np.argmin((2 * y - 1) * (X @ before))])
    case = MaxDeviation(model, moves, 2.0, 2, validation_loss(*data(10, seed=3)))
    circle = [2 * np.array([np.cos(a), np.sin(a)]) for a in np.linspace(0, 2 * np.pi, 60)]
    best = max(case.deviation.value(before, fit(moves.apply(model, eps)).outcome) for eps in circle)
    options = {"starts": 4} if method == "kkt" else {}
    found = attack(case, method, closing="none", **options)
    assert found.own.deviation >= REACHED.get((name, method), 0.998) * best > 0
    assert found.proved


@pytest.mark.parametrize("method", ["kkt", "value-function", "hypergradient", "corners", "cma"])
def test_the_least_change_of_one_prediction(method):
    """Ridge with one entry: theta = x'y / (x'x + 1) changes its sign at a known eps.

    x = (1, -1), y = (1, -1): moving x_0 by eps gives x'y = 2 + eps, so that no eps >= -2 is an
    attack, and every eps < -2 is one.
    """
    model = Ridge([[1.0], [-1.0]], [1.0, -1.0])
    moves = Perturbation.additive((2, 1), points=[0])
    case = MinPerturbation(model, moves, 1.0, 2, changed_predictions([[1.0]]), limit=5.0)
    found = attack(case, method, max_solves=300)
    assert found.status in ("feasible", "optimal")
    assert found.norm == pytest.approx(2.0, rel=1e-3)
    assert found.norm > 2.0


@pytest.mark.parametrize("seed", range(3))
def test_kkt_leaves_the_minimum_of_a_distance(seed):
    """With moved targets the largest distance of ridge regression is known exactly."""
    X, y = data(seed=seed)
    moves = Perturbation.targets(len(y), points=[0, 1, 2])
    found = attack(MaxDeviation(Ridge(X, y), moves, 3.0, deviation="distance"), "kkt")
    assert found.bound is not None
    assert found.own.deviation >= 0.99 * found.bound
