"""Values of attacks, and the options with which a method is compared."""

import pytest

from bilad.scripts.attack_runs import METHODS, better, no_value, share
from bilad.scripts.instances import Instance
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


@pytest.mark.parametrize(
    ("name", "one", "many"),
    [
        ("kkt scholtes", {"starts": 5, "relaxation": "scholtes"}, 1000),
        ("corners", {"corners": 100}, 100),
        ("hypergradient", {}, None),
    ],
)
def test_only_limits_end_what_is_compared_at_equal_cost(name, one, many):
    assert METHODS[name].on(BL1, 5).options == one
    if many:
        assert many in METHODS[name].on(BL1).options.values()


def test_random_corners_do_not_end():
    large = Instance("entries", "iris", "entries", 20, "inf", "BL1").problem()
    assert METHODS["random"].on(large).options == {"corners": 10**9}
