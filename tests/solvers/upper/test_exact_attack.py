"""The exact attack along a ray: global, its bound met, and never beaten by a grid."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.deviation import DEVIATIONS, between_clusters
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError


def on_a_ray(seed, kind=MaxDeviation, size=3.0, deviation="delta", **options):
    rng = np.random.default_rng(seed)
    n, d = 12, int(rng.integers(1, 3))
    A = 0.5 * rng.normal(size=(n, d)) + 3.0 * (np.arange(n) % 2)[:, None]
    graph = FusionGraph.complete(n)
    if seed % 2:
        graph = graph.with_weights(rng.uniform(0.5, 1.5, graph.m))
    model = ConvexClustering(A, graph, 0.15, 1)
    direction = rng.normal(size=A.shape) * (np.arange(n) < 5)[:, None]
    shift = Perturbation.shift(direction)
    return kind(model, shift, size, deviation=deviation, **options)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 3))])
@pytest.mark.parametrize("name", [*DEVIATIONS, "between"])
def test_no_grid_beats_it(seed, name):
    deviation = between_clusters([0, 2], [1, 3]) if name == "between" else name
    problem = on_a_ray(seed, deviation=deviation)
    found = attack(problem, "exact")
    grid = attack(problem, "direct", step=0.05)
    assert found.deviation >= grid.deviation
    if found.deviation > 0:
        assert found.status == "optimal"
        assert found.bound == pytest.approx(found.deviation, rel=1e-12)
        assert found.proved


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 8))]
)
def test_least_perturbation_is_the_first_step(seed):
    largest = attack(on_a_ray(seed), "exact").deviation
    problem = on_a_ray(seed, MinPerturbation, max(largest, 2.0) / 2, limit=3.0)
    found, grid = attack(problem, "exact"), attack(problem, "direct", step=0.002)
    assert found.status == "optimal"
    assert found.deviation >= problem.target
    assert found.bound <= found.norm <= grid.norm
    assert found.norm <= found.bound * (1 + 2e-6)
    shorter = [solve for solve in grid.history if solve.size < found.bound]
    assert not any(problem.is_attack(solve.size, solve.deviation) for solve in shorter)


def test_no_attack_is_proved_to_exist():
    assert attack(on_a_ray(0, size=1e-6), "exact").status == "no attack exists"
    far = on_a_ray(0, MinPerturbation, 100.0, limit=1e-3)
    found = attack(far, "exact")
    assert found.status == "no attack exists"
    assert found.bound == np.inf


def test_weights_along_a_ray():
    A = [[0.0], [0.5], [3.0], [3.2]]
    model = ConvexClustering(A, FusionGraph.complete(4), 0.4)
    problem = MaxDeviation(model, Perturbation.edges(model.graph, [0]), 1.0)
    found = attack(problem, "exact")
    assert found.status in ("optimal", "no attack exists")
    assert found.deviation >= attack(problem, "direct", step=0.01).deviation


def test_what_it_refuses():
    plane = ConvexClustering(np.eye(4)[:, :2], FusionGraph.complete(4), 0.1)
    with pytest.raises(UnsupportedError, match="p = 1, d = 1"):
        attack(MaxDeviation(plane, Perturbation.shift(plane.data), 1.0), "exact")
    line = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 0.1)
    with pytest.raises(UnsupportedError, match="one parameter"):
        attack(MaxDeviation(line, Perturbation.additive((4, 1)), 1.0), "exact")
