"""Theorems 3 to 5 by enumeration: the closed forms of delta, and how far delta does not fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.section import Claim, Section, Table, Text, agrees_if
from bilad.scripts.reproduce.theory.spill_checks import (
    FormulaCheck,
    check_all_moves,
    check_all_points,
    check_random,
)
from bilad.scripts.reproduce.theory.spill_ranges import (
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
    draw_curves,
    draw_plane,
    draw_ranges,
    ranges,
)
from bilad.scripts.tables import grouped

INTRODUCTION = (
    "The setting of section 5: points leave cluster 1 only, s_k of them for cluster k, S in all. "
    "The formulas are checked against ||D D' - E E'||_F^2 of the membership matrices, and so is "
    "the library's count from labels. The theorems' conditions are partly lost: the bounds are our "
    "reading, each compared with the true range found step by step. Delta not falling in s is not "
    "yet delta not falling in ||eps||: for that, s must grow with ||eps|| (see part deviations)."
)


@dataclass(frozen=True)
class Sizes:
    """How many points at most."""

    # moves_n, points_n: all sizes and moves; all choices of the points that move
    moves_n: int = 12
    points_n: int = 7
    random: int = 1000  # partitions drawn at random, for each K
    random_n: int = 200
    random_clusters: int = 8
    # ranges_two, ranges_three: ranges of two and of three clusters
    ranges_two: int = 60
    ranges_three: int = 30


FULL = Sizes()
QUICK = Sizes(moves_n=8, points_n=6, random=50, ranges_two=24, ranges_three=12)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Check the formulas and the ranges."""
    checks = bench.collect("formulas", _checks(bench.seed, sizes), FormulaCheck)
    most_n = {2: sizes.ranges_two, 3: sizes.ranges_three}
    found = bench.collect("ranges", ranges(CASES, most_n), Range)
    pictures = [
        bench.picture(
            "ranges",
            "How far delta is nondecreasing, as a share of cluster 1. Each point is one choice of "
            "sizes; the line is the bound, not rounded. To the left of the kink delta never falls.",
            lambda figure: draw_ranges(figure, found),
        ),
        bench.picture(
            "curves",
            "delta as more points leave. Solid: nondecreasing; dashed: beyond; triangle: maximum.",
            draw_curves,
        ),
        bench.picture(
            "plane",
            "delta of three clusters against the points that leave for cluster 2 and 3. Dots: one "
            "point more, for one of them, would lower delta. Triangle: maximum.",
            draw_plane,
            size=(8.0, 3.6),
        ),
    ]
    tables = [_formula_table(checks), _range_table(found), _fall_table(found)]
    return Section(
        [Text(INTRODUCTION), *tables, *pictures], [*formula_claims(checks), *range_claims(found)]
    )


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
    caption = "wrong: not the matrices' norm. Theorems 3 and 4 are about K = 2 and K = 3."
    return Table("The closed forms", cells, caption)


def _range_table(found: Sequence[Range]) -> Table:
    conditions = {case.name: case.condition for case in CASES}
    cells = [
        {
            "theorem": name,
            "our reading": conditions[name],
            "n up to": max(row.n for row in rows),
            "sizes": len(rows),
            "delta falls within": sum(not row.is_safe for row in rows),
            "bound is the largest": sum(row.bound == row.largest for row in rows),
            "delta never falls": sum(row.always for row in rows),
            "library differs": sum(row.library != row.largest for row in rows),
        }
        for name, rows in grouped(found, lambda row: row.case)
    ]
    caption = (
        "Counts of sizes (n_1, .., n_K). library differs: `monotone_range` is not the largest."
    )
    return Table("Ranges in which delta does not fall", cells, caption)


def _fall_table(found: Sequence[Range]) -> Table:
    """Show where delta falls, with as few points as possible."""
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
    return Table("Where delta falls: the fewest points", cells)


def _equal_others(found: Sequence[Range]) -> list[Range]:
    return [row for row in rows_of(found, UNEQUAL) if len(set(row.sizes.split("+")[1:])) == 1]


PART = Part("theorems", "Theorems 3 to 5: closed forms and ranges of delta", run, FULL, QUICK)


def formula_claims(checks: Sequence[FormulaCheck]) -> list[Claim]:
    """Judge the closed forms."""
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
            f"{wrong} mismatches with the matrices' norm in {tried} partitions.",
            agrees_if(tried > 0 and wrong == 0),
        )
        for where, claim, (tried, wrong) in claims
    ]


def range_claims(found: Sequence[Range]) -> list[Claim]:
    """Judge the ranges in which delta should not fall."""
    claims = [_range_claim(case, rows_of(found, case)) for case in (TWO, THREE_INTO_ONE, EQUAL)]
    nearest, up = rows_of(found, NEAREST), rows_of(found, ROUNDED_UP)
    rounding = (
        f" The bound rounded to the nearest integer is the largest in "
        f"{sum(row.bound == row.largest for row in nearest)}; rounded up, as Theorem 3 rounds, "
        f"delta falls within it in {sum(not row.is_safe for row in up)}."
    )
    return [*claims, _range_claim(UNEQUAL, rows_of(found, UNEQUAL), rounding)]


def _range_claim(case: Case, rows: Sequence[Range], more: str = "") -> Claim:
    unsafe = sum(not row.is_safe for row in rows)
    largest = sum(row.bound == row.largest for row in rows)
    return Claim(
        f"Theorem {case.name}",
        f"delta is nondecreasing for {case.condition} (our reading of the condition).",
        f"It falls within the bound for {unsafe} of {len(rows)} sizes; the bound is the largest "
        f"possible for {largest}.{more}",
        agrees_if(len(rows) > 0 and unsafe == 0),
    )


def rows_of(found: Sequence[Range], case: Case) -> list[Range]:
    """Return the rows of a case."""
    return [row for row in found if row.case == case.name]
