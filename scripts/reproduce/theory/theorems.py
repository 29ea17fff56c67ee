"""Part `theorems`: the closed forms of delta in Theorems 3 to 5, and where delta is monotone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bilad.scripts.display import grouped
from bilad.scripts.reproduce.part import Bench, Claim, Part, Section, Table, Text, agrees_if
from bilad.scripts.reproduce.theory.reassignment_checks import (
    FormulaCheck,
    check_all_moves,
    check_all_points,
    check_random,
)
from bilad.scripts.reproduce.theory.reassignment_ranges import (
    CASES,
    EQUAL,
    NEAREST,
    ROUNDED_UP,
    THREE_INTO_ONE,
    TWO,
    UNEQUAL,
    Case,
    Range,
    deltas_along,
    ranges,
)

INTRODUCTION = (
    "In section 5 of the paper, s_k points move from cluster 1 to cluster k, S in total. The "
    "formulas for delta, and the function of the package that computes delta from labels, are "
    "compared with ||D D' - E E'||_F^2, where D and E are the membership matrices. The conditions "
    "of the theorems are partly lost: the bounds are our reading of them, and are compared with "
    "the true range, found step by step. That delta does not decrease in s does not imply that it "
    "does not decrease in ||eps||, because s need not grow with ||eps|| (see the part deviations)."
)


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments: numbers of points, unless stated otherwise."""

    moves_n: int = 12  # for all sizes and moves
    points_n: int = 7  # for all choices of the points that move
    random: int = 1000  # the number of random partitions for each K
    random_n: int = 200
    random_clusters: int = 8  # the largest K of random partitions
    ranges_two: int = 60  # for the ranges of two clusters
    ranges_three: int = 30  # for the ranges of three clusters


FULL = Sizes()
QUICK = Sizes(moves_n=8, points_n=6, random=50, ranges_two=24, ranges_three=12)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Check the formulas and the ranges, and return the report."""
    checks = bench.collect("formulas", _checks(bench.seed, sizes), FormulaCheck)
    most_n = {2: sizes.ranges_two, 3: sizes.ranges_three}
    found = bench.collect("ranges", ranges(CASES, most_n), Range)
    tables = [_formula_table(checks), _range_table(found), _fall_table(found)]
    return Section([Text(INTRODUCTION), *tables], [*formula_claims(checks), *range_claims(found)])


def _checks(seed: int, sizes: Sizes) -> Iterator[FormulaCheck]:
    yield from check_all_moves(sizes.moves_n)
    yield from check_all_points(sizes.points_n)
    yield from check_random(sizes.random, sizes.random_n, sizes.random_clusters, seed)


def _formula_table(checks: Sequence[FormulaCheck]) -> Table:
    cells = [
        {
            "partitions": how,
            "n up to": max(row.n for row in rows),
            "K up to": max(row.clusters for row in rows),
            "tried": sum(row.tried for row in rows),
            "Theorem 3 or 4 wrong": sum(row.wrong_own for row in rows),
            "Theorem 5 wrong": sum(row.wrong_general for row in rows),
            "library wrong": sum(row.wrong_library for row in rows),
        }
        for how, rows in grouped(checks, lambda row: row.how)
    ]
    caption = (
        "wrong: partitions for which a formula differs from the norm of the matrices. Theorems 3 "
        "and 4 are about K = 2 and K = 3."
    )
    return Table("The closed forms", cells, caption)


def _range_table(found: Sequence[Range]) -> Table:
    conditions = {case.name: case.condition for case in CASES}
    cells = [
        {
            "theorem": name,
            "our reading": conditions[name],
            "n up to": max(row.n for row in rows),
            "sizes": len(rows),
            "decreases within": sum(not row.is_safe for row in rows),
            "bound is the largest": sum(row.bound == row.largest for row in rows),
            "never decreases": sum(row.always for row in rows),
            "library differs": sum(row.library != row.largest for row in rows),
        }
        for name, rows in grouped(found, lambda row: row.case)
    ]
    caption = (
        "Numbers of sizes (n_1, .., n_K). bound is the largest: the bound is the true range. "
        "library differs: `monotone_range` is not the true range."
    )
    return Table("Ranges in which delta does not decrease", cells, caption)


def _fall_table(found: Sequence[Range]) -> Table:
    """Return the smallest examples in which delta decreases."""
    cells: list[dict[str, Any]] = []
    for name, case, among in (
        ("two clusters", TWO, rows_of(found, TWO)),
        ("three, all into one", THREE_INTO_ONE, rows_of(found, THREE_INTO_ONE)),
        ("three, n_2 = n_3, s_2 = s_3", UNEQUAL, _equal_others(found)),
    ):
        falls = [row for row in among if not row.always]
        if falls:
            row = min(falls, key=lambda row: row.n)
            deltas = deltas_along(tuple(map(int, row.sizes.split("+"))), case.direction)
            cells.append(
                {
                    "case": name,
                    "sizes": row.sizes,
                    "delta at s = 0, 1, ..": " ".join(map(str, deltas)),
                }
            )
    return Table("The smallest examples in which delta decreases", cells)


def _equal_others(found: Sequence[Range]) -> list[Range]:
    return [row for row in rows_of(found, UNEQUAL) if len(set(row.sizes.split("+")[1:])) == 1]


PART = Part("theorems", "Theorems 3 to 5: closed forms and ranges of delta", run, FULL, QUICK)


def formula_claims(checks: Sequence[FormulaCheck]) -> list[Claim]:
    """Return the claims on the closed forms."""
    own = {K: [row for row in checks if row.clusters == K] for K in (2, 3)}
    three, four = (
        (sum(row.tried for row in own[K]), sum(row.wrong_own for row in own[K])) for K in (2, 3)
    )
    five = sum(row.tried for row in checks), sum(row.wrong_general for row in checks)
    claims = (
        ("Theorem 3 (i)", "Two clusters: delta = 2 s (n - s).", three),
        (
            "Theorem 4",
            "Three clusters: delta = 2 [S (n_1 - S) + s_2 s_3 + n_2 s_2 + n_3 s_3] (our reading).",
            four,
        ),
        (
            "Theorem 5",
            "delta = 2 [S (n_1 - S) + sum_{k<l} s_k s_l + sum_k n_k s_k] (our reading).",
            five,
        ),
    )
    return [
        Claim(
            where,
            claim,
            f"The formula differs from the norm of the matrices for {wrong} of {tried} partitions.",
            agrees_if(tried > 0 and wrong == 0),
        )
        for where, claim, (tried, wrong) in claims
    ]


def range_claims(found: Sequence[Range]) -> list[Claim]:
    """Return the claims on the ranges in which delta does not decrease."""
    claims = [_range_claim(case, rows_of(found, case)) for case in (TWO, THREE_INTO_ONE, EQUAL)]
    nearest, up = rows_of(found, NEAREST), rows_of(found, ROUNDED_UP)
    rounding = (
        f" Rounded to the nearest integer, the bound is the largest possible for "
        f"{sum(row.bound == row.largest for row in nearest)}; if it is rounded up, as in Theorem "
        f"3, delta decreases within it for {sum(not row.is_safe for row in up)}."
    )
    return [*claims, _range_claim(UNEQUAL, rows_of(found, UNEQUAL), rounding)]


def _range_claim(case: Case, rows: Sequence[Range], more: str = "") -> Claim:
    unsafe = sum(not row.is_safe for row in rows)
    largest = sum(row.bound == row.largest for row in rows)
    return Claim(
        f"Theorem {case.name}",
        f"delta is nondecreasing for {case.condition} (our reading of the condition).",
        f"It decreases within the bound for {unsafe} of {len(rows)} sizes; the bound is the "
        f"largest possible for {largest}.{more}",
        agrees_if(len(rows) > 0 and unsafe == 0),
    )


def rows_of(found: Sequence[Range], case: Case) -> list[Range]:
    """Return the rows of a case."""
    return [row for row in found if row.case == case.name]
