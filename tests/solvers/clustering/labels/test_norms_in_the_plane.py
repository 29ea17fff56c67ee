"""Proofs for every p and several features, against exact truths.

p = 1 is one exact problem on a line for each feature. p = inf in the plane is p = 1 after a turn:
||u||_inf = ||H u||_1 / 2 with H = [[1, 1], [1, -1]], H'H = 2 I, so H X* solves p = 1 for the data
H A and the same gamma. A constant third feature changes nothing; two copies of both features are
the problem with gamma / 2. Two points, and the corners of a simplex, are known in closed form.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import rational

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import NORMS, conjugate, row_norms
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.labels import proof_linf
from bilad.solvers.clustering.labels.active_set import ActiveSet
from bilad.solvers.clustering.labels.partition import make_partition, prove_partition
from bilad.solvers.clustering.labels.proof import examine
from bilad.solvers.clustering.labels.proof_linf import PolyhedralRestriction
from bilad.solvers.clustering.result import SolveOptions

INF = float("inf")
TURN = np.array([[1.0, 1.0], [1.0, -1.0]])
NOISE = [0.0, 1e-15, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 0.1]
KINDS = ["p=1, d=1", "p=1, d=2", "p=1, d=3", "p=inf, d=2", "p=inf, d=3", "p=inf, d=4"]


def solve(model):
    solution = solve_clarabel(model, SolveOptions(1e-12, max_iterations=200))
    return solution.X, solution.make_dual()


def random_instance(rng, kind):
    """Few points, eighths: ties, duplicates, zero weights, several components."""
    norm, features = (part.split("=")[1] for part in kind.split(", "))
    n, d = int(rng.integers(2, 6)), int(features)
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    pairs = pairs[rng.random(len(pairs)) < rng.choice([0.6, 1.0])]
    weights = rng.integers(0, 9, size=len(pairs)) / 8
    graph = FusionGraph(n, pairs, weights if rng.random() < 0.7 else np.full(len(pairs), 0.5))
    A = rng.integers(-16, 17, size=(n, d if norm == "1" else 2)) / 8
    if rng.random() < 0.6:  # off the grid, by exact amounts
        A = A + rng.integers(-512, 513, size=A.shape) / 2**14
    if rng.random() < 0.2:
        A[rng.integers(n)] = A[0]
    gamma = float(rng.choice([2.0**-20, 0.03125, 0.125, 0.25, 0.5, 1.0, 4.0]))
    if norm == "inf" and d > 2:
        A = np.column_stack([A, np.full(n, 0.5)]) if d == 3 else np.hstack([A, A])
    return ConvexClustering(A, graph, gamma, float(norm))


def truth(model):
    """One tuple of Fractions for each point, equal iff the rows of X* are."""
    lines, radii = model.data, model.radii
    if model.p == INF:
        lines = model.data[:, :2] @ TURN
        radii = radii / 2 if model.d == 4 else radii
    edges = model.graph.edges
    return list(
        zip(*(rational.solve_graph(a.tolist(), edges, radii) for a in lines.T), strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_never_wrong_and_mostly_proved(check_sound, near_solutions, kind):
    rng = np.random.default_rng(KINDS.index(kind))
    tried, proved = 10, 0
    for _ in range(tried):
        model = random_instance(rng, kind)
        x = truth(model)
        X, Z = solve(model)
        proved += check_sound(prove_partition(model, X, Z), x)
        blocks = np.array([list(dict.fromkeys(x)).index(point) for point in x])
        for noise in rng.choice(NOISE, size=2, replace=False):
            for near_X, near_Z in near_solutions(rng, X, Z, blocks, noise):
                check_sound(prove_partition(model, near_X, near_Z), x)
    assert proved >= 0.75 * tried, f"{proved} of {tried}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_never_wrong_on_many(check_sound, near_solutions, kind):
    rng = np.random.default_rng(1000 + KINDS.index(kind))
    for _ in range(40):
        model = random_instance(rng, kind)
        x = truth(model)
        X, Z = solve(model)
        check_sound(prove_partition(model, X, Z), x)
        blocks = np.array([list(dict.fromkeys(x)).index(point) for point in x])
        for noise in NOISE:
            for near_X, near_Z in near_solutions(rng, X, Z, blocks, noise):
                check_sound(prove_partition(model, near_X, near_Z), x)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS), size=st.floats(1e-3, 3.0))
def test_never_wrong_far_from_the_solution(check_sound, seed, kind, size):
    """Any X and Z: blocks at random, flows at their limits or at random."""
    rng = np.random.default_rng(seed)
    model = random_instance(rng, kind)
    x = truth(model)
    for _ in range(4):
        blocks = rng.integers(0, model.n, size=model.n)
        X = size * rng.normal(size=(model.n, model.d))[blocks]
        Z = model.project_dual(10 ** rng.uniform(-3, 3) * rng.normal(size=(model.graph.m, model.d)))
        check_sound(prove_partition(model, X, Z), x)


def wrong_restrictions(rng, model, X, Z):
    """Blocks and ties that a solution does not have, X and Z near it or not."""
    noise = 10 ** rng.uniform(-6, 1)
    X = X + noise * rng.normal(size=X.shape)
    Z = model.project_dual(Z + 10 ** rng.uniform(-6, 1) * rng.normal(size=Z.shape))
    blocks = np.unique(rng.integers(0, model.n, size=model.n), return_inverse=True)[1]
    every = np.arange(model.n)
    for guess in (ActiveSet(blocks, t, 1.0) for t in (0.0, 0.03, 0.3, 3.0)):
        yield PolyhedralRestriction(model, X, Z, guess)
        yield PolyhedralRestriction(model, X, Z, replace(guess, blocks=every))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "inf" in kind])
def test_wrong_blocks_and_ties_prove_nothing_wrong(check_sound, kind):
    rng = np.random.default_rng(KINDS.index(kind))
    proved = 0
    for _ in range(40):
        model = random_instance(rng, kind)
        x = truth(model)
        X, Z = solve(model)
        for _ in range(4):
            for restriction in wrong_restrictions(rng, model, X, Z):
                proof = examine(model, restriction)
                partition = make_partition(
                    proof.blocks, proof.centroids, proof.resolution, proof.doubtful
                )
                proved += check_sound(partition, x)
    assert proved > 0


SHARES = [1 + sign * 10.0**-k for k in (1, 10) for sign in (-1, 1)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("p", NORMS)
def test_two_points_near_their_threshold(check_sound, near_solutions, p, share):
    """u* = a - its projection on the q-ball of radius 2 gamma: fused iff ||a||_q <= 2 gamma."""
    rng = np.random.default_rng(0)
    for a in ([1.0, 0.0], [1.0, 1.0], [1.0, -0.5, 0.25], [0.3, 0.3, -0.3]):
        A = np.array([np.zeros(len(a)), a])
        gamma = share * float(row_norms(A[1:], conjugate(p))[0]) / 2
        model = ConvexClustering(A, FusionGraph.complete(2), gamma, p)
        Z = -ConvexClustering(A, model.graph, 2 * gamma, p).project_dual(A[1:]) / 2
        X = A - model.graph.adjoint(Z)
        x = [0, 0] if share > 1 else [0, 1]
        partition = prove_partition(model, X, Z)
        assert check_sound(partition, x), partition.why
        for noise in rng.choice(NOISE, size=3, replace=False):
            for near_X, near_Z in near_solutions(rng, X, Z, np.array(x), noise):
                check_sound(prove_partition(model, near_X, near_Z), x)


@pytest.mark.parametrize("p", NORMS)
def test_two_points_at_their_threshold_are_not_proved_apart(check_sound, p):
    A = np.array([[0.0, 0.0], [0.75, 1.0]])
    gamma = {1.0: 1.0, 2.0: 1.25, INF: 1.75}[float(p)] / 2
    model = ConvexClustering(A, FusionGraph.complete(2), gamma, p)
    partition = prove_partition(model, np.tile(A.mean(axis=0), (2, 1)), A[:1] - A[1:] / 2)
    check_sound(partition, [0, 0])
    assert partition.labels.tolist() == [0, 0]
    assert not partition.proved
    assert "not proved" in partition.why


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("n", [3, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("p", [1, INF])
def test_a_simplex_near_its_threshold(check_sound, near_solutions, p, n, share):
    """X* = mean + alpha (I - mean), alpha = max(0, 1 - gamma / threshold)."""
    threshold = 1 / n if p == 1 else 2 / n
    model = ConvexClustering(np.eye(n), FusionGraph.complete(n), share * threshold, p)
    X = 1 / n + max(0.0, 1 - share) * (np.eye(n) - 1 / n)
    Z = model.graph.differences(np.eye(n)) * min(1.0, share) / n
    x = [0] * n if share > 1 else list(range(n))
    partition = prove_partition(model, X, Z)
    assert check_sound(partition, x), partition.why
    rng = np.random.default_rng(n)
    for noise in NOISE:
        for near_X, near_Z in near_solutions(rng, X, Z, np.arange(n), noise):
            check_sound(prove_partition(model, near_X, near_Z), x)


def test_a_point_apart_in_one_feature_only_is_apart(check_sound):
    """Feature 0 leaves the triple undecided (it just touches), feature 1 settles one point."""
    A = np.array([[0.0, 0.0], [2.0, 9.0], [4.0, 0.0]])
    graph = FusionGraph.complete(3)
    model = ConvexClustering(A, graph, 4 / 3, 1)
    X = np.array([[2.0, 4 / 3], [2.0, 9 - 8 / 3], [2.0, 4 / 3]])
    Z = np.column_stack([[-2 / 3, -4 / 3, -2 / 3], [-4 / 3, 0.0, 4 / 3]])
    partition = prove_partition(model, X, Z)
    check_sound(partition, [0, 1, 0])
    assert partition.labels.tolist() == [0, 1, 0]
    assert partition.undecided.tolist() in ([], [[0, 2]])


def test_more_ties_than_can_be_factorised_leave_fusion_open(check_sound, monkeypatch):
    rng = np.random.default_rng(0)
    A = np.repeat([[0.0, 0.0], [5.0, 4.0], [9.0, -3.0]], 4, axis=0) + 0.1 * rng.random((12, 2))
    for gamma in np.linspace(0.1, 0.9, 9):
        model = ConvexClustering(A, FusionGraph.complete(12), gamma, INF)
        X, Z = solve(model)
        whole = prove_partition(model, X, Z)
        assert whole.proved, whole.why
        with monkeypatch.context() as patch:
            patch.setattr(proof_linf, "LARGEST", 1)
            part = prove_partition(model, X, Z)
        check_sound(part, whole.labels.tolist())


def test_the_reason_names_what_is_missing():
    model = ConvexClustering([[0.0], [4.0]], FusionGraph.complete(2), 2.0)
    touching = prove_partition(model, np.full((2, 1), 2.0), np.array([[-2.0]]))
    assert touching.why.startswith("fusion not proved: 1 edges in 1 blocks; missing flow ")
    twins = np.array([[0.1], [0.7], [0.1], [0.7]])
    apart = ConvexClustering(twins, FusionGraph(4, [[0, 1], [2, 3]], [1.0, 1.0]), 0.1)
    coinciding = prove_partition(apart, *solve(apart))
    assert coinciding.why.startswith("apart not proved: 2 pairs of blocks, closest ")
