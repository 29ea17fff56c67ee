"""Part `examples`: Examples 3 to 15 with our numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from matplotlib.figure import Figure

from bilad.scripts.reproduce.part import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    Bench,
    Block,
    Claim,
    Part,
    Section,
    Table,
    Text,
    agrees_if,
)
from bilad.scripts.reproduce.theory.reassignment_examples import (
    PATTERNS,
    Example,
    Pattern,
    examples,
)
from bilad.scripts.reproduce.theory.recovery_cells import Cell, Instance
from bilad.scripts.reproduce.theory.recovery_examples import (
    LINE,
    SINGLE,
    all_cells,
    chosen_eps,
    chosen_rows,
    chosen_table,
    interval_table,
    recovery_claims,
)
from bilad.solvers.clustering.cluster import solve_lower

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
INTRODUCTION = (
    "The numbers in the paper's examples are lost with its formulas, but the properties that they "
    "illustrate are not. Each example is rebuilt with our numbers. Examples 3 and 4 use ten points "
    "on a line, and random instances; the partition is determined for every eps of an interval in "
    "rational arithmetic. Examples 5 to 15 are the smallest partitions with the property, found by "
    "search. A random instance has two clusters on a line with 3 to 8 points each, drawn in "
    "sixteenths from [0, 4], and weights 1; their distance and gamma are drawn such that Theorem 1 "
    "guarantees the partition. One point is shifted by eps, at most as far as the distance of the "
    "centroids."
)


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    most_n: int = 26  # the largest number of points in the search for examples
    random: int = 300  # random instances of two clusters on a line


FULL = Sizes()
QUICK = Sizes(random=30)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Build the examples, and return the report."""
    recovery, claims = _recovery(bench, sizes)
    found = (examples(pattern, sizes.most_n) for pattern in PATTERNS)
    rows = bench.collect("examples", chain.from_iterable(found), Example)
    blocks = [Text(INTRODUCTION), *recovery, _table(rows)]
    return Section(blocks, [*claims, *pattern_claims(rows, sizes.most_n)])


def _recovery(bench: Bench, sizes: Sizes) -> tuple[list[Block], list[Claim]]:
    """Return the tables, the picture and the claims of Examples 3 and 4."""
    found = bench.collect("recovery_cells", all_cells(sizes.random, bench.seed), Cell)
    own = [cell for cell in found if cell.instance == SINGLE]
    chosen = chosen_eps(own)
    blocks: list[Block] = [
        chosen_table(chosen_rows(LINE, list(chosen.values())), list(chosen)),
        interval_table(own),
        bench.picture(
            "line",
            "The data A(eps) (circles; the shifted point is filled) and the solution X*(eps) "
            "(crosses), as in Figures 1 to 3. The colours are the clusters.",
            lambda figure: draw_line(figure, LINE, chosen),
        ),
    ]
    return blocks, recovery_claims(found)


def draw_line(figure: Figure, instance: Instance, chosen: Mapping[str, float]) -> None:
    """Draw data and solution for several eps, which are given by name, one below the other."""
    axes = figure.subplots()
    heights = -np.arange(len(chosen), dtype=np.float64)
    for height, eps in zip(heights, chosen.values(), strict=True):
        solved = solve_lower(instance.perturbation.apply(instance.model, eps))
        data, X = solved.model.data[:, 0], solved.X[:, 0]
        for k, (a, x, label) in enumerate(zip(data, X, solved.labels, strict=True)):
            colour = COLOURS[label % len(COLOURS)]
            filled = colour if k == instance.moved else "white"
            axes.plot([a, x], [height, height - 0.4], color=colour, linewidth=0.7, alpha=0.5)
            axes.plot(a, height, "o", markeredgecolor=colour, markerfacecolor=filled)
            axes.plot(x, height - 0.4, "x", color=colour, markersize=8, markeredgewidth=2)
    names = [f"{name}\neps = {eps:.4g}" for name, eps in chosen.items()]
    axes.set_yticks(heights - 0.2, names)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="position on the line (units of A)", ylim=(heights[-1] - 0.8, 0.4))


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
    return Table(
        "Examples 5 to 15, and equal and different cluster sizes, with our numbers",
        cells,
        "sizes: n_1 + n_2 + ..; moved: s_2 + s_3 + ..; delta: computed from the matrices.",
    )


def pattern_claims(rows: Sequence[Example], most_n: int) -> list[Claim]:
    """Return a claim for each pattern: whether an example with up to `most_n` points was found."""
    return [_pattern_claim(pattern, rows, most_n) for pattern in PATTERNS]


def _pattern_claim(pattern: Pattern, rows: Sequence[Example], most_n: int) -> Claim:
    own = [row for row in rows if row.example in pattern.examples]
    right = all(row.delta == row.closed_form for row in own)
    said = "; ".join(f"{row.moved} of {row.sizes} move: delta = {row.delta}" for row in own)
    measured = f"no example with n up to {most_n}."
    if own:
        measured = f"{said}; the closed form is {'right' if right else 'wrong'}."
    name = ", ".join(pattern.examples)
    where = f"Theorem 5, {name}" if name.startswith("K") else f"Examples {name}"
    return Claim(where, pattern.says, measured, agrees_if(bool(own) and right))


PART = Part("examples", "Examples 3 to 15, with our numbers", run, FULL, QUICK)
