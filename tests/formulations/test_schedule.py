"""The homotopy schedule and its unit of length."""

import numpy as np
import pytest

from bilad.formulations.schedule import Schedule, ScheduleStage, length_unit
from bilad.models import ConvexClustering, FusionGraph
from bilad.models.validation import ArgumentError


def a_model(A, gamma=0.1):
    return ConvexClustering(A, FusionGraph.complete(len(A)), gamma)


def test_pairs_in_the_order_given():
    schedule = Schedule.of((20, 2), (5, 0.2))
    assert schedule.stages == (ScheduleStage(20, 5), ScheduleStage(2, 0.2))
    assert Schedule.of(iter([1.0]), iter([2.0])).stages == (ScheduleStage(1.0, 2.0),)


@pytest.mark.parametrize(("relaxations", "widths"), [((1, 2), (1,)), ((), ()), ((1,), (2, 3))])
def test_refuses_unequal_or_no_lengths(relaxations, widths):
    given = f"{len(relaxations)} relaxations and {len(widths)} widths"
    with pytest.raises(ArgumentError, match=f"schedule: got {given}, expected as many"):
        Schedule.of(relaxations, widths)


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), "much"])
def test_refuses_what_is_not_positive(bad):
    with pytest.raises(ArgumentError, match="relaxation: got .*, expected a finite number > 0"):
        Schedule.of((1.0, bad), (1.0, 1.0))
    with pytest.raises(ArgumentError, match="width: got .*, expected a finite number > 0"):
        Schedule.of((1.0,), (bad,))


@pytest.mark.parametrize("d", [1, 3])
def test_unit_is_the_root_mean_square_distance(d):
    X = np.random.default_rng(0).normal(size=(6, d)) + 30
    squared = [((x - y) ** 2).sum() for x in X for y in X]
    assert length_unit(a_model(np.zeros((6, d))), X) == pytest.approx(np.sqrt(np.mean(squared)))


@pytest.mark.parametrize("factor", [1e-6, 0.3, 1e7])
def test_unit_scales_with_the_data_and_does_not_see_a_translation(factor):
    rng = np.random.default_rng(1)
    A, X = rng.normal(size=(2, 8, 2))
    unit = length_unit(a_model(A), X)
    assert length_unit(a_model(factor * A), factor * X) == pytest.approx(factor * unit)
    assert length_unit(a_model(A + 5), X + 5) == pytest.approx(unit)
    fused = np.full_like(A, 2.0)
    of_data = length_unit(a_model(A), fused)
    assert length_unit(a_model(factor * A), factor * fused) == pytest.approx(factor * of_data)


def test_unit_when_points_or_data_coincide():
    A = np.array([[0.0], [4.0]])
    assert length_unit(a_model(A), np.full((2, 1), 2.0)) == pytest.approx(np.sqrt(8))
    rounding = np.array([[2.0], [2.0 + 4e-16]])
    assert length_unit(a_model(A), rounding) == pytest.approx(np.sqrt(8))
    assert length_unit(a_model(np.full((2, 1), 3.0)), np.full((2, 1), 3.0)) == 1.0
