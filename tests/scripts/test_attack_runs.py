"""Values of attacks."""

from bilad.scripts.attack_runs import better, no_value, share, unending
from bilad.scripts.instances import entry_problem
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


def test_only_limits_end_what_is_compared_at_equal_cost():
    assert unending("corners", BL1) == {"corners": 50 * 2**BL1.perturbation.dim}
    assert unending("kkt", BL1) == {"starts": 1000}
    assert unending("hypergradient", BL1) == {}
    assert unending("random", entry_problem("plane 20", 11)) == {"corners": 10**9}
