"""The main setting: Iris, feature 4 in mm, points 51 to 70 shifted by one eps."""

import pytest

from bilad.models import deviation
from bilad.scripts.settings import SETTINGS
from bilad.solvers import attack, cluster

pytestmark = pytest.mark.slow

SETTING = SETTINGS["iris"]
OPTIMUM = 4998


def true_deviation(eps):
    model = SETTING.model()
    after = cluster(SETTING.shift().apply(model, eps), "exact")
    return deviation(cluster(model, "exact").labels, after.labels) if after.proved else -1


def first_step(side):
    """Return the least |eps| on one side of 0 that attains the target, by bisection."""
    below, above = 0.0, next(k / 100 for k in range(1, 801) if reaches(side * k / 100))
    below = above - 0.01
    assert not reaches(side * below)
    while above - below > 1e-10:
        middle = 0.5 * (below + above)
        if reaches(side * middle):
            above = middle
        else:
            below = middle
    return above


def reaches(eps):
    return true_deviation(eps) >= SETTING.target


def say(found):
    """The printed table is shown by `pytest -rP`."""
    eps, solves = float(found.eps[0]), found.lower_solves
    print(f"{found.method}: eps = {eps:.6f}, {found.deviation}, {found.seconds:.1f} s, {solves}")


@pytest.fixture(scope="module")
def direct_by_ssnal():
    """Direct search with a lower-level method that supports any data."""
    return attack(SETTING.max_deviation(), "direct", step=0.01, lower="ssnal")


def test_direct_search_finds_the_optimum(direct_by_ssnal):
    exact = attack(SETTING.max_deviation(), "direct", step=0.01)
    assert exact.deviation == true_deviation(float(exact.eps[0])) == OPTIMUM
    assert direct_by_ssnal.deviation == OPTIMUM
    say(direct_by_ssnal)


@pytest.mark.parametrize("start", [-3, 7])
def test_kkt_from_either_side(direct_by_ssnal, start):
    found = attack(SETTING.max_deviation(), "kkt", start=start)
    assert found.deviation >= 0.999 * OPTIMUM
    assert found.deviation == true_deviation(float(found.eps[0]))
    assert found.lower_solves < 0.1 * direct_by_ssnal.lower_solves
    say(found)


def test_value_function_from_zero():
    found = attack(SETTING.max_deviation(), "value-function", start=0)
    assert found.deviation >= 0.99 * OPTIMUM
    assert found.deviation == true_deviation(float(found.eps[0]))
    say(found)


def test_bl2_finds_the_first_step():
    step = min(first_step(-1), first_step(1))
    assert step == pytest.approx(1.968, abs=1e-3)
    found = attack(SETTING.min_perturbation(), "kkt")
    assert step <= found.norm * (1 + 1e-9)
    assert found.norm == pytest.approx(step, rel=1e-3)
    assert found.deviation >= SETTING.target
    say(found)
