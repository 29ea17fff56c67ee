"""Every reformulation accepts the lower-level solutions at small t, and rejects all other points.

The table is UNSMOOTHED x norm p x dimension d x perturbation x graph (`support`).
"""

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import (
    ACCEPTED,
    DIMENSIONS,
    GRAPHS,
    NORMS,
    PERTURBATIONS,
    REJECTED,
    TIGHT,
    UNSMOOTHED,
    formulate,
    make_case,
    points_of_eps,
    solution_from,
    solve_exactly,
    violations,
)

from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.schedule import ScheduleStage
from bilad.models import MinPerturbation
from bilad.models.learning.clustering_problem import edge_operator

on_the_grid = pytest.mark.pairwise(p=NORMS, d=DIMENSIONS, perturbation=PERTURBATIONS, graph=GRAPHS)


def place(built, eps, X, Z):
    """Set all variables to X and Z."""
    built.start_from(eps, solution_from(X, Z))
    built.set_stage(TIGHT)


def penalty(built):
    """The penalty term relative to the largest value of the deviation."""
    scale = built.problem.deviation.largest(built.problem.model.n)
    return pyo.value(built.conditions.penalty(scale)) / scale


def worst_violation(built):
    """The largest violation and its name; the penalty method has a penalty and no constraints."""
    found = violations(built.model)
    if getattr(built.conditions, "relaxation", None) is RELAXATIONS["penalty"]:
        found["penalty"] = penalty(built) * TIGHT.relaxation
    worst = max(found, key=found.get)
    return found[worst], worst


@on_the_grid
def test_exact_solutions_are_accepted(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph)
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    solutions = [(eps, solve_exactly(problem, eps)) for eps in points_of_eps(problem, 2)]
    for name in UNSMOOTHED:
        built = formulate(name, problem, baseline)
        for eps, solution in solutions:
            place(built, eps, solution.X, solution.Z)
            excess, where = worst_violation(built)
            assert excess < ACCEPTED, (name, where, eps)
            assert built.eps() == pytest.approx(eps)
            assert built.state(solution.X) == pytest.approx(solution.X)


@on_the_grid
def test_other_points_are_rejected(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph)
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    eps = points_of_eps(problem, 1)[-1]
    truth = solve_exactly(problem, eps)
    other = solve_exactly(problem, points_of_eps(problem, 3)[-1])
    moved = truth.X.copy()
    moved[2, 0] += 0.01
    data = problem.perturbation.apply(problem.model, eps).data
    assert np.abs(other.X - truth.X).max() > 1e-3
    candidates = {
        "moved": (moved, truth.Z),
        "of another eps": (other.X, other.Z),
        "without fusion": (data, 0 * truth.Z),
        "sign of Z": (truth.X, -truth.Z),
        "sign of both": (2 * data - truth.X, -truth.Z),
    }
    for name in UNSMOOTHED:
        built = formulate(name, problem, baseline)
        for what, (X, Z) in candidates.items():
            place(built, eps, X, Z)
            excess, _ = worst_violation(built)
            assert excess > REJECTED, (name, what)


@pytest.mark.pairwise(
    name=["scholtes", "penalty", "duality"], norm=NORMS, perturbation=PERTURBATIONS
)
def test_every_norm_of_eps_and_both_problems(norm, perturbation, name):
    """For (BL2) the target is deactivated, because the smooth deviation may fall short of it."""
    options = {"budget": 1, "limit": 1.2, "kind": MinPerturbation}
    for chosen in ({}, options):
        problem = make_case(2, 2, perturbation, "knn", norm=norm, **chosen)
        baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
        built = formulate(name, problem, baseline)
        for eps in points_of_eps(problem, 3):
            solution = solve_exactly(problem, eps)
            place(built, eps, solution.X, solution.Z)
            if chosen:
                built.model.target.deactivate()
            excess, where = worst_violation(built)
            assert excess < ACCEPTED, (where, eps)


def test_a_removed_edge_exerts_no_force():
    """At eps_e = 1 the scaled dual is a subgradient, whatever the value of Z."""
    for p in NORMS:
        problem = make_case(p, 2, "edges", "knn", norm=np.inf)
        eps = np.array([1.0, 1.0, 0.0])
        solution = solve_exactly(problem, eps)
        dropped = edge_operator(problem) @ eps == 1
        assert not solution.Z[dropped].any()
        assert np.ptp(problem.model.graph.differences(solution.X)[dropped]) > 0
        for name in UNSMOOTHED:
            built = formulate(name, problem, solve_exactly(problem, 0 * eps))
            place(built, eps, solution.X, solution.Z + 5.0 * dropped[:, None])
            excess, where = worst_violation(built)
            assert excess < ACCEPTED, (name, where)
            assert built.conditions.Z(eps) == pytest.approx(solution.Z, abs=1e-9)


@pytest.mark.parametrize("p", NORMS)
def test_the_penalty_is_the_mean_gap_over_t(p):
    problem = make_case(p, 2, "additive")
    eps = np.array([0.5, -0.3])
    solution = solve_exactly(problem, eps)
    built = formulate("penalty", problem, solve_exactly(problem, 0 * eps))
    assert built.model.component("relaxed") is None
    place(built, eps, solution.X, solution.Z)
    assert penalty(built) < 1e-3  # products of 1e-10 over t = 1e-7
    subtracted = pyo.value(built.model.smooth_deviation) - pyo.value(built.model.goal)
    scale = problem.deviation.largest(6)
    assert subtracted == pytest.approx(scale * penalty(built), abs=1e-12)

    # The definition: the mean over the edges of the products over t.
    place(built, eps, problem.perturbation.apply(problem.model, eps).data, 0 * solution.Z)
    edges, ends = built.conditions.edges, built.conditions.ends
    gaps = [pyo.value(edges.gap(e)) / built.unit for e in ends]
    assert penalty(built) == pytest.approx(np.mean(gaps) / TIGHT.relaxation)
    assert penalty(built) > 1e3


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_a_bound_on_t_bounds_the_duality_gap(p, d):
    """A point is feasible for the sum of the gaps if and only if gap <= t unit sum_e r_e."""
    problem = make_case(p, d, "additive")
    eps = np.array([0.4, -0.2])
    truth = solve_exactly(problem, eps)
    built = formulate("aggregate", problem, truth)
    perturbed = problem.perturbation.apply(problem.model, eps)
    rng = np.random.default_rng(0)
    total = built.unit * problem.model.radii.sum()
    for length in (1e-3, 1e-2, 0.1, 1.0):
        Z = perturbed.project_dual(truth.Z + length * rng.normal(size=truth.Z.shape))
        X = perturbed.data - perturbed.graph.adjoint(Z)
        gap = perturbed.absolute_gap(X, Z)
        for factor, fits in ((1.001, True), (0.999, False)):
            place(built, eps, X, Z)
            built.set_stage(ScheduleStage(factor * gap / total, 0.1))
            excess, where = worst_violation(built)
            assert (excess < 1e-9 * (1 + gap)) == fits, (where, excess)
            assert fits or where == "duality_gap"
