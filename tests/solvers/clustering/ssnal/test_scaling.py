"""The scaled problem has the errors of the model, and its units convert both ways."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.ssnal.scaling import ScaledProblem
from bilad.solvers.clustering.ssnal.workspace import Workspace

NORMS = (1, 2, np.inf)


def make(p=2, scale=1.0, offset=0.0, d=3, share=1.0):
    """A model with some edges of capacity zero, its scaled problem, a random X, a feasible Z."""
    rng = np.random.default_rng(0)
    A = scale * (rng.normal(size=(12, d)) + offset)
    graph = FusionGraph.knn(A / scale, k=4)
    weights = np.where(rng.random(graph.m) < 0.3, 0.0, graph.weights)
    model = ConvexClustering(A, FusionGraph(12, graph.edges, weights), 0.5 * scale, p)
    X = A + 0.2 * scale * rng.normal(size=A.shape)
    Z = model.project_dual(scale * rng.normal(size=(graph.m, d)))
    work = Workspace(model)
    return model, ScaledProblem(model, work.positive, work.edges, share), X, Z


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-8, 5.0), (1e8, -5.0)])
def test_there_and_back(p, scale, offset):
    model, scaled, X, Z = make(p, scale, offset)
    there = scaled.enter(X, Z)
    assert there[1].shape == (np.count_nonzero(model.radii), 3)
    back = scaled.leave(*there)
    np.testing.assert_allclose(back[0], X, rtol=0, atol=1e-14 * np.abs(X).max())
    np.testing.assert_allclose(back[1], Z, rtol=0, atol=1e-14 * model.radii.max())


def test_what_it_lets_in_and_out_is_feasible():
    model, scaled, X, Z = make()
    inside = scaled.enter(X, 100 * Z)[1]
    assert (np.linalg.norm(inside, axis=1) <= scaled.radii * (1 + 1e-15)).all()
    outside = scaled.leave(X, 100 * inside)[1]
    assert (np.linalg.norm(outside, axis=1) <= model.radii * (1 + 1e-15)).all()


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("scale", [1e-8, 1e-2, 1.0, 1e2, 1e8])
def test_errors_are_the_larger_of_those_in_two_units(p, scale):
    model, scaled, X, Z = make(p, scale, offset=2.0)
    standard, centre, unit = model.standardised()
    found = scaled.measure(*scaled.enter(X, Z))
    gaps = model.gap(X, Z), standard.gap((X - centre) / unit, Z / unit)
    assert found.gap == pytest.approx(max(gaps))
    assert found.residual >= model.kkt_residual(X, Z) * (1 - 1e-12)
    assert found.residual >= standard.kkt_residual((X - centre) / unit, Z / unit) * (1 - 1e-12)
    assert found.error == max(found.gap, found.residual)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_errors_of_the_features_add_up_to_no_less_than_that_of_the_whole(scale):
    model, _, X, Z = make(1, scale)
    work = Workspace(model)
    parts = []
    for k in range(model.d):
        part = ConvexClustering(model.data[:, [k]], model.graph, model.gamma, 1)
        scaled = ScaledProblem(part, work.positive, work.edges, 1 / model.d)
        parts.append(scaled.measure(*scaled.enter(X[:, [k]], Z[:, [k]])))
    assert model.gap(X, Z) <= max(part.gap for part in parts)
    assert model.kkt_residual(X, Z) <= max(part.residual for part in parts)


def test_means_over_fused_edges_are_taken_only_if_they_are_better():
    _, scaled, X, Z = make()
    there, dual = scaled.enter(X, Z)
    none, every = np.zeros(len(dual), dtype=bool), np.ones(len(dual), dtype=bool)
    plain = scaled.measure(there, dual)
    assert scaled.better_pair(there, dual, none).error == plain.error
    assert scaled.better_pair(there, dual, every).error <= plain.error
    one = scaled.better_pair(there * 1e3, dual, every)
    blocks = np.unique(np.round(one.X, 10), axis=0)
    assert len(blocks) < 12
    assert one.X.sum(axis=0) == pytest.approx(1e3 * there.sum(axis=0))
