"""The value-function reformulation: what the constraint accepts, rejects, and its smoothing."""

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import (
    make_model,
    make_problem,
    solution_from,
    solve_exactly,
    violations,
)

from bilad.formulations.reformulations import VALUE_FUNCTION
from bilad.formulations.schedule import ScheduleStage
from bilad.models import MaxDeviation, Perturbation
from bilad.solvers import cluster

EPS = np.array([0.8, -0.5, 0.4, 0.2])
STAGE = ScheduleStage(1e-3, 0.5)
KINDS = ["line", "complete", "knn"]


def anchored(problem, eps):
    """The reformulation with the bound from the solution at eps, and that solution."""
    baseline = cluster(problem.model)
    built = VALUE_FUNCTION(problem, baseline)
    solution = solve_exactly(problem, eps)
    built.start_from(eps, solution)
    built.set_stage(STAGE)
    return built, solution


def bound(built, eps):
    """The bound of v(eps) in the model, in the unit of the objective."""
    model = built.model
    value = pyo.value(model.bound_constant)
    value += sum(model.bound_slope[k].value * eps[k] for k in model.parameters)
    value += sum(model.bound_curvature[j, k].value * eps[j] * eps[k] for j, k in model.coupled)
    return value * built.unit**2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eps", [0 * EPS, EPS])
def test_the_solution_that_gives_the_bound_is_feasible(kind, eps):
    problem = make_problem(kind)
    built, solution = anchored(problem, eps)
    assert max(violations(built.model).values()) == 0.0
    assert bound(built, eps) == pytest.approx(solution.objective, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_solution_worse_than_t_is_rejected(kind):
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
        # A term is violated; if the terms are set to hold, the bound is violated.
        broken = {name.split("[")[0] for name, v in violations(built.model).items() if v > 0}
        assert broken == {"value_by_point"}
        for i in built.model.points:
            term = pyo.value(built.model.objective_term[i])
            built.model.value_term[i].set_value(term / built.unit**2)
        worst = violations(built.model)
        assert {name for name, v in worst.items() if v > 0} == {"value_bound"}
        assert worst["value_bound"] >= excess / built.unit**2
        for i, value in z.items():
            built.model.value_term[i].set_value(value)


def is_below(built, problem, points):
    """Assert that the bound is at most v, which the lower level computes."""
    for eps in points:
        v = solve_exactly(problem, eps).objective
        assert bound(built, eps) <= v + 1e-9 * (1 + abs(v))


@pytest.mark.parametrize("kind", KINDS)
def test_an_inaccurate_solution_gives_a_valid_bound(kind):
    """The bound follows from weak duality, so an error of X makes it weaker and not wrong.

    All points are translated, so v is constant.
    """
    model = make_model(kind)
    problem = MaxDeviation(model, Perturbation.shift(np.ones_like(model.data)), 100.0)
    built, solution = anchored(problem, np.zeros(1))
    for error in (1e-3, -1e-3):
        built.start_from(np.zeros(1), solution_from(solution.X + error, solution.Z))
        is_below(built, problem, [np.array([eps]) for eps in (-100.0, -1.0, 1.0, 100.0)])


@pytest.mark.parametrize("kind", KINDS)
def test_smoothing_raises_the_objective_by_at_most_half_of_t(kind):
    problem = make_problem(kind)
    built, solution = anchored(problem, EPS)
    t = STAGE.relaxation * built.unit**2
    perturbed = problem.perturbation.apply(problem.model, EPS)
    rng = np.random.default_rng(4)
    for X in [*rng.normal(size=(5, *perturbed.data.shape)), np.zeros_like(perturbed.data)]:
        built.start_from(EPS, solution_from(X, 0 * solution.Z))
        smooth, true = pyo.value(built.model.lower_objective), perturbed.primal(X)
        assert true < smooth <= true + 0.5 * t + 1e-12 * true
    # If all points coincide, the smoothing error is largest.
    assert smooth == pytest.approx(true + 0.5 * t, rel=1e-12)
