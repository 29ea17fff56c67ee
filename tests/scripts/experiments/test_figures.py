"""Performance and data profiles, compared with values computed by hand."""

import numpy as np
import pytest

from bilad.scripts.experiments.figures import profile

INF = float("inf")


def shares(curve, *at):
    axis, solved = curve
    return [float(solved[np.searchsorted(axis, x, side="right") - 1]) for x in at]


def test_ratios_and_shares_of_dolan_and_more():
    costs = {"a": np.array([1.0, 3.0, INF, 4.0]), "b": np.array([2.0, INF, INF, 1.0])}
    curves = profile(costs, 1e-3, relative=True)
    assert shares(curves["a"], 1.0, 3.9, 4.1) == [0.5, 0.5, 0.75]
    assert shares(curves["b"], 1.9, 2.1, 4.7) == [0.25, 0.5, 0.5]


def test_a_data_profile_has_the_costs_themselves():
    costs = {"a": np.array([1.0, 4.0, INF]), "b": np.array([INF, 2.0, INF])}
    curves = profile(costs, 0.5, relative=False)
    assert curves["a"][0][[0, -1]] == pytest.approx([0.5, 4.8])
    assert shares(curves["a"], 0.9, 1.1, 4.1) == [0.0, 1 / 3, 2 / 3]
    assert shares(curves["b"], 1.9, 4.7) == [0.0, 1 / 3]


def test_small_costs_are_not_distinguished():
    costs = {"a": np.array([1e-9]), "b": np.array([1e-5])}
    curves = profile(costs, 1e-3, relative=True)
    assert shares(curves["a"], 1.0) == shares(curves["b"], 1.0) == [1.0]
