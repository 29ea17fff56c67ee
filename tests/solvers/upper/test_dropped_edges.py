"""Dropped edges against every subset, each solved by hand."""

import itertools

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, deviation
from bilad.solvers import cluster, drop_edges


def random_model(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(6, 2)) + 3 * rng.integers(0, 2, size=(6, 1))
    return ConvexClustering(A, FusionGraph.knn(A, k=2, phi=0.1), float(rng.uniform(0.3, 1.5)))


def value_of(model, dropped, name="delta"):
    """The graph without the edges, built anew; None if the labels are not proved."""
    kept = [e for e in range(model.graph.m) if e not in dropped]
    graph = FusionGraph(model.n, model.graph.edges[kept], model.graph.weights[kept])
    after = cluster(ConvexClustering(model.data, graph, model.gamma, model.p), refine=True)
    before = cluster(model, refine=True).labels
    return deviation(before, after.labels, name) if after.proved else None


@pytest.mark.parametrize("seed", range(4))
def test_every_subset(seed):
    model = random_model(seed)
    found = drop_edges(model, 2)
    subsets = [s for size in (0, 1, 2) for s in itertools.combinations(range(model.graph.m), size)]
    values = [value_of(model, subset) for subset in subsets]
    assert found.lower_solves == len(subsets) - 1
    assert found.deviation == max(value for value in values if value is not None)
    assert found.deviation == value_of(model, found.edges.tolist())
    assert found.deviation == deviation(found.labels_before, found.labels)
    assert found.undecided == values.count(None)
    assert found.exhaustive == (None not in values)


def test_a_bridge_is_what_holds_two_groups_together():
    data = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]])
    edges = [[0, 1], [0, 2], [1, 2], [2, 3], [3, 4], [3, 5], [4, 5]]
    graph = FusionGraph(6, edges, np.ones(7))
    model = ConvexClustering(data, graph, gamma=10.0)
    found = drop_edges(model, 1)
    assert found.edges.tolist() == [3]
    assert (found.deviation, found.status) == (18.0, "optimal")
    assert drop_edges(model, 1, edges=[0, 1, 2]).deviation == 0
    assert drop_edges(model, 3, edges=[3, 4, 5], max_solves=6).edges.tolist() == [3, 4, 5]


def test_greedy_and_the_limit():
    model = random_model(0)
    assert drop_edges(model, 3, max_solves=25).status == "greedy"
    short = drop_edges(model, 3, max_solves=2)
    assert (short.termination, short.lower_solves, short.exhaustive) == ("solve limit", 2, False)


def test_no_budget_changes_nothing():
    found = drop_edges(random_model(1), 0)
    assert (found.deviation, found.edges.size, found.status) == (0.0, 0, "optimal")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": -1}, "budget: got -1"),
        ({"budget": 1, "edges": [99]}, "edges: got"),
        ({"budget": 1, "deviation": "none"}, "deviation: got 'none'"),
        ({"budget": 1, "max_solves": -1}, "max_solves: got -1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        drop_edges(random_model(0), **arguments)
