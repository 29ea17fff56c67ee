"""The continuation schedule."""

import pytest

from bilad.formulations.schedule import Schedule, ScheduleStage
from bilad.models.validation import ArgumentError


def test_pairs_in_the_order_given():
    schedule = Schedule.of((20, 2), (5, 0.2))
    assert schedule.stages == (ScheduleStage(20, 5), ScheduleStage(2, 0.2))
    assert Schedule.of(iter([1.0]), iter([2.0])).stages == (ScheduleStage(1.0, 2.0),)


@pytest.mark.parametrize(("relaxations", "widths"), [((1, 2), (1,)), ((), ()), ((1,), (2, 3))])
def test_refuses_unequal_or_no_lengths(relaxations, widths):
    given = f"{len(relaxations)} relaxations and {len(widths)} widths"
    with pytest.raises(ArgumentError, match=f"schedule: got {given}, expected two sequences"):
        Schedule.of(relaxations, widths)


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), "much"])
def test_refuses_what_is_not_positive(bad):
    with pytest.raises(ArgumentError, match="relaxation: got .*, expected a finite number > 0"):
        Schedule.of((1.0, bad), (1.0, 1.0))
    with pytest.raises(ArgumentError, match="width: got .*, expected a finite number > 0"):
        Schedule.of((1.0,), (bad,))
