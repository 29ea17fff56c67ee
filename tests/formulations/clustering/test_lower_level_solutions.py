"""What every reformulation accepts and rejects, for every norm, dimension and perturbation.

At a tight stage it accepts the lower level's own solutions, whatever eps, and no others.
"""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.reformulations import DUALITY, KKT, VALUE_FUNCTION
from bilad.formulations.schedule import ScheduleStage
from bilad.models import MinPerturbation
from bilad.models.learning.clustering_problem import edge_operator
from bilad.models.learning.convex_clustering import ScaledClustering

NORMS = [1, 2, np.inf]
DIMENSIONS = [1, 2, 3]
PERTURBATIONS = ["shift", "additive", "multiplicative", "edges"]
GRAPHS = ["complete", "knn"]

KINDS = {
    **{name: (KKT, {"relaxation": name}) for name in RELAXATIONS},
    "duality": (DUALITY, {}),
    "aggregate": (DUALITY, {"aggregate": True}),
    "value function": (VALUE_FUNCTION, {}),
}
TIGHT = ScheduleStage(1e-7, 0.1)

on_the_grid = pytest.mark.pairwise(p=NORMS, d=DIMENSIONS, perturbation=PERTURBATIONS, graph=GRAPHS)


def formulate(name, problem, baseline):
    formulation, options = KINDS[name]
    assert formulation.refusal(problem) is None
    return formulation(problem, baseline, **options)


def place(built, eps, X, Z):
    """Set every variable, those of the gaps' shares as low as their rows allow."""
    built.start_from(eps, ScaledClustering(X, Z, np.zeros(len(X), dtype=int), 0.0))
    built.set_stage(TIGHT)
    model = built.model
    if model.component("gap_term") is not None:
        for i in model.gap_term:
            row = model.gap_by_point[i]
            model.gap_term[i].set_value(0.0)
            over = pyo.value(row.body)
            model.gap_term[i].set_value(1.0)
            model.gap_term[i].set_value(over / (over - pyo.value(row.body)))


def penalty(built):
    """The penalty, relative to the deviation's largest value."""
    scale = built.problem.deviation.largest(built.problem.model.n)
    return pyo.value(built.conditions.penalty(scale)) / scale


def worst_violation(built, violations):
    """Of the constraints; a penalised relaxation has none, so count what it pays."""
    found = violations(built.model)
    coupling = getattr(built.conditions, "coupling", None)
    if getattr(coupling, "relaxation", None) is RELAXATIONS["penalty"]:
        found["penalty"] = penalty(built) * TIGHT.relaxation
    worst = max(found, key=found.get)
    return found[worst], worst


@on_the_grid
def test_exact_solutions_are_accepted(
    make_case, points_of_eps, solve_exactly, violations, p, d, perturbation, graph
):
    problem = make_case(p, d, perturbation, graph)
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    solutions = [(eps, solve_exactly(problem, eps)) for eps in points_of_eps(problem, 2)]
    for name in KINDS:
        built = formulate(name, problem, baseline)
        for eps, solution in solutions:
            place(built, eps, solution.X, solution.Z)
            excess, where = worst_violation(built, violations)
            assert excess < 1e-7, (name, where, eps)
            assert built.eps() == pytest.approx(eps)
            assert built.state(solution.X) == pytest.approx(solution.X)


@on_the_grid
def test_others_are_rejected(
    make_case, points_of_eps, solve_exactly, violations, p, d, perturbation, graph
):
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
    for name in KINDS:
        built = formulate(name, problem, baseline)
        for what, (X, Z) in candidates.items():
            place(built, eps, X, Z)
            excess, _ = worst_violation(built, violations)
            assert excess > 1e-6, (name, what)


@pytest.mark.pairwise(name=KINDS, norm=NORMS, perturbation=PERTURBATIONS)
def test_every_norm_of_eps_and_both_problems(
    make_case, points_of_eps, solve_exactly, violations, norm, perturbation, name
):
    """(BL2) with a target that the eps reaches, but for the kernel's blur."""
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
            excess, where = worst_violation(built, violations)
            assert excess < 1e-7, (where, eps)


def test_an_edge_that_is_dropped_leaves_no_force(make_case, solve_exactly, violations):
    """eps_e = 1: the scaled dual is a subgradient, whatever Z says there."""
    for p in NORMS:
        problem = make_case(p, 2, "edges", "knn", norm=np.inf)
        eps = np.array([1.0, 1.0, 0.0])
        solution = solve_exactly(problem, eps)
        dropped = edge_operator(problem) @ eps == 1
        assert not solution.Z[dropped].any()
        assert np.ptp(problem.model.graph.differences(solution.X)[dropped]) > 0
        for name in KINDS:
            built = formulate(name, problem, solve_exactly(problem, 0 * eps))
            place(built, eps, solution.X, solution.Z + 5.0 * dropped[:, None])
            excess, where = worst_violation(built, violations)
            assert excess < 1e-7, (name, where)
            if name != "value function":
                assert built.conditions.Z(eps) == pytest.approx(solution.Z, abs=1e-9)


@pytest.mark.parametrize("p", NORMS)
def test_the_penalty_pays_nothing_but_for_the_gap(make_case, solve_exactly, p):
    problem = make_case(p, 2, "additive")
    eps = np.array([0.5, -0.3])
    solution = solve_exactly(problem, eps)
    built = formulate("penalty", problem, solve_exactly(problem, 0 * eps))
    assert built.model.component("relaxed") is None
    place(built, eps, solution.X, solution.Z)
    assert penalty(built) < 1e-3  # products of 1e-10 over t = 1e-7
    paid = pyo.value(built.model.smooth_deviation) - pyo.value(built.model.goal)
    scale = problem.deviation.largest(6)
    assert paid == pytest.approx(scale * penalty(built), abs=1e-12)

    # The definition, by hand: per edge, scale / m at products that add up to t.
    place(built, eps, problem.perturbation.apply(problem.model, eps).data, 0 * solution.Z)
    edges, ends = built.conditions.edges, built.conditions.points.ends
    gaps = [pyo.value(edges.gap(e)) / built.unit for e in ends]
    assert penalty(built) == pytest.approx(np.mean(gaps) / TIGHT.relaxation)
    assert penalty(built) > 1e3


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_a_bound_on_t_bounds_the_duality_gap(make_case, solve_exactly, violations, p, d):
    """Aggregated: feasible at t means gap <= t unit sum r, so far X may be from X*."""
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
            excess, where = worst_violation(built, violations)
            assert (excess < 1e-9 * (1 + gap)) == fits, (where, excess)
            assert fits or where == "duality_gap"
