"""Perturbations: perturbed entries and their order, bounds, and affinity."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    LogisticRegression,
    MaxDeviation,
    Perturbation,
    Ridge,
)


def test_shift_is_eps_times_the_direction():
    V = np.array([[1.0, 0.0], [-2.0, 3.0]])
    shift = Perturbation.shift(V)
    assert (shift.dim, dict(shift.shapes)) == (1, {"data": (2, 2)})
    assert np.array_equal(shift.changes([0.5])["data"], 0.5 * V)
    assert np.array_equal(shift.changes(0.5)["data"], 0.5 * V)


def test_additive_moves_every_entry_in_row_major_order():
    everything = Perturbation.additive((2, 3))
    assert everything.dim == 6
    assert everything.changes(np.arange(6.0))["data"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("points", "features", "expected"),
    [
        ([2, 0], None, [[3, 4], [0, 0], [1, 2]]),
        (None, [1], [[0, 1], [0, 2], [0, 3]]),
        ([1, 2], [1, 0], [[0, 0], [2, 1], [4, 3]]),
    ],
)
def test_additive_moves_the_chosen_entries_in_the_given_order(points, features, expected):
    perturbation = Perturbation.additive((3, 2), points, features)
    assert perturbation.changes(np.arange(1.0, perturbation.dim + 1))["data"].tolist() == expected


@given(data=st.data())
def test_affine_and_the_operator_is_its_linear_part(data):
    n, d = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    chosen = data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    V = data.draw(problems.data(n, d).filter(np.any))
    perturbation = data.draw(
        st.sampled_from([Perturbation.shift(V), Perturbation.additive((n, d), points=chosen)])
    )
    eps, other = (data.draw(problems.data(1, perturbation.dim))[0] for _ in range(2))
    left = perturbation.changes(2 * eps - 3 * other)["data"]
    right = 2 * perturbation.changes(eps)["data"] - 3 * perturbation.changes(other)["data"]
    assert np.array_equal(left, right)  # quarters: exact
    assert np.array_equal(
        (perturbation.operators["data"].toarray() @ eps).reshape(n, d),
        perturbation.changes(eps)["data"],
    )
    assert not perturbation.changes(np.zeros(perturbation.dim))["data"].any()


def test_apply_adds_to_the_data_and_keeps_the_model():
    model = ConvexClustering([[1.0], [2.0], [4.0]], FusionGraph.complete(3), 0.1, p=1)
    moved = Perturbation.additive((3, 1), points=[1]).apply(model, [10.0])
    assert moved.data.ravel().tolist() == [1, 12, 4]
    assert (moved.graph, moved.gamma, moved.p) == (model.graph, 0.1, 1)
    assert model.data.ravel().tolist() == [1, 2, 4]


def affine(perturbation, model, eps):
    """A + T eps and w (1 - S eps), computed with dense matrices."""
    T, minus_S = map(perturbation.operators.get, ("data", "weights"))
    data = model.data.ravel() + (0 if T is None else T.toarray() @ eps)
    weights = model.graph.weights * (1 if minus_S is None else 1 + minus_S.toarray() @ eps)
    return data.reshape(model.data.shape), weights


def bounded(perturbation, units):
    """An eps within its bounds from numbers in [-1, 1]; up to 2 where there is no bound."""
    lower = np.where(np.isinf(perturbation.lower), -2, perturbation.lower)
    upper = np.where(np.isinf(perturbation.upper), 2, perturbation.upper)
    return lower + (upper - lower) * (units + 1) / 2


@st.composite
def perturbed(draw):
    """A model and a random perturbation of it."""
    model = draw(problems.models(max_n=5, graph=problems.complete_graphs))
    n, d, m = model.n, model.d, model.graph.m
    rows = draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    chosen = draw(st.lists(st.integers(0, m - 1), unique=True, min_size=1))
    kinds = [
        Perturbation.additive((n, d), points=rows),
        Perturbation.edges(model.graph, chosen),
        Perturbation.edges(model.graph),
    ]
    if model.data[rows].any():
        kinds.append(Perturbation.multiplicative(model.data, points=rows))
    if model.data.any():
        kinds.append(Perturbation.shift(model.data))
    return model, draw(st.sampled_from(kinds))


@given(data=st.data())
def test_apply_is_affine_with_both_operators(data):
    model, perturbation = data.draw(perturbed())
    units = data.draw(problems.data(1, perturbation.dim, st.floats(-1, 1)))[0]
    eps = bounded(perturbation, units)
    moved = perturbation.apply(model, eps)
    A, weights = affine(perturbation, model, eps)
    assert moved.data == pytest.approx(A, rel=1e-12, abs=1e-12)
    assert moved.graph.weights == pytest.approx(weights, rel=1e-9, abs=1e-11)
    assert (moved.gamma, moved.p) == (model.gamma, model.p)
    unmoved = perturbation.apply(model, np.zeros(perturbation.dim))
    assert np.array_equal(unmoved.data, model.data)
    assert np.array_equal(unmoved.graph.weights, model.graph.weights)


@given(data=st.data())
def test_multiplicative_is_additive_with_scaled_eps(data):
    n, d = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 3))
    A = data.draw(problems.data(n, d).filter(np.all))
    rows = data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    columns = data.draw(st.lists(st.integers(0, d - 1), unique=True, min_size=1))
    model = ConvexClustering(A, FusionGraph.complete(n), 0.1)
    relative = Perturbation.multiplicative(A, rows, columns)
    absolute = Perturbation.additive((n, d), rows, columns)
    eps = data.draw(problems.data(1, relative.dim))[0]
    moved = relative.apply(model, eps).data
    scaled = absolute.apply(model, eps * A[np.ix_(rows, columns)].ravel()).data
    assert np.array_equal(moved, scaled)  # quarters: exact
    expected = A.copy()
    expected[np.ix_(rows, columns)] *= 1 + eps.reshape(len(rows), len(columns))
    assert np.array_equal(moved, expected)


def test_multiplicative_keeps_the_eps_of_a_zero():
    A = np.array([[0.0, 2.0], [3.0, 0.0]])
    perturbation = Perturbation.multiplicative(A, points=[0])
    assert (perturbation.dim, perturbation.operators["data"].nnz) == (2, 1)
    assert perturbation.changes([5.0, 0.5])["data"].tolist() == [[0, 1], [0, 0]]


def test_edges_lower_the_chosen_weights_and_drop_them_at_one():
    graph = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [1.0, 2.0, 4.0])
    model = ConvexClustering([[0.0], [1.0], [2.0], [3.0]], graph, 0.1)
    perturbation = Perturbation.edges(graph, [2, 0])
    assert (perturbation.dim, dict(perturbation.shapes)) == (2, {"weights": (3,)})
    assert perturbation.lower.tolist() == [0, 0]
    assert perturbation.upper.tolist() == [1, 1]
    moved = perturbation.apply(model, [0.25, 1.0])
    assert moved.graph.weights.tolist() == [0, 2, 3]
    assert moved.data.tolist() == model.data.tolist()
    assert moved.graph.edges is graph.edges
    assert graph.weights.tolist() == [1, 2, 4]
    everything = Perturbation.edges(graph).apply(model, np.ones(3))
    assert not everything.graph.weights.any()
    one = Perturbation.edges(FusionGraph.complete(3), [1])
    complete = ConvexClustering(np.eye(3), FusionGraph.complete(3), 0.1)
    assert one.apply(complete, 1.0).graph.weights.tolist() == [1, 0, 1]


def test_rounding_at_a_bound_is_clipped_and_an_edge_dropped_up_to_rounding_is_gone():
    graph = FusionGraph(2, [[0, 1]], [3.0])
    model = ConvexClustering([[0.0], [1.0]], graph, 0.1)
    perturbation = Perturbation.edges(graph)
    assert perturbation.vector([1 + 1e-13]).tolist() == [1.0]
    assert perturbation.vector([-1e-13]).tolist() == [0.0]
    for nearly in (1 + 1e-13, 1 - 1e-14):
        assert perturbation.apply(model, [nearly]).graph.weights.tolist() == [0.0]


@given(data=st.data(), eps_unit=st.floats(1e-6, 1e6), data_unit=st.floats(1e-6, 1e6))
def test_in_units_is_the_same_perturbation(data, eps_unit, data_unit):
    model, perturbation = data.draw(perturbed())
    scaled = perturbation.in_units(eps_unit, {"data": data_unit})
    units = data.draw(problems.data(1, perturbation.dim, st.floats(-1, 1)))[0]
    eps = bounded(perturbation, units)
    changes, expected = scaled.changes(eps / eps_unit), perturbation.changes(eps)
    assert changes.keys() == expected.keys()
    for name, unit in (("data", data_unit), ("weights", 1.0)):
        if name in changes:
            assert unit * changes[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-9)
    weights = scaled.apply(model, eps / eps_unit).graph.weights
    expected_weights = perturbation.apply(model, eps).graph.weights
    assert weights == pytest.approx(expected_weights, rel=1e-9, abs=1e-11)


GRAPH = FusionGraph.complete(2)
THREE = sp.csr_array(np.eye(4)[:, :3])


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("operator", ((3, 2), THREE)),
        ("shape", ((2, 0), THREE)),
        ("operator", ((2, 2), "identity")),
        ("graph", ((2, 2), THREE, "knn")),
        ("edge_operator", ((2, 2), THREE, GRAPH)),
        ("edge_operator", ((2, 2), THREE, None, sp.csr_array((1, 3)))),
        ("edge_operator", ((2, 2), THREE, GRAPH, sp.csr_array((1, 2)))),
        ("lower", ((2, 2), THREE, None, None, 0.1)),
        ("lower", ((2, 2), THREE, None, None, [0.0, 0.0])),
        ("upper", ((2, 2), THREE, None, None, 0.0, [1.0, -0.1, 1.0])),
        ("upper", ((2, 2), THREE, None, None, 0.0, np.nan)),
    ],
)
def test_parts_that_do_not_agree_are_refused(argument, arguments):
    with pytest.raises(ArgumentError, match=f"^{argument}"):
        Perturbation.linear(*arguments)


@pytest.mark.parametrize("shape", [3, (3,), [3]])
def test_targets_are_moved_one_by_one(shape):
    model = Ridge([[0.0], [1.0], [2.0]], [1.0, -1.0, 5.0])
    moved = Perturbation.targets(shape).apply(model, [0.5, 0.0, -2.0])
    assert moved.targets.tolist() == [1.5, -1.0, 3.0]
    assert np.array_equal(moved.data, model.data)
    two = Perturbation.targets(shape, points=[2, 0]).apply(model, [0.25, 4.0])
    assert two.targets.tolist() == [5.0, -1.0, 5.25]


@pytest.mark.parametrize("kind", [Ridge, LogisticRegression])
@pytest.mark.parametrize("points", [None, [0, 1, 2], np.array([0, 1, 2])])
def test_flips_take_the_labels_of_the_model(kind, points):
    flips = Perturbation.flips(points)
    for labels in ([1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]):
        y = np.array(labels)
        model = kind([[0.0], [1.0], [2.0]], y)
        moved = flips.apply(model, [1.0, 0.25, 0.0])
        assert moved.targets.tolist() == [-y[0], 0.5 * y[1], y[2]]
        bound = flips.bound_to(model)
        assert (bound.lower.tolist(), bound.upper.tolist()) == ([0.0] * 3, [1.0] * 3)
        assert bound.bound_to(model) is bound
        assert MaxDeviation(model, flips, 1, "count", "distance").perturbation.dim == 3


def test_flips_of_chosen_points_keep_their_order_and_survive_a_copy():
    model = Ridge([[0.0], [1.0], [2.0]], [1.0, -1.0, 1.0])
    flips = pickle.loads(pickle.dumps(deepcopy(Perturbation.flips([2, 1]))))
    assert flips.apply(model, [1.0, 0.0]).targets.tolist() == [1.0, -1.0, -1.0]
    with pytest.raises(AttributeError, match="bound_to"):
        _ = flips.dim


def test_another_model_is_refused():
    model = ConvexClustering([[0.0], [1.0]], GRAPH, 1.0)
    for wrong in (Perturbation.additive((2, 2)), Perturbation.edges(FusionGraph.complete(3))):
        with pytest.raises(ArgumentError, match="perturbation"):
            wrong.apply(model, np.zeros(wrong.dim))


@pytest.mark.parametrize("copied", [deepcopy, lambda given: pickle.loads(pickle.dumps(given))])
def test_a_copy_does_the_same(copied):
    graph = FusionGraph.complete(3)
    moved = Perturbation.linear((3, 1), np.eye(3)[:, :2], graph, np.eye(3)[:, 1:], -1.0, [1.0, 2.0])
    again = copied(moved)
    assert again.shapes == moved.shapes
    assert again.structure.has_edges_of(graph)
    assert (again.lower.tolist(), again.upper.tolist()) == ([-1.0, -1.0], [1.0, 2.0])
    for name, change in moved.changes([0.5, 1.0]).items():
        assert np.array_equal(again.changes([0.5, 1.0])[name], change)


def test_one_row_for_each_entry_of_eps():
    frame = Perturbation.additive((3, 2), points=[2, 0], features=[1]).to_frame()
    assert frame.point.tolist() == [2, 0]
    assert frame.feature.tolist() == [1, 1]
    assert frame.part.tolist() == ["data", "data"]
    assert frame.factor.tolist() == [1, 1]
    assert (frame.upper == np.inf).all()


def test_an_entry_of_eps_that_moves_several_or_none_has_no_place():
    shift = Perturbation.shift([[1.0], [2.0]]).to_frame()
    assert shift[["part", "entries"]].values.tolist() == [["data", 2]]
    assert shift[["point", "factor"]].isna().all(axis=None)
    idle = Perturbation({"mine": [[0.0, 3.0]]}, {"mine": (1,)}, -1, 1).to_frame()
    assert idle.entries.tolist() == [0, 1]
    assert idle.part.isna().tolist() == [True, False]
    assert idle["axis 0"].tolist()[1] == 0


def test_edges_and_targets_as_a_frame():
    graph = FusionGraph.complete(3)
    edges = Perturbation.edges(graph, [2, 0]).to_frame()
    assert edges.edge.tolist() == [2, 0]
    assert edges.upper.tolist() == [1.0, 1.0]
    assert Perturbation.targets(5, [3]).to_frame().point.tolist() == [3]
    with pytest.raises(AttributeError, match="bound_to"):
        Perturbation.flips().to_frame()
