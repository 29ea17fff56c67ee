"""Fusion graphs, compared with their definitions."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import ArgumentError, FusionGraph


def variation_by_loop(graph, X, p):
    return sum(
        weight * np.linalg.norm(X[i] - X[j], ord=p)
        for (i, j), weight in zip(graph.edges, graph.weights, strict=True)
    )


def test_complete_graph_has_every_pair_once():
    graph = FusionGraph.complete(5, weight=0.25)
    assert graph.edges.tolist() == [list(pair) for pair in itertools.combinations(range(5), 2)]
    assert graph.weights.tolist() == [0.25] * 10
    assert (graph.n, graph.m, graph.uniform_weight) == (5, 10, 0.25)


def test_explicit_graph_keeps_its_order_and_copies():
    edges, weights = np.array([[1, 2], [0, 2]]), np.array([3.0, 0.0])
    graph = FusionGraph(4, edges, weights)
    edges[0], weights[0] = (0, 1), 7
    assert graph.edges.tolist() == [[1, 2], [0, 2]]
    assert graph.weights.tolist() == [3.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        graph.weights[0] = 1.0


@given(data=st.data())
def test_incidence_is_the_definition(data):
    graph = data.draw(problems.graphs(data.draw(st.integers(2, 7))))
    expected = np.zeros((graph.m, graph.n))
    for e, (i, j) in enumerate(graph.edges):
        expected[e, i], expected[e, j] = 1, -1
    assert np.array_equal(graph.incidence.toarray(), expected)


@given(data=st.data())
def test_differences_and_adjoint(data):
    n, d = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 3))
    graph = data.draw(st.one_of(problems.graphs(n), problems.complete_graphs(n)))
    X, Z = data.draw(problems.data(n, d)), data.draw(problems.data(graph.m, d))
    assert np.array_equal(graph.differences(X), graph.incidence.toarray() @ X)
    assert np.vdot(graph.differences(X), Z) == np.vdot(X, graph.adjoint(Z))  # quarters: exact


@pytest.mark.parametrize("p", [1, 2, np.inf])
@given(data=st.data())
def test_total_variation_is_the_sum_over_edges(p, data):
    n, d = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 3))
    graph = data.draw(st.one_of(problems.graphs(n), problems.complete_graphs(n)))
    X = data.draw(problems.data(n, d, problems.reals))
    expected = variation_by_loop(graph, X, p)
    scale = 1 + np.abs(X).max() * n**2 * 3
    assert graph.total_variation(X, p) == pytest.approx(expected, rel=1e-12, abs=1e-14 * scale)


def test_total_variation_by_sorting_sees_every_column():
    X = np.array([[0.0, 5.0], [1.0, 3.0], [4.0, 4.0]])
    assert FusionGraph.complete(3, 2.0).total_variation(X, 1) == 2 * (4 + 3 + 1 + 2 + 1 + 1)
    assert FusionGraph.complete(3, 2.0).total_variation(X[:, :1], 2) == 16


def test_uniform_weight_needs_every_pair_and_one_weight():
    pairs = np.array(list(itertools.combinations(range(4), 2)))
    assert FusionGraph(4, pairs, np.full(6, 0.5)).uniform_weight == 0.5
    assert FusionGraph(4, pairs[:-1], np.full(5, 0.5)).uniform_weight is None
    assert FusionGraph(4, pairs, [0.5] * 5 + [0.6]).uniform_weight is None
    assert FusionGraph(2, np.empty((0, 2), dtype=int), []).uniform_weight is None


def test_complete_graph_on_a_million_points_makes_no_edges():
    tracemalloc.start()
    graph = FusionGraph.complete(1_000_000, 1e-6)
    assert (graph.m, graph.uniform_weight) == (499_999_500_000, 1e-6)
    X = np.zeros((1_000_000, 1))
    X[0] = 1.0
    assert graph.total_variation(X, 2) == pytest.approx(0.999999)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


@pytest.mark.parametrize(("n", "d", "k", "phi"), [(12, 2, 3, 0.5), (30, 4, 7, 0.1), (5, 1, 4, 0)])
def test_knn_joins_if_either_is_a_neighbour(n, d, k, phi):
    A = np.random.default_rng(n).normal(size=(n, d))
    distances = [[float(np.linalg.norm(a - b)) for b in A] for a in A]
    near = [set(sorted(range(n), key=lambda j, i=i: distances[i][j])[1 : k + 1]) for i in range(n)]
    expected = [
        (i, j) for i, j in itertools.combinations(range(n), 2) if j in near[i] or i in near[j]
    ]
    graph = FusionGraph.knn(A, k=k, phi=phi)
    assert graph.edges.tolist() == [list(pair) for pair in expected]
    gauss = [np.exp(-phi * distances[i][j] ** 2) for i, j in expected]
    assert graph.weights == pytest.approx(gauss, rel=1e-12)
    one_sided = [
        pair for pair in expected if (pair[1] in near[pair[0]]) != (pair[0] in near[pair[1]])
    ]
    assert one_sided or k == n - 1, "the instance does not tell `or` from `and`"


def test_knn_of_coinciding_points_has_weight_one_and_no_loop():
    graph = FusionGraph.knn(np.zeros((4, 2)), k=3)
    assert graph.m == 6
    assert graph.weights.tolist() == [1.0] * 6


def edges_by_definition(A, k):
    """Edges from exact squared distances of integers; the distances of a point must be distinct."""
    whole = A.astype(np.int64)
    squared = ((whole[:, None] - whole) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.iinfo(np.int64).max)
    assert all(len(set(row)) == len(row) for row in squared.tolist())
    near = np.argsort(squared, axis=1)[:, :k]
    return sorted({(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row})


@pytest.mark.parametrize(
    ("n", "d", "k"), [(30, 20, 5), (18, 2, 10), (40, 64, 3), (25, 1, 24), (19, 16, 18)]
)
@pytest.mark.parametrize("offset", [0.0, 2.0**27, 2.0**40])
def test_neighbours_of_data_far_from_the_origin(n, d, k, offset):
    whole = np.random.default_rng([n, d]).integers(0, 2**12 if d > 1 else 2**40, (n, d))
    A, every = whole.astype(np.float64), [True] * d
    for moved in (every, [True] + [False] * (d - 1)):
        far = A + offset * np.array(moved)
        assert np.array_equal(far - offset * np.array(moved), A)
        graph = FusionGraph.knn(far, k, phi=1e-8)
        assert graph.edges.tolist() == [list(pair) for pair in edges_by_definition(A, k)]
        assert np.array_equal(graph.weights, FusionGraph.knn(A, k, phi=1e-8).weights)


@pytest.mark.parametrize("power", [-1000, -540, -200, 200, 510, 1000])
def test_neighbours_and_weights_at_any_scale(power):
    A = np.random.default_rng(3).normal(size=(30, 3))
    A[:, 2] = 1e-3 * A[:, 2]
    graph, unit = FusionGraph.knn(A, 4, 0.5), 2.0 ** (power // 2)
    scaled = FusionGraph.knn(np.ldexp(A, power), 4, 0.5)
    assert np.array_equal(scaled.edges, graph.edges)
    assert np.array_equal(scaled.weights, np.ones(graph.m) if power < 0 else np.zeros(graph.m))
    if abs(power) <= 510:  # else phi itself is no number
        alike = FusionGraph.knn(np.ldexp(A, power), 4, 0.5 / unit**2 / unit**2)
        assert np.array_equal(alike.weights, graph.weights)


def test_a_constant_feature_beyond_all_others_changes_nothing():
    A = np.random.default_rng(4).normal(size=(20, 2)) * 1e-200
    with_offset = np.column_stack([A, np.full(20, 1e300)])
    assert np.array_equal(FusionGraph.knn(with_offset, 3).edges, FusionGraph.knn(A, 3).edges)


def test_small_differences_beside_large_ones_decide():
    groups = np.column_stack(
        [np.repeat([0.0, 1e120], 4), np.tile([0.0, 1.0, 3.0, 7.0], 2) * 1e-120]
    )
    expected = [[0, 1], [1, 2], [2, 3], [4, 5], [5, 6], [6, 7]]
    assert FusionGraph.knn(groups, 1).edges.tolist() == expected


@pytest.mark.parametrize("A", [[[-1e308], [0.0], [1e308]], [[0.0], [1e-300], [1e300]]])
def test_ranges_beyond_floating_point_are_refused(A):
    with pytest.raises(ArgumentError, match="^A: got differences from .*, expected a finite range"):
        FusionGraph.knn(A, 1)


@pytest.mark.parametrize("d", [2, 20])
def test_neighbours_among_many_copies_of_one_point(d):
    A = np.zeros((8, d))
    A[6:, 0] = 1, 9
    graph = FusionGraph.knn(A, k=2)
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    degrees = np.bincount(graph.edges.ravel(), minlength=8)
    assert (degrees >= 2).all()
    inner = graph.edges[:, 1] < 6
    assert (graph.weights[inner] == 1).all()
    assert [6, 7] in graph.edges.tolist()


@pytest.mark.parametrize("d", [2, 16])
def test_neighbours_take_no_square_memory(d):
    A = np.random.default_rng(0).normal(size=(4000, d))
    tracemalloc.start()
    FusionGraph.knn(A, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6  # a matrix of all distances has 128e6 bytes


@given(data=st.data())
def test_components_are_reachability(data):
    n = data.draw(st.integers(2, 7))
    graph = data.draw(problems.graphs(n))
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=graph.m, max_size=graph.m)), bool)
    reach = np.eye(n, dtype=bool)
    for i, j in graph.edges[chosen]:
        reach[i, j] = reach[j, i] = True
    for _ in range(n):
        reach = reach @ reach
    component = graph.components(chosen)
    assert np.array_equal(component[:, None] == component, reach)


@given(data=st.data())
def test_other_weights_share_the_edges(data):
    n = data.draw(st.integers(2, 6))
    graph = data.draw(st.one_of(problems.graphs(n), problems.complete_graphs(n)))
    weights = np.arange(1.0, graph.m + 1)
    other = graph.with_weights(weights)
    assert other.edges is graph.edges
    assert other.incidence is graph.incidence
    assert (other.n, other.weights.tolist()) == (n, weights.tolist())
    assert graph.has_edges_of(other)
    assert other.has_edges_of(graph)
    again = FusionGraph(n, graph.edges, weights)
    X = data.draw(problems.data(n, 2))
    assert other.total_variation(X, 2) == again.total_variation(X, 2)
    assert other.uniform_weight == again.uniform_weight
    Z = data.draw(problems.data(graph.m, 2))
    assert np.array_equal(other.adjoint(Z), again.adjoint(Z))


def test_the_same_edges_are_the_same_pairs_in_the_same_order():
    pairs = list(itertools.combinations(range(3), 2))
    complete, listed = FusionGraph.complete(3), FusionGraph(3, pairs, [1.0, 2.0, 3.0])
    assert complete.has_edges_of(listed)
    assert listed.has_edges_of(complete)
    assert complete.has_edges_of(FusionGraph.complete(3, 0.5))
    for other in (
        FusionGraph(3, pairs[::-1], np.ones(3)),
        FusionGraph(3, pairs[:2], np.ones(2)),
        FusionGraph(4, pairs, np.ones(3)),
        FusionGraph.complete(4),
    ):
        assert not listed.has_edges_of(other)
        assert not complete.has_edges_of(other)
        assert not other.has_edges_of(complete)
    million = FusionGraph.complete(10**6)
    assert million.has_edges_of(FusionGraph.complete(10**6))
    assert not million.has_edges_of(listed)


@given(data=st.data())
def test_without_points_keeps_what_is_between_the_others(data):
    n = data.draw(st.integers(2, 8))
    graph = data.draw(st.one_of(problems.graphs(n), problems.complete_graphs(n)))
    dropped = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n - 2))
    rest = [point for point in range(n) if point not in dropped]
    expected = [
        (rest.index(i), rest.index(j), weight)
        for (i, j), weight in zip(graph.edges.tolist(), graph.weights.tolist(), strict=True)
        if i in rest and j in rest
    ]
    smaller = graph.without(dropped)
    edges, weights = smaller.edges.tolist(), smaller.weights.tolist()
    assert smaller.n == len(rest)
    assert [(i, j, weight) for (i, j), weight in zip(edges, weights, strict=True)] == expected


def test_the_complete_graph_without_points_is_complete():
    million = FusionGraph.complete(10**6, 0.3).without([0, 7])
    assert (million.n, million.uniform_weight) == (10**6 - 2, 0.3)
    assert million.has_edges_of(FusionGraph.complete(10**6 - 2))


@pytest.mark.parametrize("points", [[0, 1, 2], [3, 3], [4], [-1], [0.5]])
@pytest.mark.parametrize("complete", [True, False])
def test_points_that_cannot_be_dropped(points, complete):
    graph = FusionGraph.complete(4) if complete else FusionGraph(4, [[0, 1]], [1.0])
    with pytest.raises(ArgumentError, match="^points: got"):
        graph.without(points)


def test_components_by_edges_of_positive_weight():
    graph = FusionGraph(5, [[0, 1], [1, 2], [3, 4]], [1.0, 0.0, 2.0])
    assert graph.component_labels.tolist() == [0, 0, 1, 2, 2]
    assert graph.n_components == 3
    assert graph.with_weights([1.0, 1.0, 0.0]).n_components == 3
    large = FusionGraph.complete(100_000)
    assert (large.n_components, "edges" in vars(large)) == (1, False)
    assert FusionGraph.complete(4, 0.0).n_components == 4
