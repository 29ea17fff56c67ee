"""Part `examples`: Examples 3 to 15 with our numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bilad.models import ConvexClustering, FusionGraph, Perturbation, deviation, recovery_interval
from bilad.scripts.display import Cells
from bilad.scripts.experiments.page import Table, Text
from bilad.scripts.reproduce.section import Bench, Claim, Part, Section, agrees_if
from bilad.scripts.reproduce.theory.reassignment import (
    Counts,
    all_sizes,
    closed_form,
    partition,
    reassigned,
)
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

INTRODUCTION = (
    "The numbers in the paper's examples are lost with its formulas, but the properties that they "
    "illustrate are not. Each example is rebuilt with our numbers. In Examples 3 and 4 the "
    "partition at each eps is that of the exact parametric path. Examples 5 to 15 are the smallest "
    "partitions with the property, found by search, in which each cluster has at least two points, "
    "each other cluster gains a point, and cluster 1 keeps one."
)
# Examples 3 and 4: two clusters on a line; the last point is shifted by eps, |eps| <= REACH.
LINE = ConvexClustering(
    np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 10.0, 11.0, 12.0, 13.0]]).T,
    FusionGraph.complete(10),
    gamma=0.875,
)
GROUPS = partition([5, 5])
SHIFT = Perturbation.shift(np.eye(10)[:, [9]])
REACH = 8.0


def run(bench: Bench) -> Section:
    """Build the examples, and return the report."""
    found = conditions()
    nearest = found[found.eps != 0].sort_values("eps", key=abs, kind="stable")
    chosen = nearest.drop_duplicates(["(C2')", "gamma in it", "same"])
    line = Table(
        "line",
        "Examples 3 and 4: a point on a line",
        chosen,
        f"A = {', '.join(f'{value:g}' for value in LINE.data[:, 0])}; clusters of 5+5; W = ones; "
        f"gamma = {LINE.gamma:g}; the last point is shifted by eps in [-{REACH:g}, {REACH:g}]. For "
        "each combination of (C2'), gamma in [gamma_min(eps), gamma_max(eps)) and the same "
        "partition, the least |eps| != 0 that shows it. (C1') always holds.",
    )
    picture = bench.picture(
        "solutions",
        "The data A(eps) (circles) and the solution X*(eps) (crosses), as in Figures 1 to 3. The "
        "colours are the clusters.",
        lambda figure: draw_line(figure, [0.0, *chosen.eps]),
    )
    examples = [next(rebuilt(pattern)) for pattern in PATTERNS]
    table = Table(
        "examples",
        "Examples 5 to 15",
        [row for rows in examples for row in rows],
        "sizes: n_1 + n_2 + ..; moved: s_2 + s_3 + ..; delta: computed from the labels.",
    )
    said = map(pattern_claim, PATTERNS, examples)
    return Section([Text(INTRODUCTION), line, picture, table], [*recovery_claims(found), *said])


def conditions() -> pd.DataFrame:
    """Return the conditions of Theorem 2 and the partition at equidistant eps."""
    path = parametric_path(LINE, SHIFT, -REACH, REACH)
    rows = []
    for eps in np.linspace(-REACH, REACH, 257):
        own, labels = recovery_interval(SHIFT.apply(LINE, eps), GROUPS), path.labels_at(eps)
        clusters, same = "+".join(map(str, np.bincount(labels))), np.array_equal(labels, GROUPS)
        interval = own.gamma_min, own.gamma_max, own.holds_c2, own.recovers
        rows.append((eps, *interval, clusters, same))
    names = ["eps", "gamma_min", "gamma_max", "(C2')", "gamma in it", "clusters", "same"]
    return pd.DataFrame(rows, columns=names)


def recovery_claims(found: pd.DataFrame) -> list[Claim]:
    """Return the claims of section 3 on perturbations and recovery."""
    inside, holds, changed = found["gamma in it"], found["(C2')"], ~found.same
    likely = f"{(~holds & changed).sum()} of {(~holds).sum()} eps at which (C2') fails"
    return [
        Claim(
            "Theorem 1 (eps = 0), Theorem 2 and its corollary (with gamma), Example 3",
            "If (C1') and (C2') hold and gamma is in [gamma_min(eps), gamma_max(eps)), the "
            "partition is unchanged.",
            f"It changes at {(inside & changed).sum()} of {inside.sum()} eps at which this holds.",
            agrees_if(inside.any() and not (inside & changed).any()),
        ),
        Claim(
            "Theorem 2, corollary (without gamma)",
            "If the partition changes at eps, then (C1') or (C2') fails (our reading of the proof; "
            "the wording is lost).",
            f"Both hold at {(holds & changed).sum()} of {changed.sum()} eps at which it changes; "
            "gamma is fixed.",
            agrees_if(not (holds & changed).any()),
        ),
        Claim(
            "Example 4, and the text before it",
            "If (C1') or (C2') fails, it is very likely that the partition changes.",
            f"It changes at {likely}. The share depends on the largest |eps|.",
            "cannot be compared",
        ),
    ]


def draw_line(figure: Figure, chosen: Sequence[float]) -> None:
    """Draw data and solution for several eps, one below the other."""
    axes = figure.subplots()
    for height, eps in enumerate(chosen):
        solved = cluster(SHIFT.apply(LINE, eps))
        for a, x, label in zip(solved.model.data[:, 0], solved.X[:, 0], solved.labels, strict=True):
            colour = f"C{label}"
            axes.plot([a, x], [height, height + 0.4], color=colour, linewidth=0.7, alpha=0.5)
            axes.plot(a, height, "o", color=colour)
            axes.plot(x, height + 0.4, "x", color=colour)
    axes.set_yticks(np.arange(len(chosen)) + 0.2, [f"eps = {eps:.4g}" for eps in chosen])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="position on the line (units of A)", ylim=(len(chosen) - 0.2, -0.4))


class Pattern(NamedTuple):
    """A property that some examples illustrate together for one partition of K clusters."""

    examples: list[str]
    says: str
    K: int
    # whether the property holds for n, the numbers S of points that leave, and the deltas
    holds: Callable[[int, Counts, Counts], bool]
    # whether it is about these sizes, and about these numbers of moved points
    sizes: Callable[[Counts], bool] = bool
    moved: Callable[[Counts], bool] = bool


PATTERNS = (
    Pattern(
        ["5", "6", "7"],
        "Two clusters: more points move (6, 7), more than ceil(n / 2), and delta is the same.",
        2,
        lambda n, S, delta: S[0] < S[1] < S[2] > -(n // -2) and delta[0] < delta[1] == delta[2],
    ),
    Pattern(
        ["8", "9"],
        "Three equal clusters, s_2 = s_3: more points move, and delta increases.",
        3,
        lambda n, S, delta: S[0] < S[1] and delta[0] < delta[1],
        lambda sizes: len(set(sizes)) == 1,
        lambda moved: len(set(moved)) == 1,
    ),
    Pattern(
        ["10", "11", "12"],
        "Three clusters, n_2 = n_3, s_2 = s_3: more points move, delta increases, then decreases.",
        3,
        lambda n, S, delta: S[0] < S[1] < S[2] and delta[0] < delta[1] > delta[2],
        lambda sizes: sizes[0] != sizes[1] == sizes[2],
        lambda moved: len(set(moved)) == 1,
    ),
    Pattern(
        ["13", "14", "15"],
        "Three clusters: more points move, and delta decreases (13, 14); as many move to other "
        "clusters, and delta is another (14, 15).",
        3,
        lambda n, S, delta: S[0] < S[1] == S[2] and delta[0] > delta[1] != delta[2],
    ),
)


def rebuilt(pattern: Pattern) -> Iterator[list[Cells]]:
    """Yield the examples of a pattern, those with the smallest sizes first."""
    for n in count(2 * pattern.K):
        for sizes in filter(pattern.sizes, all_sizes(n, pattern.K)):
            leaving = range(pattern.K - 1, sizes[0])
            able = [moved for S in leaving for moved in all_sizes(S, pattern.K - 1)]
            deltas = {moved: closed_form(sizes, moved) for moved in filter(pattern.moved, able)}
            for moves in permutations(deltas, len(pattern.examples)):
                S, found = tuple(map(sum, moves)), tuple(deltas[moved] for moved in moves)
                if min(sizes) > 1 and pattern.holds(n, S, found):
                    both = zip(pattern.examples, moves, strict=True)
                    yield [{"example": name, **example(sizes, moved)} for name, moved in both]


def example(sizes: Counts, moved: Counts) -> Cells:
    """Return the deviations of one example."""
    labels, other = partition(sizes), reassigned(sizes, moved)
    return {
        "sizes": "+".join(map(str, sizes)),
        "moved": "+".join(map(str, moved)),
        "delta": deviation(labels, other),
        "closed form": closed_form(sizes, moved),
        "N_chg": deviation(labels, other, "changed"),
        "1 - RI": deviation(labels, other, "rand"),
    }


def pattern_claim(pattern: Pattern, own: Sequence[Cells]) -> Claim:
    """Return the claim that the examples of a pattern exist and have the delta of Theorem 5."""
    said = "; ".join("{moved} of {sizes} move: delta = {delta}".format(**row) for row in own)
    right = all(row["delta"] == row["closed form"] for row in own)
    where = f"Examples {', '.join(pattern.examples)}"
    return Claim(where, pattern.says, f"{said}.", agrees_if(right))


PART = Part("examples", "Examples 3 to 15, with our numbers", run)
