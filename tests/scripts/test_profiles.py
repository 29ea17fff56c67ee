"""Performance and data profiles, compared with values computed by hand."""

import numpy as np
import pytest

from bilad.models import ArgumentError
from bilad.scripts.profiles import (
    data_profile,
    performance_profile,
    ratios,
    solved_within,
)

INF = float("inf")


def test_ratios_and_shares_of_dolan_and_more():
    costs = np.array([[1.0, 2.0], [3.0, INF], [INF, INF], [4.0, 1.0]])
    table = ratios(costs)
    assert table.tolist() == [[1, 2], [1, INF], [INF, INF], [4, 1]]
    assert solved_within(table[:, 0], np.array([1.0, 3.9, 4.0])).tolist() == [0.5, 0.5, 0.75]
    assert solved_within(table[:, 1], np.array([1.0, 100.0])).tolist() == [0.25, 0.5]


def test_a_data_profile_has_the_costs_themselves():
    curves = data_profile({"a": np.array([1.0, 4.0, INF]), "b": np.array([INF, 2.0, INF])})
    axis, solved = curves["a"]
    assert axis[-1] == pytest.approx(4.8)
    assert solved[axis < 1].max() == 0
    assert solved[-1] == pytest.approx(2 / 3)
    assert curves["b"][1][-1] == pytest.approx(1 / 3)
    relative = performance_profile({"a": np.array([1.0, 4.0]), "b": np.array([INF, 2.0])})
    assert relative["a"][1][[0, -1]].tolist() == [0.5, 1.0]


def test_a_profile_needs_a_problem():
    with pytest.raises(ArgumentError, match="costs"):
        data_profile({"a": np.array([])})
