"""The lower bound of v from a constant dual, compared with v for all norms and perturbations."""

import numpy as np
import pytest
from support.bilevel_problems import NORMS, PERTURBATIONS, make_case, points_of_eps, solve_exactly

from bilad.formulations.clustering.points import scaled_dual
from bilad.formulations.clustering.value_function import frozen_dual_bound
from bilad.formulations.reformulations import VALUE_FUNCTION
from bilad.formulations.schedule import ScheduleStage
from bilad.models import Perturbation
from bilad.models.learning.clustering_problem import edge_operator
from bilad.models.norms import conjugate, project_rows

DIMENSIONS = [1, 2, 3]
# knn has edges of zero weight, some of which are perturbed.
on_the_grid = pytest.mark.pairwise(
    p=NORMS, d=DIMENSIONS, perturbation=PERTURBATIONS, graph=["complete", "knn"]
)


def evaluate(bound, eps):
    constant, slope, curvature = bound
    return constant + slope @ eps + eps @ (curvature @ eps)


def tangent_of(problem, eps, solution):
    lower = problem.perturbation.apply(problem.model, eps)
    return frozen_dual_bound(problem, scaled_dual(lower, solution.X, solution.Z))


@on_the_grid
def test_equals_v_at_its_eps_and_is_at_most_v_elsewhere(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph, budget=2.0, norm=np.inf)
    values = [
        (eps, solution, solution.objective)
        for eps in points_of_eps(problem, 4)
        for solution in [solve_exactly(problem, eps)]
    ]
    apart = 0
    for anchor, solution, v in values:
        bound = tangent_of(problem, anchor, solution)
        assert evaluate(bound, anchor) == pytest.approx(v, abs=1e-10 * (1 + v))
        for eps, _, elsewhere in values:
            assert evaluate(bound, eps) <= elsewhere + 1e-10 * (1 + elsewhere)
            apart += evaluate(bound, eps) < elsewhere - 1e-6
    assert apart > 0


@on_the_grid
def test_any_dual_gives_a_lower_bound(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph, budget=2.0, norm=np.inf)
    rng, m = np.random.default_rng(0), problem.model.graph.m
    points = [(eps, solve_exactly(problem, eps)) for eps in points_of_eps(problem, 1)]
    for length in (0.0, 0.1, 1.0, 10.0):
        z = project_rows(length * rng.normal(size=(m, d)), np.ones(m), conjugate(p))
        bound = frozen_dual_bound(problem, z)
        for eps, solution in points:
            assert evaluate(bound, eps) <= solution.objective * (1 + 1e-12)
            # It is the dual objective itself.
            lower = problem.perturbation.apply(problem.model, eps)
            dual = lower.dual(lower.radii[:, None] * z)
            assert evaluate(bound, eps) == pytest.approx(dual, rel=1e-10, abs=1e-10)


@pytest.mark.pairwise(p=NORMS, d=DIMENSIONS, perturbation=PERTURBATIONS)
def test_its_gradient_is_that_of_v(p, d, perturbation):
    """For data, v is a Moreau envelope; for weights, its derivative is -r_e ||u_e||."""
    problem = make_case(p, d, perturbation, "knn", budget=0.8, norm=np.inf)
    for eps in points_of_eps(problem, 2)[-2:]:
        solution = solve_exactly(problem, eps)
        _, slope, curvature = tangent_of(problem, eps, solution)
        gradient = slope + curvature @ eps + curvature.T @ eps
        if perturbation != "edges":
            assert curvature.nnz == 0
            data = problem.perturbation.apply(problem.model, eps).data
            force = problem.operator("data").T @ (data - solution.X).ravel()
            assert gradient == pytest.approx(force, abs=1e-5)  # X to the root of 1e-12
        h = 1e-4
        for k, step in enumerate(h * np.eye(len(eps))):
            up, down = (solve_exactly(problem, eps + s).objective for s in (step, -step))
            assert gradient[k] == pytest.approx((up - down) / (2 * h), abs=2e-3)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@pytest.mark.parametrize("p", NORMS)
def test_the_model_has_this_bound(p, perturbation):
    problem = make_case(p, 2, perturbation, "knn")
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    built = VALUE_FUNCTION(problem, baseline)
    points = points_of_eps(problem, 3)
    solution = solve_exactly(problem, points[-1])
    built.start_from(points[-1], solution)
    built.set_stage(ScheduleStage(1e-3, 0.5))
    bound, model = tangent_of(problem, points[-1], solution), built.model
    for eps in points:
        value = model.bound_constant.value
        value += sum(model.bound_slope[k].value * eps[k] for k in model.parameters)
        value += sum(model.bound_curvature[j, k].value * eps[j] * eps[k] for j, k in model.coupled)
        assert value * built.unit**2 == pytest.approx(evaluate(bound, eps), rel=1e-12)
    if perturbation != "edges":
        assert len(model.coupled) == 0


def test_data_and_weights_may_be_perturbed_together():
    """In that case v is neither convex nor concave."""
    for p in NORMS:
        data, edges = (make_case(p, 2, name, "knn") for name in ("shift", "edges"))
        model, k = data.model, 3
        pad = data.operator("data") @ np.array([[0.0, 1.0, 0.5]])
        both = Perturbation.linear(
            model.data.shape,
            type(data.operator("data"))(pad),
            model.graph,
            edge_operator(edges),
            lower=[0.0, 0.0, 0.0],
            upper=[1.0, 1.0, 1.0],
        )
        problem = type(data)(model, both, 1.0, norm=np.inf)
        rng = np.random.default_rng(0)
        points = [(eps, solve_exactly(problem, eps)) for eps in rng.uniform(0, 1, (5, k))]
        for anchor, there in points:
            bound = tangent_of(problem, anchor, there)
            assert evaluate(bound, anchor) == pytest.approx(there.objective, rel=1e-10)
            for eps, solution in points:
                assert evaluate(bound, eps) <= solution.objective * (1 + 1e-11)
        baseline = solve_exactly(problem, np.zeros(k))
        built = VALUE_FUNCTION(problem, baseline)
        # The first edge has no weight to lose.
        assert {j for pair in built.model.coupled for j in pair} == {1, 2}
