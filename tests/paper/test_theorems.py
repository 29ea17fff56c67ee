"""Theorems 3 to 5 and Examples 5 to 15, by enumeration: what the documentation states."""

from itertools import combinations, permutations, product

import numpy as np
import pytest

from bilad.models import deviation
from bilad.models.deviation import delta
from bilad.scripts.reproduce.theory import theorems
from bilad.scripts.reproduce.theory.examples import PATTERNS, rebuilt
from bilad.scripts.reproduce.theory.reassignment import (
    all_sizes,
    closed_form,
    partition,
    reassigned,
)


def all_moves(sizes):
    """Every (s_2, .., s_K) with sum at most n_1."""
    K = len(sizes)
    return [tuple(np.subtract(cuts, 1)[1:].tolist()) for cuts in all_sizes(sizes[0] + K, K)]


def changed_relations(labels, other):
    """Return ||D D' - E E'||_F^2 for the membership matrices D and E, by their entries."""
    together, still = (own[:, None] == own for own in (labels, other))
    return np.count_nonzero(together != still)


def changed_pairs(labels, other):
    """Return the number of ordered pairs whose relation changed."""
    pairs = permutations(range(len(labels)), 2)
    return sum((labels[i] == labels[j]) != (other[i] == other[j]) for i, j in pairs)


def by_numbers(most_n):
    """All sizes, and all numbers of points that move."""
    for n in range(2, most_n + 1):
        for sizes in (sizes for K in range(2, n + 1) for sizes in all_sizes(n, K)):
            for moved in all_moves(sizes):
                yield sizes, moved, reassigned(sizes, moved)


def by_points(most_n):
    """All sizes, and every assignment of the points of cluster 1."""
    for n in range(2, most_n + 1):
        for sizes in (sizes for K in range(2, n + 1) for sizes in all_sizes(n, K)):
            for first in product(range(len(sizes)), repeat=sizes[0]):
                moved = [first.count(k) for k in range(1, len(sizes))]
                yield sizes, moved, np.array([*first, *partition(sizes)[sizes[0] :]])


def at_random(number, seed=0):
    """For each K up to 8, `number` partitions of up to 200 points."""
    rng = np.random.default_rng(seed)
    for K in np.repeat(np.arange(2, 9), number):
        n = rng.integers(K, 201)
        cuts = np.sort(rng.choice(np.arange(1, n), K - 1, replace=False))
        sizes = np.diff([0, *cuts, n]).tolist()
        moved = np.diff([0, *np.sort(rng.integers(0, sizes[0] + 1, K - 1))]).tolist()
        yield sizes, moved, reassigned(sizes, moved)


@pytest.mark.parametrize(
    ("numbers", "points", "random", "tried"),
    [(7, 5, 5, 1048), pytest.param(12, 7, 1000, 126_464, marks=pytest.mark.slow)],
)
def test_no_partition_contradicts_the_closed_forms(numbers, points, random, tried):
    counted = 0
    for sizes, moved, after in [*by_numbers(numbers), *by_points(points), *at_random(random)]:
        before, S, n = partition(sizes), sum(moved), sum(sizes)
        forms = [closed_form(sizes, moved), delta(before, after)]
        if len(sizes) == 2:  # Theorem 3
            forms.append(2 * S * (n - S))
        if len(sizes) == 3:  # Theorem 4
            (n1, n2, n3), (s2, s3) = sizes, moved
            forms.append(2 * (S * (n1 - S) + s2 * s3 + n2 * s2 + n3 * s3))
        assert set(forms) == {changed_relations(before, after)}, (sizes, moved)
        counted += 1
    assert counted == tried


def test_the_matrices_count_pairs():
    for sizes, _, after in by_points(5):
        before = partition(sizes)
        D, E = ((own[:, None] == np.arange(len(own))).astype(int) for own in (before, after))
        matrices = ((D @ D.T - E @ E.T) ** 2).sum()
        assert changed_relations(before, after) == changed_pairs(before, after) == matrices


def test_one_more_point_into_a_cluster():
    """One more point adds 2 (n_1 + n_k - S - s_k - 1), which is not negative if s_k <= n_k."""
    for sizes, moved, _ in by_numbers(7):
        for k in range(len(moved)) if sum(moved) < sizes[0] else ():
            more = [count + (place == k) for place, count in enumerate(moved)]
            added = closed_form(sizes, more) - closed_form(sizes, moved)
            assert added == 2 * (sizes[0] + sizes[k + 1] - sum(moved) - moved[k] - 1)
            assert added >= 0 or moved[k] > sizes[k + 1]


@pytest.mark.parametrize(
    ("n", "n1", "leave", "expected"),
    [(100, 50, 6, 1128), (100, 50, 49, 4998), (100, 50, 50, 5000), (140, 70, 25, 5750)],
)
def test_the_numbers_of_the_paper(n, n1, leave, expected):
    assert closed_form([n1, n - n1], [leave]) == expected


def found(two, three):
    walks = theorems.walks(two, (1,)), theorems.walks(three, (1, 0)), theorems.walks(three, (1, 1))
    return theorems.ranges(*walks), walks


def test_the_ranges_are_those_of_a_scan_over_pairs():
    rows, _ = found(9, 7)
    directions = {"3 (ii)": (1,), "4 (i)": (1, 0)}
    for row in rows.itertuples():
        sizes = tuple(map(int, row.sizes.split("+")))
        direction = directions.get(row.theorem, (1, 1))
        steps = [[t * d for d in direction] for t in range(row.possible + 1)]
        values = [changed_pairs(partition(sizes), reassigned(sizes, moved)) for moved in steps]
        falls = [t for t in range(row.possible) if values[t + 1] < values[t]]
        assert row.delta == " ".join(map(str, values))
        assert row.largest == (falls[0] if falls else row.possible)
        assert row.always == (not falls)


@pytest.mark.parametrize(
    ("two", "three", "pairs", "triples", "rounded_up"),
    [(20, 12, 190, 220, 7), pytest.param(60, 30, 1770, 4060, 226, marks=pytest.mark.slow)],
)
def test_the_bounds_of_the_theorems(two, three, pairs, triples, rounded_up):
    rows, walks = found(two, three)
    by_theorem = dict(list(rows.groupby("theorem")))
    sizes = {"3 (ii)": pairs, "4 (i)": triples, "4 (iii), nearest": triples, "4 (ii)": three // 3}
    for theorem, number in sizes.items():
        own = by_theorem[theorem]
        assert (len(own), own.sharp.sum(), own.unsafe.sum()) == (number, number, 0)
    assert by_theorem["4 (ii)"].always.all()
    assert by_theorem["4 (iii)"].unsafe.sum() == 0
    assert by_theorem["4 (iii), up"].unsafe.sum() == rounded_up
    assert {claim.verdict for claim in theorems.formula_claims([*walks])} == {"agrees"}


def test_wrong_formulas_and_bounds_differ(monkeypatch):
    monkeypatch.setattr(theorems, "closed_form", lambda sizes, moved: sum(moved))
    rows, walks = found(6, 6)
    assert [claim.verdict for claim in theorems.formula_claims([*walks])] == ["differs"] * 3
    claims = theorems.range_claims(rows.assign(unsafe=1).drop_duplicates("theorem"))
    assert [claim.verdict for claim in claims] == ["differs"] * 4


def test_equal_halves_of_unequal_clusters_do_not_suffice():
    """delta can decrease with n_2 = n_3 and s_2 = s_3."""
    assert [closed_form([9, 1, 1], [s, s]) for s in range(5)] == [0, 34, 56, 66, 64]


def test_nmi_decreases_where_delta_does_not():
    """Clusters of 2, 29, 3 and 2 points; two points move one by one."""
    labels = [reassigned((2, 29, 3, 2), (0, t, 0)) for t in range(3)]
    nmi, own = (
        [deviation(labels[0], other, name) for other in labels] for name in ("nmi", "delta")
    )
    assert nmi[1] > nmi[2]
    assert own[1] < own[2]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.examples[0])
def test_examples_are_counted_pair_by_pair(pattern):
    rows = next(rebuilt(pattern))
    assert [row["example"] for row in rows] == pattern.examples
    for row in rows:
        sizes, moved = ([int(part) for part in row[key].split("+")] for key in ("sizes", "moved"))
        labels, other = partition(sizes), reassigned(sizes, moved)
        n = len(labels)
        assert row["delta"] == row["closed form"] == changed_pairs(labels, other)
        assert row["N_chg"] == sum(moved)
        assert row["1 - RI"] == pytest.approx(row["delta"] / n / (n - 1))


def test_no_fewer_points_show_the_first_pattern():
    """Two clusters: the smallest n is 8, by enumeration."""
    smallest = min(
        n1 + n2
        for n1, n2 in product(range(2, 9), repeat=2)
        for s, t in combinations(range(2, n1), 2)
        if t > -((n1 + n2) // -2) and closed_form((n1, n2), (s,)) == closed_form((n1, n2), (t,))
    )
    assert smallest == sum(map(int, next(rebuilt(PATTERNS[0]))[0]["sizes"].split("+"))) == 8
