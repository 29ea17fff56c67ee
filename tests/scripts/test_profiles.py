"""Performance profiles, compared with values computed by hand."""

import matplotlib.image
import numpy as np

from bilad.scripts.profiles import draw_profile, ratios, solved_within

INF = float("inf")


def test_ratios_and_shares_of_dolan_and_more():
    costs = np.array([[1.0, 2.0], [3.0, INF], [INF, INF], [4.0, 1.0]])
    table = ratios(costs)
    assert table.tolist() == [[1, 2], [1, INF], [INF, INF], [4, 1]]
    assert solved_within(table[:, 0], np.array([1.0, 3.9, 4.0])).tolist() == [0.5, 0.5, 0.75]
    assert solved_within(table[:, 1], np.array([1.0, 100.0])).tolist() == [0.25, 0.5]


def test_the_profile_is_drawn(tmp_path):
    costs = {f"method {k}": np.array([1.0 + k, 2.0, INF]) for k in range(9)}
    draw_profile(costs, "some", tmp_path / "some.png")
    assert matplotlib.image.imread(tmp_path / "some.png").ndim == 3
    draw_profile({"none": np.array([INF])}, "none", tmp_path / "none.png")
