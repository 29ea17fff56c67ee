"""Aggregated edges, and the objective of the contracted problem and its derivatives, by loops."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem, aggregate_edges
from bilad.solvers.clustering.labels.partition import numbered


@pytest.mark.parametrize("seed", range(20))
def test_edges_between_blocks_are_summed_by_pairs(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 12)), int(rng.integers(0, 60))
    tails, heads = rng.integers(0, n, (2, m))
    weights, blocks = rng.integers(0, 4, m) / 4, numbered([rng.integers(0, 5, n)])
    pairs = aggregate_edges(tails, heads, weights, blocks)
    sums, own = {}, {}
    for e in range(m):
        a, b = blocks[tails[e]], blocks[heads[e]]
        if a != b and weights[e] > 0:
            own[e] = (min(a, b), max(a, b)), 1.0 if a < b else -1.0
            sums[own[e][0]] = sums.get(own[e][0], 0.0) + weights[e]
    order = sorted(sums)
    assert list(zip(pairs.tails, pairs.heads, strict=True)) == order
    assert pairs.weights.tolist() == [sums[pair] for pair in order]
    assert pairs.between.tolist() == list(own)
    assert [order[k] for k in pairs.pair] == [pair for pair, _ in own.values()]
    assert pairs.signs.tolist() == [[sign] for _, sign in own.values()]


def contracted(seed, d):
    """A model with unequal weights, blocks of unequal sizes, their problem, and centroids."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(9, d))
    graph = FusionGraph.complete(9)
    graph = graph.with_weights(rng.uniform(0.1, 2.0, graph.m) * (rng.random(graph.m) < 0.8))
    blocks = numbered([np.r_[0:4, rng.integers(0, 4, 5)]])
    model = ConvexClustering(A, graph, 0.3)
    return model, blocks, ContractedProblem.of(model, blocks), rng.normal(size=(4, d))


def objective(problem, y):
    misfit = 0.5 * problem.masses @ ((y - problem.means) ** 2).sum(axis=1)
    lengths = np.linalg.norm(y[problem.tails] - y[problem.heads], axis=1)
    return problem.offset + misfit + problem.radii @ lengths


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_objective_is_that_of_the_model_at_equal_points(d):
    model, blocks, problem, y = contracted(d, d)
    assert objective(problem, y) == pytest.approx(model.primal(y[blocks]), rel=1e-13)
    fewer = np.array([0, 1, 0, 2])
    twice, _ = problem.contracted(fewer)
    assert objective(twice, y[:3]) == pytest.approx(model.primal(y[fewer[blocks]]), rel=1e-13)
    merged = problem.merged(fewer)
    assert merged.is_joined_like(twice)
    assert not merged.is_joined_like(problem)
    assert merged.gradient(y[:3]) == pytest.approx(twice.gradient(y[:3]), rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_derivatives_are_those_of_the_objective(d):
    """Masses, weights and lengths are unequal, and the data move once in between."""
    _, _, problem, y = contracted(10 + d, d)
    h = 1e-6
    for _ in range(2):
        slopes, bends = np.empty(y.size), np.empty((y.size, y.size))
        for k in range(y.size):
            step = np.zeros(y.size)
            step[k] = h
            ends = y + step.reshape(y.shape), y - step.reshape(y.shape)
            slopes[k] = (objective(problem, ends[0]) - objective(problem, ends[1])) / (2 * h)
            bends[k] = (problem.gradient(ends[0]) - problem.gradient(ends[1])).ravel() / (2 * h)
        assert problem.gradient(y).ravel() == pytest.approx(slopes, abs=1e-8)
        solved = problem.solve_hessian(y, bends.T[:, :1].reshape(y.shape))
        unit = np.zeros(y.shape)
        unit[0, 0] = 1.0
        assert solved == pytest.approx(unit, abs=1e-7)
        right = np.random.default_rng(0).normal(size=y.shape)
        product = (bends.T @ problem.solve_hessian(y, right).ravel()).reshape(y.shape)
        assert product == pytest.approx(right, abs=1e-6)
        problem.set_means(problem.means + 1.0)


def test_the_gradient_is_relative_to_the_forces_and_infinite_where_blocks_coincide():
    _, _, problem, y = contracted(0, 2)
    size = np.linalg.norm(problem.radii) + np.linalg.norm(problem.masses[:, None] * problem.means)
    found, relative = problem.minimiser(y, steps=0)
    assert np.array_equal(found.sum(axis=0), y)
    assert relative == pytest.approx(np.linalg.norm(problem.gradient(y)) / size, rel=1e-12)
    y[1] = y[0]
    assert problem.minimiser(y)[1] == np.inf
