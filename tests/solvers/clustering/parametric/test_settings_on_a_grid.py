"""The settings of the experiments against a grid of lower-level solutions."""

import os
from fractions import Fraction

import numpy as np
import pytest

from bilad.models import deviation
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.optimum import largest_deviation, least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

NEAR = 1e-9  # of a break: `apply` rounds the data, and the package's proofs have their resolution

SOME = [
    "iris",
    pytest.param(
        "seeds", marks=pytest.mark.skipif("BILAD_DATA" not in os.environ, reason="needs BILAD_DATA")
    ),
    "wine",
]


def path_of(setting):
    return parametric_path(setting.model(), setting.shift(), -setting.budget, setting.budget)


def mismatches(setting, points):
    """Return how many proved solutions of a grid differ, how many do not, and how many are not."""
    model, shift, path = setting.model(), setting.shift(), path_of(setting)
    grid = np.linspace(-setting.budget, setting.budget, points)
    far = [eps for eps in grid if np.abs(path.inner_breakpoints - eps).min() > NEAR]
    solutions = [(eps, cluster(shift.apply(model, eps), "exact")) for eps in far]
    proved = [(eps, solution.labels) for eps, solution in solutions if solution.proved]
    wrong = sum((path.labels_at(eps) != labels).any() for eps, labels in proved)
    return wrong, len(proved) - wrong, len(solutions) - len(proved)


@pytest.mark.parametrize("name", SOME)
def test_on_a_coarse_grid(name):
    wrong, compared, undecided = mismatches(SETTINGS[name], 401)
    assert wrong == 0
    assert compared + undecided > 380


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_on_a_fine_grid(name):
    wrong, compared, undecided = mismatches(SETTINGS[name], 4001)
    assert wrong == 0
    assert compared > 3000
    assert compared + undecided > 3800


def test_the_main_setting_solved_globally():
    """Both optima are the step near -1.968 mm: there a direct search at 0.01 mm finds -1.97."""
    setting = SETTINGS["iris"]
    path = path_of(setting)
    largest, least = largest_deviation(path), least_perturbation(path, setting.target)
    assert largest.deviation == least.deviation == 4998
    assert largest.eps == least.eps
    assert float(largest.eps) == pytest.approx(-1.968, abs=1e-12)
    assert largest.attained
    model, shift = setting.model(), setting.shift()
    beyond = cluster(shift.apply(model, float(largest.eps) - 1e-9), "exact")
    assert beyond.proved
    assert deviation(cluster(model).labels, beyond.labels) == 4998


def test_what_doubles_leave_undecided_is_decided(ray_case, complete_partition_at):
    """Two clusters touch over a range of eps, up to rounding; exactly they are apart or not."""
    setting = SETTINGS["iris"]
    model, shift, path = setting.model(), setting.shift(), path_of(setting)
    grid = np.linspace(-setting.budget, setting.budget, 161)
    undecided = [eps for eps in grid if cluster(shift.apply(model, eps), "exact").remark]
    assert len(undecided) > 20
    case = ray_case(model, shift, -setting.budget, setting.budget)
    for eps in undecided:
        assert path.labels_at(eps).tolist() == complete_partition_at(case, Fraction(eps))
