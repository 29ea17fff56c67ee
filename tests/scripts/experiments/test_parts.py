"""Perturbations of edges: those that are listed, or all of some points."""

import numpy as np
import pytest

from bilad.models import ArgumentError
from bilad.scripts.experiments.parts import clouds, convex_clustering, edges


@pytest.fixture
def model():
    return convex_clustering(clouds(np.random.default_rng(0), points=20), gamma=1.0, neighbours=3)


def test_all_edges_of_some_points(model):
    free = edges(model, np.random.default_rng(0), points=[2, 5])
    moved = free.changes(np.full(free.dim, 0.5))["weights"] != 0
    assert np.array_equal(moved, np.isin(model.graph.edges, [2, 5]).any(axis=1))
    drawn = edges(model, np.random.default_rng(0), points=3)
    assert 3 <= drawn.dim < model.graph.m


@pytest.mark.parametrize("given", [{}, {"edges": 3, "points": 2}])
def test_either_edges_or_points(model, given):
    with pytest.raises(ArgumentError, match="edges: got .*, expected either edges or points"):
        edges(model, np.random.default_rng(0), **given)
