"""Examples 3 to 15 in our numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.section import Block, Claim, Section, Table, Text, agrees_if
from bilad.scripts.reproduce.theory.example_pictures import (
    draw_intervals,
    draw_line,
    draw_relations,
)
from bilad.scripts.reproduce.theory.recovery_cells import Cell
from bilad.scripts.reproduce.theory.recovery_examples import (
    LINE,
    SINGLE,
    GridRow,
    all_cells,
    chosen_eps,
    chosen_table,
    grid,
    interval_table,
    recovery_claims,
)
from bilad.scripts.reproduce.theory.spill_examples import PATTERNS, Example, Pattern, examples

INTRODUCTION = (
    "The numbers of the paper's examples are lost with its formulas; what it says of them is not. "
    "Each is rebuilt in our numbers: Examples 3 and 4 on ten points on a line and on random "
    "instances, every eps of an interval decided in rational arithmetic; Examples 5 to 15 as the "
    "fewest points that show the same, found by search. The random instances: two clusters on a "
    "line of 3 to 8 points each, drawn in sixteenths from [0, 4], weights 1, shifted apart and "
    "gamma drawn so that Theorem 1 recovers them; one point is moved, at most as far as the "
    "centroids are apart."
)
PAIR = ("6", "7")  # the examples whose matrices are drawn


@dataclass(frozen=True)
class Sizes:
    """How much is looked at."""

    most_n: int = 26  # points, in the search for examples
    random: int = 300  # instances of two clusters on a line
    points: int = 257  # of the grid of eps


FULL = Sizes()
QUICK = Sizes(random=30, points=65)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Build the examples."""
    recovery, claims = _recovery(bench, sizes)
    found = (examples(pattern, sizes.most_n) for pattern in PATTERNS)
    rows = bench.collect("examples", chain.from_iterable(found), Example)
    blocks = [Text(INTRODUCTION), *recovery, _table(rows)]
    drawn = [row for row in rows if row.example in PAIR]
    if drawn:
        blocks.append(
            bench.picture(
                "relations",
                "Examples 6 and 7: the matrices D D' and E E' in one. Rows and columns are points; "
                "delta counts the coloured squares of the two kinds that changed.",
                lambda figure: draw_relations(figure, drawn),
                size=(8.0, 3.8),
            )
        )
    return Section(blocks, [*claims, *pattern_claims(rows, sizes.most_n)])


def _recovery(bench: Bench, sizes: Sizes) -> tuple[list[Block], list[Claim]]:
    """Return what is shown of Examples 3 and 4, and the claims."""
    found = bench.collect("recovery_cells", all_cells(sizes.random, bench.seed), Cell)
    own = [cell for cell in found if cell.instance == SINGLE]
    eps = np.linspace(-LINE.reach, LINE.reach, sizes.points).tolist()
    rows = bench.collect("recovery_grid", grid(LINE, eps), GridRow, len(eps))
    chosen = chosen_eps(own)
    shown = list(grid(LINE, list(chosen.values())))
    blocks: list[Block] = [
        chosen_table(shown, list(chosen)),
        interval_table(own),
        bench.picture(
            "line",
            "The data A(eps) (circles; the moved point is filled) and the solution X*(eps) "
            "(crosses), as in Figures 1 to 3. Colour: cluster.",
            lambda figure: draw_line(figure, LINE, chosen),
        ),
        bench.picture(
            "intervals",
            "Above: X*(eps) of every point. Below: the ends of Theorem 2's interval of gamma.",
            lambda figure: draw_intervals(figure, LINE, rows, own),
            size=(8.0, 5.5),
        ),
    ]
    return blocks, recovery_claims(found)


def _table(rows: Sequence[Example]) -> Table:
    cells = [
        {
            "example": row.example,
            "sizes": row.sizes,
            "moved": row.moved,
            "delta": row.delta,
            "closed form": row.closed_form,
            "N_chg": row.n_changed,
            "1 - RI": row.rand_deviation,
        }
        for row in rows
    ]
    caption = "Sizes n_1 + n_2 + ..; moved: s_2 + s_3 + ... delta: from the matrices."
    return Table(
        "Examples 5 to 15, and balanced and unbalanced clusters: our numbers", cells, caption
    )


def pattern_claims(rows: Sequence[Example], most_n: int) -> list[Claim]:
    """Judge the patterns: there are such examples or not.

    Parameters
    ----------
    rows : sequence of Example
        Those that were found.
    most_n : int
        How far they were looked for.
    """
    return [_pattern_claim(pattern, rows, most_n) for pattern in PATTERNS]


def _pattern_claim(pattern: Pattern, rows: Sequence[Example], most_n: int) -> Claim:
    own = [row for row in rows if row.example in pattern.examples]
    right = all(row.delta == row.closed_form for row in own)
    said = "; ".join(f"{row.moved} leave {row.sizes}: delta = {row.delta}" for row in own)
    measured = f"{said}; closed form {'right' if right else 'wrong'}." if own else (
        f"Not with n up to {most_n}."
    )  # fmt: skip
    name = ", ".join(pattern.examples)
    where = f"Theorem 5, {name}" if name.startswith("K") else f"Examples {name}"
    return Claim(where, pattern.says, measured, agrees_if(bool(own) and right))


PART = Part("examples", "Examples 3 to 15, in our numbers", run, FULL, QUICK)
