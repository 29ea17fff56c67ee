"""Points with masses in SSNAL: a point of mass k is k points in one place, tied together."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace


def with_copies(model, masses):
    """The model with `masses[i]` copies of point i, tied by heavy edges; and the first of each."""
    first = np.concatenate([[0], np.cumsum(masses)[:-1]])
    ties = [(i, i + k) for i, mass in zip(first, masses, strict=True) for k in range(1, mass)]
    edges = np.vstack([first[model.graph.edges], ties])
    weights = np.concatenate([model.graph.weights, np.full(len(ties), 1e3)])
    graph = FusionGraph(int(masses.sum()), edges, weights)
    data = np.repeat(model.data, masses, axis=0)
    return ConvexClustering(data, graph, model.gamma, model.p), first


@pytest.mark.parametrize("p", [1, 2, float("inf")])
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("gamma", [0.05, 1.0])
def test_a_mass_is_many_points_in_one_place(p, d, gamma):
    rng = np.random.default_rng(d)
    A = rng.normal(size=(9, d))
    model = ConvexClustering(A, FusionGraph.knn(A, k=4), gamma, p)
    masses = rng.integers(2, 6, size=9)
    ours = solve_ssnal(model, 1e-12, workspace=Workspace(model, masses.astype(float)))
    assert ours.status == "optimal"
    whole, first = with_copies(model, masses)
    theirs = cluster(whole, "clarabel", tol=1e-9)
    assert np.linalg.norm(ours.X - theirs.X[first]) <= 1e-5
    assert whole.primal(np.repeat(ours.X, masses, axis=0)) <= theirs.objective * (1 + 1e-9)
    forces = masses[:, None] * (ours.X - A) + model.graph.adjoint(ours.Z)
    assert np.linalg.norm(forces) <= 1e-9


def test_many_features_and_masses_in_conjugate_gradients():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(60, 10))
    model = ConvexClustering(A, FusionGraph.knn(A, k=5, phi=0.02), 0.3)
    masses = rng.integers(1, 50, size=60).astype(float)
    ours = solve_ssnal(model, 1e-10, workspace=Workspace(model, masses))
    assert ours.status == "optimal"
    forces = masses[:, None] * (ours.X - A) + model.graph.adjoint(ours.Z)
    assert np.linalg.norm(forces) <= 1e-8
    U = model.graph.differences(ours.X)
    slack = model.radii * np.linalg.norm(U, axis=1) - (ours.Z * U).sum(axis=1)
    assert slack.sum() <= 1e-8
