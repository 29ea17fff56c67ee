"""Flows with maximal slack: they are balanced and optimal for problems solved by hand."""

import numpy as np
import pytest
import scipy.sparse as sp

from bilad.formulations.clustering.max_slack_flow import max_slack_flow
from bilad.models import FusionGraph

NORMS = (1, 2, np.inf)


def block(n):
    return FusionGraph.complete(n).incidence.tocsr()


@pytest.mark.parametrize("q", NORMS)
def test_meets_the_demand(q):
    rng = np.random.default_rng(0)
    B, demand = block(5), rng.normal(size=(5, 2))
    demand -= demand.mean(axis=0)
    radii = np.full(10, 2.0)
    z = max_slack_flow(B, demand, radii, np.ones(10), q)
    np.testing.assert_allclose(B.T @ z, demand, atol=1e-6)
    assert (np.linalg.norm(z, q, axis=1) < radii).all()


@pytest.mark.parametrize("q", NORMS)
def test_a_triangle_shares_the_load(q):
    """One unit flows from point 0 to 1: half of it directly, and none if the direct edge grows."""
    B, demand = block(3), np.array([[1.0], [-1.0], [0.0]])
    radii = np.full(3, 2.0)
    z = max_slack_flow(B, demand, radii, np.ones(3), q)
    # The least room is largest where straight and round carry the same.
    np.testing.assert_allclose(z[:, 0], [0.5, 0.5, -0.5], atol=1e-6)
    z = max_slack_flow(B, demand, radii, np.array([3.0, 1.0, 1.0]), q)
    # rho = (2 - |z|) / 3 at most.
    np.testing.assert_allclose(z[0, 0], 0.0, atol=1e-6)


def test_a_flow_is_returned_for_a_demand_above_the_capacities():
    """The slack is then negative; the caller checks the capacities."""
    z = max_slack_flow(block(2), np.array([[5.0], [-5.0]]), np.ones(1), np.ones(1), 2)
    np.testing.assert_allclose(z, [[5.0]], atol=1e-6)


def test_units_do_not_matter():
    B, demand = block(3), np.array([[1.0], [-1.0], [0.0]])
    for unit in (1e-9, 1e9):
        z = max_slack_flow(B, unit * demand, np.full(3, 2 * unit), np.full(3, 1e3), 2)
        np.testing.assert_allclose(z[:, 0] / unit, [0.5, 0.5, -0.5], atol=1e-5)


def test_no_points_without_balance():
    """All capacities but one are zero, so the flow must use the path."""
    B = sp.csr_array(np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]))
    z = max_slack_flow(
        B, np.array([[1.0], [0.0], [-1.0]]), np.array([2.0, 3.0]), np.ones(2), np.inf
    )
    np.testing.assert_allclose(z, [[1.0], [1.0]], atol=1e-6)
