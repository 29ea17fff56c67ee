"""Values of attacks."""

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.attack_runs import better, no_value, shown_value, unending
from bilad.scripts.known_problems import known_problems

NAMES = list(known_problems())
BL1, BL2 = (known_problems()[name].problem for name in NAMES[:2])
INF = float("inf")


def test_the_order_of_values():
    assert better(BL1, 2.0, 1.0)
    assert better(BL2, 1.0, 2.0)
    assert (no_value(BL1), no_value(BL2)) == (0.0, INF)
    assert (shown_value(0.0), shown_value(INF), shown_value(2.0)) == ("-", "-", "2")


def test_only_limits_end_what_is_compared_at_equal_cost():
    assert unending(BL1) == {"corners": 50 * 2**BL1.perturbation.dim}
    model = ConvexClustering(np.eye(11), FusionGraph.complete(11), 1.0)
    many = MaxDeviation(model, Perturbation.additive((11, 11), features=[0]), 1.0)
    assert unending(many) == {"corners": 10**9}
