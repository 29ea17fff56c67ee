"""The dynamic program on trees: long and wide ones, and ties between branches."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.exact.forest import Forest

SHAPES = {
    "chain": lambda v, rng: v - 1,
    "star": lambda v, rng: 0 * v,
    "binary": lambda v, rng: (v - 1) // 2,
    "random": lambda v, rng: (rng.random(len(v)) * v).astype(int),
    "comb": lambda v, rng: np.where(v % 2, v - 1, np.maximum(v - 2, 0)),
}


def tree(shape, n, rng):
    children = np.arange(1, n)
    edges = np.column_stack([SHAPES[shape](children, rng), children])
    return FusionGraph(n, edges, rng.uniform(0.5, 1.5, n - 1))


def check(model, solution):
    assert solution.method == "exact"
    Z, U = solution.Z[:, 0], model.graph.differences(solution.X)[:, 0]
    assert (np.abs(Z) <= model.radii).all()
    assert np.array_equal(U * Z, model.radii * np.abs(U))
    flow = np.bincount(model.graph.edges[:, 0], Z, model.n)
    flow -= np.bincount(model.graph.edges[:, 1], Z, model.n)
    scale = np.abs(model.data).max()
    assert model.data[:, 0] - flow == pytest.approx(solution.X[:, 0], abs=1e-11 * scale)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gamma", [0.1, 1.0, 8.0])
def test_complementarity_on_every_shape(shape, gamma):
    rng = np.random.default_rng(5)
    model = ConvexClustering(3 * rng.normal(size=(3000, 1)), tree(shape, 3000, rng), gamma)
    solution = cluster(model, "exact")
    check(model, solution)
    assert solution.proved


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_hundred_thousand_points(shape):
    rng = np.random.default_rng(6)
    n = 100_000
    model = ConvexClustering(np.cumsum(rng.normal(size=(n, 1)), axis=0), tree(shape, n, rng), 3.0)
    solution = cluster(model, "exact")
    check(model, solution)
    assert solution.gap < 1e-12
    assert solution.seconds < 30


def test_a_chain_of_steps_in_closed_form():
    """Each end moves by gamma over its length; the valley between by twice that over its own."""
    values = np.repeat([10.0, 0.0, 20.0], [4, 7, 2])
    graph = FusionGraph(13, [(i, i + 1) for i in range(12)], np.ones(12))
    solution = cluster(ConvexClustering(values[:, None], graph, 2.0), "exact")
    expected = np.repeat([9.5, 4 / 7, 19.0], [4, 7, 2])
    assert solution.X[:, 0] == pytest.approx(expected, abs=1e-14)
    assert solution.labels.tolist() == np.repeat([0, 1, 2], [4, 7, 2]).tolist()
    assert solution.proved


def test_a_step_that_flow_crosses_at_full_capacity_is_undecided():
    """No slack proves the middle of a staircase, whose every edge carries gamma."""
    graph = FusionGraph(4, [(0, 1), (1, 2), (2, 3)], np.ones(3))
    solution = cluster(ConvexClustering([[0.0], [5.0], [5.0], [10.0]], graph, 1.0), "exact")
    assert solution.X[:, 0] == pytest.approx([1.0, 5.0, 5.0, 9.0], abs=1e-15)
    assert solution.labels.tolist() == [0, 1, 1, 2]
    assert solution.undecided.tolist() == [[1, 2]]


def test_branches_that_end_at_one_level_are_undecided_not_apart():
    """The leaves 5 and -5 of a star move to 4 and -4; two leaves at 5 are alike but not joined."""
    graph = FusionGraph(4, [(0, 1), (0, 2), (0, 3)], np.ones(3))
    values = np.array([[0.0], [5.0], [5.0], [-6.0]])
    solution = cluster(ConvexClustering(values, graph, 1.0), "exact")
    assert solution.X[:, 0] == pytest.approx([1.0, 4.0, 4.0, -5.0], abs=1e-15)
    assert solution.labels.tolist() == [0, 1, 1, 2]
    assert solution.undecided.tolist() == [[1, 2]]


def test_far_from_the_origin_as_near_it():
    rng = np.random.default_rng(7)
    graph = tree("random", 200, rng)
    near = np.round(rng.normal(size=(200, 1)), 3)
    here = cluster(ConvexClustering(near, graph, 0.7), "exact")
    far = cluster(ConvexClustering(near + 2.0**20, graph, 0.7), "exact")
    np.testing.assert_allclose(far.X - 2.0**20, here.X, rtol=0, atol=1e-9)


def test_subtrees_are_intervals():
    rng = np.random.default_rng(8)
    name = rng.permutation(50)
    edges = np.sort(name[[(int(rng.integers(0, v)), v) for v in range(1, 50) if v % 9]], axis=1)
    forest = Forest(50, edges, np.ones(len(edges)))
    assert sorted(forest.order) == list(range(50))
    for place, parent in enumerate(forest.parent):
        if parent >= 0:
            assert parent < place < forest.end[place] <= forest.end[parent]
    joined = {tuple(sorted(forest.order[[c, p]])) for c, p in enumerate(forest.parent) if p >= 0}
    assert joined == {tuple(edge) for edge in edges}
