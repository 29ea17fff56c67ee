"""Convex clustering on blocks: what it is, where it is exact, and which blocks are observed."""

import types

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import (
    ACCEPTED,
    NORMS,
    PERTURBATIONS,
    TIGHT,
    UNSMOOTHED,
    formulate,
    make_case,
    make_problem,
    points_of_eps,
    solve_exactly,
    violations,
)

from bilad.formulations.clustering.blocks import BlockModel
from bilad.formulations.reformulations import KKT, contract
from bilad.models import ArgumentError
from bilad.models.problem import MaxDeviation

BLOCKS = np.array([0, 1, 2, 0, 3, 2])


def blocks_of(labels):
    return np.unique(labels, return_inverse=True)[1]


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("graph", ["complete", "knn"])
def test_the_objective_is_that_of_equal_rows_up_to_a_constant(p, perturbation, graph):
    problem = make_case(p, 2, perturbation, graph)
    blocks, rng = BlockModel.of(problem, BLOCKS), np.random.default_rng(0)
    for eps in points_of_eps(problem, 3):
        model = problem.perturbation.apply(problem.model, eps)
        data = blocks.data + (blocks.data_rates @ eps).reshape(blocks.data.shape)
        radii = blocks.radii + blocks.radii_rates @ eps
        scatter = 0.5 * np.sum((model.data - data[BLOCKS]) ** 2)
        for x in rng.normal(size=(3, *blocks.data.shape)):
            lengths = np.linalg.norm(blocks.differences(x), p, axis=1)
            value = 0.5 * np.sum(blocks.masses[:, None] * (x - data) ** 2) + radii @ lengths
            assert value + scatter == pytest.approx(model.primal(x[BLOCKS]), rel=1e-12)


@pytest.mark.parametrize("p", NORMS)
def test_every_point_a_block_is_the_model_itself(p):
    problem = make_case(p, 2, "edges", "knn")
    blocks, model = BlockModel.of(problem), problem.model
    kept = np.flatnonzero(model.radii > 0)
    assert blocks.data.tolist() == model.data.tolist()
    assert blocks.names.tolist() == kept.tolist()
    assert blocks.edges.tolist() == model.graph.edges[kept].tolist()
    assert blocks.radii.tolist() == model.radii[kept].tolist()
    X = np.random.default_rng(0).normal(size=model.data.shape)
    flow = model.graph.differences(X)[kept]
    assert blocks.differences(X) == pytest.approx(flow)
    Z = np.zeros((model.graph.m, 2))
    Z[kept] = flow
    assert blocks.adjoint(flow) == pytest.approx(model.graph.adjoint(Z))


@pytest.mark.pairwise(name=UNSMOOTHED, p=NORMS, perturbation=PERTURBATIONS)
def test_a_solution_that_is_equal_on_each_block_is_accepted(name, p, perturbation):
    problem = make_case(p, 2, perturbation)
    baseline = solve_exactly(problem, np.zeros(problem.perturbation.dim))
    for eps in points_of_eps(problem, 2):
        solution = solve_exactly(problem, eps)
        formulation, options = UNSMOOTHED[name]
        built = formulation(
            problem, baseline, contraction="observed", observed=[solution], **options
        )
        assert built.represents(solution)
        built.set_stage(TIGHT)
        built.start_from(eps, solution)
        model = built.model
        assert max(violations(model).values()) < ACCEPTED
        assert built.state(solution.X) == pytest.approx(solution.X, abs=1e-7)


def test_the_smooth_deviation_on_blocks_is_that_of_the_points():
    problem = make_problem("knn", k=2, n=12)
    baseline = solve_exactly(problem, np.zeros(2))
    whole, contracted = (KKT(problem, baseline, contraction=c) for c in ("none", "observed"))
    assert len(contracted.model.points) < len(whole.model.points) == 12
    assert sum(contracted.model.mass.values()) == 12
    values = []
    for built in (whole, contracted):
        built.set_stage(TIGHT)
        built.start_from(np.zeros(2), baseline)
        for point in built.model.points:
            for c in built.model.features:
                built.model.x[point, c].set_value(built.model.x[point, c].value * 0.5)
        values.append(pyo.value(built.model.smooth_deviation))
    assert values[0] == pytest.approx(values[1], rel=1e-9, abs=1e-12)


def test_blocks_are_the_common_refinement_with_the_moved_points_single():
    problem = make_problem("complete", k=2, n=9)  # eps moves point 0
    model = problem.model
    first = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    second = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    block_of = contract(model, problem, [first, second], "observed")
    sets = {tuple(np.flatnonzero(block_of == k)) for k in range(block_of.max() + 1)}
    assert sets == {(0,), (1, 2), (3, 4), (5,), (6, 7, 8)}
    neighbours = contract(model, problem, [first, second], "neighbours")
    assert len(set(neighbours)) == 9, "in a complete graph every point is a neighbour"


def test_a_block_that_is_split_is_seen():
    problem = make_problem("complete", k=2, n=9)
    baseline = solve_exactly(problem, np.zeros(2))
    apart = types.SimpleNamespace(state=baseline.state, outcome=np.arange(9))
    built = KKT(problem, baseline, contraction="observed")
    assert built.represents(baseline)
    assert built.represents(apart) == (len(built.model.points) == 9)
    assert KKT(problem, baseline).represents(apart)


@pytest.mark.parametrize("contraction", ["all", "turns", None, 3])
def test_an_unknown_contraction_is_refused(contraction):
    problem = make_problem("complete")
    with pytest.raises(ArgumentError, match="contraction"):
        KKT(problem, solve_exactly(problem, np.zeros(4)), contraction=contraction)


def test_the_blocks_of_a_problem_with_every_point_moved_are_its_points():
    problem = make_problem("complete", k=20)
    assert isinstance(problem, MaxDeviation)
    baseline = solve_exactly(problem, np.zeros(20))
    assert len(KKT(problem, baseline, contraction="observed").model.points) == 10


def test_formulate_leaves_rows_alone():
    problem = make_problem("complete")
    baseline = solve_exactly(problem, np.zeros(4))
    assert formulate("scholtes", problem, baseline).block_of is None


def test_pairs_out_of_reach_are_left_out_and_seen_when_they_come_near():
    problem = make_problem("knn", k=2, n=12)
    baseline = solve_exactly(problem, np.zeros(2))
    whole, part = (KKT(problem, baseline, reach=reach) for reach in (np.inf, 1e-6))
    for built in (whole, part):
        built.set_stage(TIGHT)
        built.start_from(np.zeros(2), baseline)
    assert part._omitted.size > whole._omitted.size == 0
    near = types.SimpleNamespace(state=0 * baseline.state, outcome=baseline.outcome)
    assert part.represents(baseline, 1e-6)
    assert not part.represents(near, 1e-6)
    assert whole.represents(near, 1e-6)
    seen = KKT(problem, baseline, observed=[near], reach=1e-6)
    assert seen._omitted.size == 0
