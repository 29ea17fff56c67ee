"""The smoothed reformulations: what they accept, what they reject, and how mu follows the stage.

"smoothing" is the KKT reformulation with smoothed stationarity; "value function" the constraint
f_mu <= v_mu + t with the second-order model of v_mu.
"""

import numpy as np
import pytest
from support.bilevel_problems import (
    DIMENSIONS,
    GRAPHS,
    NORMS,
    PERTURBATIONS,
    make_case,
    points_of_eps,
    solution_from,
    solve_exactly,
    violations,
)

from bilad.formulations.clustering.blocks import BlockModel
from bilad.formulations.clustering.smoothed_value import SmoothedLowerLevel
from bilad.formulations.reformulations import KKT, VALUE_FUNCTION
from bilad.formulations.schedule import ScheduleStage

STAGE = ScheduleStage(1e-4, 0.1)
on_the_grid = pytest.mark.pairwise(p=NORMS, d=DIMENSIONS, perturbation=PERTURBATIONS, graph=GRAPHS)


def smoothed_solution(built, problem, eps, solution):
    """x_mu at eps, for the mu of the stage."""
    lower = SmoothedLowerLevel(BlockModel.of(problem), eps, built.model.mu.value)
    return lower.minimise(solution.X)


@on_the_grid
def test_smoothed_stationarity_holds_at_the_smoothed_solution_only(p, d, perturbation, graph):
    if p == np.inf and d > 2:
        pytest.skip("there the relaxation is that of the complementarities")
    problem = make_case(p, d, perturbation, graph)
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    built = KKT(problem, baseline, relaxation="smoothing")
    assert not built.conditions.pairs
    for eps in points_of_eps(problem, 2):
        solution = solve_exactly(problem, eps)
        built.set_stage(STAGE)
        assert built.model.mu.value == pytest.approx(0.3 * 0.1 * built.unit)
        x = smoothed_solution(built, problem, eps, solution)
        built.start_from(eps, solution_from(x, solution.Z))
        assert max(violations(built.model).values()) < 1e-8
        assert built.violation() <= 0.3 * 0.1 * d + 1e-12
        x[0, 0] += 1e-3
        built.start_from(eps, solution_from(x, solution.Z))
        broken = violations(built.model, ["stationarity"])
        assert max(broken.values()) > 1e-4


@on_the_grid
def test_the_value_function_accepts_its_start(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph)
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    built = VALUE_FUNCTION(problem, baseline)
    for eps in points_of_eps(problem, 2):
        built.set_stage(STAGE)
        built.start_from(eps, solve_exactly(problem, eps))
        assert max(violations(built.model).values()) < 1e-9
        assert built.violation() < 1e-9


@on_the_grid
def test_the_value_function_rejects_points_that_are_worse_than_t(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph)
    eps = points_of_eps(problem, 1)[-1]
    solution = solve_exactly(problem, eps)
    built = VALUE_FUNCTION(problem, solve_exactly(problem, 0 * eps))
    built.set_stage(STAGE)
    built.start_from(eps, solution)
    lower = SmoothedLowerLevel(built.conditions.blocks, eps, built.model.mu.value)
    x = lower.minimise(solution.X)
    best = lower.at(x)[0]
    for length in (-0.05, 0.05):
        x_moved = x.copy()
        x_moved[0, 0] += length * built.unit
        excess = (lower.at(x_moved)[0] - best) / built.unit**2
        assert excess > STAGE.relaxation
        conditions = built.conditions
        conditions._set_rows(x_moved)
        if built.model.component("s") is not None:
            u = conditions.blocks.differences(x_moved)
            conditions._set_envelope(u, lower.mu * lower.norm.at(u, lower.mu)[1])
        worst = violations(built.model)
        assert {name for name, v in worst.items() if v > 1e-9} == {"value_bound"}
        assert worst["value_bound"] == pytest.approx(excess / STAGE.relaxation - 1, rel=1e-6)
        assert built.violation() == pytest.approx(excess, rel=1e-6)
