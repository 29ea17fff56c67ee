"""Performance and data profiles, compared with values computed by hand."""

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from bilad.models import ArgumentError
from bilad.scripts.profiles import (
    attained_after,
    data_profile,
    draw_profile,
    performance_profile,
    ratios,
    solved_within,
)

INF, NAN = float("inf"), float("nan")


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


def test_costs_of_a_table():
    both = {"seed": 0, "own_share": 1.0}
    table = pd.DataFrame(
        [
            {"problem": "p", "label": "a", "sense": "max", "best": 10.0,
             "history": [(1, 0.1, 5.0), (4, 0.5, 9.5), (9, 2.0, 10.0)], **both},
            {"problem": "p", "label": "b", "sense": "max", "best": 10.0, "history": [], **both},
            {"problem": "q", "label": "a", "sense": "min", "best": 1.0,
             "history": [(2, 0.2, 2.0), (3, 0.3, 1.05)], **both},
            {"problem": "none", "label": "a", "sense": "min", "best": INF, "history": [], **both,
             "own_share": NAN},
        ]
    )  # fmt: skip
    seconds = attained_after(table, 0.95)
    assert {label: own.tolist() for label, own in seconds.items()} == {
        "a": [0.5, 0.3], "b": [INF, INF],
    }  # fmt: skip
    assert attained_after(table, 1.0, "solves")["a"].tolist() == [9, INF]
    for wrong, argument in (((0.0,), "share"), ((0.9, "hours"), "unit")):
        with pytest.raises(ArgumentError, match=argument):
            attained_after(table, *wrong)
    with pytest.raises(ArgumentError, match="costs"):
        data_profile(attained_after(table[table.problem == "none"]))


def test_the_profile_is_drawn(tmp_path):
    costs = {f"method {k}": np.array([1.0 + k, 2.0, INF]) for k in range(9)}
    for curves in (performance_profile(costs), data_profile({"none": np.array([INF])})):
        draw_profile(curves, "some", tmp_path / "some.png")
        assert matplotlib.image.imread(tmp_path / "some.png").ndim == 3
