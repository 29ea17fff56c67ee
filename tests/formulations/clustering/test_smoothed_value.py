"""The smoothed lower level: its norms, its optimal value v_mu, and the Taylor model of v_mu."""

import numpy as np
import pytest
from support.bilevel_problems import (
    DIMENSIONS,
    GRAPHS,
    NORMS,
    PERTURBATIONS,
    make_case,
    points_of_eps,
    solve_exactly,
)

from bilad.formulations.clustering.blocks import BlockModel
from bilad.formulations.clustering.smoothed_value import SmoothedLowerLevel, smoothed_norm
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.norms import conjugate, row_norms

STEP = 1e-4
on_the_grid = pytest.mark.pairwise(p=NORMS, d=DIMENSIONS, perturbation=PERTURBATIONS, graph=GRAPHS)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_the_smoothed_norm_is_close_to_the_norm_and_has_these_derivatives(p, d):
    rng = np.random.default_rng(0)
    u = np.vstack([rng.normal(size=(20, d)), 1e-3 * rng.normal(size=(20, d)), np.zeros((1, d))])
    norm, mu = smoothed_norm(p, d), 0.05
    value, gradient = norm.at(u, mu)
    assert (np.abs(value - row_norms(u, p)) <= mu * d).all()
    assert (row_norms(gradient, conjugate(p)) <= 1 + 1e-12).all()
    hessian = norm.hessian(u, mu)
    for c, step in enumerate(STEP * np.eye(d)):
        up, down = norm.at(u + step, mu), norm.at(u - step, mu)
        assert gradient[:, c] == pytest.approx((up[0] - down[0]) / (2 * STEP), abs=1e-4)
        kinks = p == np.inf and d > 2  # the Hessian jumps where an entry of the projection is zero
        assert (
            np.abs(hessian[:, :, c] - (up[1] - down[1]) / (2 * STEP)).max(axis=1) < 1e-3
        ).mean() >= (0.9 if kinks else 1.0)


@on_the_grid
def test_the_smoothed_solution_tends_to_the_solution(p, d, perturbation, graph):
    problem = make_case(p, d, perturbation, graph)
    eps = points_of_eps(problem, 1)[-1]
    truth = solve_exactly(problem, eps)
    for mu in (1e-2, 1e-4):
        lower = SmoothedLowerLevel(BlockModel.of(problem), eps, mu)
        x = lower.minimise(truth.X)
        assert np.abs(lower.at(x)[1]).max() < 1e-8
        radii = problem.perturbation.apply(problem.model, eps).radii
        assert np.sum((x - truth.X) ** 2) <= 2 * d * mu * radii.sum()


@pytest.mark.parametrize("p", NORMS)
def test_without_edges_the_solution_is_the_data_and_the_value_zero(p):
    model = ConvexClustering([[0.0, 1.0, 2.0], [3.0, 5.0, 4.0]], FusionGraph(2, [], []), 0.5, p)
    problem = MaxDeviation(model, Perturbation.additive((2, 3), points=[0]), 1.0)
    eps = np.array([0.5, -0.5, 0.25])
    lower = SmoothedLowerLevel(BlockModel.of(problem), eps, 0.1)
    value = lower.model(lower.minimise(model.data))
    assert value.x.tolist() == (model.data + np.array([eps, 0 * eps])).tolist()
    assert not np.any([value.constant, *value.slope, *value.curvature.ravel()])


@pytest.mark.parametrize("gamma", [1e12, 1e20, 1e26])
def test_capacities_that_hide_the_masses(gamma):
    """In floating-point numbers the Hessian is then singular; the solution is the mean."""
    data = np.array([[4.33, 6.70, 6.23], [-0.10, -0.47, -0.35], [2.53, 3.66, 2.69]])
    model = ConvexClustering(data, FusionGraph.complete(3), gamma, np.inf)
    problem = MaxDeviation(model, Perturbation.additive((3, 3), points=[0]), 1.0)
    lower = SmoothedLowerLevel(BlockModel.of(problem), np.zeros(3), 0.1)
    x = lower.minimise(np.tile(data.mean(axis=0), (3, 1)))
    assert x == pytest.approx(np.tile(data.mean(axis=0), (3, 1)), abs=1e-9)
    value = lower.model(x)
    assert np.isfinite([*value.slope, *value.curvature.ravel()]).all()


def figures(function, eps, direction):
    """Value, slope and curvature of a function along a direction, by differences."""
    low, middle, high = (function(eps + t * direction) for t in (-1e-3, 0.0, 1e-3))
    return middle, (high - low) / 2e-3, (high - 2 * middle + low) / 1e-6


@pytest.mark.parametrize("block_of", [None, [0, 1, 2, 0, 3, 2]], ids=["points", "blocks"])
@on_the_grid
def test_the_model_has_the_value_and_two_derivatives_of_v(p, d, perturbation, graph, block_of):
    problem = make_case(p, d, perturbation, graph, budget=0.8)
    blocks = BlockModel.of(problem, None if block_of is None else np.array(block_of))
    eps = points_of_eps(problem, 1)[-1] * 0.5
    lower = SmoothedLowerLevel(blocks, eps, 0.1)
    x = lower.minimise(blocks.data)
    model = lower.model(x)

    def value(at):
        there = SmoothedLowerLevel(blocks, at, 0.1)
        return there.at(there.minimise(x))[0]

    def modelled(at):
        return model.constant + model.slope @ at + 0.5 * at @ model.curvature @ at

    direction = np.random.default_rng(1).normal(size=len(eps))
    expected = figures(value, eps, direction)
    assert figures(modelled, eps, direction) == pytest.approx(expected, rel=2e-3, abs=2e-3)
