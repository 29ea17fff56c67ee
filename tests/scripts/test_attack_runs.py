"""Values of attacks."""

from bilad.scripts.attack_runs import better, no_value, share
from bilad.scripts.known_problems import known_problems

NAMES = list(known_problems())
BL1, BL2 = (known_problems()[name].problem for name in NAMES[:2])
INF = float("inf")


def test_shares_and_order_of_values():
    assert share(BL1, 4.0, 3.0) == 0.75
    assert share(BL2, 3.0, 4.0) == 0.75
    assert share(BL2, 3.0, INF) == 0.0
    assert better(BL1, 2.0, 1.0)
    assert better(BL2, 1.0, 2.0)
    assert (no_value(BL1), no_value(BL2)) == (0.0, INF)
