"""What a proof rests on is rounded against it: the gap, its roundings, the forces at a tie."""

from fractions import Fraction

import numpy as np
import pytest
from support import rational

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.partition import prove_partition
from bilad.solvers.clustering.labels.proof import (
    _bottleneck,
    _rounding,
    distance_by_gap,
    examine,
    sum_at_ends,
)
from bilad.solvers.clustering.labels.proof_l2 import EuclideanRestriction


def of_tenths(rng, n=5):
    """Data, weights and X that are no doubles, and an edge flow that lacks a rounding or two."""
    model = ConvexClustering(
        rng.integers(-20, 21, (n, 1)) / 10, FusionGraph.complete(n, rng.integers(1, 9) / 10), 0.3
    )
    X = rng.integers(-20, 21, (n, 1)) / 10
    Z = np.sign(model.graph.differences(X)) * model.radii[:, None]
    for _ in range(int(rng.integers(3))):
        Z = np.nextafter(Z, 0.0)
    return model, X, Z


def test_the_gap_is_rounded_up():
    for seed in range(100):
        model, X, Z = of_tenths(np.random.default_rng(seed))
        if seed % 2:  # no residual: all of the gap is in the edges
            model = model.replace(data=X + model.graph.adjoint(Z))
        args = model.data[:, 0], model.graph.edges, model.radii, X[:, 0], Z[:, 0]
        gap = rational.duality_gap(*args)
        assert 2 * gap <= Fraction(distance_by_gap(model, X, Z)) ** 2
        assert 0.5 * distance_by_gap(model, X, Z) ** 2 <= float(gap) * (1 + 1e-6) + 1e-13


def test_roundings_of_the_residual_are_bounded():
    """Within a factor of a few hundred, too."""
    ratios = []
    for seed in range(100):
        model, X, Z = of_tenths(np.random.default_rng(seed), n=8)
        computed = (X - model.data + model.graph.adjoint(Z))[:, 0]
        exact = [Fraction(x) - Fraction(a) for x, a in zip(X[:, 0], model.data[:, 0], strict=True)]
        for (i, j), z in zip(model.graph.edges, Z[:, 0], strict=True):
            exact[i] += Fraction(z)
            exact[j] -= Fraction(z)
        pairs = zip(computed, exact, strict=True)
        errors = np.array([float(abs(Fraction(value) - true)) for value, true in pairs])
        ratios.append((errors / _rounding(model, X)).max())
    assert 1 / 300 < max(ratios) <= 1


@pytest.mark.parametrize(("left", "right"), [(1, 1), (1, 3), (3, 5)])
def test_two_blocks_near_their_tie(left, right, check_sound):
    """Given the best X and Z that there are; from 1e-12 on, the proof is complete."""
    n = left + right
    a = np.repeat([0.1, 0.1 + 0.7 * n], [left, right])
    for share in (-1e-3, -1e-12, -1e-13, -1e-15, 0.0, 1e-15, 1e-13, 1e-12, 1e-3):
        model = ConvexClustering(a[:, None], FusionGraph.complete(n), 0.7 * (1 + share))
        x = rational.solve_complete(a.tolist(), Fraction(model.radii[0]))
        X = np.array([[float(value)] for value in x])
        flow = model.graph.differences(a[:, None]) / n
        Z = np.clip(flow, -model.radii[:, None], model.radii[:, None])
        partition = prove_partition(model, X, Z)
        assert check_sound(partition, x) or abs(share) < 1e-12


@pytest.mark.parametrize("d", [1, 2])
def test_forces_change_no_more_than_is_said(d):
    """The forces on three blocks, X moved by an error about as long as they are apart."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, d)) + 6 * np.repeat([0.0, 1.0, 2.0], 2)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(6), 0.1)
    blocks = np.repeat([0, 1, 2], 2)
    restriction = EuclideanRestriction(model, A, np.zeros((15, d)), blocks)
    before = restriction.Z
    for error in (0.1, 3.0, 6.0, 12.0):
        bound = restriction.force_error(error, 0.0, 0.0)
        seen = np.zeros(3)
        for _ in range(100):
            moved = rng.normal(size=(3, d)) * rng.choice([0.0, 1.0], (3, 1))
            if not moved.any():
                continue
            moved *= error / np.linalg.norm(np.sqrt(2) * moved)
            own = EuclideanRestriction(model, restriction.X + moved[blocks], before, blocks)
            ends = np.zeros(6)
            between = blocks[model.graph.edges[:, 0]] != blocks[model.graph.edges[:, 1]]
            change = np.linalg.norm(own._aligned(before) - before, axis=1)[between]
            np.add.at(ends, model.graph.edges[between].T.ravel(), np.tile(change, 2))
            seen = np.maximum(seen, np.bincount(blocks, ends))
        assert (seen <= bound * (1 + 1e-12) + 1e-15).all()


def test_forces_change_no_more_than_the_subgradient_allows():
    """Also if two blocks nearly coincide; some cases come within a factor of two of the bound."""
    rng, tight = np.random.default_rng(0), 0.0
    for _ in range(300):
        K = int(rng.integers(2, 6))
        means = rng.normal(size=(K, 2))
        means[1] = means[0] + 10.0 ** rng.uniform(-6, 0) * rng.normal(size=2)
        model = ConvexClustering(means, FusionGraph.complete(K), 10.0 ** rng.uniform(-4, -1))
        problem, blocks = ContractedProblem.whole(model), np.arange(K)
        y = problem.polished(means)
        if np.linalg.norm(problem.gradient(y)) > 1e-13:
            continue  # two blocks are fused
        x = y + 10.0 ** rng.uniform(-8, 0) * rng.normal(size=(K, 2)) * rng.integers(0, 2, (K, 1))
        at = [EuclideanRestriction(model, X, np.zeros((model.graph.m, 2)), blocks) for X in (x, y)]
        change = np.linalg.norm(at[0].Z - at[1].Z, axis=1)
        seen = sum_at_ends(model, change)
        bound = at[0].force_error(np.inf, 0.0, 0.0, np.linalg.norm(problem.gradient(x)) + 1e-13)
        assert (seen <= bound).all()
        tight = max(tight, (seen / bound).max())
    assert tight > 0.5


def test_two_points_move_towards_each_other_by_root_two_of_the_error():
    """On a line, apart by 1: errors of the root of 1 / 2 exchange them, which turns the force."""
    model = ConvexClustering([[0.0], [2.0]], FusionGraph.complete(2), 0.5)
    restriction = EuclideanRestriction(model, model.data, np.zeros((1, 1)), np.array([0, 1]))
    assert (np.diff(restriction.X[:, 0]) == 1.0).all(), "each moved by r"
    for error, change in ((0.5**0.5 * (1 + 1e-12), 1.0), (0.5**0.5 * (1 - 1e-12), 0.0)):
        assert restriction.force_error(error, 0.0, 0.0) == pytest.approx(
            [change, change], rel=1e-13
        )


@pytest.mark.parametrize("z", [0.5, -2.0])
def test_a_distance_from_the_manifold_counts_twice(z):
    """X is off by it, and so is G; whether the block is proved (z = -2) or not (z = 1 / 2)."""
    model = ConvexClustering([[0.0], [4.0]], FusionGraph.complete(2), 2.25)
    restriction = EuclideanRestriction(
        model, np.full((2, 1), 2.0), np.array([[z]]), np.zeros(2, int)
    )
    restriction.own, restriction.offset = np.array([[2.25]]), 0.125  # of a larger gap
    proof = examine(model, restriction)
    assert proof.balanced.all() == (z == -2.0)
    length = float(np.linalg.norm(restriction.X - model.data + model.graph.adjoint(restriction.Z)))
    assert proof.resolution == pytest.approx(2**0.5 * (length + 0.25), rel=1e-12)
    assert proof.resolution >= 2**0.5 * (length + 0.25)


def test_a_change_of_the_forces_counts_twice_half(monkeypatch):
    """Less its mean it may be twice as large in sum; a tree edge carries half of the sum."""
    model = ConvexClustering([[0.0], [4.0]], FusionGraph.complete(2), 3.0)
    blocks = np.zeros(2, dtype=int)
    restriction = EuclideanRestriction(model, np.full((2, 1), 2.0), np.array([[-1.5]]), blocks)
    for change in (0.0, 0.25):
        monkeypatch.setattr(
            restriction, "force_error", lambda *_, change=change: np.full(1, change)
        )
        demand = float(examine(model, restriction).demand[0])
        assert 0.5 + change <= demand <= (0.5 + change) * (1 + 1e-12)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("d", [2, 3])
def test_the_distance_by_the_gap_is_tight(p, d):
    rng = np.random.default_rng(d)
    graph = FusionGraph.complete(5)
    model = ConvexClustering(
        rng.normal(size=(5, d)), graph.with_weights(rng.uniform(0.1, 2.0, 10)), 0.3, p
    )
    X, Z = rng.normal(size=(5, d)), model.project_dual(rng.normal(size=(10, d)))
    found = distance_by_gap(model, X, Z)
    assert found == pytest.approx((2 * model.absolute_gap(X, Z)) ** 0.5, rel=1e-12)
    assert found >= (2 * model.absolute_gap(X, Z)) ** 0.5
    errors = np.array([0.0, 0.3, 0.0, 0.4, 0.0])  # of the data, of norm one half
    alone = model.replace(weights=np.zeros(10))
    residual = np.linalg.norm(X - model.data)
    found = distance_by_gap(alone, X, np.zeros((10, d)), errors)
    assert found == pytest.approx(residual + 0.5, rel=1e-12)


def test_a_proof_in_numbers_of_blocks_of_unequal_sizes():
    """The resolution, the demand and the slack of the docstring, by loops."""
    rng = np.random.default_rng(0)
    blocks = np.array([0, 1, 1, 2, 1, 2])
    A = 9 * rng.normal(size=(3, 2))[blocks] + 0.1 * rng.normal(size=(6, 2))
    graph = FusionGraph.complete(6)
    model = ConvexClustering(A, graph.with_weights(rng.uniform(0.5, 2.0, 15)), 0.4)
    Z = model.project_dual(0.1 * rng.normal(size=(15, 2)))
    restriction = EuclideanRestriction(model, A, Z, blocks)
    proof = examine(model, restriction)
    G = restriction.X - A + graph.adjoint(restriction.Z)
    missing, squares = np.zeros(3), 0.0
    for b in range(3):
        members = np.flatnonzero(blocks == b)
        mean = G[members].mean(axis=0)
        squares += len(members) * (mean @ mean)
        missing[b] = np.linalg.norm(G[members] - mean, axis=1).sum()
    central = squares**0.5
    lengths = np.linalg.norm(restriction.Z, axis=1)
    assert proof.slack == pytest.approx(model.radii - lengths, abs=1e-14)
    change = restriction.force_error(central, central, 0.0, central)
    demand = 0.5 * (missing + 2 * change)
    i, j = graph.edges.T
    expected = []
    for b in range(3):
        usable = (blocks[i] == b) & (blocks[j] == b) & (proof.slack >= demand[b])
        expected.append(len(set(graph.components(usable)[blocks == b])) == 1)
    assert proof.balanced.tolist() == expected == [True, False, False]
    rho = float(np.linalg.norm(G))
    error = min(rho, distance_by_gap(model, restriction.X, Z))
    assert proof.resolution == pytest.approx(2**0.5 * error, rel=1e-12)
    assert proof.demand == pytest.approx(
        0.5 * (missing + 2 * restriction.force_error(error, central, 0.0, rho)), rel=1e-9
    )
    assert proof.doubtful.tolist() == [[1, 2], [2, 4], [3, 5]]
    why = proof.why_not_fused(model)
    worst = 1 + int(np.argmax(proof.demand[1:]))
    unused = widest_tree(graph, blocks == worst, proof.slack)
    assert why.startswith("fusion not proved: 4 edges in 2 blocks; ")
    assert f"flow {proof.demand[worst]:.1e} against unused capacity {unused:.1e}" in why
    alone = examine(model, EuclideanRestriction(model, A, Z, np.arange(6)))
    assert alone.doubtful.shape == (0, 2)
    assert alone.why_not_fused(model) == ""


def widest_tree(graph, members, slack):
    """The largest slack whose edges, with those of more slack, connect the members; or 0."""
    i, j = graph.edges.T
    inside = members[i] & members[j]
    for least in sorted(slack[inside & (slack > 0)], reverse=True):
        if len(set(graph.components(inside & (slack >= least))[members])) == 1:
            return least
    return 0.0


@pytest.mark.parametrize("seed", range(10))
def test_the_bottleneck_is_that_of_the_widest_tree(seed):
    rng = np.random.default_rng(seed)
    edges = FusionGraph.complete(6).edges[rng.random(15) < 0.6]
    model = ConvexClustering(np.eye(6), FusionGraph(6, edges, np.ones(len(edges))), 1.0)
    slack, members = rng.normal(size=len(edges)) + 0.5, np.arange(6) < 4
    found = _bottleneck(model, members, slack)
    assert found == pytest.approx(widest_tree(model.graph, members, slack), abs=1e-15)
    assert _bottleneck(model, np.arange(6) == 1, slack) >= 0  # one point needs no edge
