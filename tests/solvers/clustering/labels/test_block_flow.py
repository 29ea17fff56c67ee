"""Blocks that a flow certifies, against rational arithmetic, and attempts to certify wrong ones.

Points on a line through the plane or through space are a problem with d = 1: the directions
(3, 4) / 5 and (1, 2, 2) / 3 have rational lengths, so that exact partitions are known for d = 2, 3.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems, rational

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.labels.block_flow import BlockFlow
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import numbered, prove_partition

DIRECTIONS = [([1.0], 1), ([3.0, 4.0], 5), ([1.0, 2.0, 2.0], 3)]
NOISE = st.sampled_from([0.0, 1e-16, 1e-12, 1e-8, 1e-3, 1.0])


def lifted(model, blocks, centroids, Z):
    """The flow of the blocks, from a flow on the edges of positive capacity."""
    flow = BlockFlow(ContractedProblem.whole(model))
    flow.lift(blocks, np.stack([centroids, np.zeros_like(centroids)]), Z)
    return flow


@st.composite
def lines_in_space(draw):
    """A model, its exact solution along the line, and candidates for its blocks."""
    direction, length = draw(st.sampled_from(DIRECTIONS))
    n = draw(st.integers(2, 6))
    t, graph = draw(problems.data(n, 1)), draw(problems.graphs(n))
    gamma = draw(st.sampled_from([0.25, 0.5, 1.0, 2.5, 5.0]))
    model = ConvexClustering(t * np.array(direction), graph, gamma)
    a = [Fraction(value) * length for value in t[:, 0].tolist()]
    x = rational.solve_graph(a, graph.edges.tolist(), model.radii.tolist())
    place, parts = {value: k for k, value in enumerate(dict.fromkeys(x))}, st.integers(0, n - 1)
    changes = draw(st.dictionaries(parts, parts, max_size=2))
    blocks = numbered([np.array([changes.get(i, place[x[i]]) for i in range(n)])])
    return model, x, np.array(direction) / length, blocks


@given(lines_in_space(), NOISE, st.integers(0, 2**32))
def test_what_is_certified_is_true_in_rational_arithmetic(case, noise, seed):
    """For true and wrong blocks, and centroids and flows with errors of any size."""
    model, x, unit, blocks = case
    if not (model.radii > 0).any():
        return
    rng, exact = np.random.default_rng(seed), np.array(x, dtype=float)[:, None] * unit
    X = block_means(exact, blocks)
    X += noise * rng.normal(size=X.shape)
    Z = noise * rng.normal(size=(np.count_nonzero(model.radii), model.d))
    flow = lifted(model, blocks, X, Z)
    resolution, partition = flow.resolution(), flow.partition()
    equal = np.array([[a == b for b in x] for a in x])
    if resolution is not None:
        assert equal[blocks[:, None] == blocks].all()
        assert np.linalg.norm(X[blocks] - exact) <= resolution + 1e-13
    if flow.proves() or partition is not None:
        assert (equal == (blocks[:, None] == blocks)).all()


def test_most_of_the_true_blocks_are_certified():
    """As often as `examine` proves the same pair, or more often."""
    certified, examined = 0, 0
    for seed in range(40):
        model = problems.random_model(seed)
        exact = cluster(model, "clarabel", tol=1e-10)
        if model.d > 3 or not exact.proved:
            continue
        X, labels = exact.state, exact.labels
        flow = lifted(model, labels, block_means(X, labels), exact.Z)
        certified += flow.partition() is not None
        proof = prove_partition(model, exact.state, flow.flow())
        examined += proof.proved and problems.same_partition(proof.labels, labels)
    assert certified >= examined - 1
    assert examined > 10


@pytest.mark.parametrize(("direction", "length"), DIRECTIONS)
@pytest.mark.parametrize("scale", [1.0, 2.0**-20])
def test_two_points_within_rounding_of_their_threshold(direction, length, scale):
    """They are equal in X* if and only if ||a_1 - a_2|| <= 2 r."""
    A = scale * np.array([[0.0] * len(direction), direction])
    unit = np.array(direction) / length
    for step in [*range(-6, 7), -(10**6), 10**6]:
        radius = scale * length / 2 * (1 + step * 2.0**-52)
        model = ConvexClustering(A, FusionGraph.complete(2), radius)
        fused = Fraction(radius) * 2 >= Fraction(scale) * length
        together = lifted(model, np.zeros(2, dtype=int), A.mean(axis=0)[None], A[:1] * 0.0)
        for shift in range(-2, 3):
            ends = A.mean(axis=0) + np.outer([-1.0, 1.0], unit) * (
                scale * length / 2 - radius + shift * scale * 2.0**-53
            )
            apart = lifted(model, np.arange(2), ends, A[:1] * 0.0)
            assert not fused or (apart.partition() is None and not apart.proves())
        assert fused or together.resolution() is None
        together._Z[:] = 0.0  # an imbalance that has to be sent along the edge
        together._measure_imbalance()
        assert fused or together.resolution() is None
        proved = [
            method.proved for method in map(cluster, [model] * 2, ["interior-point", "ssnal"])
        ]
        found = cluster(model, "interior-point")
        assert not found.proved or (found.n_clusters == 1) == fused
        assert all(proved) or abs(step) < 10**6


def test_isolated_points_are_at_their_data():
    """Two that are equal are together, and two that differ by a rounding error are apart."""
    A = np.array([[0.0, 0.0], [9.0, 0.0], [0.7, 0.1], [0.7, 0.1], [0.3, 0.1], [0.1 + 0.2, 0.1]])
    model = ConvexClustering(A, FusionGraph(6, [[0, 1]], [1.0]), 1.0)
    rng = np.random.default_rng(0)
    for noise in (0.0, 1e-16, 1e-14, 1e-9):
        X = A + noise * rng.normal(size=A.shape)
        X[:2] = [[1.0, 0.0], [8.0, 0.0]]
        partition = lifted(model, np.arange(6), X, np.zeros((1, 2))).partition()
        assert partition is None or partition.labels.tolist() == [0, 1, 2, 2, 3, 4]
        assert partition is not None or noise > 0


def test_a_force_from_the_wrong_side_certifies_nothing():
    """Points at 0 and 1 are balanced if the third pulls down; it is at 10, and they are apart."""
    A, Z = np.array([[0.0], [1.0], [10.0]]), np.zeros((2, 1))
    model = ConvexClustering(A, FusionGraph(3, [[0, 1], [1, 2]], [0.6, 1.0]), 1.0)
    assert cluster(model, "exact").labels.tolist() == [0, 1, 2]
    flow = lifted(model, np.array([0, 0, 1]), np.array([[0.0], [-1e-3]]), Z)
    assert not flow._G.any()
    assert flow.resolution() is None


def block_of_five():
    """A proved block of five points."""
    A = np.random.default_rng(0).normal(size=(5, 2))
    problem = ContractedProblem.whole(ConvexClustering(A, FusionGraph.complete(5), 1.0))
    flow = BlockFlow(problem)
    centroids = np.stack([A.mean(axis=0)[None], np.zeros((1, 2))])
    flow.lift(np.zeros(5, dtype=int), centroids, np.zeros((10, 2)))
    assert flow.resolution() is not None
    return flow


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("part", ["_Z", "_centroids", "_G", "_means", "_data"])
def test_numbers_that_are_not_finite_certify_nothing(part, value):
    flow = block_of_five()
    getattr(flow, part).reshape(-1)[-1] = value
    assert flow.resolution() is None
    flow._measure_imbalance()
    proved = part in ("_G", "_means")  # which are written again
    assert (flow.resolution() is not None) == (flow.partition() is not None) == proved
    assert flow.proves() == proved


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_flow_that_is_not_finite_is_not_repaired_to_a_proof(value):
    model = ConvexClustering(np.eye(3), FusionGraph.complete(3), 1.0)
    blocks, centre = np.zeros(3, dtype=int), np.full((1, 3), 1 / 3)
    assert lifted(model, blocks, centre, np.full((3, 3), value)).partition() is None
    assert lifted(model, blocks, np.full((1, 3), value), np.zeros((3, 3))).partition() is None
    assert (
        lifted(model, np.arange(3), np.full((3, 3), value), np.zeros((3, 3))).resolution() is None
    )


@pytest.mark.parametrize("excess", [0.0, 1e-14, 1e-10, 1.0, 1e6])
def test_a_flow_above_a_capacity_certifies_nothing(excess):
    """A circulation changes no balance: the other edges still connect the block."""
    flow = block_of_five()
    lows, highs, radii = flow._edges
    flow._data[:] = flow._centroids[:] = flow._Z[:] = 0.0
    for (i, j), sign in {(0, 1): 1.0, (1, 2): 1.0, (0, 2): -1.0}.items():
        edge = np.flatnonzero((lows == i) & (highs == j))
        flow._Z[edge, 0] = sign * (1 + excess) * radii[edge]
    flow._measure_imbalance()
    assert not flow._G.any()
    assert (flow.resolution() is None) == (excess > 0)
