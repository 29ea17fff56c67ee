"""The answers to (BL1) and (BL2) along a ray."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, Perturbation
from bilad.models.deviation import DEVIATIONS, between_clusters, chosen_pairs
from bilad.solvers.staircase import largest_deviation, least_perturbation, staircase


def sites(stairs, deviation):
    """Yield (inner end, whether it belongs, value) of every piece and break, both sides."""
    between, at_breaks = stairs.values(deviation)
    for place, value in zip(stairs.breaks, at_breaks, strict=True):
        yield abs(place), True, value
    for (low, high), value in zip(pairwise(stairs.breaks), between, strict=True):
        inside = low < 0 < high
        yield (Fraction(0) if inside else min(abs(low), abs(high))), inside, value


def check_answer(stairs, answer, deviation, wanted):
    held = [(size, not closed) for size, closed, value in sites(stairs, deviation) if wanted(value)]
    infimum, open_ = min(held)
    assert (answer.infimum, answer.attained) == (infimum, not open_)
    before = stairs.labels_at(0.0)
    at_place = DEVIATIONS[deviation].value(before, stairs.labels_at(answer.place))
    assert wanted(at_place) or not answer.attained
    if answer.eps is None:
        return
    assert abs(Fraction(answer.eps)) >= infimum
    assert answer.labels.tolist() == stairs.labels_at(answer.eps).tolist()
    assert wanted(DEVIATIONS[deviation].value(before, stairs.labels_at(answer.eps)))
    assert wanted(answer.deviation)
    if answer.eps:  # neither neighbour of it towards 0 will do
        nearer = math.nextafter(abs(answer.eps), 0.0)
        for number in (nearer, -nearer):
            value = DEVIATIONS[deviation].value(before, stairs.labels_at(number))
            assert not wanted(value)


@pytest.mark.parametrize("deviation", list(DEVIATIONS))
@pytest.mark.parametrize("seed", range(12))
def test_against_all_pieces_and_breaks(seed, deviation, random_case):
    rng = np.random.default_rng(seed)
    case = random_case(rng, 6, int(rng.integers(1, 3)), ["graph", "complete"][seed % 2])
    stairs = staircase(case.model, case.perturbation, case.low, case.high)
    values = np.concatenate(stairs.values(deviation))
    check_answer(
        stairs, largest_deviation(stairs, deviation), deviation, lambda value: value == values.max()
    )
    for target in np.unique(values[values > 0]):
        answer = least_perturbation(stairs, target, deviation)
        check_answer(stairs, answer, deviation, lambda value, target=target: value >= target)
    assert least_perturbation(stairs, values.max() + 1.0, deviation) is None


@pytest.fixture(scope="module")
def group():
    """Eight points at 0 and six at 20, two of the eight move: they part where |eps| > 8 gamma."""
    data = np.r_[np.zeros(8), np.full(6, 20.0)][:, None]
    model = ConvexClustering(data, FusionGraph.complete(14), 0.3)
    V = np.zeros((14, 1))
    V[:2] = 1.0
    return staircase(model, Perturbation.shift(V), -18.0, 18.0)


def test_an_infimum_that_is_not_attained(group):
    answer = least_perturbation(group, 1.0)
    parts = 8 * Fraction(0.3)
    assert (answer.infimum, answer.attained) == (parts, False)
    assert 0 < abs(Fraction(answer.eps)) - parts < 1e-15
    assert answer.deviation == 24
    assert set(map(abs, answer.stretch)) == {parts, 18}


def test_a_maximum_on_one_side(group):
    answer = largest_deviation(group)
    joins = 20 - 8 * Fraction(0.3)
    assert (answer.place, answer.attained, answer.deviation) == (joins, True, 48)
    assert answer.stretch == (joins, 18)
    beyond = answer.beyond(1e-3)
    assert 0 < Fraction(beyond) - joins < Fraction(1e-3)
    assert (group.labels_at(beyond) == answer.labels).all()
    assert math.isclose(answer.beyond(100.0), (joins + 18) / 2)


def test_a_deviation_of_some_pairs_only(group):
    assert largest_deviation(group, chosen_pairs([[0, 8]])).deviation == 1
    assert largest_deviation(group, between_clusters([0, 1], [2, 3, 4])).deviation == 6


def test_nothing_changes(group):
    model = ConvexClustering([[0.0], [0.0]], FusionGraph.complete(2), 1.0)
    stairs = staircase(model, Perturbation.shift([[1.0], [0.0]]), -1.0, 1.0)
    answer = largest_deviation(stairs)
    assert (answer.eps, answer.deviation, answer.attained) == (0.0, 0.0, True)
    assert least_perturbation(stairs, 1.0) is None


@pytest.mark.parametrize(("step", "eps"), [(4.0, 0.25), (3.0, None)])
def test_a_single_place_is_found_and_named_by_a_double_if_it_is_one(step, eps):
    """Two points that no edge joins meet at eps = 1 / step only."""
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    stairs = staircase(model, Perturbation.shift([[step], [0.0]]), -3.0, 3.0)
    for answer in (largest_deviation(stairs), least_perturbation(stairs, 2.0)):
        assert (answer.place, answer.attained) == (Fraction(1, int(step)), True)
        assert (answer.eps, answer.deviation) == (eps, 2.0)
        assert answer.stretch == (answer.place, answer.place)
        assert answer.beyond(0.1) is None
        assert answer.labels.tolist() == [0, 0]


def test_the_other_side_has_the_double():
    """Pairs of points meet at 1/3, which is no double, and at -1/2."""
    model = ConvexClustering([[0.0], [1.0], [0.0], [-1.0]], FusionGraph(4, [], []), 1.0)
    V = [[3.0], [0.0], [2.0], [0.0]]
    stairs = staircase(model, Perturbation.shift(V), -0.75, 0.45)
    answer = least_perturbation(stairs, 2.0, baseline=np.arange(4))
    assert answer.place == 0  # the first and the third point are together there
    answer = least_perturbation(stairs, 2.0, chosen_pairs([[0, 1], [2, 3]]))
    assert answer is None
    answer = least_perturbation(stairs, 1.0, chosen_pairs([[0, 1], [2, 3]]))
    assert (answer.place, answer.attained, answer.eps) == (Fraction(1, 3), True, -0.5)


def test_an_interval_without_zero_needs_a_baseline():
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    stairs = staircase(model, Perturbation.shift([[1.0], [0.0]]), 0.5, 3.0)
    with pytest.raises(ArgumentError, match="eps"):
        largest_deviation(stairs)
    answer = largest_deviation(stairs, baseline=np.array([0, 0]))
    assert (answer.place, answer.attained, answer.deviation) == (Fraction(1, 2), True, 2.0)


@pytest.mark.parametrize("margin", [0.0, -1.0, np.nan])
def test_the_margin_is_positive(group, margin):
    with pytest.raises(ArgumentError, match="margin"):
        largest_deviation(group).beyond(margin)
