"""The last solve of an attack, to high accuracy and without a limit, ends and is accurate.

An attack of least norm lies at a step, where two clusters all but touch: hard for SSNAL. Without
a time limit some of these never ended.
"""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.bilevel.oracle import RECOMPUTE_TOL

# eps of two points, found by (BL2) and slightly varied.
AT_A_STEP = [
    [0.017653441885646413, -0.030881619770717027, 0.45239128248617483, 0.2730307636609818],
    [0.017653284527264633, -0.030882300305878834, 0.4523855783323131, 0.2730431597447504],
    [0.01765345134139848, -0.030881472900900108, 0.45239543871211374, 0.27302841115688814],
    [0.01765344535940368, -0.030881273077478368, 0.4523903604275681, 0.2730318214246551],
    [0.017653441885646413, -0.030881619770717027, 0.45, 0.27],
]


@pytest.mark.parametrize("eps", AT_A_STEP)
def test_ssnal_at_a_step(eps):
    rng = np.random.default_rng(2)
    A = 0.5 * rng.normal(size=(12, 2)) + 2.5 * (np.arange(12) % 3)[:, None] * [1.0, 0.3]
    graph = FusionGraph.knn(A, k=4, phi=0.1)
    A[:2] += np.reshape(eps, (2, 2))
    solution = cluster(ConvexClustering(A, graph, 0.8), "ssnal", RECOMPUTE_TOL, time_limit=5)
    assert solution.status == "optimal"
    assert max(solution.gap, solution.kkt_residual) <= RECOMPUTE_TOL
