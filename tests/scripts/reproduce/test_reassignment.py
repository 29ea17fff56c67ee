"""Reassignment of points: closed forms compared with matrices, labels and enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ArgumentError, deviation
from bilad.scripts.reproduce.reassignment import (
    monotone_range,
    reassignment,
    reassignment_deviation,
)


def all_sizes(most, clusters):
    """Every (n_1, .., n_K) with n_1 + .. + n_K <= most and 2 <= K <= clusters."""
    for K in range(2, clusters + 1):
        for sizes in itertools.product(range(1, most), repeat=K):
            if sum(sizes) <= most:
                yield sizes


def all_moves(sizes):
    """Every (s_2, .., s_K) with sum at most n_1."""
    for moved in itertools.product(range(sizes[0] + 1), repeat=len(sizes) - 1):
        if sum(moved) <= sizes[0]:
            yield moved


def relation(labels):
    """Return D D' for the membership matrix D, with a column for each cluster."""
    D = (labels[:, None] == np.unique(labels)).astype(int)
    return D @ D.T


def scan(sizes, direction):
    """Return the range in which delta is nondecreasing, by enumeration."""
    last, t = 0, 0
    while (t + 1) * sum(direction) <= sizes[0]:
        new = reassignment_deviation(sizes, [(t + 1) * count for count in direction])
        if new < last:
            return t
        last, t = new, t + 1
    return t


@st.composite
def large(draw, max_n=200, max_clusters=8):
    """Draw sizes with up to max_n points, and numbers of points that move."""
    cuts = draw(st.sets(st.integers(1, max_n - 1), min_size=1, max_size=max_clusters - 1))
    sizes = np.diff([0, *sorted(cuts), max_n])
    ends = draw(
        st.lists(st.integers(0, sizes[0]), min_size=len(sizes) - 1, max_size=len(sizes) - 1)
    )
    return sizes, np.diff([0, *sorted(ends)])


def test_the_closed_form_for_all_sizes_and_all_moves():
    """Theorems 3 to 5, n <= 9 and K <= 4."""
    patterns = 0
    for sizes in all_sizes(9, 4):
        n, n1, K = sum(sizes), sizes[0], len(sizes)
        for moved in all_moves(sizes):
            labels, other = reassignment(sizes, moved)
            matrices = ((relation(labels) - relation(other)) ** 2).sum()
            S, forms = sum(moved), [reassignment_deviation(sizes, moved), deviation(labels, other)]
            if K == 2:
                forms.append(2 * S * (n - S))
            if K == 3:
                (s2, s3), (_, n2, n3) = moved, sizes
                forms.append(2 * (S * (n1 - S) + s2 * s3 + n2 * s2 + n3 * s3))
            assert set(forms) == {matrices}, (sizes, moved)
            patterns += 1
    assert patterns == 2544


@given(large())
def test_the_closed_form_of_large_partitions(case):
    sizes, moved = case
    labels, other = reassignment(sizes, moved)
    assert np.bincount(labels).tolist() == sizes.tolist()
    after = np.r_[sizes[0] - moved.sum(), sizes[1:] + moved]
    assert np.bincount(other, minlength=len(sizes)).tolist() == after.tolist()
    assert (other != labels).sum() == moved.sum()
    assert reassignment_deviation(sizes, moved) == deviation(labels, other)


def test_which_points_leave():
    """The last points of the first cluster move, in order."""
    labels, other = reassignment([4, 1, 2], [1, 2])
    assert labels.tolist() == [0, 0, 0, 0, 1, 2, 2]
    assert other.tolist() == [0, 1, 2, 2, 1, 2, 2]
    assert reassignment([2, 1], [2])[1].tolist() == [1, 1, 1]
    assert reassignment([2, 1], [0])[1].tolist() == reassignment([2, 1], [0])[0].tolist()


@pytest.mark.parametrize(
    ("n", "n1", "leave", "expected"),
    [(100, 50, 6, 1128), (100, 50, 49, 4998), (100, 50, 50, 5000), (140, 70, 25, 5750)],
)
def test_the_numbers_of_the_paper(n, n1, leave, expected):
    assert reassignment_deviation([n1, n - n1], [leave]) == expected


def test_one_more_point_into_a_cluster():
    """One more point adds 2 (n_1 + n_k - S - s_k - 1), which is not negative if s_k <= n_k."""
    for sizes in all_sizes(8, 4):
        for moved in all_moves(sizes):
            if sum(moved) == sizes[0]:
                continue
            for k in range(len(moved)):
                more = [count + (place == k) for place, count in enumerate(moved)]
                added = reassignment_deviation(sizes, more) - reassignment_deviation(sizes, moved)
                left = sizes[0] + sizes[k + 1] - sum(moved) - moved[k] - 1
                assert added == 2 * left
                assert added >= 0 or moved[k] > sizes[k + 1]


def test_the_monotone_range_for_all_sizes():
    for sizes in all_sizes(9, 4):
        for direction in itertools.product(range(4), repeat=len(sizes) - 1):
            if any(direction):
                assert monotone_range(sizes, direction) == scan(sizes, direction)


@given(large(), st.data())
def test_the_monotone_range_of_large_partitions(case, data):
    sizes, _ = case
    parts = st.lists(st.integers(0, 5), min_size=len(sizes) - 1, max_size=len(sizes) - 1)
    direction = data.draw(parts.filter(any))
    assert monotone_range(sizes, direction) == scan(sizes, direction)


def test_two_clusters():
    """Theorem 3: the range is the smaller of n_1 and ceil(n / 2)."""
    for n1, n2 in itertools.product(range(1, 30), repeat=2):
        assert monotone_range([n1, n2], [1]) == min(n1, -((n1 + n2) // -2))


def test_three_clusters_into_one():
    """Theorem 4 (i): the third cluster has no influence."""
    for n1, n2, n3 in itertools.product(range(1, 12), repeat=3):
        assert monotone_range([n1, n2, n3], [1, 0]) == monotone_range([n1, n2], [1])
        assert (monotone_range([n1, n2, n3], [1, 0]) == n1) == (n1 <= n2 + 1)


def test_three_clusters_in_equal_parts():
    """Theorem 4 (ii) and (iii)."""
    for n1, n2, n3 in itertools.product(range(1, 16), repeat=3):
        found, most = monotone_range([n1, n2, n3], [1, 1]), n1 // 2
        nearest = (2 * n1 + n2 + n3 + 3) // 6
        assert found == min(most, nearest)
        others = n2 + n3
        assert (found == most) == (n1 <= others + 3 or (n1 % 2 == 1 and n1 <= others + 6))
        if n1 == n2 == n3:
            assert found == most


def test_equal_halves_of_unequal_clusters_do_not_suffice():
    """delta can decrease with n_2 = n_3 and s_2 = s_3, and the bound must not be rounded up."""
    assert [reassignment_deviation([9, 1, 1], [s, s]) for s in range(5)] == [0, 34, 56, 66, 64]
    assert monotone_range([9, 1, 1], [1, 1]) == 3 < 20 / 6


def test_nothing_overflows():
    large = 10**12
    assert reassignment_deviation([large, large], [large // 2]) == large * (2 * large - large // 2)
    assert monotone_range([10**18, 1], [1]) == (10**18 + 2) // 2


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (reassignment, ([3], []), "sizes: got 1, expected integers >= 1, at least 2 of them"),
        (reassignment, ([3, 0], [1]), "sizes: got 0, expected integers >= 1, at least 2 of them"),
        (reassignment, ([3.0, 1.0], [1]), "sizes: got float64 array"),
        (reassignment, ([3, 2], [1, 1]), "moved: got 2, expected integers >= 0, 1 of them"),
        (
            reassignment_deviation,
            ([3, 2], [-1]),
            "moved: got -1, expected integers >= 0, 1 of them",
        ),
        (reassignment_deviation, ([3, 2, 1], [2, 2]), "moved: got 4 points, expected at most"),
        (monotone_range, ([3, 2, 1], [0, 0]), "direction: got zeros only"),
        (monotone_range, ([3, 2, 1], [1]), "direction: got 1, expected integers >= 0, 2 of"),
    ],
)
def test_errors_name_the_argument(function, arguments, message):
    with pytest.raises(ArgumentError) as error:
        function(*arguments)
    assert str(error.value).startswith(message)
