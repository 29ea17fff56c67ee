"""The value-function reformulation: a bound of v, met at its anchor and below v elsewhere."""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.formulations.reformulations import VALUE_FUNCTION
from bilad.formulations.schedule import ScheduleStage
from bilad.models import MaxDeviation, Perturbation
from bilad.models.learning.convex_clustering import ScaledClustering
from bilad.solvers import cluster

EPS = np.array([0.8, -0.5, 0.4, 0.2])
STAGE = ScheduleStage(1e-3, 0.5)
KINDS = ["line", "complete", "knn"]


def solved(problem, eps):
    return cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)


def solution_of(X, Z):
    return ScaledClustering(X, Z, np.zeros(len(X), dtype=int), 0.0)


def anchored(problem, eps):
    """The formulation with its bound taken at eps, and the solution there."""
    baseline = cluster(problem.model)
    built = VALUE_FUNCTION(problem, baseline)
    solution = solved(problem, eps)
    built.start_from(eps, solution)
    built.set_stage(STAGE)
    return built, solution


def bound(built, eps):
    """The bound that the model has at eps, in the units of the objective."""
    model = built.model
    value = pyo.value(model.bound_constant)
    value += sum(model.bound_slope[k].value * eps[k] for k in model.parameters)
    value += sum(model.bound_curvature[j, k].value * eps[j] * eps[k] for j, k in model.coupled)
    return value * built.unit**2


def slope(built, k):
    return built.model.bound_slope[k].value * built.unit**2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eps", [0 * EPS, EPS])
def test_the_anchor_is_feasible(make_problem, violations, kind, eps):
    problem = make_problem(kind)
    built, solution = anchored(problem, eps)
    assert max(violations(built.model).values()) == 0.0
    assert bound(built, eps) == pytest.approx(solution.objective, abs=1e-9)


@pytest.mark.parametrize("norm", [1, np.inf])
def test_the_anchor_is_feasible_in_every_norm(make_problem, violations, norm):
    built, _ = anchored(make_problem("line", norm=norm), EPS)
    worst = violations(built.model)
    assert max(worst.values()) < 1e-9, max(worst, key=worst.get)


@pytest.mark.parametrize("kind", KINDS)
def test_a_solution_worse_than_the_slack_is_cut_off(make_problem, violations, kind):
    problem = make_problem(kind)
    built, solution = anchored(problem, EPS)
    t = STAGE.relaxation * built.unit**2
    z = {i: built.model.value_term[i].value for i in built.model.points}
    perturbed = problem.perturbation.apply(problem.model, EPS)
    for length in (-1.0, 1.0):
        X = solution.X.copy()
        X[0, 0] += length
        excess = perturbed.primal(X) - solution.objective - t
        assert excess > 0
        built.model.x[0, 0].set_value(X[0, 0])
        U = perturbed.graph.differences(X)
        for e, c in built.model.u:
            built.model.u[e, c].set_value(U[e, c])
        # With the shares as they were, a share is broken; with shares that hold, the bound.
        broken = {name.split("[")[0] for name, v in violations(built.model).items() if v > 0}
        assert broken == {"value_by_point"}
        for i in built.model.points:
            share = pyo.value(built.model.objective_term[i])
            built.model.value_term[i].set_value(share / built.unit**2)
        worst = violations(built.model)
        assert {name for name, v in worst.items() if v > 0} == {"value_bound"}
        assert worst["value_bound"] >= excess / built.unit**2
        for i, value in z.items():
            built.model.value_term[i].set_value(value)


def is_below(built, problem, points):
    """The bound is nowhere above v, computed by the lower level."""
    for eps in points:
        v = solved(problem, eps).objective
        assert bound(built, eps) <= v + 1e-9 * (1 + abs(v))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eps", [0 * EPS, EPS])
def test_the_bound_lies_below_the_value_function(make_problem, kind, eps):
    problem = make_problem(kind)
    built, _ = anchored(problem, eps)
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=(2, 12, 4))
    is_below(built, problem, [*(eps + 0.01 * near), *(5 * far)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_of_an_inaccurate_solution_lies_below_too(make_model, kind):
    """It comes from the dual side: an inaccurate X makes it weaker, not wrong.

    All points move together, so v is constant and the bound's slope must not be felt.
    """
    model = make_model(kind)
    problem = MaxDeviation(model, Perturbation.shift(np.ones_like(model.data)), 100.0)
    built, solution = anchored(problem, np.zeros(1))
    for error in (1e-3, -1e-3):
        built.start_from(np.zeros(1), solution_of(solution.X + error, solution.Z))
        is_below(built, problem, [np.array([eps]) for eps in (-100.0, -1.0, 1.0, 100.0)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_is_the_derivative_of_the_value_function(make_problem, kind):
    problem = make_problem(kind)
    built, _ = anchored(problem, EPS)
    for k in range(4):
        h = 1e-4 * np.eye(4)[k]
        numerical = solved(problem, EPS + h).objective - solved(problem, EPS - h).objective
        assert slope(built, k) == pytest.approx(numerical / 2e-4, abs=1e-4)
        assert abs(slope(built, k)) > 1e-3


def test_the_slope_of_a_scaled_direction(make_model):
    model = make_model("line")
    V = np.random.default_rng(3).normal(size=(10, 1))
    problem = MaxDeviation(model, Perturbation.shift(V), 2.0)
    built, _ = anchored(problem, np.array([0.7]))
    numerical = solved(problem, 0.7 + 1e-4).objective - solved(problem, 0.7 - 1e-4).objective
    assert slope(built, 0) == pytest.approx(numerical / 2e-4, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rounded_objective_is_above_the_true_one_by_half_the_slack_at_most(make_problem, kind):
    problem = make_problem(kind)
    built, solution = anchored(problem, EPS)
    t = STAGE.relaxation * built.unit**2
    perturbed = problem.perturbation.apply(problem.model, EPS)
    rng = np.random.default_rng(4)
    for X in [*rng.normal(size=(5, *perturbed.data.shape)), np.zeros_like(perturbed.data)]:
        built.start_from(EPS, solution_of(X, 0 * solution.Z))
        rounded, true = pyo.value(built.model.lower_objective), perturbed.primal(X)
        assert true < rounded <= true + 0.5 * t + 1e-12 * true
    # All points in one place: the rounding is all there is.
    assert rounded == pytest.approx(true + 0.5 * t, rel=1e-12)
