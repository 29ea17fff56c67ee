"""Shares that balance: of the solution on its faces, each edge by itself."""

import numpy as np

from bilad.formulations.clustering.central_shares import central_shares
from bilad.models import ConvexClustering, FusionGraph


def test_two_points_tied_in_both_features():
    """The tie decides how the force is shared."""
    A = np.array([[4.0, 3.5], [0.0, 0.0]])
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0, np.inf)
    ties = np.array([[1.0], [-1.0], [-1.0], [1.0]])
    shares = central_shares(model, np.array([0, 1]), np.ones((1, 2)), ties)
    # Each end moves by the shares: 4 - 2 s = 3.5 - 2 (1 - s).
    assert np.allclose(shares, [[0.625, 0.375]], atol=1e-6)


def test_ties_that_cannot_be():
    """The features differ by more than the shares can make up for."""
    A = np.array([[4.0, 0.0], [0.0, 0.0]])
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0, np.inf)
    ties = np.array([[1.0], [-1.0], [-1.0], [1.0]])
    shares = central_shares(model, np.array([0, 1]), np.ones((1, 2)), ties)
    assert shares is None
