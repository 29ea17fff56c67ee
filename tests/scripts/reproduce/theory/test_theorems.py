"""Theorems 3 to 5: counts compared with loops over pairs, and the verdicts."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from bilad.scripts.reproduce.part import Bench
from bilad.scripts.reproduce.reassignment import reassignment
from bilad.scripts.reproduce.theory import theorems
from bilad.scripts.reproduce.theory.reassignment_checks import (
    MOVES,
    POINTS,
    RANDOM,
    all_moves,
    all_sizes,
    check_all_moves,
    check_all_points,
    check_random,
    norms,
    theorem,
)
from bilad.scripts.reproduce.theory.reassignment_ranges import (
    CASES,
    deltas_along,
    nondecreasing_up_to,
    ranges,
)
from bilad.scripts.reproduce.theory.theorems import formula_claims, range_claims

TINY = theorems.Sizes(5, 4, 5, 20, 4, 12, 9)


def changed_pairs(labels, other):
    """Return the number of ordered pairs whose relation changed."""
    pairs = combinations(range(len(labels)), 2)
    return 2 * sum((labels[i] == labels[j]) != (other[i] == other[j]) for i, j in pairs)


def test_all_sizes_and_moves_are_counted():
    assert sorted(all_sizes(4, 2)) == [(1, 3), (2, 2), (3, 1)]
    assert sorted(all_moves((2, 1, 1))) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    assert [sum(row.tried for row in check_all_moves(n)) for n in (2, 3, 4, 5)] == [2, 10, 35, 107]
    assert sum(row.tried for row in check_all_points(3) if row.clusters == 2) == 2 + 2 + 4


@pytest.mark.parametrize(
    ("sizes", "moved"), [((4, 3), (2,)), ((5, 2, 1), (2, 3)), ((3, 1, 2, 2), (1, 0, 1))]
)
def test_norms_and_formulas_count_pairs(sizes, moved):
    labels, other = reassignment(sizes, moved)
    true = changed_pairs(labels, other)
    assert norms(labels, np.array([labels, other])).tolist() == [0, true]
    assert theorem(sizes, moved) == (None if len(sizes) > 3 else true)


def test_no_formula_is_wrong():
    rows = [*check_all_moves(6), *check_all_points(4), *check_random(10, 50, 5, seed=1)]
    assert {row.how for row in rows} == {MOVES, POINTS, RANDOM}
    for row in rows:
        assert row.tried > 0
        assert (row.wrong_own, row.wrong_general, row.wrong_library) == (0, 0, 0)


def test_a_wrong_formula_is_seen(monkeypatch):
    monkeypatch.setattr(
        "bilad.scripts.reproduce.theory.reassignment_checks.reassignment_deviation",
        lambda sizes, moved: sum(moved),
    )
    rows = list(check_all_moves(4))
    assert sum(row.wrong_general for row in rows) > 0
    verdicts = {claim.where: claim.verdict for claim in formula_claims(rows)}
    assert verdicts == {
        "Theorem 3 (i)": "agrees",
        "Theorem 4": "agrees",
        "Theorem 5": "differs",
    }


def test_ranges_are_those_of_a_scan():
    for row in ranges(CASES, {2: 14, 3: 9}):
        sizes = tuple(map(int, row.sizes.split("+")))
        case = next(case for case in CASES if case.name == row.case)
        labels = np.repeat(np.arange(len(sizes)), sizes)
        values = [
            changed_pairs(labels, reassignment(sizes, [t * d for d in case.direction])[1])
            for t in range(row.possible + 1)
        ]
        falls = [t for t in range(row.possible) if values[t + 1] < values[t]]
        assert row.largest == (falls[0] if falls else row.possible) == row.library
        assert row.always == (not falls)


def test_the_first_fall_ends_the_range():
    assert nondecreasing_up_to([0, 2, 2, 1, 5]) == 2
    assert nondecreasing_up_to([0, 0]) == 1
    assert deltas_along((3, 1), (1,)) == [0, 6, 8, 6]


def test_the_section(tmp_path):
    section = theorems.run(Bench(tmp_path, 0, lambda *_: None), TINY)
    assert {claim.verdict for claim in section.claims} == {"agrees"}
    assert len(section.claims) == 7
    assert {path.name for path in tmp_path.iterdir()} == {"formulas.csv", "ranges.csv", "rows"}
    falls = section.blocks[3].cells
    assert [(row["sizes"], row["delta at s = 0, 1, .."]) for row in falls] == [
        ("3+1", "0 6 8 6"),
        ("3+1+1", "0 6 8 6"),
        ("6+1+1", "0 22 32 30"),
    ]


def test_verdicts_follow_the_ranges():
    rows = list(ranges(CASES, {2: 8, 3: 8}))
    worse = [replace(row, largest=row.bound - 1) if row.bound else row for row in rows]
    assert {claim.verdict for claim in range_claims(rows)} == {"agrees"}
    assert {claim.verdict for claim in range_claims(worse)} == {"differs"}
    rounded_up = [row for row in rows if row.case == "4 (iii), up" and not row.is_safe]
    assert [row.sizes for row in rounded_up] == ["6+1+1"]
