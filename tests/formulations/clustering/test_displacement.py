"""Bounds over all eps: `displacement_bound`, `data_box`, and the pairs that cannot coincide."""

import itertools

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import NORMS, make_case, points_of_eps, solve_exactly

from bilad.formulations.clustering.displacement import data_box, displacement_bound
from bilad.formulations.clustering.kkt import KktConditions
from bilad.formulations.leader import add_eps
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.convex_clustering import ScaledClustering
from bilad.solvers import cluster

DATA = ["shift", "additive", "multiplicative"]


def extreme_points(problem, count=50):
    """Sign vectors, unit vectors and random vectors, scaled to the sphere."""
    k = problem.perturbation.dim
    rng = np.random.default_rng(0)
    signs = [np.array(s, float) for s in itertools.product((-1, 0, 1), repeat=k) if any(s)]
    for direction in [*signs, *rng.normal(size=(count, k))]:
        yield problem.project(problem.radius * direction / problem.size(direction))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("perturbation", [*DATA, "edges"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_largest_displacement_is_bounded(norm, perturbation, d):
    problem = make_case(2, d, perturbation, norm=norm)
    bound = displacement_bound(problem)
    moved = [
        np.linalg.norm(problem.perturbation.apply(problem.model, eps).data - problem.model.data)
        for eps in extreme_points(problem)
    ]
    assert max(moved) <= bound * (1 + 1e-12)
    # Attained: one eps for each entry, or one eps.
    assert max(moved) == pytest.approx(bound, rel=1e-12)
    assert (bound == 0) == (perturbation == "edges")


@pytest.mark.parametrize("norm", NORMS)
def test_overlapping_displacements_are_bounded(norm):
    """If several eps act on one entry, the value is an upper bound but not attained."""
    model = make_case(2, 2, "shift").model
    rng = np.random.default_rng(1)
    for _ in range(20):
        T = rng.normal(size=(12, 3)) * (rng.random((12, 3)) < 0.4)
        operator = type(Perturbation.shift(model.data).operators["data"])(T)
        problem = MaxDeviation(
            model, Perturbation.linear(model.data.shape, operator), 1.7, norm=norm
        )
        bound = displacement_bound(problem)
        moved = [np.linalg.norm(T @ eps) for eps in extreme_points(problem)]
        assert max(moved) <= bound * (1 + 1e-12)
        if norm == 1:
            assert max(moved) == pytest.approx(bound)
        elif norm == 2:
            assert bound <= np.sqrt(3) * 1.7 * np.linalg.norm(T, 2) * (1 + 1e-12)


@pytest.mark.pairwise(norm=NORMS, perturbation=[*DATA, "edges"], p=NORMS, d=[1, 2])
def test_the_box_contains_the_data_and_the_solutions(norm, perturbation, p, d):
    problem = make_case(p, d, perturbation, "knn", norm=norm, budget=4.0)
    low, high = data_box(problem)
    assert low.shape == high.shape == (d,)
    for eps in [*extreme_points(problem, 5)][-8:] + points_of_eps(problem, 4):
        data = problem.perturbation.apply(problem.model, eps).data
        assert (data >= low - 1e-12).all()
        assert (data <= high + 1e-12).all()
        X = solve_exactly(problem, eps).X
        assert (X - low >= -1e-7).all()
        assert (high - X >= -1e-7).all()
    if perturbation == "edges":
        assert low == pytest.approx(problem.model.data.min(axis=0))
        assert high == pytest.approx(problem.model.data.max(axis=0))


def test_the_box_is_attained():
    A = np.array([[0.0, 5.0], [1.0, 2.0], [3.0, 4.0]])
    model = ConvexClustering(A, FusionGraph.complete(3), 0.1)
    problem = MaxDeviation(model, Perturbation.additive((3, 2), points=[2], features=[0]), 10.0)
    low, high = data_box(problem)
    assert low.tolist() == [-7.0, 2.0]
    assert high.tolist() == [13.0, 5.0]
    problem = MaxDeviation(model, Perturbation.multiplicative(-A, points=[2], features=[1]), 0.5)
    low, high = data_box(problem)
    assert low.tolist() == [0.0, 2.0]
    assert high.tolist() == [3.0, 6.0]


def counted_pairs(problem, solution):
    """The pairs in the smooth deviation of a reformulation."""
    model = pyo.ConcreteModel()
    add_eps(model, problem)
    smooth = problem.deviation.smoothed(solution.outcome)
    model.t = pyo.Var()
    return KktConditions(problem.model, model, problem, 1.0, solution).relevant(smooth).pairs


def grouped(d, perturbation, p, norm, radius, seed):
    radius = radius / 3 if perturbation == "multiplicative" else radius
    rng = np.random.default_rng(seed)
    A = 0.4 * rng.normal(size=(9, d)) + 2.0 * (np.arange(9) % 3)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(9), 0.1, p)
    made = {
        "shift": lambda: Perturbation.shift(np.eye(9, d)),
        "additive": lambda: Perturbation.additive(A.shape, points=[0, 1, 2]),
        "multiplicative": lambda: Perturbation.multiplicative(A, points=[1, 2, 3]),
    }[perturbation]()
    return MaxDeviation(model, made, radius, norm=norm)


@pytest.mark.pairwise(perturbation=DATA, p=NORMS, ball=[(1, 0.9), (2, 0.6), (np.inf, 0.25)])
def test_pairs_that_are_left_out_never_merge(perturbation, p, ball):
    """The eps are random points of the sphere, and those that move the two points together."""
    problem = grouped(2, perturbation, p, *ball, seed=4)
    baseline = cluster(problem.model, tol=1e-10)
    kept = counted_pairs(problem, baseline)
    kept = {tuple(pair) for pair in kept.tolist()}
    together = {
        (i, j)
        for i, j in itertools.combinations(range(9), 2)
        if baseline.labels[i] == baseline.labels[j]
    }
    left_out = set(itertools.combinations(range(9), 2)) - kept
    assert together <= kept
    assert left_out
    for point in [*extreme_points(problem, 15)][-15:]:
        labels = cluster(problem.perturbation.apply(problem.model, point)).labels
        assert all(labels[i] != labels[j] for i, j in left_out)


def test_the_bound_of_the_pairs_is_sharp():
    """Two points without an edge coincide if the displacement is their distance over sqrt(2)."""
    A = np.array([[0.0], [1.0]])
    model = ConvexClustering(A, FusionGraph(2, [(0, 1)], [1.0]), 1e-9)
    everything = Perturbation.additive((2, 1))
    solution = ScaledClustering(A, np.zeros((1, 1)), np.array([0, 1]), 0.0)
    for radius, reachable in ((0.999 / np.sqrt(2), False), (1.001 / np.sqrt(2), True)):
        problem = MaxDeviation(model, everything, radius)
        pairs = counted_pairs(problem, solution)
        assert (len(pairs) == 1) == reachable
        meet = problem.project([0.5, -0.5])
        fused = cluster(everything.apply(model, meet)).n_clusters == 1
        assert fused == reachable


def test_no_pair_is_omitted_if_weights_are_perturbed():
    problem = make_case(2, 2, "edges", budget=1e-3)
    baseline = cluster(problem.model)
    assert len(counted_pairs(problem, baseline)) == 15
