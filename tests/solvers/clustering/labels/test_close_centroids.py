"""Centroids as sums of two numbers: the second is a rounding error, also after long steps."""

from fractions import Fraction

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.labels.block_flow import BlockFlow
from bilad.solvers.clustering.labels.contracted_problem import SMALL_GRADIENT, ContractedProblem


def close_pair(distance=1e-3):
    A = np.array([[0.7, 0.1], [0.7 + 2 * distance, 0.1], [-1.0, 0.4]])
    graph = FusionGraph(3, [(0, 1), (0, 2), (1, 2)], [distance / 2, 1e-3, 1e-3])
    return ContractedProblem.whole(ConvexClustering(A, graph, 1.0))


def test_the_second_summand_is_the_rounding_error_of_the_first():
    problem = close_pair()
    far = problem.means + np.array([[3.0, -2.0], [3.1, -2.0], [1.0, 5.0]])
    centroids, gradient = problem.minimiser(far)
    assert gradient <= SMALL_GRADIENT
    assert (np.abs(centroids[1]) <= 2.0**-52 * np.abs(centroids[0])).all()
    near, _ = problem.minimiser(problem.means)
    assert centroids.sum(axis=0) == pytest.approx(near.sum(axis=0), abs=1e-14)


def test_the_sum_is_kept_exactly(monkeypatch):
    problem = close_pair()
    rng = np.random.default_rng(0)
    Y = np.stack([rng.normal(size=(3, 2)), 1e-3 * rng.normal(size=(3, 2))])
    monkeypatch.setattr(problem._newton, "minimise", lambda *_: (Y, 0.0))
    centroids, _ = problem.minimiser(problem.means)
    for kept, given in zip(
        centroids.reshape(2, -1).T,
        problem.elimination.leave(Y.transpose(1, 2, 0).copy()).reshape(-1, 2),
        strict=True,
    ):
        assert sum(map(Fraction, kept)) == sum(map(Fraction, given))


def test_joined_blocks_closer_than_their_rounding_prove_nothing():
    """The same points once as rounded numbers, and once as sums that cancel."""
    problem = close_pair()
    flow, blocks, Z = BlockFlow(problem), np.arange(3), np.zeros((3, 2))
    centroids, _ = problem.minimiser(problem.means)
    flow.lift(blocks, centroids, Z)
    assert flow.proves()
    shift = np.array([[1.0], [1.0], [0.0]])  # the third block is far from both
    split = np.stack([centroids[0] + shift, centroids[1] - shift])
    flow.lift(blocks, split, Z)
    assert not flow.proves()
