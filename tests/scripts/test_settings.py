"""The settings' data and perturbations."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from bilad.models import DatasetError, MaxDeviation, MinPerturbation
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster

IRIS = SETTINGS["iris"]


def test_iris_is_petal_width_in_whole_millimetres():
    data = IRIS.model().data
    assert data.shape == (100, 1)
    assert np.array_equal(data, np.round(data))
    assert pytest.approx(10 * load_iris().data[:100, 3]) == data[:, 0]
    assert (data.min(), data.max()) == (1, 18)


def test_the_shift_moves_points_51_to_70():
    model = IRIS.model()
    moved = IRIS.shift().apply(model, -2.5).data - model.data
    assert np.flatnonzero(moved).tolist() == list(range(50, 70))
    assert (moved[50:70] == -2.5).all()


def test_the_problems_share_model_and_range():
    bl1, bl2 = IRIS.max_deviation(), IRIS.min_perturbation()
    assert isinstance(bl1, MaxDeviation)
    assert isinstance(bl2, MinPerturbation)
    assert (bl1.budget, bl2.radius, bl2.target) == (8.0, 8.0, 1200)
    for problem in (bl1, bl2):
        assert problem.model.gamma == 0.1
        assert problem.model.graph.uniform_weight == 1.0
        assert problem.deviation.name == "delta"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_setting_describes_itself(setting):
    text = setting.describe()
    first, last = setting.shifted
    for part in (setting.dataset, setting.unit, f"{first}..{last}", f"{setting.gamma:g}"):
        assert part in text
    assert setting.shift().changes(1.0)["data"].sum() == last - first + 1


@pytest.mark.parametrize("name", ["iris", "wine", "seeds"])
def test_every_setting_has_a_robust_interval_and_a_staircase(name):
    setting = SETTINGS[name]
    try:
        problem = setting.max_deviation()
    except DatasetError:
        pytest.skip("Seeds is not here")
    before = cluster(problem.model).labels
    shift = problem.perturbation

    def delta(eps):
        after = cluster(shift.apply(problem.model, eps)).labels
        return problem.deviation.value(before, after)

    assert np.bincount(before).max() < problem.model.n
    assert delta(setting.budget * 1e-3) == delta(-setting.budget * 1e-3) == 0
    values = [delta(eps) for eps in np.linspace(-setting.budget, setting.budget, 41)]
    assert len(set(values)) >= 3
    assert max(values) >= setting.target
