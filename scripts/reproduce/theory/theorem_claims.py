"""Theorems 3 to 5 judged: by mismatches of the formulas, and falls of delta within the bounds."""

from __future__ import annotations

from collections.abc import Sequence

from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.theory.spill_checks import FormulaCheck
from bilad.scripts.reproduce.theory.spill_ranges import (
    EQUAL,
    NEAREST,
    ROUNDED_UP,
    THREE_INTO_ONE,
    TWO,
    UNEQUAL,
    Case,
    Range,
)
from bilad.scripts.reproduce.verdict import agrees_if


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
