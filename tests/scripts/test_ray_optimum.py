"""The optimum over a ray, compared with brute force."""

import pytest

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.scripts.ray_optimum import ray_optimum
from bilad.solvers import cluster

INF = float("inf")


def staircase_problem(kind, value):
    """Three points on a line, the middle one shifted; the jumps by brute force."""
    model = ConvexClustering([[0.0], [2.0], [5.0]], FusionGraph.complete(3), 0.5)
    shift = Perturbation.shift([[0.0], [1.0], [0.0]])
    if kind == "BL1":
        return MaxDeviation(model, shift, value)
    return MinPerturbation(model, shift, value, limit=4.0)


def test_the_optimum_over_a_ray_is_refined_between_grid_points():
    fine = ray_optimum(staircase_problem("BL2", 2.0), 4001)
    coarse = ray_optimum(staircase_problem("BL2", 2.0), 5)
    assert coarse.value == pytest.approx(fine.value, abs=1e-7)
    assert coarse.solves < fine.solves
    model = staircase_problem("BL2", 2.0)
    after = cluster(model.perturbation.apply(model.model, [coarse.eps]))
    assert after.n_clusters != cluster(model.model).n_clusters


def test_a_ray_without_an_attack():
    assert ray_optimum(staircase_problem("BL1", 1e-3), 11).value == 0.0
    assert ray_optimum(staircase_problem("BL2", 6.0), 11).value == INF


def test_a_ray_has_one_parameter():
    model = ConvexClustering([[0.0], [2.0]], FusionGraph.complete(2), 0.5)
    with pytest.raises(ArgumentError, match="problem: got eps of length 2, expected length 1"):
        ray_optimum(MaxDeviation(model, Perturbation.additive((2, 1)), 1.0))
