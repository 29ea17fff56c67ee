"""The bounds on the motion of centroids hold for perturbed contracted problems."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from support import rational

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.clustering_problem import edge_operator
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


def groups(rng, d, sizes=(1, 3, 2)):
    """Three groups of points, of unequal sizes, with unequal weights; each is a cluster."""
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    A = 4.0 * np.eye(len(sizes), 3)[labels][:, :d] + 8.0 * labels[:, None]
    A = A + 0.05 * rng.normal(size=A.shape)
    pairs = np.column_stack(np.triu_indices(len(labels), 1))
    weights = rng.uniform(0.5, 1.5, len(pairs)) + 2.0 * (labels[pairs[:, 0]] == labels[pairs[:, 1]])
    graph = FusionGraph(len(labels), pairs, weights)
    solution = solution_of(ConvexClustering(A, graph, 0.3))
    np.testing.assert_array_equal(np.sort(solution.sizes), np.sort(sizes))
    return solution


def data_and_weights(rng, model, norm, k=3):
    """A problem whose eps move data and weights at once, of either sign."""
    S = sp.csr_array(rng.normal(size=(model.graph.m, k)) * (rng.random((model.graph.m, k)) < 0.5))
    T = sp.csr_array(rng.normal(size=(model.data.size, k)))
    return MaxDeviation(model, Perturbation.linear(model.data.shape, T, model.graph, S), 1.0, norm)


def forces_by_hand(values, solution):
    """The values of the edges between each pair of blocks, with their signs, at their ends."""
    blocks, edges = solution.blocks, solution.model.graph.edges
    forces = np.zeros((len(blocks), len(solution.pairs)))
    for (i, j), radius in zip(edges, values, strict=True):
        for number, (k, other) in enumerate(solution.pairs):
            if {blocks[i], blocks[j]} == {k, other}:
                forces[i, number] += radius if blocks[i] == k else -radius
                forces[j, number] += radius if blocks[j] == k else -radius
    return forces


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_supplies_and_their_sensitivity_by_hand(d, norm):
    """With every zeta fixed they are affine in eps; at 0 their means are the centroids."""
    rng = np.random.default_rng(d)
    clusters = groups(rng, d)
    model = clusters.model
    problem = data_and_weights(rng, model, norm)
    T = problem.operator("data").toarray().reshape(6, d, 3)
    S = edge_operator(problem).toarray()
    for solution in (clusters, clusters.refined(np.arange(6), clusters.blocks)):
        forces = forces_by_hand(model.radii, solution)
        np.testing.assert_allclose(solution.forces.toarray(), forces, atol=1e-14)
        supply = model.data - forces @ solution.zeta
        np.testing.assert_allclose(solution.supply, supply, atol=1e-13)
        np.testing.assert_allclose(solution.supply, clusters.supply, atol=1e-13)
        if solution is clusters:
            means = np.array([supply[solution.blocks == k].mean(axis=0) for k in range(3)])
            np.testing.assert_allclose(means, solution.centroids, atol=1e-8)
        sensitivity = Sensitivity.of(problem, solution)
        for eps in np.eye(3):
            lost = forces_by_hand(model.radii * (S @ eps), solution)
            change = T @ eps + lost @ solution.zeta
            np.testing.assert_allclose(sensitivity.supply @ eps, change, atol=1e-12)
            K = len(solution.sizes)
            means = np.array([change[solution.blocks == k].mean(axis=0) for k in range(K)])
            np.testing.assert_allclose(sensitivity.means @ eps, means, atol=1e-12)
        support = {1: np.max, 2: np.linalg.norm, np.inf: np.sum}[norm]
        sizes = [radius * support(np.abs(row)) for radius, row in zip(model.radii, S, strict=True)]
        for bound in (sensitivity.loss, sensitivity.change):
            np.testing.assert_allclose(bound, sizes, rtol=1e-12)
            assert (bound >= np.array(sizes) * (1 - 1e-15)).all()
        ends = np.abs(forces_by_hand(sensitivity.change, solution))
        np.testing.assert_allclose(solution.end_sums(sensitivity.change).toarray(), ends)
        np.testing.assert_allclose(solution.pair_sums(sensitivity.change), ends.sum(axis=0) / 2)


@pytest.mark.parametrize("d", [1, 2])
def test_two_clusters_in_closed_form(d):
    """Of one and of three points, 10 apart before they attract each other by 4 r = 1 / 2.

    One eps moves the larger cluster by 1, so that y_1 moves by -3 / 4 and y_2 by 1 / 4, less a
    common translation. The bound of the theorem is then equal to the motion.
    """
    A = np.zeros((4, d))
    A[1:, 0] = 10.0
    model = ConvexClustering(A, FusionGraph.complete(4), 0.125)
    solution = solution_of(model)
    np.testing.assert_array_equal(solution.sizes, [1, 3])
    motion = motion_of(MaxDeviation(model, Perturbation.shift(np.sign(A)), 1.0), solution)
    for radius in (0.5, 2.0):
        assert 0 <= motion.shifts(radius)[0] - radius <= 1e-9
        assert 0 <= motion.total(radius) - radius * np.sqrt(0.75) <= 1e-9
    assert motion.distances[0] == pytest.approx(9.5, rel=1e-9)
    assert motion.distances[0] <= 9.5 * (1 + 1e-15)
    assert motion.merging_radius() == pytest.approx(9.5, rel=1e-9)
    assert motion.merging_radius() <= 9.5
    assert motion.apart(9.5 * (1 - 1e-9))[0]
    assert not motion.apart(9.5 * (1 + 1e-9))[0]
    turn = {1: 0.0, 2: 2 * np.sin(np.arcsin(2 / 9.5) / 2)}[d]
    assert motion.turns(2.0)[0] == pytest.approx(turn, rel=1e-9)
    assert motion.turns(9.5 * (1 + 1e-9))[0] == 2.0
    assert motion.turns(9.5 * (1 - 1e-9))[0] < 2.0
    still = motion_of(MaxDeviation(model, Perturbation.shift(np.ones((4, d))), 1.0), solution)
    assert still.merging_radius() > 1e9  # a common translation merges nothing


@pytest.mark.parametrize(("norm", "speed"), [(1, 4 / 3), (2, 4 / 3**0.5), (np.inf, 4.0)])
def test_weights_between_two_clusters_in_closed_form(norm, speed):
    """As above; each of the three edges between them holds the centroids 4 r / 3 back."""
    A = np.array([[0.0], [10.0], [10.0], [10.0]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.125)
    motion = motion_of(
        MaxDeviation(model, Perturbation.edges(model.graph), 1.0, norm), solution_of(model)
    )
    for radius in (0.25, 1.0):
        assert 0 <= motion.shifts(radius)[0] - 0.125 * speed * radius <= 1e-9


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_no_motion_of_blocks_exceeds_its_bounds(d, norm):
    """Blocks are glued by large weights; they may meet others, and clusters fall apart."""
    rng = np.random.default_rng(10 * d)
    clusters = groups(rng, d, (2, 4, 2))
    model, n = clusters.model, 8
    blocks = np.unique(2 * clusters.blocks + rng.integers(0, 2, n), return_inverse=True)[1]
    owner = np.array([clusters.blocks[blocks == k][0] for k in range(blocks.max() + 1)])
    solution = clusters.refined(blocks, owner)
    problem = data_and_weights(rng, model, norm)
    motion = CentroidMotion(solution, owner, Sensitivity.of(problem, solution))
    inside = np.diff(blocks[model.graph.edges], axis=1)[:, 0] == 0
    ratios = []
    for eps in np.vstack([np.eye(3), -np.eye(3), rng.normal(size=(4, 3))]):
        eps *= 0.15 / np.linalg.norm(eps, norm)
        moved = problem.perturbation.apply(model, eps)
        weights = np.where(inside, 1e3, moved.graph.weights)
        glued = moved.with_graph(FusionGraph(n, model.graph.edges, weights))
        found = cluster(glued, tol=1e-11)
        y = np.array([found.X[blocks == k].mean(axis=0) for k in range(len(owner))])
        D = y - solution.centroids
        change = row_norms(D[motion.first] - D[motion.second], 2)
        assert (change <= motion.shifts(0.15) + 1e-6).all()
        ratios.append(change / motion.shifts(0.15))
        D = D - np.average(D, axis=0, weights=solution.sizes)
        assert np.sqrt((solution.sizes[:, None] * D**2).sum()) <= motion.total(0.15) + 1e-6
        z = subgradient_rows(y[solution.pairs[:, 0]] - y[solution.pairs[:, 1]], 2)
        across = owner[solution.pairs[:, 0]] != owner[solution.pairs[:, 1]]
        seen = row_norms(z - solution.zeta, 2)
        assert (seen <= motion.turns(0.15) + 1e-6)[across].all()
        assert (motion.turns(0.15)[~across] == 1.0).all()
    assert np.max(ratios) > 0.25


def test_the_error_covers_the_rounding_of_centroids():
    """On a line the exact solution is rational; the data are far from the origin, and small."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        offset, scale = rng.choice([0.0, 1e6, -1e9]), 10.0 ** rng.integers(-3, 3)
        a = offset + scale * (rng.integers(0, 9, 7) / 10 + 5 * rng.integers(0, 3, 7))
        model = ConvexClustering(a[:, None], FusionGraph.complete(7, 0.1), 0.7 * scale)
        x = rational.solve_complete(a.tolist(), model.radii[0])
        values = sorted(set(x))
        blocks = np.array([values.index(value) for value in x])
        X = np.array([[float(value)] for value in x])
        solution = ContractedSolution.of(model, blocks, X)
        square = sum(
            int(size) * (Fraction(y) - value) ** 2
            for size, y, value in zip(solution.sizes, solution.centroids[:, 0], values, strict=True)
        )
        assert square <= Fraction(solution.error) ** 2
        assert solution.error <= 1e-12 * (abs(offset) + 20 * scale)


@pytest.mark.parametrize("d", [1, 2])
def test_forces_inside_a_cluster_change_by_at_most_the_change_of_its_weights(d):
    """Points 0 and 1 are one cluster, cut into two blocks; only the edge between them changes."""
    A = np.zeros((4, d))
    A[:, 0] = [0.0, 0.1, 0.1, 9.0]
    model = ConvexClustering(A, FusionGraph.complete(4), 0.5)
    clusters = solution_of(model)
    np.testing.assert_array_equal(clusters.sizes, [3, 1])
    owner = np.array([0, 0, 1])
    solution = clusters.refined(np.array([0, 1, 1, 2]), owner)
    weaker = Perturbation.edges(model.graph, edges=[0, 1])
    problem = MaxDeviation(model, weaker, 1.0, 1)
    motion = CentroidMotion(solution, owner, Sensitivity.of(problem, solution))
    np.testing.assert_allclose(motion._mean_error, [1.0, 0.5, 0.0], rtol=1e-9)
    assert (motion._mean_error >= [1.0, 0.5, 0.0]).all()
