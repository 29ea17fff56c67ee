"""The answers to (BL1) and (BL2) along a ray."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS, between_clusters, chosen_pairs
from bilad.solvers.clustering.parametric.optimum import largest_deviation, least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path


def sites(path, deviation):
    """Yield (inner end, whether it belongs, value) of every piece and break, both sides."""
    between, at_breakpoints = path.values(deviation)
    for place, value in zip(path.breakpoints, at_breakpoints, strict=True):
        yield abs(place), True, value
    for (low, high), value in zip(pairwise(path.breakpoints), between, strict=True):
        inside = low < 0 < high
        yield (Fraction(0) if inside else min(abs(low), abs(high))), inside, value


def check_answer(path, answer, deviation, wanted):
    held = [(size, not closed) for size, closed, value in sites(path, deviation) if wanted(value)]
    infimum, open_ = min(held)
    assert (answer.infimum, answer.attained) == (infimum, not open_)
    assert wanted(answer.deviation)
    before = path.labels_at(0.0)
    assert PARTITION_DEVIATIONS[deviation].value(before, answer.labels) == answer.deviation
    at_place = PARTITION_DEVIATIONS[deviation].value(before, path.labels_at(answer.eps))
    assert wanted(at_place) or not answer.attained


@pytest.mark.parametrize("deviation", list(PARTITION_DEVIATIONS))
@pytest.mark.parametrize("seed", range(12))
def test_against_all_pieces_and_breaks(seed, deviation, random_case):
    rng = np.random.default_rng(seed)
    case = random_case(rng, 6, int(rng.integers(1, 3)), ["graph", "complete"][seed % 2])
    path = parametric_path(case.model, case.perturbation, case.low, case.high)
    values = np.concatenate(path.values(deviation))
    check_answer(
        path, largest_deviation(path, deviation), deviation, lambda value: value == values.max()
    )
    for target in np.unique(values[values > 0]):
        answer = least_perturbation(path, target, deviation)
        check_answer(path, answer, deviation, lambda value, target=target: value >= target)
    assert least_perturbation(path, values.max() + 1.0, deviation) is None


@pytest.fixture(scope="module")
def group():
    """Eight points at 0 and six at 20, two of the eight move: they part where |eps| > 8 gamma."""
    data = np.r_[np.zeros(8), np.full(6, 20.0)][:, None]
    model = ConvexClustering(data, FusionGraph.complete(14), 0.3)
    V = np.zeros((14, 1))
    V[:2] = 1.0
    return parametric_path(model, Perturbation.shift(V), -18.0, 18.0)


def test_an_infimum_that_is_not_attained(group):
    answer = least_perturbation(group, 1.0)
    parts = 8 * Fraction(0.3)
    assert (answer.infimum, answer.attained) == (parts, False)
    assert answer.deviation == 24
    assert set(answer.labels[:2]).isdisjoint(answer.labels[2:])


def test_a_maximum_on_one_side(group):
    answer = largest_deviation(group)
    joins = 20 - 8 * Fraction(0.3)
    assert (answer.eps, answer.attained, answer.deviation) == (joins, True, 48)
    assert (group.labels_at(joins) == answer.labels).all()


def test_a_deviation_of_some_pairs_only(group):
    assert largest_deviation(group, chosen_pairs([[0, 8]])).deviation == 1
    assert largest_deviation(group, between_clusters([0, 1], [2, 3, 4])).deviation == 6


def test_nothing_changes(group):
    model = ConvexClustering([[0.0], [0.0]], FusionGraph.complete(2), 1.0)
    path = parametric_path(model, Perturbation.shift([[1.0], [0.0]]), -1.0, 1.0)
    answer = largest_deviation(path)
    assert (answer.eps, answer.deviation, answer.attained) == (0, 0.0, True)
    assert least_perturbation(path, 1.0) is None


def test_a_single_place():
    """Two points that no edge joins meet at eps = 1/3 only."""
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    path = parametric_path(model, Perturbation.shift([[3.0], [0.0]]), -3.0, 3.0)
    for answer in (largest_deviation(path), least_perturbation(path, 2.0)):
        assert (answer.eps, answer.attained) == (Fraction(1, 3), True)
        assert (answer.deviation, answer.labels.tolist()) == (2.0, [0, 0])


def test_an_interval_without_zero_needs_a_baseline():
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    path = parametric_path(model, Perturbation.shift([[1.0], [0.0]]), 0.5, 3.0)
    with pytest.raises(ArgumentError, match="eps"):
        largest_deviation(path)
    answer = largest_deviation(path, baseline=np.array([0, 0]))
    assert (answer.eps, answer.attained, answer.deviation) == (Fraction(1, 2), True, 2.0)
