"""No eps shorter than a certified radius changes the partition, hard as one may try."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster
from bilad.solvers.certificates import cluster_flow
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
