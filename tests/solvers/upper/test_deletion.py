"""Deletion of points and edges, compared with the solution of every subset from scratch."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import problems

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    deviation,
)
from bilad.solvers import cluster, drop_edges, drop_points
from bilad.solvers.clustering import capabilities


def value_of(model, subset, name="delta"):
    """Delete, solve and compare by definition; return None if the labels are not proved."""
    rest = [i for i in range(model.n) if i not in subset]
    edges, weights = [], []
    for (i, j), weight in zip(model.graph.edges.tolist(), model.graph.weights, strict=True):
        if i in rest and j in rest:
            edges.append((rest.index(i), rest.index(j)))
            weights.append(weight)
    graph = FusionGraph(len(rest), np.array(edges, dtype=int), weights)
    before = cluster(model, refine=True)
    after = cluster(ConvexClustering(model.data[rest], graph, model.gamma, model.p), refine=True)
    assert before.proved
    return deviation(before.labels[rest], after.labels, name) if after.proved else None


def by_brute_force(model, budget, points, name="delta"):
    subsets = itertools.chain.from_iterable(
        itertools.combinations(points, size) for size in range(budget + 1)
    )
    return {subset: value_of(model, subset, name) for subset in subsets}


def check(model, found, name="delta"):
    """Assert that the result is that of deleting its points."""
    rest = np.setdiff1d(np.arange(model.n), found.points)
    assert found.remaining.tolist() == rest.tolist()
    assert found.deviation == value_of(model, found.points.tolist(), name)
    assert found.deviation == deviation(found.labels_before, found.labels, name)
    assert deviation(cluster(model).labels[rest], found.labels_before) == 0
    for labels in (found.labels, found.labels_before):
        assert [k for at, k in enumerate(labels) if k not in labels[:at]] == list(
            range(labels.max() + 1)
        )


def random_model(seed, p):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 8)), int(rng.integers(1, 3))
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1))
    if rng.random() < 0.5:
        return ConvexClustering(A, FusionGraph.complete(n), float(rng.uniform(0.1, 0.5)), p)
    graph = FusionGraph.knn(A, k=2, phi=0.1)
    return ConvexClustering(A, graph, float(rng.uniform(0.3, 1.5)), p)


@pytest.mark.parametrize(("seed", "p"), list(enumerate([1, 2, np.inf])))
def test_every_subset(seed, p):
    model = random_model(seed, p)
    found = drop_points(model, 2)
    values = by_brute_force(model, 2, range(model.n))
    assert found.lower_solves == len(values) - 1
    proved = {subset: value for subset, value in values.items() if value is not None}
    assert found.undecided == len(values) - len(proved)
    assert found.deviation == max(proved.values())
    first = next(subset for subset, value in proved.items() if value == found.deviation)
    assert tuple(found.points) == first
    assert found.exhaustive == (len(proved) == len(values))
    assert found.status == ("optimal" if found.exhaustive else "undecided")
    check(model, found)


@pytest.fixture(scope="module")
def bridge():
    """Return two groups of points that one point between them joins."""
    data = np.array([[0.0], [0.2], [2.0], [3.8], [4.0]])
    return ConvexClustering(data, FusionGraph(5, [[0, 1], [1, 2], [2, 3], [3, 4]], np.ones(4)), 4.0)


def test_the_point_that_joins_two_groups(bridge):
    found = drop_points(bridge, 1)
    assert found.points.tolist() == [2]
    assert found.deviation == 8  # 2 2 2 ordered pairs
    assert found.labels_before.tolist() == [0, 0, 0, 0]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert (found.status, found.exhaustive, found.lower_solves) == ("optimal", True, 5)


def test_only_given_points_may_be_dropped(bridge):
    found = drop_points(bridge, 2, points=[4, 0])
    assert (found.points.tolist(), found.deviation, found.lower_solves) == ([], 0, 3)
    assert found.exhaustive
    assert found.labels.tolist() == [0] * 5
    assert drop_points(bridge, 3, points=[2]).points.tolist() == [2]


@pytest.mark.parametrize("name", ["rand", "nmi", "variation-of-information", "changed"])
def test_other_deviations(bridge, name):
    found = drop_points(bridge, 2, name)
    assert found.deviation == max(by_brute_force(bridge, 2, range(5), name).values()) > 0
    check(bridge, found, name)


def test_another_numbering_of_the_clusters_is_no_change():
    """Without the first point the clusters are numbered differently, which is no change."""
    model = ConvexClustering([[0.0], [9.0], [9.1], [20.0]], FusionGraph.complete(4), 0.1)
    assert cluster(model).labels.tolist() == [0, 1, 1, 2]
    found = drop_points(model, 1, "changed")
    assert (found.deviation, found.status) == (0, "optimal")


@settings(max_examples=20)
@given(data=st.data())
def test_dropping_nothing_changes_nothing(data):
    model = data.draw(problems.models(p=1, max_n=6, max_d=2))
    found = drop_points(model, 0)
    assert (found.points.tolist(), found.deviation, found.lower_solves) == ([], 0, 0)
    assert found.labels.tolist() == found.labels_before.tolist() == cluster(model).labels.tolist()


def greedy(model, budget):
    """Return the greedy subsets, which grow by one point at a time; all labels are proved."""
    dropped, best = (), 0
    for _ in range(budget):
        tries = [(*dropped, point) for point in range(model.n) if point not in dropped]
        values = [value_of(model, subset) for subset in tries]
        dropped = tries[int(np.argmax(values))]
        best = max(best, *values)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_greedy_search_if_there_are_too_many_subsets(seed):
    model = random_model(seed, 1)
    n, most = model.n, 3 * model.n - 3
    found = drop_points(model, 2, max_solves=2 * n - 1)
    assert (found.status, found.exhaustive) == ("greedy", False)
    assert found.lower_solves == 2 * n - 1 < most
    assert found.deviation == greedy(model, 2)
    check(model, found)


def test_a_limit_on_solves(bridge):
    found = drop_points(bridge, 2, max_solves=7)
    assert (found.termination, found.lower_solves) == ("solve limit", 7)
    assert found.deviation == 8
    assert drop_points(bridge, 2, max_solves=2).deviation == 6  # point 1: 0 is alone
    assert drop_points(bridge, 1, max_solves=0).termination == "solve limit"


@pytest.mark.parametrize("hidden", [1, 4, 5])
def test_outcomes_that_are_not_proved_are_ignored(bridge, hidden, monkeypatch):
    """The labels of models with a given number of points are not proved."""

    class Unproved:
        proved = False
        outcome = np.arange(hidden)

    def some(model, *arguments, **options):
        return Unproved() if model.n == hidden else cluster(model, *arguments, **options)

    monkeypatch.setattr(capabilities, "solve_lower", some)
    found = drop_points(bridge, 1)
    expected = {1: ("optimal", 0, 8), 4: ("undecided", 5, 0), 5: ("undecided", 0, 0)}
    assert (found.status, found.undecided, found.deviation) == expected[hidden]


def random_graph(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(6, 2)) + 3 * rng.integers(0, 2, size=(6, 1))
    return ConvexClustering(A, FusionGraph.knn(A, k=2, phi=0.1), float(rng.uniform(0.3, 1.5)))


def value_without(model, dropped, name="delta"):
    """Solve with a new graph without the edges; return None if the labels are not proved."""
    kept = [e for e in range(model.graph.m) if e not in dropped]
    graph = FusionGraph(model.n, model.graph.edges[kept], model.graph.weights[kept])
    after = cluster(ConvexClustering(model.data, graph, model.gamma, model.p), refine=True)
    before = cluster(model, refine=True).labels
    return deviation(before, after.labels, name) if after.proved else None


@pytest.mark.parametrize("seed", range(2))
def test_every_subset_of_the_edges(seed):
    model = random_graph(seed)
    found = drop_edges(model, 2)
    subsets = [s for size in (0, 1, 2) for s in itertools.combinations(range(model.graph.m), size)]
    values = [value_without(model, subset) for subset in subsets]
    assert found.lower_solves == len(subsets) - 1
    assert found.deviation == max(value for value in values if value is not None)
    assert found.deviation == value_without(model, found.edges.tolist())
    assert found.deviation == deviation(found.labels_before, found.labels)
    assert found.undecided == values.count(None)
    assert found.exhaustive == (None not in values)


def test_the_edge_that_joins_two_groups():
    data = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]])
    edges = [[0, 1], [0, 2], [1, 2], [2, 3], [3, 4], [3, 5], [4, 5]]
    graph = FusionGraph(6, edges, np.ones(7))
    model = ConvexClustering(data, graph, gamma=10.0)
    found = drop_edges(model, 1)
    assert found.edges.tolist() == [3]
    assert (found.deviation, found.status) == (18.0, "optimal")
    assert drop_edges(model, 1, edges=[0, 1, 2]).deviation == 0
    assert drop_edges(model, 3, edges=[3, 4, 5], max_solves=6).edges.tolist() == [3, 4, 5]


def test_edges_greedily_and_the_limit_on_solves():
    model = random_graph(0)
    assert drop_edges(model, 3, max_solves=25).status == "greedy"
    short = drop_edges(model, 3, max_solves=2)
    assert (short.termination, short.lower_solves, short.exhaustive) == ("solve limit", 2, False)


def test_no_budget_deletes_no_edge():
    found = drop_edges(random_graph(1), 0)
    assert (found.deviation, found.edges.size, found.status) == (0.0, 0, "optimal")
