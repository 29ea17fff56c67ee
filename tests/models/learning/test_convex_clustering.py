"""The objectives of convex clustering, compared with loops over points and edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import ConvexClustering, FusionGraph

NORMS = [1, 2, np.inf]
CONJUGATE = {1: np.inf, 2: 2, np.inf: 1}


def primal_by_loop(model, X):
    value = sum(0.5 * (x - a) ** 2 for x, a in zip(X.flat, model.data.flat, strict=True))
    for (i, j), weight in zip(model.graph.edges, model.graph.weights, strict=True):
        value += model.gamma * weight * np.linalg.norm(X[i] - X[j], ord=model.p)
    return value


def dual_by_loop(model, Z):
    """1/2 ||A||^2 - 1/2 ||A - B'Z||^2 at a feasible Z."""
    moved = model.data.copy()
    for (i, j), z in zip(model.graph.edges, Z, strict=True):
        moved[i] -= z
        moved[j] += z
    return 0.5 * (model.data**2).sum() - 0.5 * (moved**2).sum()


def feasible(model, Z):
    """Z, with each row scaled into the ball of the conjugate norm."""
    sizes = np.array([np.linalg.norm(z, ord=CONJUGATE[model.p]) for z in Z])
    scale = np.minimum(1, model.gamma * model.graph.weights / np.maximum(sizes, 1e-300))
    return Z * scale[:, None] if len(Z) else Z


@pytest.mark.parametrize("p", NORMS)
@given(data=st.data())
def test_objectives_are_their_formulas(p, data):
    model = data.draw(problems.models(p=p))
    X = data.draw(problems.data(model.n, model.d))
    Z = feasible(model, data.draw(problems.data(model.graph.m, model.d)))
    assert model.primal(X) == pytest.approx(primal_by_loop(model, X), rel=1e-12)
    assert model.dual(Z) == pytest.approx(dual_by_loop(model, Z), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("p", NORMS)
@given(data=st.data())
def test_weak_duality_and_the_gap(p, data):
    model = data.draw(problems.models(p=p))
    X = data.draw(problems.data(model.n, model.d))
    Z = data.draw(problems.data(model.graph.m, model.d))
    difference = model.primal(X) - model.dual(Z)
    assert model.absolute_gap(X, Z) >= 0
    assert model.absolute_gap(X, Z) == pytest.approx(difference, rel=1e-9, abs=1e-9)
    assert model.gap(X, Z) == pytest.approx(
        difference / (1 + abs(model.primal(X))), rel=1e-9, abs=1e-9
    )


def test_the_gap_keeps_digits_that_the_difference_loses():
    """At X* + h v on a fused pair far from the origin, the gap is h^2 + 2 h gamma - 2 h z."""
    model = ConvexClustering([[1e6], [1e6 + 1]], FusionGraph.complete(2), gamma=1.0)
    Z = np.array([[-0.5]])
    h = 2.0**-20
    X = np.full((2, 1), 1e6 + 0.5) + np.array([[-h], [h]])
    expected = h**2 + 2 * h * (1.0 - 0.5)
    assert model.absolute_gap(X, Z) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("values", [(1.0, 5.0), (5.0, 1.0), (-2.0, -2.0)])
def test_two_points_in_closed_form(p, gamma, values):
    """x = mean +- max(0, |a1 - a2| / 2 - gamma w), w = 1/2."""
    a1, a2 = values
    model = ConvexClustering([[a1], [a2]], FusionGraph.complete(2, 0.5), gamma, p)
    half, sign = max(0.0, abs(a1 - a2) / 2 - gamma / 2), np.sign(a1 - a2)
    X = (a1 + a2) / 2 + half * sign * np.array([[1.0], [-1.0]])
    Z = np.array([[sign * min(gamma / 2, abs(a1 - a2) / 2)]])
    assert model.kkt_residual(X, Z) == pytest.approx(0, abs=1e-15)
    assert model.absolute_gap(X, Z) == pytest.approx(0, abs=1e-15)
    scale = 1 + np.linalg.norm(model.data)
    assert model.kkt_residual(X + 1.0, Z) >= np.sqrt(2) / scale * (1 - 1e-12)
    if sign and gamma:  # a stationary pair that is not complementary
        assert model.kkt_residual(model.data, 0 * Z) >= min(gamma / 2, abs(a1 - a2)) / scale * (
            1 - 1e-12
        )


@pytest.mark.parametrize("p", NORMS)
@given(data=st.data())
def test_project_dual_is_feasible(p, data):
    model = data.draw(problems.models(p=p))
    Z = model.project_dual(10 * data.draw(problems.data(model.graph.m, model.d)))
    radii = model.gamma * model.graph.weights
    for z, radius in zip(Z, radii, strict=True):
        assert np.linalg.norm(z, ord=CONJUGATE[p]) <= radius * (1 + 1e-12) + 1e-13


def test_replace_changes_the_data_only():
    model = ConvexClustering(np.arange(6.0).reshape(3, 2), FusionGraph.complete(3), 0.5, p=1)
    other = model.replace(data=np.ones((3, 2)))
    assert (other.graph, other.gamma, other.p) == (model.graph, 0.5, 1)
    assert (other.data == 1).all()
    assert model.data[2, 1] == 5
    with pytest.raises(ValueError, match=r"^data: got shape"):
        model.replace(data=np.ones((4, 2)))


def test_data_are_copied_and_locked():
    A = np.zeros((2, 1))
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0)
    A[0] = 5
    assert model.data[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        model.data[0] = 5


@pytest.mark.parametrize("p", NORMS)
def test_gamma_zero_and_no_edges(p):
    A = np.array([[0.0, 1.0], [3.0, -1.0], [0.5, 0.5]])
    X = A + 1
    empty = FusionGraph(3, np.empty((0, 2), dtype=int), [])
    for model in (
        ConvexClustering(A, FusionGraph.complete(3), 0.0, p),
        ConvexClustering(A, empty, 2.0, p),
    ):
        Z = np.zeros((model.graph.m, 2))
        assert model.primal(X) == 3.0
        assert model.dual(Z + 5) == 0.0
        assert model.absolute_gap(A, Z) == model.kkt_residual(A, Z) == 0.0


def test_radii():
    graph = FusionGraph(3, list(itertools.combinations(range(3), 2)), [1.0, 0.0, 2.5])
    assert ConvexClustering(np.zeros((3, 1)), graph, 2.0).radii.tolist() == [2.0, 0.0, 5.0]


@pytest.mark.parametrize("p", NORMS)
def test_without_points(p):
    A = np.arange(8.0).reshape(4, 2) ** 2
    model = ConvexClustering(A, FusionGraph(4, [[0, 2], [1, 2], [2, 3]], [1.0, 2.0, 3.0]), 0.7, p)
    smaller = model.without([1])
    assert smaller.data.tolist() == A[[0, 2, 3]].tolist()
    assert smaller.graph.edges.tolist() == [[0, 1], [1, 2]]
    assert smaller.graph.weights.tolist() == [1.0, 3.0]
    assert (smaller.gamma, smaller.p) == (0.7, p)
    same = model.without([])
    assert (same.data.tolist(), same.graph.m) == (A.tolist(), 3)


@pytest.mark.parametrize("p", [1, 2, np.inf, 1.0, 2.0, np.float64(2), np.int64(2)])
def test_every_spelling_of_a_norm(p):
    assert ConvexClustering([[0.0], [1.0]], FusionGraph.complete(2), 1, p=p).p == p


def test_points_that_coincide_are_standardised_in_the_unit_1():
    """Their mean, 0.1 + 1.4e-17, is rounded."""
    scaled, centre, unit = ConvexClustering(
        [[0.1]] * 3, FusionGraph.complete(3), 0.5
    ).standardised()
    assert (unit, centre.tolist(), scaled.data.tolist()) == (1.0, [0.1], [[0.0]] * 3)
