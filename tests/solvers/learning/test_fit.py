"""Fits of linear models: against scikit-learn, their proofs, and their derivatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer

from bilad.models import Ridge, SupportVectorMachine
from bilad.models.learning.learning_model import adjoint, smoothed, solve, state_gap
from bilad.models.learning.margin_loss import label_weights
from bilad.scripts.soak.learning import of_scikit_learn
from bilad.scripts.soak.problem_data import LINEAR as KINDS
from bilad.solvers import fit
from bilad.solvers.learning.newton import _bounded


def cancer(n=100):
    data, labels = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(labels))[:n]
    return ((data - data.mean(axis=0)) / data.std(axis=0))[rows], labels[rows]


def make(name, data, labels, penalty=1.0, **options):
    kind, own = KINDS[name]
    return kind(data, labels, penalty, **own, **options)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("name", KINDS)
def test_against_scikit_learn(name, penalty, intercept):
    data, labels = cancer()
    found = fit(make(name, data, labels, penalty, intercept=intercept))
    columns = np.column_stack([data, np.ones(len(data))]) if intercept else data
    theirs = np.ravel(of_scikit_learn(name, columns, labels, penalty).coef_)
    assert found.status == "optimal"
    assert found.proved
    assert np.abs(found.theta - theirs).max() <= 1e-7
    if name != "ridge":
        assert set(found.predict(data)) == {0, 1}
    assert found.proved_predictions(data).mean() > 0.98


def random_model(name, rng, n=12, d=3):
    data = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-1, 1)
    labels = np.where(np.arange(n) < n // 2, 0, 1)
    model = make(name, data, labels, 10.0 ** rng.uniform(-1, 1), intercept=bool(rng.integers(2)))
    return model.replace(targets=rng.uniform(-1, 1, n)) if rng.integers(2) else model


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=12)
@given(seed=st.integers(0, 10**6))
def test_the_gap_is_a_proof(name, seed):
    """No point is better than the gap allows; the bound of the distance holds at any point."""
    model = random_model(name, np.random.default_rng(seed))
    found = fit(model)
    assert found.proved
    start = np.zeros(len(found.theta))
    theirs = minimize(model.primal, start, method="Powell", options={"ftol": 1e-12, "xtol": 1e-12})
    value = model.primal(found.theta)
    rounding = 1e-14 * (1 + abs(value))  # of the two values that are compared here
    assert theirs.fun >= value - found.absolute_gap - rounding
    distance = np.sqrt(2 * (theirs.fun - value + found.absolute_gap + rounding) / model.penalty)
    assert np.linalg.norm(theirs.x - found.theta) <= distance + found.distance_bound
    gap = state_gap(model, theirs.x, found)
    assert gap * (1 + abs(theirs.fun)) >= theirs.fun - value - 1e-12


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=12)
@given(seed=st.integers(0, 10**6))
def test_derivatives_against_differences(name, seed):
    rng = np.random.default_rng(seed)
    model = random_model(name, rng)
    found, h = fit(model), 1e-6
    v = rng.normal(size=len(found.theta))
    gradients = adjoint(model, found, v, ("data", "targets"))
    for part, value in model.parts.items():
        direction, steps = rng.normal(size=value.shape), (1, -1)
        if part == "targets" and name != "ridge" and (np.abs(value) == 1).all():
            direction, steps = -value * np.abs(direction), (1, 0)  # labels move inwards only
        ends = [fit(model.replace(**{part: value + s * h * direction})) for s in steps]
        if name == "hinge" and not same_active_sets(found, *ends):
            continue
        if name == "squared hinge" and kinks(model, *ends):
            continue
        difference = (ends[0].theta - ends[1].theta) @ v / ((steps[0] - steps[1]) * h)
        slope = float(np.vdot(gradients[part], direction))
        assert slope == pytest.approx(difference, rel=1e-4, abs=1e-5 * (1 + np.linalg.norm(v)))


def same_active_sets(*fits):
    weights = [np.concatenate(label_weights(f.model.targets)) for f in fits]
    sets = [
        [(f.duals <= 0).tolist(), (f.duals >= w).tolist(), (w > 0).tolist()]
        for f, w in zip(fits, weights, strict=True)
    ]
    return all(one == sets[0] for one in sets)


def kinks(model, *fits):
    inside = [np.abs(f.model.design @ f.theta) < 1 for f in fits]
    return (inside[0] != inside[1]).any()


@pytest.mark.parametrize("name", KINDS)
def test_a_start_changes_nothing_but_the_effort(name):
    data, labels = cancer()
    model = make(name, data, labels)
    first = fit(model)
    moved = model.replace(data=data + 1e-3)
    warm, cold = solve(moved, first, tol=1e-8), fit(moved)
    assert np.linalg.norm(warm.theta - cold.theta) <= warm.distance_bound + cold.distance_bound
    assert warm.proved


def test_the_prediction_at_the_threshold_is_not_proved():
    """theta = (1, 0) up to its bound: rows with a first entry have a sign, and zero has score 0."""
    model = Ridge([[1.0, 0.0], [-1.0, 0.0]], [1.5, -1.5])
    found = fit(model)
    assert found.theta == pytest.approx([1.0, 0.0])
    assert found.proved_predictions([[1, 0], [0, 1], [-1e-3, 1], [0, 0]]).tolist() == [
        True, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_time_limit_and_an_overflow_are_statuses(name):
    data, labels = cancer()
    model = make(name, data, labels)
    found = fit(model, time_limit=1e-9)
    assert found.status in ("time limit", "optimal")
    huge = fit(model.replace(data=np.full_like(data, 1e300)))
    assert huge.status.startswith("error") or not huge.proved


@pytest.mark.parametrize("name", ["squared hinge", "hinge"])
def test_the_smoothed_model_tends_to_the_model(name):
    data, labels = cancer()
    model = make(name, data, labels)
    exact, distances, last = fit(model), [], None
    for width in (1.0, 0.1, 1e-2, 1e-3):
        last = smoothed(model, width, last, float("inf"))
        distances.append(np.linalg.norm(last.theta - exact.theta))
        smooth = model.with_smoothing(width)
        assert np.linalg.norm(smooth.gradient(last.theta)) <= 1e-5
        v, h = np.random.default_rng(0).normal(size=data.shape), 1e-6
        ends = [fit(smooth.replace(data=data + s * h * v)).theta.sum() for s in (1, -1)]
        slope = np.vdot(adjoint(smooth, last, np.ones(30), ("data",))["data"], v)
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4)
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] <= 1e-2


def test_duplicates_and_more_features_than_points():
    rng = np.random.default_rng(0)
    for name in KINDS:
        data = np.repeat(rng.normal(size=(3, 8)), 2, axis=0)
        found = fit(make(name, data, [0, 0, 1, 1, 0, 0]))
        assert found.status == "optimal"
        assert found.proved


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e3, 1e6, 1e12])
@pytest.mark.parametrize("name", KINDS)
def test_the_accuracy_does_not_depend_on_the_units(name, unit):
    """Data in another unit, and the penalty in its square, give theta in the inverse unit."""
    data, labels = cancer(20)
    one, other = make(name, data, labels), make(name, unit * data, labels, unit**2)
    theta, scaled = (solve(model, None, tol=1e-8).theta for model in (one, other))
    assert unit * scaled == pytest.approx(theta, rel=1e-8, abs=1e-9 * np.linalg.norm(theta))
    if name == "ridge":
        small = solve(Ridge(data, unit * labels), None, tol=1e-8).theta
        assert small / unit == pytest.approx(theta, rel=1e-8, abs=1e-9 * np.linalg.norm(theta))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("penalty", [1e-310, 1e-200])
def test_a_penalty_whose_bounds_overflow_ends_in_a_status(name, penalty):
    data = [[0.0, 0.1], [0.2, 0.0], [0.1, 0.3], [5.0, 5.1], [5.2, 5.0], [5.1, 5.3]]
    found = fit(make(name, data, [0, 0, 1, 1, 0, 1], penalty))
    assert found.status.startswith(("inaccurate", "error"))
    assert not found.proved


def test_a_gradient_whose_square_underflows_is_not_zero():
    """All margins exceed 1, so that the gradient is the penalty times theta."""
    model = SupportVectorMachine([[1.0, 0.0], [0.0, -1.0]], [1.0, -1.0], 1e-170)
    distance, _ = _bounded(model, np.array([30.0, 40.0]))
    assert distance == pytest.approx(50.0)
