"""Bounds from strong convexity: no attack passes them, and what they rest on is sampled."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from bilad.models import (
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    deviation,
)
from bilad.models.learning.learning_model import bound, radius
from bilad.models.learning.logistic import LogisticLoss
from bilad.models.learning.ridge import SquaredLoss
from bilad.models.learning.svm import SquaredHingeLoss
from bilad.models.validation import ArgumentError
from bilad.solvers import attack, certify, fit
from bilad.solvers.certificates.deviation_bound import is_in_range
from bilad.solvers.certificates.strong_convexity import _largest_product, strong_convexity

NORMS = (1, 2, np.inf)
seeds = st.integers(0, 2**32 - 1)


def moved(T, low=-np.inf, high=np.inf):
    return Perturbation({"targets": T}, {"targets": (len(T),)}, low, high)


@given(seed=seeds, loss=st.sampled_from([LogisticLoss(), SquaredHingeLoss(), SquaredLoss()]))
@settings(max_examples=20)
def test_slopes_are_lipschitz_in_the_target(seed, loss):
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.normal(scale=3, size=(2, 20)), axis=0)
    z = rng.normal(scale=2, size=20)
    constant = loss.largest_target_slope(low, high, z)
    between = np.linspace(low, high, 400)
    assert (constant >= np.abs(loss.target_slope(between, z)).max(axis=0) * (1 - 1e-12)).all()
    jumps = np.abs(np.diff(loss.slope(between, z), axis=0)) - constant * np.diff(between, axis=0)
    assert jumps.max() <= 1e-12


@pytest.mark.parametrize("norm", NORMS)
def test_the_largest_product(norm):
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights, bounds = rng.random(4), rng.random(4)
        eps = rng.random((20_000, 4)) * bounds
        eps /= np.maximum(np.linalg.norm(eps, norm, axis=1) / 0.7, 1.0)[:, None]
        most = _largest_product(weights, np.minimum(bounds, 0.7), norm, 0.7)
        assert (eps @ weights).max() <= most
    assert _largest_product(np.array([2.0, 1.0]), np.ones(2), norm, 1.5) == pytest.approx(
        {1: 2.5, 2: 3.0, np.inf: 3.0}[norm]
    )


MODELS = {
    "logistic": LogisticRegression,
    "squared hinge": SupportVectorMachine,
}
DEVIATIONS = {
    "changes": lambda X, y: deviation.changed_predictions(X),
    "loss": deviation.validation_loss,
    "distance": lambda X, y: "distance",
}


@given(
    seed=seeds,
    norm=st.sampled_from(NORMS),
    kind=st.sampled_from(sorted(MODELS)),
    measure=st.sampled_from(sorted(DEVIATIONS)),
    is_bounded=st.booleans(),
)
@settings(max_examples=12)
def test_no_attack_passes_a_bound(seed, norm, kind, measure, is_bounded):
    rng = np.random.default_rng(seed)
    n, d, k = (int(rng.integers(*ends)) for ends in ((3, 9), (1, 4), (1, 4)))
    y = np.where(np.arange(n) % 2, 1.0, -1.0)
    X = rng.normal(size=(n, d)) + 0.5 * y[:, None]
    model = MODELS[kind](X, y, rng.choice([0.1, 1.0, 30.0]))
    T = np.eye(n)[:, :k] if rng.random() < 0.5 else rng.normal(size=(n, k))
    low, high = (-rng.random(k), rng.random(k)) if is_bounded else (-np.inf, np.inf)
    U = DEVIATIONS[measure](rng.normal(size=(5, d)), rng.permutation(np.resize(y, 5)))
    size = 10.0 ** rng.uniform(-3, 0.5)
    problem = MaxDeviation(model, moved(T, low, high), size, norm, U)
    base = fit(model)
    most, best = bound(model, problem, base, "quick"), (0.0, 0.0)
    for eps in [*rng.normal(size=(3, k)), *np.eye(k), *rng.choice([-1.0, 1.0], (3, k))]:
        eps = problem.project(eps * (size / problem.size(eps)))
        found = fit(problem.perturbation.apply(model, eps))
        value = problem.deviation.value(base.outcome, found.outcome)
        if problem.is_proved(found) and problem.is_proved(base):
            assert value <= most + (0 if measure == "changes" else 1e-9 * (1 + most))
            best = max(best, (value, -problem.size(eps)))
    if best[0] > 1e-9:
        least = MinPerturbation(model, problem.perturbation, best[0], norm, U, 1e3)
        assert radius(model, least, base).lower <= -best[1] * (1 + 1e-6)


@given(seed=seeds, kind=st.sampled_from(["hinge", *sorted(MODELS)]))
@settings(max_examples=6)
def test_no_flips_pass_a_bound(seed, kind):
    """All flips of four labels."""
    rng = np.random.default_rng(seed)
    y = np.array([1.0, -1.0, 1.0, -1.0])
    X, penalty = rng.normal(size=(4, 2)) + y[:, None], rng.choice([0.3, 3.0, 30.0])
    hinge = SupportVectorMachine(X, y, penalty, "hinge")
    model = hinge if kind == "hinge" else MODELS[kind](X, y, penalty)
    base, rows, count = fit(model), rng.normal(size=(4, 2)), int(rng.integers(1, 4))
    flips = Perturbation.flips().bound_to(model)
    every = [np.array(eps) for eps in itertools.product([0.0, 1.0], repeat=4) if any(eps)]
    fits = [(fit(flips.apply(model, eps)), eps.sum()) for eps in every]
    for measure in DEVIATIONS.values():
        problem = MaxDeviation(model, flips, count, "count", measure(rows, y))
        most, U = bound(model, problem, base, "quick"), problem.deviation
        found = [
            (U.value(base.outcome, other.outcome), -flipped)
            for other, flipped in fits
            if flipped <= count and problem.is_proved(other) and problem.is_proved(base)
        ]
        best = max(found, default=(0.0, 0))
        assert best[0] <= most * (1 + 1e-9) + 1e-9
        if best[0] > 1e-6:
            least = MinPerturbation(model, flips, best[0], "count", U)
            assert radius(model, least, base).lower <= -best[1]


def two_groups(kind=LogisticRegression, penalty=1.0):
    """Two groups of points, far apart, and a held-out point in each."""
    X = np.array([[-2.0, 0.0], [-2.0, 1.0], [2.0, 0.0], [2.0, -1.0]])
    model = kind(X, [0, 0, 1, 1], penalty)
    return model, deviation.changed_predictions([[-2.0, 0.0], [2.0, 0.0]])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", MODELS.values(), ids=MODELS)
def test_robust_below_and_attacked_above(kind, norm):
    model, U = two_groups(kind)
    free = moved(np.eye(4))
    large = certify(MaxDeviation(model, free, 50.0, norm, U), max_solves=100)
    assert (large.status, large.method, large.exact) == ("attacked", "strong convexity", False)
    assert 0 < large.lower <= large.upper
    small = MaxDeviation(model, free, 0.99 * large.lower, norm, U)
    assert certify(small, max_solves=20).status == "robust"
    found = attack(small, "corners")
    assert (found.status, found.bound) == ("no attack exists", 0)
    between = MaxDeviation(model, free, math.sqrt(large.lower * large.upper), norm, U)
    assert certify(between, max_solves=0).status == "unknown"


def test_the_bound_is_attained_where_one_point_moves_one_parameter():
    """With d = 1 and a large penalty theta is nearly linear in the slopes of the losses."""
    model = LogisticRegression([[1.0], [-1.0]], [0, 1], penalty=1e6)
    problem = MaxDeviation(model, moved(np.eye(2)[:, :1], 0, 2), 2.0, 2, "distance")
    found = attack(problem, "corners")
    assert found.deviation <= found.bound <= found.deviation * (1 + 1e-3)


def test_where_nothing_is_proved():
    model, U = two_groups()
    features = Perturbation.additive((4, 2), points=[0])
    for measure in (U, "distance", "validation-loss"):
        assert (
            bound(model, MaxDeviation(model, features, 1.0, 2, measure), fit(model), "quick")
            is None
        )
    hinge = SupportVectorMachine(model.data, model.targets, loss="hinge")
    free = MaxDeviation(hinge, moved(np.eye(4)), 1.0, 2, U)
    assert bound(hinge, free, fit(hinge), "quick") is None
    proof = certify(MaxDeviation(model, features, 0.1, 2, U), max_solves=10)
    assert (proof.status, proof.lower, proof.method) == ("unknown", 0, "none")
    features = Perturbation.additive((4, 2), features=[0])
    proof = certify(MaxDeviation(model, features, 50.0, 2, U), max_solves=200)
    assert (proof.status, proof.lower) == ("attacked", 0)


@pytest.mark.parametrize("measure", ["distance", "validation-loss"])
def test_any_change_needs_a_least_change(measure):
    model, _ = two_groups()
    with pytest.raises(ArgumentError, match=f"deviation: got '{measure}'.*MinPerturbation"):
        certify(MaxDeviation(model, moved(np.eye(4)), 1.0, 2, measure))
    proof = certify(MinPerturbation(model, moved(np.eye(4)), 0.01, 2, measure), max_solves=50)
    assert proof.status == "attacked"
    assert 0 < proof.lower <= proof.upper


def test_a_file_of_a_counterexample_is_refused(tmp_path):
    model, U = two_groups()
    proof = certify(MaxDeviation(model, moved(np.eye(4)), 50.0, 2, U), max_solves=100)
    with pytest.raises(ArgumentError, match="model: got LogisticRegression"):
        proof.write(tmp_path / "attack.json")


@pytest.mark.parametrize("kind", [Ridge, LogisticRegression, SupportVectorMachine])
@pytest.mark.parametrize(("unit", "penalty"), [(1e-170, 1.0), (1e-120, 1e100), (1.0, 1e-322)])
def test_nothing_is_proved_where_scores_underflow_or_overflow(kind, unit, penalty):
    """In a unit such as 1 an attack exists: the targets of all points may change their sign."""
    X = np.array([[0.0, 0.1], [0.2, 0.0], [5.0, 5.1], [5.2, 5.0]])
    model = kind(unit * X, [-1.0, 1.0, 1.0, 1.0], penalty)
    problem = MaxDeviation(model, Perturbation.targets(4), 4.0, 2, "changed-predictions")
    assert certify(problem, max_solves=2).status != "robust"
    assert attack(problem, "corners", max_solves=2).status != "no attack exists"
    assert not fit(model).proved_predictions(1e-170 * X).any()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", MODELS.values(), ids=MODELS)
def test_the_distance_by_the_formula_of_the_theorem(kind, norm):
    """Several targets for each eps, with bounds of eps that are not the same on both sides."""
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(6, 2)), np.where(np.arange(6) % 2, 1.0, -1.0)
    model, T = kind(X, y, 0.7), rng.normal(size=(6, 3)) * (rng.random((6, 3)) < 0.6)
    T[4] = 0.0
    low, high, size = np.array([-0.3, -0.1, -2.0]), np.array([0.1, 0.4, 3.0]), 0.5
    base = fit(model)
    problem = MaxDeviation(model, moved(T, low, high), size, norm, "distance")
    found = strong_convexity(problem, base)
    left, right = np.maximum(low, -size), np.minimum(high, size)
    corners = np.array(list(itertools.product(*zip(left, right, strict=True)))) @ T.T
    L = model.loss_function.largest_target_slope(
        y + corners.min(axis=0), y + corners.max(axis=0), X @ base.theta
    )
    np.testing.assert_allclose(found.lipschitz(size), L, rtol=1e-12)
    weights, most = np.abs(T).T @ (L * np.linalg.norm(X, axis=1)), np.maximum(-left, right)
    program = linprog(-weights, np.ones((1, 3)), [size], bounds=[(0, v) for v in most])
    force = {1: -program.fun, 2: size * np.linalg.norm(weights), np.inf: weights @ most}[norm]
    if norm == 2:
        rows = (L[:, None] * X)[[0, 1, 2, 3, 5]]
        spectral = np.linalg.norm(rows, 2) * size
        spectral *= np.sqrt(np.abs(T).sum(axis=0).max() * np.abs(T).sum(axis=1).max())
        force = min(force, weights @ most, spectral)
    assert found.largest(size) == pytest.approx(force / 0.7 + base.distance_bound, rel=1e-8)
    assert found.largest(size) >= force / 0.7


def test_spectral_norms_bound_many_targets_that_move_together():
    """Ten equal points of which each has its own eps: ||X|| = sqrt(10), not 10."""
    X = np.ones((10, 1))
    model = LogisticRegression(X, np.resize([-1.0, 1.0], 10), 2.0)
    base = fit(model)
    problem = MaxDeviation(model, moved(3.0 * np.eye(10), 0, 1), 1.0, 2, "distance")
    found = strong_convexity(problem, base)
    L = found.lipschitz(1.0)
    expected = 3.0 * np.linalg.norm(L) / 2.0
    assert found.largest(1.0) == pytest.approx(expected + base.distance_bound, rel=1e-8)
    wide = SupportVectorMachine(np.eye(4), [-1.0, 1.0, -1.0, 1.0], 2.0)
    problem = MaxDeviation(wide, moved(np.eye(4)), 1.0, 2, "distance")
    found, base = strong_convexity(problem, fit(wide)), fit(wide)
    constants = found.lipschitz(1.0)
    assert found.largest(1.0) == pytest.approx(constants.max() / 2 + base.distance_bound, rel=1e-8)


def test_scores_and_losses_by_the_distance():
    """Rows at, below and above the distance from a change of their sign, and of lengths 1 and 5."""
    model, _ = two_groups()
    base, free = fit(model), moved(np.eye(4))
    size = strong_convexity(MaxDeviation(model, free, 0.05, 2, "distance"), base).largest(0.05)
    theta = base.theta
    rows = theta / np.linalg.norm(theta)
    across = np.array([-rows[1], rows[0]])
    D, expected = [], []
    for share in (-2.0, -1.001, -0.999, 0.0, 0.5, 0.999, 1.001, 2.0):
        for length in (1.0, 5.0):
            along = share * size / np.linalg.norm(theta)
            D.append(length * (along * rows + np.sqrt(1 - along**2) * across))
            expected.append(abs(share) < 1)
    signs = strong_convexity(
        MaxDeviation(model, free, 0.05, 2, deviation.changed_predictions(D)), base
    )
    assert signs.largest(0.05) == sum(expected)
    for count in range(1, len(D) + 1):
        part = deviation.changed_predictions(D[:count])
        found = strong_convexity(MaxDeviation(model, free, 0.05, 2, part), base)
        assert found.largest(0.05) == sum(expected[:count])
    y = np.resize([-1.0, 1.0], len(D))
    U = deviation.validation_loss(np.array(D), (y + 1) / 2)
    loss = strong_convexity(MaxDeviation(model, free, 0.05, 2, U), base)
    scores, lengths = np.array(D) @ theta, np.linalg.norm(D, axis=1)
    worst = np.logaddexp(0, -(y * scores) + lengths * size)
    increase = worst.mean() - np.logaddexp(0, -y * scores).mean()
    assert loss.largest(0.05) == pytest.approx(increase, rel=1e-10)
    assert loss.largest(0.05) >= increase


def test_bisection_on_the_radius():
    """The least radius at which the distance reaches a target, and infinity beyond the limit."""
    model, _ = two_groups()
    found = strong_convexity(MaxDeviation(model, moved(np.eye(4)), 8.0, 2, "distance"), fit(model))
    target = found.largest(0.5)
    assert found.least(target, 8.0) == pytest.approx(0.5, rel=1e-6)
    assert found.largest(found.least(target, 8.0)) < target
    assert found.least(target, 0.5) == pytest.approx(0.5, rel=1e-6)
    assert found.least(target * (1 + 1e-9), 0.5) == math.inf
    assert found.least(0.0, 8.0) <= 1e-40
    assert found.witness(0.5) is None


@pytest.mark.parametrize("part", ["data", "targets", "penalty", "operator", "rows", "values"])
def test_each_number_has_to_be_in_the_range_where_roundings_are_bounded(part):
    inside = dict.fromkeys(("data", "targets", "penalty", "operator", "rows", "values"), 1.0)
    range_of = ((1e50, True), (-1e50, True), (1.1e50, False), (-1.1e50, False), (1e-50, True))
    for value, is_inside in (*range_of, (0.9e-50, False), (-0.9e-50, False), (0.0, True)):
        given = {name: np.array([one, 2.0]) for name, one in {**inside, part: value}.items()}
        model = SimpleNamespace(**{name: given[name] for name in ("data", "targets", "penalty")})
        problem = SimpleNamespace(
            deviation=SimpleNamespace(held_out=(given["rows"], given["values"])),
            operator=lambda _, given=given: SimpleNamespace(data=given["operator"]),
        )
        assert is_in_range(problem, SimpleNamespace(model=model)) == is_inside
