"""Deviation functions, compared with n x n matrices, brute force and numbers of the paper."""

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import (
    adjusted_rand_score,
    mutual_info_score,
    normalized_mutual_info_score,
    rand_score,
)

from bilad.models import ArgumentError, between_clusters, chosen_pairs, deviation
from bilad.models.deviation import (
    DEVIATIONS,
    PARTITION_DEVIATIONS,
    changed_matched,
    contingency,
    deviation_function,
    renamed,
)

NAMES = sorted(PARTITION_DEVIATIONS)


@st.composite
def two_labellings(draw, max_clusters=5):
    n = draw(st.integers(2, 14))
    values = st.lists(st.integers(0, max_clusters - 1), min_size=n, max_size=n)
    return np.array(draw(values)), np.array(draw(values))


def relation(labels):
    """D D' for the membership matrix D of a partition."""
    D = (labels[:, None] == np.unique(labels)).astype(int)
    return D @ D.T


@given(two_labellings())
def test_delta_is_the_norm_of_the_matrices(pair):
    labels, other = pair
    assert deviation(labels, other) == ((relation(labels) - relation(other)) ** 2).sum()


@given(two_labellings())
def test_delta_and_the_rand_index(pair):
    labels, other = pair
    n = len(labels)
    one_minus_ri = 1 - rand_score(labels, other)
    assert deviation(labels, other) == pytest.approx(n * (n - 1) * one_minus_ri, abs=1e-9)
    assert deviation(labels, other, "rand") == pytest.approx(one_minus_ri, abs=1e-12)


@given(two_labellings())
def test_contingency_counts(pair):
    labels, other = pair
    expected = [
        [np.sum((labels == k) & (other == m)) for m in np.unique(other)] for k in np.unique(labels)
    ]
    assert contingency(labels, other).tolist() == expected


@pytest.mark.parametrize(
    ("n", "n1", "leave", "expected"),
    [(100, 50, 6, 1128), (100, 50, 49, 4998), (140, 70, 25, 5750), (100, 50, 50, 5000)],
)
def test_the_numbers_of_the_paper(n, n1, leave, expected):
    labels = np.repeat([0, 1], [n1, n - n1])
    other = labels.copy()
    other[:leave] = 1
    assert expected == 2 * leave * (n - leave)
    # With all 50 gone one cluster is left: 2 * 50 * 50 pairs were torn from none and joined.
    assert deviation(labels, other) == expected


@given(two_labellings(max_clusters=4))
def test_changed_and_the_best_matching(pair):
    labels, other = pair
    assert deviation(labels, other, "changed") == sum(a != b for a, b in zip(*pair, strict=True))
    best = min(
        np.sum(np.array(names)[labels] != other) for names in itertools.permutations(range(4))
    )
    assert deviation(labels, other, "changed-matched") == best


@pytest.mark.parametrize("name", [name for name in NAMES if name != "changed"])
@given(pair=two_labellings(), names=st.permutations(range(5)))
def test_the_numbers_of_the_clusters_do_not_matter(name, pair, names):
    labels, other = pair
    renamed = 7 * np.array(names)[other] - 3
    assert deviation(labels, renamed, name) == pytest.approx(
        deviation(labels, other, name), abs=1e-12
    )
    assert deviation(labels, 7 * np.array(names)[labels] - 3, name) == 0


def test_changed_reads_the_numbers():
    assert deviation([0, 0, 1], [1, 1, 0], "changed") == 3
    assert deviation([0, 0, 1], [1, 1, 0], "changed-matched") == 0


@pytest.mark.parametrize("name", NAMES)
@given(pair=two_labellings())
def test_a_deviation_function_is_zero_nonnegative_symmetric_and_bounded(name, pair):
    labels, other = pair
    value = deviation(labels, other, name)
    assert deviation(labels, labels, name) == 0
    assert 0 <= value <= DEVIATIONS[name].largest(len(labels)) + 1e-12
    assert value == pytest.approx(deviation(other, labels, name), abs=1e-12)
    if relation(labels).tolist() != relation(other).tolist():
        assert value > 0


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_largest_value_of_delta_is_reached(n):
    one, many = np.zeros(n, dtype=int), np.arange(n)
    assert deviation(one, many) == DEVIATIONS["delta"].largest(n) == n * (n - 1)
    assert deviation(one, many, "rand") == DEVIATIONS["rand"].largest(n) == 1
    assert deviation(one, many, "changed-matched") == DEVIATIONS["changed-matched"].largest(n)


def test_conventions_of_ari_and_nmi():
    one, two, many = [0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]
    assert deviation(one, one, "nmi") == deviation(many, many, "nmi") == 0
    assert deviation(one, two, "nmi") == deviation(two, one, "nmi") == 1
    assert deviation(one, many, "nmi") == 1
    assert deviation(one, one, "adjusted-rand") == deviation(many, many, "adjusted-rand") == 0
    assert deviation(one, two, "adjusted-rand") == 1
    # Entropies log 2 and 2 log 2, mutual information log 2: arithmetic mean 2/3, geometric 0.707.
    assert deviation(two, many, "nmi") == pytest.approx(1 / 3)
    assert deviation([0, 0, 1, 1], [0, 1, 0, 1], "adjusted-rand") == pytest.approx(1.5)


@given(two_labellings())
def test_ari_and_nmi_are_those_of_scikit_learn(pair):
    labels, other = pair
    assert deviation(labels, other, "nmi") == pytest.approx(
        1 - normalized_mutual_info_score(*pair), abs=1e-12
    )
    assert deviation(labels, other, "adjusted-rand") == pytest.approx(
        1 - adjusted_rand_score(*pair), abs=1e-12
    )


@st.composite
def three_labellings(draw):
    n = draw(st.integers(2, 12))
    values = st.lists(st.integers(0, 4), min_size=n, max_size=n)
    return tuple(np.array(draw(values)) for _ in range(3))


@given(three_labellings())
def test_the_variation_of_information_is_a_metric(labellings):
    def distance(first, second):
        return deviation(first, second, "variation-of-information")

    one, two, three = labellings
    assert distance(one, two) == pytest.approx(distance(two, one), abs=1e-12)
    assert distance(one, three) <= distance(one, two) + distance(two, three) + 1e-12
    assert (distance(one, two) == 0) == (relation(one) == relation(two)).all()


@given(two_labellings())
def test_the_variation_of_information_in_entropies(pair):
    """H(I) + H(J) - 2 MI(I, J), from SciPy's entropy and scikit-learn's mutual information."""
    labels, other = pair
    expected = sum(entropy(np.bincount(side)) for side in pair) - 2 * mutual_info_score(*pair)
    value = deviation(labels, other, "variation-of-information")
    assert value == pytest.approx(expected, abs=1e-12)


def test_the_variation_of_information_by_hand():
    name, log = "variation-of-information", np.log
    one, two, many = [0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]
    assert deviation(one, two, name) == pytest.approx(log(2))
    assert deviation(two, many, name) == pytest.approx(log(2))
    assert deviation(two, [0, 1, 0, 1], name) == pytest.approx(2 * log(2))
    # One point of four changes sides: H(U|V) = 3/4 H(1/3, 2/3), H(V|U) = 1/2 log 2.
    by_hand = (log(3) + 2 * log(3 / 2)) / 4 + log(2) / 2
    assert deviation(two, [0, 1, 1, 1], name) == pytest.approx(by_hand)
    # The bound is reached: one cluster against points alone.
    assert deviation(one, many, name) == pytest.approx(DEVIATIONS[name].largest(4)) == log(4)


def over_pairs(function, labels, other):
    """sum c_ij [the relation of i and j changed], computed by a loop."""
    pairs, coefficients = function.pairs(len(labels))
    assert pairs.shape == (len(coefficients), 2)
    total = 0
    for (i, j), c in zip(pairs.tolist(), coefficients.tolist(), strict=True):
        assert 0 <= i < j < len(labels)
        assert c > 0
        total += c * ((labels[i] == labels[j]) != (other[i] == other[j]))
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    return total


@st.composite
def additive_functions(draw, n):
    """A random deviation function that is additive over pairs."""
    every = list(itertools.combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(every), unique=True, min_size=1))
    turned = [pair[::-1] if draw(st.booleans()) else pair for pair in chosen]
    order = draw(st.permutations(range(n)))
    cut = draw(st.integers(1, n - 1))
    end = draw(st.integers(cut + 1, n))
    return draw(
        st.sampled_from(
            [
                DEVIATIONS["delta"],
                DEVIATIONS["rand"],
                chosen_pairs(turned),
                between_clusters(order[:cut], order[cut:end]),
            ]
        )
    )


@given(data=st.data(), pair=two_labellings())
def test_additive_functions_are_their_sum_over_pairs(data, pair):
    labels, other = pair
    function = data.draw(additive_functions(len(labels)))
    value = deviation(labels, other, function)
    assert value == pytest.approx(over_pairs(function, labels, other), abs=1e-12)
    assert value == function.value(labels, other)
    assert 0 <= value <= function.largest(len(labels))
    renamed = [3 - 7 * label for label in other]
    assert deviation(labels, renamed, function) == value


@given(data=st.data(), n=st.integers(2, 9))
def test_the_largest_value_of_an_additive_function_is_reached(data, n):
    function = data.draw(additive_functions(n))
    one, many = np.zeros(n, dtype=int), np.arange(n)
    largest = function.largest(n)
    assert deviation(one, many, function) == deviation(many, one, function) == largest
    assert function.pairs(n)[1].sum() == pytest.approx(largest)


def test_only_functions_of_the_relations_have_pairs():
    additive = {name for name, function in DEVIATIONS.items() if function.pairs}
    assert additive == {"delta", "rand"}
    assert deviation_function(DEVIATIONS["nmi"]) is DEVIATIONS["nmi"]


def test_chosen_pairs_count_the_changed_ones():
    function = chosen_pairs([[3, 0], [1, 2]])
    assert (function.name, function.least_n) == ("chosen-pairs", 4)
    assert function.pairs(9)[0].tolist() == [[0, 3], [1, 2]]
    assert deviation([0, 0, 1, 1], [0, 0, 1, 0], function) == 1
    assert deviation([0, 0, 1, 1], [0, 1, 1, 0], function) == 2
    assert deviation([0, 0, 1, 1], [1, 1, 0, 0], function) == 0


def test_between_clusters_counts_what_merges_them():
    labels = np.repeat([0, 1, 2], [3, 4, 2])
    merged = np.repeat([0, 0, 2], [3, 4, 2])
    function = between_clusters(range(3), range(3, 7))
    assert deviation(labels, merged, function) == 12 == function.largest(9)
    moved = labels.copy()
    moved[0] = 1  # one point of the first group joins the second
    assert deviation(labels, moved, function) == 4
    moved[0] = 2
    assert deviation(labels, moved, function) == 0  # the third is no target


def test_between_clusters_of_many_points_needs_no_matrix_of_pairs():
    n = 40_000
    function = between_clusters(range(n // 2), range(n // 2, n))
    together, apart = np.zeros(n, dtype=int), np.arange(n)
    tracemalloc.start()
    assert deviation(together, apart, function) == (n // 2) ** 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("name", NAMES)
def test_a_function_that_has_a_name_can_be_sent_to_another_process(name):
    function, n = DEVIATIONS[name], 5
    first, second = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 1])
    copy = pickle.loads(pickle.dumps(function))
    assert copy.value(first, second) == function.value(first, second)
    assert copy.largest(n) == function.largest(n)
    if function.pairs is not None:
        for part, other in zip(copy.pairs(n), function.pairs(n), strict=True):
            assert np.array_equal(part, other)


def test_clusters_are_renamed_so_that_fewest_points_change():
    before = np.array([0, 0, 0, 5, 5, 7])
    assert renamed(before, np.array([3, 3, 1, 1, 1, 0])).tolist() == [0, 0, 5, 5, 5, 7]
    more = renamed(before, np.arange(6))
    assert sorted(more) == [0, 5, 7, 8, 9, 10]
    assert np.count_nonzero(more != before) == changed_matched(before, more) == 3
    assert renamed(before, np.full(6, -1)).tolist() == [0] * 6


def test_what_two_accurate_solutions_may_deviate_by():
    distance, delta = DEVIATIONS["distance"], DEVIATIONS["delta"]
    theta = np.array([3.0, 4.0])
    assert delta.uncertainty(theta) == 0
    assert distance.uncertainty(theta) == pytest.approx(5e-6)
    for size, same in ((4.9e-6, True), (5.1e-6, False)):
        assert distance.are_the_same(theta, np.array([3.0, 4.0 + size])) is same
    assert delta.are_the_same(np.array([0, 0, 1]), np.array([5, 5, 2]))
    assert not delta.are_the_same(np.array([0, 0, 1]), np.array([5, 2, 2]))


def test_any_change_of_a_partition_is_one_of_delta_and_is_at_least_two():
    """One pair that is torn apart or joined counts twice; the distance has no least value."""
    for name in ("rand", "nmi", "changed-matched"):
        function, least = DEVIATIONS[name].of_any_change()
        assert (function.name, least) == ("delta", 2.0)
    assert deviation([0, 0], [0, 1]) == 2
    with pytest.raises(ArgumentError, match="every eps may be an attack"):
        DEVIATIONS["distance"].of_any_change()


def test_functions_of_chosen_points_need_these_points():
    for function in (
        chosen_pairs([[4, 1]]),
        between_clusters([0], [4]),
        between_clusters([4], [0]),
    ):
        assert function.least_n == 5
        function.check_points(5)
        with pytest.raises(ArgumentError, match="with point 4, expected points 0 to 3"):
            function.check_points(4)
    DEVIATIONS["delta"].check_points(2)
