"""Ridge regression with moved targets: radii, distances and losses, solved in another way."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from support import rational

from bilad.models import MaxDeviation, MinPerturbation, Perturbation, Ridge, deviation
from bilad.models.learning.learning_model import bound, radius
from bilad.solvers import attack, certify, fit
from bilad.solvers.certificates.linear_response import (
    ChangedPredictions,
    Distance,
    HeldOutLoss,
    _trust_region,
    shortest,
)

NORMS = (1, 2, np.inf)
seeds = st.integers(0, 2**32 - 1)


def moved(T, low=-np.inf, high=np.inf):
    return Perturbation({"targets": T}, {"targets": (len(T),)}, low, high)


def some_ridge(rng):
    """A small model, an operator T of its targets, and held-out data."""
    n, d, k = rng.integers(3, 9), rng.integers(1, 4), rng.integers(1, 4)
    model = Ridge(rng.normal(size=(n, d)), rng.normal(size=n), rng.uniform(0.1, 3.0))
    T = rng.normal(size=(n, k)) * (rng.random((n, k)) < 0.7)
    return model, T, rng.normal(size=(rng.integers(1, 7), d)), rng.normal(size=n)


def sensitivity(model, T):
    """The derivative of theta in eps."""
    X = model.data
    return np.linalg.solve(X.T @ X + model.penalty * np.eye(model.d), X.T @ T)


def bound_of(problem):
    return bound(problem.model, problem, fit(problem.model), "quick")


def lower_of(problem):
    return radius(problem.model, problem, fit(problem.model))


@given(seed=seeds, norm=st.sampled_from(NORMS), is_bounded=st.booleans())
def test_shortest_is_the_least_norm(seed, norm, is_bounded):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 6))
    sizes = np.abs(rng.normal(size=k)) * (rng.random(k) < 0.8) * rng.choice([1e-3, 1.0, 1e3])
    bounds = rng.uniform(0, 2, k) if is_bounded else np.full(k, np.inf)
    share = rng.choice([0.01, 0.5, 0.99, 1.5])
    most = sizes @ bounds if is_bounded else sizes.sum()
    eps = shortest(sizes[None], bounds[None], np.array([share * most]), norm)[0]
    if most == 0 and is_bounded:
        assert not eps.any()
    elif (is_bounded and share > 1) or not sizes.any():
        assert np.isinf(eps).all() or share * most == 0
    else:
        assert sizes @ eps == pytest.approx(share * most, rel=1e-9)
        assert (eps >= 0).all()
        assert (eps <= bounds * (1 + 1e-12)).all()
        assert np.linalg.norm(eps, norm) == pytest.approx(
            least_norm(sizes, bounds, share * most, norm), rel=1e-5
        )


def least_norm(sizes, bounds, gap, norm):
    """A linear program for the norms 1 and inf, and a nonlinear one for norm 2."""
    k, unit = len(sizes), gap / sizes.max()
    box = [(0, None if np.isinf(b) else b / unit) for b in bounds]
    rows = sizes / sizes.max()
    if norm == 1:
        return unit * linprog(np.ones(k), -rows[None], [-1.0], bounds=box).fun
    if norm == np.inf:
        A = np.vstack([np.r_[-rows, 0.0], np.column_stack([np.eye(k), -np.ones(k)])])
        return (
            unit
            * linprog(np.eye(k + 1)[k], A, np.r_[-1.0, np.zeros(k)], bounds=[*box, (0, None)]).fun
        )
    found = minimize(
        lambda x: x @ x,
        np.minimum(rows / (rows @ rows), [1e9 if b is None else b for _, b in box]),
        jac=lambda x: 2 * x,
        bounds=box,
        constraints={"type": "ineq", "fun": lambda x: rows @ x - 1.0, "jac": lambda x: rows},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return unit * math.sqrt(found.fun)


def test_a_capacity_that_is_just_reached():
    """Both entries at their bounds reach the gap 3 exactly; a larger one is out of reach."""
    sizes, bounds = np.array([[1.0, 2.0]] * 2), np.ones((2, 2))
    for norm in NORMS:
        eps = shortest(sizes, bounds, np.array([3.0, 3.0000001]), norm)
        np.testing.assert_array_equal(eps, [[1, 1], [np.inf, np.inf]])


@pytest.mark.parametrize("norm", NORMS)
def test_radii_are_the_score_over_the_dual_norm(norm):
    rng = np.random.default_rng(1)
    model, T, X, _ = some_ridge(rng)
    problem = MaxDeviation(model, moved(T), 1.0, norm, deviation.changed_predictions(X))
    base = fit(model)
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    exact = np.abs(X @ base.theta) / np.linalg.norm(X @ sensitivity(model, T), dual, axis=1)
    found = ChangedPredictions(problem, base).radii
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    assert (found <= exact * (1 + 1e-14)).all()


def reaching(rng, problem, size):
    """Eps of a norm within the bounds: random ones, vertices, and those of steepest change."""
    k = problem.perturbation.dim
    C = np.vstack([sensitivity(problem.model, problem.operator("targets").toarray()), np.eye(k)])
    steepest = {
        1: lambda c: np.eye(k)[np.abs(c).argmax()] * np.sign(c),
        2: lambda c: c,
        np.inf: np.sign,
    }
    for c in (*C, *rng.normal(size=(4, k))):
        for sign in (-1, 1):
            eps = sign * steepest[problem.norm](c)
            if eps.any():
                eps = eps * (size / problem.size(eps))
                yield np.clip(eps, problem.perturbation.lower, problem.perturbation.upper)


@given(
    seed=seeds,
    norm=st.sampled_from(NORMS),
    is_bounded=st.booleans(),
    kind=st.sampled_from(["changes", "loss", "distance"]),
)
def test_no_attack_passes_a_bound(seed, norm, is_bounded, kind):
    rng = np.random.default_rng(seed)
    model, T, X, y = some_ridge(rng)
    U = {
        "changes": deviation.changed_predictions(X),
        "loss": deviation.validation_loss(X, y[: len(X)] if len(X) <= len(y) else np.ones(len(X))),
        "distance": "distance",
    }[kind]
    low, high = (
        (-rng.random(T.shape[1]), rng.random(T.shape[1])) if is_bounded else (-np.inf, np.inf)
    )
    size = 10.0 ** rng.uniform(-3, 2)
    problem = MaxDeviation(model, moved(T, low, high), size, norm, U)
    most, base = bound_of(problem), fit(model)
    if most is None:
        assert kind != "changes"
        assert is_bounded or norm == np.inf
        return
    uncertainty, best = 1e-9 * (1 + most), (0.0, 0.0)
    for eps in reaching(rng, problem, size):
        found = fit(problem.perturbation.apply(model, eps))
        value = problem.deviation.value(base.outcome, found.outcome)
        if problem.is_proved(found) and problem.is_proved(base):
            assert value <= most + (0 if kind == "changes" else uncertainty)
            best = max(best, (value, -problem.size(eps)))
    if best[0] > uncertainty:
        least = MinPerturbation(model, problem.perturbation, best[0], norm, U, 1e3)
        assert lower_of(least).lower <= -best[1] * (1 + 1e-6)


LINE = Ridge([[1.0], [1.0]], [1.0, 3.0], penalty=2.0)  # theta = (y_1 + y_2) / 4 = 1
FIRST = np.array([[1.0], [0.0]])  # target 1 is moved: the score of x = 1 is 1 + eps / 4
AT = deviation.changed_predictions([[1.0]])


@pytest.mark.parametrize("norm", NORMS)
def test_at_the_threshold(norm):
    """The score is zero at eps = -4 and negative beyond."""
    for share, status in ((1 - 1e-9, "robust"), (1 + 2e-6, "attacked")):
        proof = certify(MaxDeviation(LINE, moved(FIRST), 4 * share, norm, AT))
        assert (proof.status, proof.exact) == (status, True)
        assert proof.lower == pytest.approx(4, rel=1e-9)
        assert proof.lower <= 4
    found = attack(MaxDeviation(LINE, moved(FIRST), 4 * (1 - 1e-9), norm, AT), "corners")
    assert (found.status, found.bound) == ("no attack exists", 0)
    found = attack(MaxDeviation(LINE, moved(FIRST), 4.001, norm, AT), "corners")
    assert (found.status, found.bound) == ("optimal", 1)


def test_bounds_of_eps_matter():
    """Eps from -3 on leaves the score positive; from -5 on it does not."""
    for T, low, high in ((FIRST, -3, 9), (-FIRST, -9, 3)):
        proof = certify(MaxDeviation(LINE, moved(T, low, high), 10.0, 2, AT), max_solves=20)
        assert (proof.status, proof.lower, proof.exact) == ("robust", math.inf, True)
    proof = certify(MaxDeviation(LINE, moved(FIRST, -5, 0), 10.0, 2, AT), max_solves=20)
    assert (proof.status, proof.lower) == ("attacked", pytest.approx(4))


def test_a_score_of_zero_has_radius_zero():
    model = Ridge([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0])
    problem = MaxDeviation(
        model, moved(np.eye(2)), 1e-9, 2, deviation.changed_predictions([[0.0, 1.0]])
    )
    assert bound_of(problem) == 1
    assert certify(problem, max_solves=10).lower == 0


def test_what_no_eps_moves_has_no_radius():
    """A row of zeros has the score 0 for all parameters, and T = 0 moves none."""
    rows = deviation.changed_predictions([[0.0, 0.0]])
    model = Ridge([[1.0, 0.5], [0.0, 1.0]], [1.0, 2.0])
    for T, U in ((np.eye(2), rows), (np.zeros((2, 2)), "changed-predictions")):
        for norm in NORMS:
            found = attack(MaxDeviation(model, moved(T), 5.0, norm, U), "corners", max_solves=9)
            assert (found.status, found.bound) == ("no attack exists", 0)
            proof = certify(MaxDeviation(model, moved(T), 5.0, norm, U), max_solves=9)
            assert (proof.status, proof.lower) == ("robust", math.inf)
    for U in ("distance", "validation-loss"):
        problem = MaxDeviation(model, moved(np.zeros((2, 2))), 5.0, 2, U)
        assert bound_of(problem) == pytest.approx(0, abs=1e-12)


def test_flips_by_brute_force():
    """All flips of ten labels: the least number for each row, and the most rows for a number."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(10, 3)), np.where(rng.random(10) < 0.5, 1.0, -1.0)
    model, rows = Ridge(X, y), rng.normal(size=(12, 3))
    U, flips = deviation.changed_predictions(rows), Perturbation.flips()
    problem = MaxDeviation(model, flips, 1, "count", U)
    found = np.ceil(ChangedPredictions(problem, fit(model)).radii)
    every = np.array(list(itertools.product([0.0, 1.0], repeat=10)))
    K = sensitivity(model, np.eye(10))
    scores = (y * (1 - 2 * every)) @ (rows @ K).T
    changed, counts = (scores >= 0) != (scores[0] >= 0), every.sum(axis=1)
    least = [counts[column].min() if column.any() else np.inf for column in changed.T]
    np.testing.assert_array_equal(found, least)
    for count in np.unique(found[np.isfinite(found)]):
        eps, number = ChangedPredictions(problem, fit(model)).witness(count)
        assert eps.sum() == count
        row = changed[(every == eps).all(axis=1)][0]
        assert number == row.sum()
        assert (row & (found == count)).any()
    for k in (1, 2, 3, 5):
        most = bound_of(MaxDeviation(model, flips, k, "count", U))
        assert most == np.count_nonzero(np.array(least) <= k)
        assert changed[counts <= k].sum(axis=1).max() <= most
    for t in (1, 2, 3):
        fewest = counts[changed.sum(axis=1) >= t].min()
        proof = lower_of(MinPerturbation(model, flips, t, "count", U))
        assert proof.lower <= fewest
        assert not proof.exact or proof.lower == fewest
        assert proof.exact or t > 1
    proof = certify(MaxDeviation(model, flips, 10, "count", U))
    assert (proof.status, proof.lower, proof.upper) == ("attacked", min(least), min(least))


@pytest.mark.parametrize("norm", [1, 2])
def test_the_distance_is_attained(norm):
    rng = np.random.default_rng(4)
    model, T = Ridge(rng.normal(size=(12, 4)), rng.normal(size=12)), np.eye(12)[:, :5]
    M = sensitivity(model, T)
    sigma = np.linalg.norm(M, 2) if norm == 2 else np.linalg.norm(M, axis=0).max()
    problem = MaxDeviation(model, moved(T), 0.7, norm, "distance")
    best = np.linalg.svd(M)[2][0] if norm == 2 else np.eye(5)[np.linalg.norm(M, axis=0).argmax()]
    found = attack(problem, "corners", starts=[0.7 * best], max_solves=5)
    assert found.bound == pytest.approx(0.7 * sigma, rel=1e-9)
    assert found.bound >= 0.7 * sigma * (1 - 1e-15)
    assert found.status == "optimal"
    short = attack(problem, "corners", starts=[0.69 * best], max_solves=1, closing="none")
    assert short.status == "feasible"
    proof = certify(MinPerturbation(model, moved(T), 0.5, norm, "distance"))
    assert (proof.status, proof.exact) == ("attacked", True)
    assert proof.lower == pytest.approx(0.5 / sigma, rel=1e-6)


@pytest.mark.parametrize("residual", [0.0, 1.0])
@pytest.mark.parametrize("norm", [1, 2])
def test_the_largest_loss(norm, residual):
    """Against a dense sample of the circle or of the sides of the square; without residuals the
    trust region problem is the hard case."""
    rng = np.random.default_rng(5)
    model, T = Ridge(rng.normal(size=(8, 3)), rng.normal(size=8)), np.eye(8)[:, :2]
    rows, theta = rng.normal(size=(6, 3)), fit(model).theta
    y = rows @ theta + residual * rng.normal(size=6)
    problem = MaxDeviation(model, moved(T), 0.8, norm, deviation.validation_loss(rows, y))
    turns = np.linspace(0, 2 * np.pi, 20_001)
    eps = np.column_stack([np.cos(turns), np.sin(turns)])
    eps *= 0.8 / np.linalg.norm(eps, norm, axis=1)[:, None]
    change = eps @ (rows @ sensitivity(model, T)).T
    r = rows @ theta - y
    increase = 0.5 * ((change + r) ** 2 - r**2).mean(axis=1)
    most = bound_of(problem)
    assert increase.max() <= most <= increase.max() * (1 + 1e-6)
    least = lower_of(
        MinPerturbation(model, moved(T), increase.max(), norm, deviation.validation_loss(rows, y))
    )
    assert least.lower == pytest.approx(0.8, rel=1e-6)
    assert least.exact


def test_where_nothing_is_proved():
    rng = np.random.default_rng(6)
    model, T = Ridge(rng.normal(size=(8, 2)), rng.normal(size=8)), np.eye(8)
    features = Perturbation.additive((8, 2), points=[0])
    for U in ("distance", "validation-loss"):
        assert bound_of(MaxDeviation(model, moved(T), 1.0, np.inf, U)) is None
        assert bound_of(MaxDeviation(model, moved(T, -1, 1), 1.0, 2, U)) is None
        assert bound_of(MaxDeviation(model, features, 1.0, 2, U)) is None
    both = Perturbation(
        {"targets": T, "data": np.zeros((16, 8))}, {"targets": (8,), "data": (8, 2)}
    )
    assert bound_of(MaxDeviation(model, both, 1.0, 2, "changed-predictions")) is None
    proof = certify(MaxDeviation(model, features, 1e3, 2, "changed-predictions"), max_solves=100)
    assert (proof.status, proof.lower, proof.method) == ("attacked", 0, "none")
    proof = certify(MaxDeviation(model, features, 1e-9, 2, "changed-predictions"), max_solves=5)
    assert (proof.status, proof.lower) == ("unknown", 0)


def solved(A, B):
    """Solve A X = B in rational arithmetic, by elimination; A is positive definite."""
    rows = [[*map(Fraction, a), *map(Fraction, b)] for a, b in zip(A, B, strict=True)]
    for i, pivot in enumerate(rows):
        rows[i] = pivot = [value / pivot[i] for value in pivot]
        for j, row in enumerate(rows):
            if j != i:
                rows[j] = [v - row[i] * w for v, w in zip(row, pivot, strict=True)]
    return np.array([row[len(rows) :] for row in rows], dtype=object)


def fractions(values):
    return np.vectorize(lambda value: Fraction(float(value)), otypes=[object])(values)


def exact_model(rng, norm, U=None):
    """A problem, its fit, and in rational arithmetic the parameters, their map M and the rows."""
    n, d, k, m = 6, int(rng.integers(1, 4)), int(rng.integers(1, 4)), 5
    X = rng.normal(size=(n, d)) + rng.choice([0.0, 30.0])  # columns that are nearly parallel
    model = Ridge(X, rng.normal(size=n), float(rng.choice([1e-4, 1.0])))
    T, D = rng.normal(size=(n, k)) * (rng.random((n, k)) < 0.7), rng.normal(size=(m, d))
    U = deviation.changed_predictions(D) if U is None else U(D, rng.normal(size=m))
    problem = MaxDeviation(model, moved(T), 1.0, norm, U)
    design, targets, penalty = fractions(X), fractions(model.targets), Fraction(model.penalty)
    hessian = design.T @ design + penalty * np.eye(d, dtype=int)
    right = np.column_stack([design.T @ targets, design.T @ fractions(T)])
    both = solved(hessian, right)
    return problem, fit(model), both[:, 0], both[:, 1:], fractions(D)


@pytest.mark.parametrize("norm", NORMS)
def test_errors_and_radii_against_rational_arithmetic(norm):
    for seed in range(12):
        problem, base, theta, M, D = exact_model(np.random.default_rng(seed), norm)
        found = ChangedPredictions(problem, base)
        rounded, error = found.response
        for column, exact, most in zip(rounded.T, M.T, error, strict=True):
            square = ((fractions(column) - exact) ** 2).sum()
            assert square <= Fraction(most) ** 2
            assert most <= 1e-3 * (1 + np.linalg.norm(column))
        C, errors = found.changes
        assert (np.abs(fractions(C) - D @ M) <= fractions(errors)).all()
        scores, uncertain = found.scores
        assert (np.abs(fractions(scores) - D @ theta) <= fractions(uncertain)).all()
        assert uncertain.max() <= 1e-6
        for least, score, row in zip(found.radii, D @ theta, D @ M, strict=True):
            square = score**2 / (rational.dual_norm_squared(list(row), norm) or Fraction(1, 10**99))
            assert Fraction(least) ** 2 <= square
            assert Fraction(least) ** 2 >= square * (1 - Fraction(1, 1000)) or square > 10**90


@pytest.mark.parametrize("norm", [1, np.inf])
def test_radii_within_bounds_solve_a_linear_program(norm):
    """The bounds of eps are different on both sides, and some exclude 0 on one side."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        model, T, X, _ = some_ridge(rng)
        k = T.shape[1]
        low, high = -rng.uniform(0, 9, k) * (rng.random(k) < 0.8), rng.uniform(0, 9, k)
        U = deviation.changed_predictions(X)
        problem = MaxDeviation(model, moved(T, low, high), 1.0, norm, U)
        base = fit(model)
        found = ChangedPredictions(problem, base)
        scores, C = X @ base.theta, X @ sensitivity(model, T)
        for number, (score, c) in enumerate(zip(scores, C, strict=True)):
            towards, gap = -np.sign(score) * c, abs(score)
            size = np.ones(2 * k) if norm == 1 else np.r_[np.zeros(2 * k), 1.0]
            rows, free = -np.r_[towards, -towards][None], [*[(0, u) for u in high]]
            free += [(0, -v) for v in low]
            sides = [-gap]
            if norm == np.inf:
                rows = np.vstack([np.c_[rows, 0.0], np.c_[np.eye(2 * k), -np.ones(2 * k)]])
                sides, free = np.r_[-gap, np.zeros(2 * k)], [*free, (0, None)]
            program = linprog(size, rows, sides, bounds=free)
            least = program.fun if program.status == 0 else np.inf
            assert found.radii[number] == pytest.approx(least, rel=1e-6)
            assert (found.largest(least * 1.001) > found.largest(least * 0.999)) == (least < np.inf)


def test_counts_and_witnesses_at_the_radii():
    for seed in range(6):
        problem, base, theta, M, D = exact_model(np.random.default_rng(seed), NORMS[seed % 3])
        found = ChangedPredictions(problem, base)
        radii = np.sort(found.radii[np.isfinite(found.radii)])
        for number, least in enumerate(radii):
            assert found.largest(least) == number + 1
            assert found.largest(np.nextafter(least, 0)) == number
            assert found.least(number + 1, 9.0) == found.least(number + 0.5, 9.0) == least
            eps, changed = found.witness(least)
            assert problem.size(eps) <= least * 1.001
            exact = (D @ (theta + M @ fractions(eps)) >= 0) != (D @ theta >= 0)
            assert changed == exact.sum() >= 1
            assert exact[found.radii.tolist().index(least)]


@pytest.mark.parametrize("norm", [1, 2])
def test_distances_and_losses_are_rounded_up(norm):
    """With one eps both are rational, at the ends of its interval; and the witness attains them."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        problem, base, theta, M, D = exact_model(rng, norm, deviation.validation_loss)
        radius = 10.0 ** rng.integers(-3, 2)
        speed = Distance(problem, base)
        if M.shape[1] > 1 or not M.any():
            continue
        length = (M**2).sum() * Fraction(radius) ** 2
        assert length <= Fraction(speed.largest(radius)) ** 2 <= length * (1 + Fraction(1, 1000))
        assert Fraction(speed.least(1.0, 9.0)) ** 2 * (M**2).sum() <= 1
        assert speed.least(1.0, 9.0) * speed.largest(1.0) == pytest.approx(1.0, rel=1e-9)
        y = fractions(problem.deviation.held_out[1])
        losses = [
            ((D @ (theta + t * Fraction(radius) * M[:, 0]) - y) ** 2).sum() / (2 * len(y))
            for t in (-1, 0, 1)
        ]
        increase = max(losses) - losses[1]
        loss = HeldOutLoss(problem, base)
        most = loss.largest(radius)
        assert increase <= Fraction(most)
        assert most <= float(increase) * (1 + 1e-6) + 1e-5 * float(max(losses))
        eps, reached = loss.witness(radius)
        assert problem.size(eps) == pytest.approx(radius, rel=1e-6)
        assert reached == pytest.approx(float(increase), rel=1e-4, abs=1e-9)
        assert reached >= float(increase) * (1 - 1e-7) - 1e-9


def test_the_trust_region_problem_against_its_dual():
    """In random bases; without a slope along the largest eigenvalue, and without any."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        values = np.sort(rng.uniform(0, 3, 3))[::-1]
        vectors = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        slopes, radius = rng.normal(size=3), rng.uniform(0.1, 3)
        slopes *= [[1, 1, 1], [0, 0.01, 0.01], [0, 0, 0], [1e-9, 1, 1]][seed % 4]
        bound, eps = _trust_region(values, vectors, slopes, radius)

        def dual(mu, values=values, slopes=slopes, radius=radius):
            return 0.5 * (mu * radius**2 + (slopes**2 / (mu - values)).sum())

        mus = values[0] + np.geomspace(1e-9, 1e3, 4000)
        assert bound == pytest.approx(min(map(dual, mus)), rel=1e-4)
        assert np.linalg.norm(eps) == pytest.approx(radius)
        A, b = vectors.T @ (values[:, None] * vectors), slopes @ vectors
        reached = 0.5 * eps @ A @ eps + b @ eps
        assert reached <= bound * (1 + 1e-12)
        if seed % 2 == 0:
            assert reached == pytest.approx(bound, rel=1e-6)
