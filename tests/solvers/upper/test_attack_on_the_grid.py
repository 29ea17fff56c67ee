"""Reformulations with every option, for every norm and perturbation: the result is correct.

The problems are small and random, with one to three free entries. The quality of the attacks is
tested elsewhere; here it must only be rare that random search on the same problems is better.
"""

import itertools

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.solvers import attack, cluster

NORMS = [1, 2, np.inf]
PERTURBATIONS = ["shift", "additive", "multiplicative", "edges"]
WAYS = {
    "smoothing": ("kkt", {}),
    "scholtes": ("kkt", {"relaxation": "scholtes"}),
    "fischer-burmeister": ("kkt", {"relaxation": "fischer-burmeister"}),
    "kanzow-schwartz": ("kkt", {"relaxation": "kanzow-schwartz"}),
    "steffensen-ulbrich": ("kkt", {"relaxation": "steffensen-ulbrich"}),
    "penalty": ("kkt", {"relaxation": "penalty"}),
    "duality": ("duality", {}),
    "aggregate": ("duality", {"aggregate": True}),
    "value function": ("value-function", {}),
}
SOME = ["smoothing", "scholtes", "aggregate", "value function"]
GAMMA = {"complete": 0.22, "knn": 0.5}


def problem_on(p, perturbation, norm, kind, seed=0, scale=1.0, shift=0.0):
    """Return six or seven points in two groups; graph and dimension depend on the seed."""
    rng = np.random.default_rng(seed)
    n, d = 6 + seed % 2, 1 + (seed // 2) % 2
    A = 0.5 * rng.normal(size=(n, d)) + 2.2 * (np.arange(n) % 2)[:, None] + 0.5
    graph = FusionGraph.knn(A, 3, 0.1) if (seed // 4) % 2 else FusionGraph.complete(n)
    gamma = GAMMA["knn" if (seed // 4) % 2 else "complete"]
    V = rng.normal(size=A.shape)
    A = A * scale + shift
    model = ConvexClustering(A, graph, gamma * scale, p)
    made = {
        "shift": lambda: Perturbation.shift(V),
        "additive": lambda: Perturbation.additive(A.shape, [0, 3, 5][: 3 - d], [d - 1]),
        "multiplicative": lambda: Perturbation.multiplicative(A, [1, 4], [0]),
        "edges": lambda: Perturbation.edges(graph, [0, 2, graph.m - 1]),
    }[perturbation]()
    unit = scale if perturbation in ("shift", "additive") else 1.0
    if kind is MaxDeviation:
        return MaxDeviation(model, made, 1.2 * unit, norm=norm)
    return MinPerturbation(model, made, 1, norm=norm, limit=2.0 * unit)


def check(found):
    """Assert that the result is admissible, and equal to that of a new lower-level solve."""
    problem = found.problem
    before = cluster(problem.model, tol=1e-10, refine=True)
    after = cluster(problem.perturbation.apply(problem.model, found.eps), tol=1e-10, refine=True)
    assert found.status in {
        "feasible",
        "optimal",
        "no attack found",
        "no attack exists",
        "unproved",
    }
    assert found.norm == pytest.approx(problem.size(found.eps), rel=1e-14)
    assert found.norm <= problem.radius
    assert np.array_equal(problem.perturbation.vector(found.eps), found.eps)
    assert found.solution.gap <= 1e-8
    assert found.baseline.gap <= 1e-8
    assert pytest.approx(after.X, abs=1e-4 * np.ptp(problem.model.data)) == found.solution.X
    assert found.lower_solves == len(found.history)
    if found.status != "no attack exists":  # else the bound may have left nothing to search
        assert found.lower_solves > 0
        assert len(found.stages) > 0
    best = -found.bound if isinstance(problem, MinPerturbation) else found.bound
    reached = -found.norm if isinstance(problem, MinPerturbation) else found.deviation
    assert reached <= best or found.status.startswith("no attack")
    if found.status in {"feasible", "optimal"}:
        assert after.proved
        assert found.deviation == problem.deviation.value(before.labels, after.labels)
        assert problem.is_attack(found.norm, found.deviation)
    if found.status in {"no attack found", "no attack exists"}:
        assert not found.eps.any()
        assert found.deviation == found.norm == 0
    for stage in found.stages:
        assert problem.size(stage.eps) <= problem.radius


@pytest.mark.pairwise(
    way=SOME,
    p=NORMS,
    perturbation=PERTURBATIONS,
    norm=NORMS,
    kind=[MaxDeviation, MinPerturbation],
    seed=[0, 3, 5, 6],  # each two of: six or seven points, d = 1 or 2, either graph
)
def test_the_result_is_correct(way, p, perturbation, norm, kind, seed):
    method, options = WAYS[way]
    problem = problem_on(p, perturbation, norm, kind, seed)
    check(attack(problem, method, max_solves=25, **options))


@pytest.mark.slow
@pytest.mark.pairwise(
    perturbation=PERTURBATIONS,
    way=["scholtes", "value function"],
    kind=[MaxDeviation, MinPerturbation],
    scale=[2.0**-20, 2.0**20],
)
def test_the_unit_of_the_data_does_not_matter(way, kind, perturbation, scale):
    """Data, gamma and, where eps is a length, the budget are measured in another unit.

    The units are powers of two, so that every number is rounded in the same way. A rounding error
    could lead a local method to another optimum.
    """
    method, options = WAYS[way]
    seed = {"edges": 4, "additive": 2}.get(perturbation, 6)
    found, scaled = (
        attack(problem_on(2, perturbation, 2, kind, seed, scale=unit), method, **options)
        for unit in (1.0, scale)
    )
    check(scaled)
    assert {scaled.status, found.status} <= {"feasible", "optimal"}
    unit = scale if perturbation in ("shift", "additive") else 1.0
    assert scaled.deviation == found.deviation
    if kind is MinPerturbation:
        assert scaled.norm == pytest.approx(found.norm * unit, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "kind"), list(zip(WAYS, itertools.cycle((MaxDeviation, MinPerturbation)), strict=False))
)
def test_a_translation_of_the_data_does_not_matter(way, kind):
    method, options = WAYS[way]
    found, moved = (
        attack(problem_on(np.inf, "additive", 1, kind, seed=2, shift=shift), method, **options)
        for shift in (0.0, 1000.0)
    )
    check(moved)
    assert moved.deviation == found.deviation
    assert moved.norm == pytest.approx(found.norm, rel=1e-3)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in SOME])
def test_an_edge_whose_weight_has_to_be_reduced(way):
    """The weight of the edge between two points has to be reduced until they are apart.

    They fuse if 2 gamma w (1 - eps) >= |a_1 - a_2|, so they are apart for eps > 0.75.
    """
    A = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]])
    graph = FusionGraph(3, [(0, 1), (1, 2)], [1.0, 0.0])
    model = ConvexClustering(A, graph, 2.0)
    edges = Perturbation.edges(graph)
    method, options = WAYS[way]
    found = attack(MinPerturbation(model, edges, 2), method, **options)
    check(found)
    assert found.norm == pytest.approx(0.75, rel=1e-5)
    assert found.eps[1] == pytest.approx(0.0, abs=1e-2)
    found = attack(MaxDeviation(model, edges, 0.9), method, **options)
    check(found)
    assert found.deviation == 2
