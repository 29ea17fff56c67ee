"""The proof of a partition must never be wrong, however bad the solution it is given.

The truth comes from rational arithmetic on a line. Two ways into more dimensions: points on the
line through (3, 4), and the regular simplex, whose solutions are known in closed form.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from support import rational

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.labels import partition as partition_module
from bilad.solvers.clustering.labels.partition import (
    TOO_LATE,
    combine,
    make_partition,
    near_pairs,
    numbered,
    prove_partition,
)

NOISE = [0.0, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 0.1, 0.3, 1.0]


def random_instance(rng):
    """Few points on a line, eighths everywhere: ties of every kind, and near-ties."""
    n = int(rng.integers(2, 7))
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    pairs = pairs[rng.random(len(pairs)) < rng.choice([0.5, 1.0])]
    a = rng.integers(-16, 17, size=n) / 8
    kind = rng.random()
    if kind < 0.2:  # tenths are not exact: ties that miss by one rounding
        weights = rng.integers(1, 4, size=len(pairs)) / 10
        return rng.integers(-9, 10, size=n) / 10, FusionGraph(n, pairs, weights), 0.3
    if kind < 0.5:
        a = a + rng.choice([1e-3, 1e-6, 1e-9]) * rng.integers(-1, 2, size=n)
    weights = rng.integers(0, 9, size=len(pairs)) / 8
    if rng.random() < 0.5:
        weights = np.full(len(pairs), 0.5)
    return a, FusionGraph(n, pairs, weights), float(rng.choice([0.125, 0.25, 0.5, 0.75, 1.0]))


def solved(a, graph, gamma):
    """The model, the true x, and X and Z as good as double precision has them."""
    model = ConvexClustering(a[:, None], graph, gamma)
    x = rational.solve_graph(a.tolist(), graph.edges, model.radii)
    X = np.array([[float(value)] for value in x])
    Z = cluster(model, "ssnal", tol=1e-12).Z
    blocks = np.unique(X[:, 0], return_inverse=True)[1]
    return model, x, X, Z, blocks


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_never_wrong_on_a_line(check_sound, near_solutions, seed):
    rng = np.random.default_rng(seed)
    proved = tried = 0
    for _ in range(12):
        model, x, X, Z, blocks = solved(*random_instance(rng))
        for noise in rng.choice(NOISE, size=5, replace=False):
            for near_X, near_Z in near_solutions(rng, X, Z, blocks, noise):
                proved += check_sound(prove_partition(model, near_X, near_Z), x)
                tried += 1
    assert 0.1 * tried < proved < tried  # neither idle nor credulous


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_never_wrong_in_the_plane(check_sound, near_solutions, seed):
    """The solution for the data t (3, 4) is s (3, 4), s that of t with gamma / 5."""
    rng = np.random.default_rng(100 + seed)
    direction = np.array([[3.0, 4.0]])
    for _ in range(8):
        a, graph, gamma = random_instance(rng)
        a = np.round(a * 8) / 8  # so that the products with 3 and 4 are exact
        model = ConvexClustering(a[:, None] * direction, graph, gamma)
        x = rational.solve_graph(a.tolist(), graph.edges, [Fraction(r) / 5 for r in model.radii])
        X = np.array([float(value) for value in x])[:, None] * direction
        Z = cluster(model, "ssnal", tol=1e-12).Z
        blocks = np.unique(X[:, 0], return_inverse=True)[1]
        for noise in rng.choice(NOISE, size=4, replace=False):
            for near_X, near_Z in near_solutions(rng, X, Z, blocks, noise):
                check_sound(prove_partition(model, near_X, near_Z), x)


@pytest.mark.parametrize("share", [1 - 1e-2, 1 - 1e-6, 1 + 1e-6, 1 + 1e-2])
@pytest.mark.parametrize("n", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_never_wrong_near_the_tie_of_a_simplex(check_sound, near_solutions, n, share):
    model = ConvexClustering(np.eye(n), FusionGraph.complete(n), share * np.sqrt(2) / n)
    X = 1 / n + max(0.0, 1 - share) * (np.eye(n) - 1 / n)
    radius = model.radii[0]
    Z = model.graph.differences(np.eye(n)) * min(radius / np.sqrt(2), 1 / n)
    x = list(range(n)) if share < 1 else [0] * n
    assert check_sound(prove_partition(model, X, Z), x)
    rng = np.random.default_rng(n)
    for noise in NOISE:
        for near_X, near_Z in near_solutions(rng, X, Z, np.arange(n), noise):
            check_sound(prove_partition(model, near_X, near_Z), x)


@pytest.mark.parametrize("move", [1e-9, 1e-3, 0.1, 0.4])
@pytest.mark.parametrize("margin", [0.0, 1e-12, 1e-3])
def test_a_fused_pair_pulled_apart_is_not_proved_apart(check_sound, move, margin):
    """Two points that have just fused, at c -+ move: the bound sqrt(2) rho is then attained."""
    model = ConvexClustering([[0.0], [4.0]], FusionGraph.complete(2), 2.0 + margin)
    X = np.array([[2.0 - move], [2.0 + move]])
    for z in (-2.0, -2.0 - margin, -1.0, 0.0, 2.0):
        check_sound(prove_partition(model, X, np.array([[z]])), [0, 0])


@pytest.mark.parametrize("move", [1e-9, 1e-3, 0.1, 0.4])
def test_a_pair_still_apart_put_together_is_not_proved_together(check_sound, move):
    model = ConvexClustering([[0.0], [4.0]], FusionGraph.complete(2), 2.0 - move / 2)
    for z in (-2.0, -2.0 + move / 2, 0.0):
        for shift in (0.0, move, 1.0):
            X = np.full((2, 1), 2.0 + shift)
            check_sound(prove_partition(model, X, np.array([[z]])), [0, 1])


def test_an_overloaded_edge_proves_nothing(check_sound):
    """Three points that are apart; one edge carries 2.7 of capacity 1, the others have room."""
    model = ConvexClustering([[-3.2], [0.0], [3.2]], FusionGraph.complete(3), 1.0)
    Z = np.array([[-0.5], [-2.7], [-0.5]])
    assert np.array_equal(model.graph.adjoint(Z), model.data)
    check_sound(prove_partition(model, np.zeros((3, 1)), Z), [0, 1, 2])


@pytest.mark.parametrize("move", [-0.1, -0.01, 0.01, 0.1])
def test_the_force_of_a_misplaced_point_is_not_taken_for_exact(check_sound, move):
    """Two points apart by 0.001; a third, joined to one of them only, is given 10 away, askew.

    Data are made from the solution, A = X + B'Z, every edge full along its difference.
    """
    graph, radii = FusionGraph(3, [[0, 1], [0, 2]], [1.0, 4.0]), np.array([[1.0], [4.0]])
    X = np.array([[0.0, 0.0005], [0.0, -0.0005], [10.0, 0.0]])
    U = graph.differences(X)
    Z = radii * U / np.linalg.norm(U, axis=1, keepdims=True)
    model = ConvexClustering(X + graph.adjoint(Z), graph, 1.0)
    fused = np.array([[0.0, 0.0], [0.0, 0.0], [10.0, move]])
    for share in (0.0, 0.9, 0.99, 1.0):
        near_Z = Z * np.array([[share], [1.0]])
        check_sound(prove_partition(model, fused, near_Z), [0, 1, 2])


def test_nearly_the_truth_is_enough_for_a_proof(near_solutions):
    """With noise of 1e-9 of the distances a clear partition is proved, fused and apart alike."""
    a = np.array([0.0, 0.25, 0.5, 8.0, 8.25, 20.0])
    model, x, X, Z, blocks = solved(a, FusionGraph.complete(6), 0.25)
    assert len(set(x)) == 3
    rng = np.random.default_rng(0)
    for near_X, near_Z in near_solutions(rng, X, Z, blocks, 1e-9):
        partition = prove_partition(model, near_X, near_Z)
        assert partition.labels.tolist() == [0, 0, 0, 1, 1, 2]
        assert partition.proved


TIES = [(1, 1, 4), (2, 2, 8), (3, 5, 4), (5, 3, 16), (1, 7, 8)]


@pytest.mark.parametrize("direction", [[1.0], [3.0, 4.0]], ids=["line", "plane"])
@pytest.mark.parametrize(("left", "right", "distance"), TIES)
def test_blocks_that_just_touch_stay_undecided(check_sound, left, right, distance, direction):
    """left points at 0 and right at the distance touch at gamma = distance / (left + right).

    On a line `cluster` decides them in exact arithmetic, together; the proof itself does not.
    """
    length = float(np.linalg.norm(direction))
    line = np.repeat([0.0, distance], [left, right])[:, None]
    A = line * np.array([direction])
    gamma = distance / (left + right) * length
    model = ConvexClustering(A, FusionGraph.complete(len(A)), gamma)
    methods = ["exact", "ssnal", "clarabel"][len(direction) - 1 :]
    partitions = [cluster(model, method, tol=1e-11).partition for method in methods]
    on_a_line = len(direction) == 1
    assert all(partition.proved == on_a_line for partition in partitions)
    X = np.tile(A.mean(axis=0), (len(A), 1))
    Z = model.project_dual(model.graph.differences(A) * gamma)
    partitions.append(prove_partition(model, X, Z))
    assert not partitions[-1].proved
    for partition in partitions:
        check_sound(partition, [0] * len(A))
        assert partition.labels.tolist() == [0] * len(A)


@pytest.mark.parametrize("method", ["ssnal", "exact"])
def test_tied_integers_are_undecided_or_right(check_sound, method):
    """All gammas at which some blocks of random integers touch exactly (eighths only)."""
    rng = np.random.default_rng(4)
    for _ in range(15):
        a = rng.integers(0, 12, size=6).astype(float)
        for gamma in (0.5, 1.0, 0.25, 0.125, 1.5):
            model = ConvexClustering(a[:, None], FusionGraph.complete(6), gamma)
            x = rational.solve_complete(a.tolist(), gamma)
            check_sound(cluster(model, method, tol=1e-10).partition, x)


def test_undecided_pairs_of_blocks_not_told_apart():
    blocks = np.array([2, 0, 1, 0])
    centroids = np.array([[0.0], [5.0], [0.5]])
    none = np.empty((0, 2), dtype=int)
    apart = make_partition(blocks, centroids, 0.4, none)
    assert apart.labels.tolist() == [0, 1, 2, 1]
    assert apart.proved
    joined = make_partition(blocks, centroids, 0.6, none)
    assert joined.labels.tolist() == [0, 0, 1, 0]
    assert joined.undecided.tolist() == [[0, 1]]
    coinciding = make_partition(blocks, np.array([[0.0], [5.0], [0.0]]), 0.0, none)
    assert coinciding.labels.tolist() == [0, 0, 1, 0]
    assert coinciding.proved


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("crowded", [-1, 64])
def test_near_pairs_connect_what_is_near(monkeypatch, d, crowded):
    """Also exactly at the distance; the coarser rule for many pairs connects at least as much."""
    monkeypatch.setattr(partition_module, "CROWDED", crowded)
    rng = np.random.default_rng(d)
    for distance in (0.0, 0.25, 0.5, 1.0):
        centroids = rng.integers(-12, 13, (12, d)) / 4
        pairs = near_pairs(centroids, distance)
        close = np.linalg.norm(centroids[:, None] - centroids, axis=2) <= distance
        connected = np.zeros((12, 12), dtype=bool)
        connected[pairs[:, 0], pairs[:, 1]] = True
        reached, truth = (closure(relation) for relation in (connected, close))
        assert (reached >= truth).all()
        assert np.array_equal(reached, truth) or (d > 1 and crowded < 0)


def closure(relation):
    """The smallest equivalence relation that contains a relation."""
    relation = relation | relation.T | np.eye(len(relation), dtype=bool)
    for k in range(len(relation)):
        relation = relation | np.outer(relation[:, k], relation[k])
    return relation


@pytest.mark.parametrize("seed", range(20))
def test_features_are_combined_by_the_definition(seed):
    """Apart if apart in one feature, together if together in all, and else undecided."""
    rng = np.random.default_rng(seed)
    n, features = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    pieces = rng.integers(0, 4, (features, n))
    merged = np.array([rng.integers(0, 3, 4)[row] if rng.random() < 0.7 else row for row in pieces])
    found = combine(list(merged), list(pieces))
    assert np.array_equal(found.labels, numbered(list(merged)))
    same = (merged[:, :, None] == merged[:, None]).all(axis=0)
    together = (pieces[:, :, None] == pieces[:, None]).all(axis=0)
    assert np.array_equal(found.labels[:, None] == found.labels, same)
    assert found.labels[np.sort(np.unique(found.labels, return_index=True)[1])].tolist() == list(
        range(found.labels.max() + 1)
    )
    linked = np.zeros((n, n), dtype=bool)
    linked[found.undecided[:, 0], found.undecided[:, 1]] = True
    assert np.array_equal(closure(linked | together), same)
    assert not (linked & together).any()
    assert found.proved == np.array_equal(same, together)


def test_exact_centroids_are_apart_however_close_and_together_where_equal():
    """Of the blocks 0 to 3 the first two are exact; so is the distance of the last from them."""
    blocks, none = np.array([3, 0, 1, 2, 1]), np.empty((0, 2), dtype=int)
    centroids = np.array([[0.0, 0.0], [0.0, 1e-9], [5.0, 0.0], [5.0, 0.5]])
    exact = np.array([True, True, False, False])
    for resolution, proved in ((0.5 - 1e-12, True), (0.5, False), (0.5 - 1e-17, False)):
        found = make_partition(blocks, centroids, resolution, none, exact)
        assert found.proved is proved
        assert found.undecided.tolist() == ([] if proved else [[0, 3]])
        assert found.labels.tolist() == ([0, 1, 2, 3, 2] if proved else [0, 1, 2, 0, 2])
        assert ("1 pairs of blocks, closest 5.0e-01" in found.why) != proved
    equal = make_partition(blocks, centroids * [1.0, 0.0], 1e-3, none, exact)
    assert equal.labels.tolist() == [0, 1, 1, 0, 1]
    assert equal.undecided.tolist() == [[0, 3]]
    mixed = make_partition(blocks, centroids[[0, 1, 0, 2]], 1e-3, none, exact)
    assert mixed.labels.tolist() == [0, 1, 1, 1, 1]  # block 2 is not exact
    assert sorted(mixed.undecided.tolist()) == [[1, 3], [2, 3]]


def test_after_the_deadline_the_gap_alone_proves_points_apart():
    model = ConvexClustering([[0.0, 0.0], [9.0, 0.0], [9.0, 1.0]], FusionGraph.complete(3), 0.1)
    found = cluster(model, "clarabel", tol=1e-10)
    late = prove_partition(model, found.X, found.Z, deadline=-np.inf)
    assert late.proved
    assert late.labels.tolist() == [0, 1, 2]
    rough = prove_partition(model, found.X, 0.0 * found.Z, deadline=-np.inf)
    assert rough.labels.tolist() == [0, 1, 1]
    assert rough.undecided.tolist() == [[1, 2]]
    assert rough.why == TOO_LATE
    alone = ConvexClustering(model.data[[0, 1, 1]], FusionGraph(3, [[0, 1]], [0.0]), 1.0)
    free = prove_partition(alone, np.zeros((3, 2)), np.zeros((1, 2)), deadline=-np.inf)
    assert free.proved  # points without edges are at their data
    assert free.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize("deadline", [np.inf, -np.inf])
def test_rounded_sums_of_features_are_not_taken_for_exact(check_sound, deadline):
    """The first two points have equal rounded sums and differences, and differ."""
    A = np.array([[1.0, 2.0**-60], [1.0, 2.0**-59], [5.0, 2.0], [5.0, 2.0], [9.0, 2.0]])
    model = ConvexClustering(A, FusionGraph(5, [[0, 1]], [0.0]), 1.0, np.inf)
    found = prove_partition(model, A, np.zeros((1, 2)), deadline)
    assert not check_sound(found, [0, 1, 2, 2, 3])
    assert found.labels.tolist() == [0, 0, 1, 1, 2]
    exact = prove_partition(model.replace(data=A + 1.0), A + 1.0, np.zeros((1, 2)), deadline)
    assert check_sound(exact, [0, 0, 1, 1, 2])
