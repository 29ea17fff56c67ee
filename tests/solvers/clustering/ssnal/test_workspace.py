"""A workspace serves the models it fits, and only these."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.ssnal.linear_systems import Factor
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace

DATA = np.random.default_rng(0).normal(size=(12, 2))
GRAPH = FusionGraph.knn(DATA, k=4)
MODEL = ConvexClustering(DATA, GRAPH, 0.3)
SAME_EDGES = FusionGraph(12, GRAPH.edges, GRAPH.weights)


@pytest.mark.parametrize(
    ("model", "fits"),
    [
        (MODEL, True),
        (MODEL.replace(data=2 * DATA), True),
        (ConvexClustering(DATA, GRAPH, 5.0), True),
        (ConvexClustering(DATA, GRAPH, 0.0), False),
        (ConvexClustering(DATA, GRAPH, 0.3, 1), False),
        (ConvexClustering(DATA[:, :1], GRAPH, 0.3), False),
        (ConvexClustering(DATA, SAME_EDGES, 0.3), False),
        (ConvexClustering(DATA, FusionGraph.complete(12), 0.3), False),
    ],
)
def test_it_fits_the_same_graph_norm_and_edges_of_positive_capacity(model, fits):
    assert Workspace(MODEL).fits(model) == fits


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_it_is_handed_on_where_it_fits_and_replaced_where_not(p):
    model = ConvexClustering(DATA, GRAPH, 0.3, p)
    first = cluster(model, "ssnal")
    moved = cluster(model.replace(data=DATA + 0.1), "ssnal", start=first)
    assert moved.reusable is first.reusable
    other = cluster(ConvexClustering(DATA, GRAPH, 0.3, 1 if p == 2 else 2), "ssnal", start=first)
    assert other.reusable is not first.reusable
    assert other.status == moved.status == "optimal"


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_one_of_another_graph_is_left_alone(p):
    model = ConvexClustering(DATA, GRAPH, 0.3, p)
    other = ConvexClustering(DATA[::-1], FusionGraph.complete(12), 0.1, p)
    foreign = solve_ssnal(other, 1e-10).workspace
    penalties = list(foreign.penalties)
    solution, alone = solve_ssnal(model, 1e-10, workspace=foreign), solve_ssnal(model, 1e-10)
    assert np.array_equal(solution.X, alone.X)
    assert solution.workspace is not foreign
    assert foreign.penalties == penalties


def test_a_factorisation_that_fails_is_remarked_and_the_answer_is_right(monkeypatch):
    expected = cluster(MODEL, "ssnal", tol=1e-10)
    assert expected.remark == ""

    def failing(self, blocks):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(Factor, "update", failing)
    solution = cluster(MODEL, "ssnal", tol=1e-10)
    assert solution.remark == "a factorisation failed; conjugate gradients took its place"
    assert solution.status == "optimal"
    np.testing.assert_allclose(solution.X, expected.X, rtol=0, atol=1e-4)  # gaps of 1e-10
    assert np.array_equal(solution.labels, expected.labels)
