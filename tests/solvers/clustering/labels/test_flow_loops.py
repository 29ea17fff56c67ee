"""The compiled loops of a flow against dense formulas, exact arithmetic and `examine`."""

from fractions import Fraction

import numpy as np
import pytest

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.solvers.clustering.labels import flow_loops
from bilad.solvers.clustering.labels.flow import balance_flow, block_means
from bilad.solvers.clustering.labels.partition import numbered
from bilad.solvers.clustering.labels.proof import examine
from bilad.solvers.clustering.labels.proof_l2 import EuclideanRestriction


def instance(seed, d):
    """A graph with unequal capacities, data, blocks, close centroids as sums, and a large flow."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 9))
    graph = FusionGraph.complete(n)
    graph = graph.with_weights(rng.uniform(0.1, 2.0, graph.m))
    blocks = numbered([rng.integers(0, 3, n)])
    centroids = rng.normal(size=(2, blocks.max() + 1, d)) * np.array([1.0, 1e-3])[:, None, None]
    return graph, rng.normal(size=(n, d)), blocks, centroids, rng.normal(size=(graph.m, d))


def cases():
    return [(seed, d) for seed in range(4) for d in (1, 2, 3)]


@pytest.mark.parametrize(("seed", "d"), cases())
def test_align_writes_the_subgradient_and_makes_the_rest_feasible(seed, d):
    graph, _, blocks, centroids, Z = instance(seed, d)
    radii, before = graph.weights, Z.copy()
    flow_loops.align(*graph.ends, radii, blocks, centroids, Z)
    U = graph.differences(centroids.sum(axis=0)[blocks])
    for e, (i, j) in enumerate(graph.edges):
        if blocks[i] == blocks[j]:
            length = np.linalg.norm(before[e])
            assert Z[e] == pytest.approx(before[e] * min(1.0, radii[e] / length), rel=1e-14)
            assert sum(Fraction(z) ** 2 for z in Z[e]) <= Fraction(radii[e]) ** 2
            assert length > radii[e] or np.array_equal(Z[e], before[e])
        else:
            assert Z[e] == pytest.approx(radii[e] * U[e] / np.linalg.norm(U[e]), rel=1e-12)


def test_blocks_at_the_same_place_exert_no_force():
    graph, Z = FusionGraph.complete(2), np.ones((1, 2))
    flow_loops.align(*graph.ends, graph.weights, np.arange(2), np.zeros((2, 2, 2)), Z)
    assert not Z.any()


@pytest.mark.parametrize(("seed", "d"), cases())
def test_the_imbalance_is_that_of_the_dense_formula(seed, d):
    graph, A, blocks, centroids, Z = instance(seed, d)
    K = len(centroids[0])
    G, means, sizes, worst = np.ones_like(A), np.ones((K, d)), np.ones(K), np.ones(K)
    flow_loops.imbalance(*graph.ends, A, blocks, centroids, Z, G, means, sizes, worst)
    whole = centroids.sum(axis=0)[blocks] - A + graph.adjoint(Z)
    assert sizes.tolist() == np.bincount(blocks).tolist()
    assert means == pytest.approx(block_means(whole, blocks), abs=1e-14)
    rest = whole - block_means(whole, blocks)[blocks]
    assert pytest.approx(rest, abs=1e-13) == G
    assert worst == pytest.approx([np.abs(rest[blocks == b]).max() for b in range(K)], abs=1e-13)


@pytest.mark.parametrize(("seed", "d"), cases())
def test_a_current_is_the_potential_difference_times_the_unused_capacity(seed, d):
    graph, A, blocks, centroids, Z = instance(seed, d)
    radii = graph.weights
    flow_loops.align(*graph.ends, radii, blocks, centroids, Z)
    H, diagonal = np.ones((graph.m, 1, 1)), np.zeros((len(A), 1, 1))
    flow_loops.conductances(*graph.ends, radii, blocks, Z, H, diagonal)
    inside = blocks[graph.edges[:, 0]] == blocks[graph.edges[:, 1]]
    unused = np.where(inside, np.maximum(radii - np.linalg.norm(Z, axis=1), 1e-9 * radii), 0.0)
    expected = 1e10 * unused / (unused.max() or 1.0)
    assert H[:, 0, 0] == pytest.approx(expected, rel=1e-5)
    B = graph.incidence.toarray()
    laplacian = np.eye(len(A)) + B.T @ np.diag(H[:, 0, 0]) @ B
    assert diagonal[:, 0, 0] == pytest.approx(np.diag(laplacian), rel=1e-14)
    before, potentials = Z.copy(), 1e-10 * A
    flow_loops.send(*graph.ends, radii, H, potentials, Z)
    sent = before - H[:, :, 0] * (B @ potentials)
    lengths = np.linalg.norm(sent, axis=1)
    share = np.where(inside, np.minimum(1.0, radii / lengths), 1.0)
    assert pytest.approx(sent * share[:, None], rel=1e-12, abs=1e-14) == Z
    assert np.array_equal(Z[~inside], before[~inside])
    for z, radius, cut in zip(Z, radii, share < 1, strict=True):
        assert not cut or sum(Fraction(value) ** 2 for value in z) <= Fraction(radius) ** 2


def test_blocks_exactly_as_far_apart_as_the_resolution_are_not_apart():
    """The last pair is the closest; a difference of 5 is that of rounded and of second parts."""
    centroids = np.zeros((2, 4, 2))
    centroids[0] = [[0.0, 0.0], [40.0, 0.0], [0.0, -50.0], [3.0, 4.0]]
    assert not flow_loops.are_apart(centroids, 5.0)
    assert flow_loops.are_apart(centroids, 5.0 - 1e-13)
    centroids[1, 3] = [3e-6, 4e-6]
    assert flow_loops.are_apart(centroids, 5.0 + 4e-6)
    assert not flow_loops.are_apart(centroids, 5.0 + 6e-6)


def turned(centroids, subgradient, error):
    """Bounds for blocks 0, 1, 2; capacities 1 and 2 from 0 to 1, 4 to 2, and 8 inside block 0."""
    lows, highs = np.array([0, 0, 1, 0]), np.array([2, 1, 3, 3])
    centroids = np.stack([np.array(centroids), np.zeros_like(centroids)])
    blocks, radii = np.array([0, 0, 1, 2]), np.array([1.0, 8.0, 4.0, 2.0])
    return flow_loops.turned_forces(lows, highs, radii, blocks, centroids, subgradient, error)


def test_directions_turn_by_twice_the_error_over_the_length_and_at_most_once_around():
    centroids = [[0.0, 0.0], [5.0, 0.0], [0.0, 2.0]]  # edges 0-1: 1; 0-2: 4 and 2
    assert turned(centroids, np.inf, 0.5) == pytest.approx(
        [2 * (1 * 0.1 + 6 * 0.25), 2 * 0.1, 2 * 6 * 0.25], rel=1e-12
    )
    assert turned(centroids, np.inf, 3.0) == pytest.approx(
        [2 * (0.6 + 6), 2 * 0.6, 2 * 6], rel=1e-12
    )
    curved = np.sqrt(0.5 * np.array([1 / 5 + 6 / 2, 1 / 5, 6 / 2]))
    assert turned(centroids, 0.01, 3.0) == pytest.approx(0.01 * curved, rel=1e-12)
    assert turned(centroids, 0.0, 1.0).tolist() == [0.0, 0.0, 0.0]


def test_where_blocks_coincide_the_forces_may_turn_around():
    coinciding = [[0.0, 0.0], [5.0, 0.0], [0.0, 0.0]]
    expected = [2 * (0.1 + 6), 2 * 0.1, 2 * 6]
    assert turned(coinciding, np.inf, 0.5) == pytest.approx(expected, rel=1e-12)
    expected[1] = 1e-3 * np.sqrt(0.5 / 5)  # its only neighbour is apart from it
    assert turned(coinciding, 1e-3, 0.5) == pytest.approx(expected, rel=1e-12)


def test_on_a_line_forces_turn_around_or_not_at_all():
    line = [[0.0], [1.0], [-2.0]]
    assert turned(line, np.inf, 0.999).tolist() == [0.0, 0.0, 0.0]
    for error in (1.0, 1.9):  # also if the order may change by the very error
        assert turned(line, np.inf, error) == pytest.approx([2.0, 2.0, 0.0], rel=1e-12)
    assert turned(line, np.inf, 2.0) == pytest.approx([14.0, 2.0, 12.0], rel=1e-12)


def test_what_is_certified_is_what_examine_proves():
    """Of blocks of unequal sizes and balanced flows, with room or without, polished or not."""
    certified = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        d, sizes = int(rng.integers(1, 4)), rng.integers(1, 6, 3)
        blocks = np.repeat(np.arange(3), sizes)
        A = 20 * rng.normal(size=(3, d))[blocks] + 0.3 * rng.normal(size=(len(blocks), d))
        graph = FusionGraph.complete(len(A))
        graph = graph.with_weights(rng.uniform(0.5, 1.5, graph.m))
        model = ConvexClustering(A, graph, 10 ** rng.uniform(-1.3, 0.0))
        restriction = EuclideanRestriction(model, A, np.zeros((graph.m, d)), blocks)
        if rng.random() < 0.9:
            restriction.polish(np.inf)
        restriction.Z = balance_flow(model, restriction.X, restriction.Z, blocks)
        centroids = np.stack([restriction.centroids, np.zeros((3, d))])
        G, means, counts, worst = np.empty_like(A), np.empty((3, d)), np.empty(3), np.empty(3)
        found = blocks, centroids, restriction.Z
        flow_loops.imbalance(*graph.ends, A, *found, G, means, counts, worst)
        errors = 10 ** rng.uniform(-3.0, -1.0) * rng.random(len(A)) * (rng.random() < 0.5)
        proved, resolution = flow_loops.certify(
            *graph.ends, model.radii, A, errors, *found, G, means, counts
        )
        restriction.data_errors = errors
        proof = examine(model, restriction)
        assert proved == proof.balanced.all()
        length = 2**0.5 * (restriction.tangent_norm(means) + np.linalg.norm(errors))
        assert resolution == pytest.approx(length, rel=1e-12, abs=1e-12)
        assert not proved or resolution == pytest.approx(proof.resolution, rel=0.5)
        certified.append(proved)
    assert 10 < sum(certified) < 30
