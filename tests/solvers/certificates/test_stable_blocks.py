"""No eps shorter than a certified radius changes the partition, hard as one may try."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster
from bilad.solvers.certificates import cluster_flow, stable_blocks
from bilad.solvers.certificates.contracted_problem import ContractedSolution, Sensitivity
from bilad.solvers.certificates.stable_blocks import certified_radius

INSIDE = 0.999


def attack_inside(problem, rng, directions, contradicts):
    """Return the radius and the number of eps tried; fail if one changes the partition.

    The partition at 0 need not be proved by the solver: a radius proves it.
    """
    clustering = cluster(problem.model, tol=1e-10, refine=True)
    found = certified_radius(problem, clustering)
    length = INSIDE * min(found, 1e3)
    tried = 0
    for eps in directions(problem, clustering, rng) if length > 0 else ():
        assert not contradicts(problem, clustering, length * eps), (found, length * eps)
        tried += 1
    return found, tried


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_shorter_changes_the_partition(seed, random_problem, directions, contradicts):
    rng = np.random.default_rng(seed)
    attack_inside(random_problem(rng, largest=9), rng, directions, contradicts)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(3))
def test_nothing_shorter_changes_120_partitions(batch, random_problem, directions, contradicts):
    positive = 0
    for seed in range(40):
        rng = np.random.default_rng(1000 * batch + seed)
        radius, _ = attack_inside(random_problem(rng), rng, directions, contradicts)
        positive += radius > 0
    assert positive >= 30


def radius_of(model, perturbation, norm=2):
    clustering = cluster(model, tol=1e-10, refine=True)
    return certified_radius(MaxDeviation(model, perturbation, 1.0, norm), clustering)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize(("norm", "share"), [(1, 1.0), (2, 0.5**0.5), (np.inf, 0.5)])
def test_two_points_in_closed_form(p, norm, share):
    """Three apart: with r = 1 they are one from meeting, with r = 2 one from parting."""
    A = np.array([[0.0, 0.0], [3.0, 0.0]])
    everything = Perturbation.additive((2, 2), features=[0])
    apart = ConvexClustering(A, FusionGraph.complete(2), 1.0, p)
    found = radius_of(apart, everything, norm)
    assert share * (1 - 1e-6) <= found <= share
    together = ConvexClustering(A, FusionGraph.complete(2), 2.0, p)
    found = radius_of(together, everything, norm)
    assert share * (1 - 1e-6) <= found <= share


def test_an_edge_that_fades_cannot_bring_its_ends_together():
    """Of eps >= 0 only: two points that an edge pulls at part further as it fades."""
    model = ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 1.0)
    assert radius_of(model, Perturbation.edges(model.graph)) > 1e6
    model = ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 2.0)
    found = radius_of(model, Perturbation.edges(model.graph))
    assert found == pytest.approx(0.25, rel=1e-6), "3 / 2 of the capacity 2 is needed"


def test_blocks_without_edges_have_no_radius():
    """Equal data that nothing joins are one cluster until anything moves."""
    graph = FusionGraph(3, [[0, 2]], [1.0])
    model = ConvexClustering([[0.0], [0.0], [9.0]], graph, 0.0)
    labels = cluster(model).labels
    assert labels[0] == labels[1]
    assert radius_of(model, Perturbation.additive((3, 1))) == 0.0


def test_large_blocks_do_without_conic_programs(monkeypatch):
    """Weaker, but not nothing."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(12, 2))
    model = ConvexClustering(A, FusionGraph.complete(12), 0.5)
    perturbation = Perturbation.additive((12, 2))
    strong = radius_of(model, perturbation)
    monkeypatch.setattr(cluster_flow, "MOST_FLOWS", 1)
    monkeypatch.setattr(cluster_flow, "max_slack_flow", None)
    weak = radius_of(model, perturbation)
    assert 0.5 * strong < weak < strong
    monkeypatch.setattr(cluster_flow, "MOST_CURRENTS", 1)
    assert radius_of(model, perturbation) == 0.0


def test_a_model_of_200_points_takes_seconds():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 2)) + 8 * rng.integers(0, 2, size=(200, 1))
    model = ConvexClustering(A, FusionGraph.knn(A, k=10), 3.0)
    found = radius_of(model, Perturbation.additive((200, 2)))
    assert found > 0.1


@pytest.mark.parametrize(("p", "d"), [(1, 1), (2, 1), (2, 2), (1, 2)])
def test_two_clusters_in_closed_form(p, d):
    """Of one and of three points, 10 apart before they attract each other by 4 r = 1 / 2.

    One eps moves the larger one, none of whose points feels a difference.
    """
    A = np.zeros((4, d))
    A[1:, 0] = -10.0
    model = ConvexClustering(A, FusionGraph.complete(4), 0.125, p)
    found = radius_of(model, Perturbation.shift(0.5 * np.sign(A)))
    assert 19 * (1 - 1e-6) <= found <= 19


@pytest.mark.parametrize("d", [1, 2])
def test_what_moves_nothing_has_an_infinite_radius(d):
    A = np.zeros((3, d))
    A[1:, 0] = 0.1, 9.0
    model = ConvexClustering(A, FusionGraph.complete(3), 0.3)
    assert cluster(model).n_clusters == 2
    assert radius_of(model, Perturbation.linear((3, d), np.zeros((3 * d, 2)))) == np.inf


def test_three_clusters_on_a_line_keep_their_order():
    """Sizes 1, 2 and 1 and r = 1 / 4, in no order: the gaps 3 and 5 close by 3 r each.

    The second point of the middle cluster cannot move; the first feels r once from either side.
    """
    A = np.array([[5.0], [0.0], [-3.0], [0.0]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.25)
    outer = Perturbation.linear((4, 1), [[-1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    for norm in (1, 2, np.inf):
        found = radius_of(model, outer, norm)
        assert 2.25 * (1 - 1e-6) <= found <= 2.25


def one_cluster(rng, n=6):
    """With weights that are nearly too small."""
    pairs = np.column_stack(np.triu_indices(n, 1))
    graph = FusionGraph(n, pairs, rng.uniform(0.2, 1.0, len(pairs)))
    model = ConvexClustering(rng.normal(size=(n, 2)), graph, 0.9)
    found = cluster(model, tol=1e-10, refine=True)
    assert found.n_clusters == 1
    return ContractedSolution.of(model, found.labels, found.X)


def test_tight_blocks_need_conic_programs_and_more_work(monkeypatch):
    solution = one_cluster(np.random.default_rng(2))
    problem = MaxDeviation(solution.model, Perturbation.additive((6, 2)), 1.0)
    sensitivity = Sensitivity.of(problem, solution)
    quick, tight = (
        stable_blocks.cluster_flow(solution, sensitivity, 0, program).radius(
            lambda _: np.zeros(0), np.inf
        )
        for program in (False, True)
    )
    assert 2 * quick < tight
    between = 0.9 * tight

    def count(radius, is_tight):
        found = stable_blocks.stable_blocks(problem, solution, radius, is_tight)
        return len(found.solution.sizes)

    assert count(0.9 * quick, False) == 1
    assert count(between, False) > 1
    assert count(between, True) == 1
    assert count(2 * tight, True) > 1
    monkeypatch.setattr(stable_blocks, "QUICK_WORK", 0.0)
    assert count(0.5 * quick, False) == 6
    assert count(between, True) == 1


def test_the_rounding_of_supplies_is_covered():
    """Supplies in rational arithmetic, from the same zeta."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        d, offset = 1 + seed % 2, 10.0 ** rng.integers(-2, 7)
        labels = np.array([0, 0, 1, 1, 2, 2, 2])
        A = offset + 30.0 * labels[:, None] + 0.1 * rng.normal(size=(7, d))
        pairs = np.column_stack(np.triu_indices(7, 1))
        weights = rng.random(21) + 9.0 * (labels[pairs[:, 0]] == labels[pairs[:, 1]])
        model = ConvexClustering(A, FusionGraph(7, pairs, weights), 0.3)
        found = cluster(model, tol=1e-10, refine=True)
        np.testing.assert_array_equal(found.labels, labels)
        solution = ContractedSolution.of(model, found.labels, found.X)
        problem = MaxDeviation(model, Perturbation.additive((7, d)), 1.0)
        for block in range(3):
            flow = stable_blocks.cluster_flow(solution, Sensitivity.of(problem, solution), block)
            for i, supply in zip(np.flatnonzero(labels == block), flow.supply, strict=True):
                square = Fraction(0)
                for feature in range(d):
                    exact = Fraction(A[i, feature])
                    for (k, j), gamma in zip(pairs.tolist(), model.graph.weights, strict=True):
                        if i in (k, j) and labels[k] != labels[j]:
                            pair = solution.pairs.tolist().index([labels[k], labels[j]])
                            force = Fraction(model.gamma) * Fraction(gamma)
                            force *= Fraction(solution.zeta[pair, feature])
                            exact -= force if i == k else -force
                    square += (Fraction(supply[feature]) - exact) ** 2
                assert square <= Fraction(flow.rounding) ** 2
                assert flow.rounding <= 1e-12 * (offset + 100)


def test_pieces_of_a_block_without_proof():
    """Points without edges are separated; of overloaded edges the points are removed greedily."""
    graph = FusionGraph(6, [[0, 1], [1, 2], [1, 3], [4, 5], [0, 4]], [1, 1, 1, 1, 0])
    model = ConvexClustering(np.zeros((6, 1)), graph, 1.0)
    clusters = ContractedSolution.of(model, np.zeros(6, dtype=np.int64), model.data)
    problem = MaxDeviation(model, Perturbation.additive((6, 1), points=[0, 5]), 1.0)
    search = stable_blocks._Search(problem, clusters, 1.0, False)
    everything = np.arange(6)
    assert [part.tolist() for part in search._linked(everything)] == [[0, 1, 2, 3], [4, 5]]
    over = np.array([0.1, 0.2, -0.5, 0.0])  # of the four edges of positive weight
    assert search._relieved(everything, over).tolist() == [0, 2, 3, 4, 5]
    pieces = [part.tolist() for part in search._pieces(everything, over)]
    assert pieces == [[1, 2, 3], [4], [0], [5]]
    pieces = search._pieces(np.array([1, 2, 3]), over[1:3] + 1)
    assert [part.tolist() for part in pieces] == [[2], [3], [1]]
    np.testing.assert_array_equal(stable_blocks._movable(problem), [1, 0, 0, 0, 0, 1])
    edges = MaxDeviation(model, Perturbation.edges(graph, [1, 3]), 1.0)
    np.testing.assert_array_equal(stable_blocks._movable(edges), [0, 1, 1, 0, 1, 1])
