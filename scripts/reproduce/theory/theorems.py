"""Part `theorems`: the closed forms of delta in Theorems 3 to 5, and where delta is monotone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bilad.models.deviation import delta
from bilad.scripts.experiments.page import Table, Text
from bilad.scripts.reproduce.section import Bench, Claim, Part, Section, agrees_if
from bilad.scripts.reproduce.theory.reassignment import (
    Counts,
    all_sizes,
    closed_form,
    partition,
    reassigned,
)

INTRODUCTION = (
    "In section 5 of the paper, s_k points move from cluster 1 to cluster k, S in total. For all "
    "sizes (n_1, .., n_K) up to n, the same number s of points, or none, moves to each other "
    "cluster, s = 0, 1, .. The formulas for delta are compared with delta of the labels. The "
    "conditions of the theorems are partly lost: the bounds are our reading of them, and are "
    "compared with the true range, found step by step. That delta does not decrease in s does not "
    "imply that it does not decrease in ||eps||, because s need not grow with ||eps|| (see the "
    "part deviations)."
)


def run(bench: Bench) -> Section:
    """Compare the formulas and the ranges with delta at each step, and return the report."""
    two, three, four = (24, 12, 8) if bench.quick else (60, 30, 20)
    one, into_one, both = walks(two, (1,)), walks(three, (1, 0)), walks(three, (1, 1))
    found = ranges(one, into_one, both)
    counts = {"n": "max", "tried": "sum", "unsafe": "sum", "sharp": "sum", "always": "sum"}
    by_condition = found.groupby(["theorem", "condition"], sort=False, as_index=False).agg(counts)
    decreasing = found[~found.always].drop_duplicates("theorem").drop_duplicates("sizes")
    tables = [
        Table(
            "ranges",
            "Ranges in which delta does not decrease",
            by_condition,
            "condition: our reading of it. tried: the number of sizes up to n. unsafe: delta "
            "decreases within the bound. sharp: the bound is the largest possible. always: delta "
            "never decreases.",
        ),
        Table(
            "decreases",
            "The smallest sizes with which delta decreases",
            decreasing[["theorem", "sizes", "delta"]],
            "delta: its values for s = 0, 1, ..",
        ),
    ]
    all_walks = [one, into_one, both, walks(four, (1, 1, 1))]
    said = [*formula_claims(all_walks), *range_claims(by_condition)]
    return Section([Text(INTRODUCTION), *tables], said)


def walks(most_n: int, direction: Counts) -> pd.DataFrame:
    """Return a row for all sizes up to `most_n`; at each step, `direction` points move.

    `possible` is the number of steps for which cluster 1 has enough points, `largest` the number of
    steps before the first decrease of delta, `wrong` the number with another closed form.
    """
    rows = []
    for n in range(len(direction) + 1, most_n + 1):
        for sizes in all_sizes(n, len(direction) + 1):
            before, possible = partition(sizes), sizes[0] // sum(direction)
            steps = [[t * d for d in direction] for t in range(possible + 1)]
            values = [delta(before, reassigned(sizes, moved)) for moved in steps]
            formula = [closed_form(sizes, moved) for moved in steps]
            largest = int(np.argmax(np.diff([*values, -1]) < 0))
            texts = "+".join(map(str, sizes)), " ".join(map(str, values))
            wrong = np.count_nonzero(np.not_equal(values, formula))
            rows.append((n, *sizes[:2], possible, largest, largest == possible, wrong, 1, *texts))
    names = ["n", "n1", "n2", "possible", "largest", "always", "wrong", "tried", "sizes", "delta"]
    return pd.DataFrame(rows, columns=names)


def ranges(one: pd.DataFrame, into_one: pd.DataFrame, both: pd.DataFrame) -> pd.DataFrame:
    """Return the walks with the bound of each condition of a theorem.

    `unsafe`: delta decreases within the bound; `sharp`: the bound is the largest possible.
    """
    equal = both[(both.n1 == both.n2) & (3 * both.n1 == both.n)]
    half, six = into_one.n1 + into_one.n2, both.n1 + both.n  # six: six times the bound of 4 (iii)
    cases = (
        ("3 (ii)", "s <= min(n_1, ceil(n / 2))", one, -(one.n // -2)),
        ("4 (i)", "s_3 = 0, s_2 <= ceil((n_1 + n_2) / 2)", into_one, -(half // -2)),
        ("4 (ii)", "n_1 = n_2 = n_3, s_2 = s_3, all s", equal, equal.n1),
        ("4 (iii)", "s_2 = s_3 = s <= (2 n_1 + n_2 + n_3) / 6", both, six // 6),
        ("4 (iii), nearest", "the same bound, rounded", both, (six + 3) // 6),
        ("4 (iii), up", "the same bound, rounded up", both, -(six // -6)),
    )
    found = []
    for theorem, condition, own, most in cases:
        bound, known = np.minimum(most, own.possible), {"theorem": theorem, "condition": condition}
        found.append(own.assign(**known, unsafe=bound > own.largest, sharp=bound == own.largest))
    return pd.concat(found, ignore_index=True)


def formula_claims(found: list[pd.DataFrame]) -> list[Claim]:
    """Return the claims on the closed forms, from walks with two, three, three and four clusters.

    With K = 2 and 3, the formula of Theorem 5 is that of Theorems 3 and 4.
    """
    three = "delta = 2 [S (n_1 - S) + s_2 s_3 + n_2 s_2 + n_3 s_3]"
    general = "delta = 2 [S (n_1 - S) + sum_{k<l} s_k s_l + sum_k n_k s_k]"
    said = []
    for theorem, text, own in (
        ("3 (i)", "Two clusters: delta = 2 s (n - s).", found[:1]),
        ("4", f"Three clusters: {three} (our reading).", found[1:3]),
        ("5", f"{general} (our reading).", found),
    ):
        every = pd.concat(own)
        wrong, tried = every.wrong.sum(), (every.possible + 1).sum()
        measured = f"The formula differs from delta for {wrong} of {tried} partitions."
        said.append(Claim(f"Theorem {theorem}", text, measured, agrees_if(wrong == 0)))
    return said


def range_claims(by_condition: pd.DataFrame) -> list[Claim]:
    """Return the claims on the ranges in which delta does not decrease."""
    said = []
    for row in by_condition.head(4).itertuples():
        measured = (
            f"It decreases within the bound for {row.unsafe} of {row.tried} sizes; the bound is "
            f"the largest possible for {row.sharp}."
        )
        text = f"delta is nondecreasing for {row.condition} (our reading)."
        said.append(Claim(f"Theorem {row.theorem}", text, measured, agrees_if(row.unsafe == 0)))
    return said


PART = Part("theorems", "Theorems 3 to 5: closed forms and ranges of delta", run)
