"""The bounds on the motion of centroids hold for perturbed contracted problems."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.norms import row_norms, subgradient_rows
from bilad.solvers import cluster
from bilad.solvers.certificates import contracted_problem
from bilad.solvers.certificates.contracted_problem import (
    MOST_ENTRIES,
    CentroidMotion,
    ContractedSolution,
    Sensitivity,
    mean_speeds,
)
from bilad.solvers.certificates.norm_ball import NormBall

seeds = st.integers(0, 2**32 - 1)


def solution_of(model):
    found = cluster(model, tol=1e-10, refine=True)
    return ContractedSolution.of(model, found.labels, found.X)


def motion_of(problem, solution):
    blocks = np.arange(len(solution.sizes))
    return CentroidMotion(solution, blocks, Sensitivity.of(problem, solution))


def separate(rng, n=8, d=2):
    """Points that a small gamma leaves apart: the contracted problem is the problem itself."""
    A = rng.normal(size=(n, d))
    pairs = np.column_stack(np.triu_indices(n, 1))
    graph = FusionGraph(n, pairs, rng.random(len(pairs)))
    return ConvexClustering(A, graph, 0.02)


@given(seed=seeds, d=st.integers(2, 3))
def test_turns_bound_every_turn(seed, d):
    rng = np.random.default_rng(seed)
    solution = solution_of(separate(rng, d=d))
    pairs = len(solution.pairs)
    shifts = 10 ** rng.uniform(-3, 0.5, pairs)
    turns = solution.turns(shifts)
    assert (solution.turns(1.1 * shifts) >= turns).all(), "not monotone"
    for _ in range(50):
        moved = rng.normal(size=(pairs, d))
        moved *= (shifts * rng.random(pairs) ** 0.2 / row_norms(moved, 2))[:, None]
        other = subgradient_rows(solution.differences + moved, 2)
        seen = row_norms(other - solution.zeta, 2)
        assert (seen <= turns + 1e-12).all()


def test_the_turn_of_a_direction_is_that_of_the_tangent():
    """p = 2: u moves by at most |u| / 2, so its direction turns by at most 30 degrees."""
    A = np.array([[0.0, 0.0], [10.0, 0.0]])
    solution = solution_of(ConvexClustering(A, FusionGraph.complete(2), 1.0))
    length = row_norms(solution.differences, 2)
    assert solution.turns(length / 2)[0] == pytest.approx(2 * np.sin(np.pi / 12), rel=1e-12)
    assert solution.turns(length)[0] == 2.0


@given(seed=seeds, norm=st.sampled_from([1, 2, np.inf]))
def test_shifts_bound_every_shift(seed, norm):
    """Of data and of weights at once, for eps of that size."""
    rng = np.random.default_rng(seed)
    model = separate(rng)
    n, d = model.data.shape
    additive, edges = Perturbation.additive((n, d)), Perturbation.edges(model.graph)
    for perturbation in (additive, edges):
        problem = MaxDeviation(model, perturbation, 1.0, norm)
        solution = solution_of(model)
        K = len(solution.sizes)
        motion = motion_of(problem, solution)
        radius = 10 ** rng.uniform(-2, -0.3)
        shifts = motion.shifts(radius)
        eps = rng.normal(size=perturbation.dim)
        eps = eps if perturbation is additive else np.abs(eps)
        eps *= radius / problem.size(eps)
        if n > K or (perturbation is edges and eps.max() > 1):
            continue
        moved = cluster(perturbation.apply(model, eps), tol=1e-12, refine=True)
        if moved.n_clusters < n:
            continue
        order = np.argsort(solution.blocks)
        y = moved.X[order]
        first, second = np.triu_indices(K, 1)
        change = (y[first] - y[second]) - (solution.centroids[first] - solution.centroids[second])
        assert (row_norms(change, 2) <= shifts + 1e-7).all()


@given(seed=seeds, d=st.integers(1, 3))
def test_error_bounds_the_distance_from_the_solution(seed, d):
    rng = np.random.default_rng(seed)
    model = separate(rng, d=d)
    rough, fine = cluster(model, tol=1e-3), cluster(model, tol=1e-12, refine=True)
    solution = ContractedSolution.of(model, fine.labels, rough.X)
    y = np.array([fine.X[fine.labels == k].mean(axis=0) for k in range(fine.n_clusters)])
    distance = np.linalg.norm(np.sqrt(solution.sizes)[:, None] * (solution.centroids - y))
    assert distance <= solution.error + 1e-6


def test_blocks_that_coincide_leave_no_radius():
    """Two blocks at one place, as a wrong guess may have it: no division by zero."""
    A = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0]])
    model = ConvexClustering(A, FusionGraph.complete(3), 0.1)
    solution = ContractedSolution.of(model, np.array([0, 1, 2]), A)
    problem = MaxDeviation(model, Perturbation.additive((3, 2)), 1.0)
    assert motion_of(problem, solution).merging_radius() == 0.0


@pytest.mark.parametrize("most", [MOST_ENTRIES, 0])
def test_the_errors_of_both_means_count_in_their_difference(monkeypatch, most):
    """Means that move by 3 and -4 per unit of eps, with errors 1 and 2."""
    monkeypatch.setattr(contracted_problem, "MOST_ENTRIES", most)
    means, error = np.array([[[3.0]], [[-4.0]]]), np.array([1.0, 2.0])
    speed = mean_speeds(NormBall(2), means, error, np.array([0]), np.array([1]))[0]
    assert 10 <= speed <= 10 * (1 + 1e-11)
