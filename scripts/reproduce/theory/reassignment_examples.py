"""Examples 5 to 15: the smallest partitions that have the property of each example.

The numbers in the examples are lost, but not the properties that they illustrate. In the search,
each cluster has at least two points, each other cluster gains a point, and cluster 1 keeps one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from bilad.models import deviation
from bilad.scripts.reproduce.reassignment import reassignment, reassignment_deviation
from bilad.scripts.reproduce.theory.reassignment_checks import (
    Counts,
    all_equal,
    all_moves,
    all_sizes,
    anything,
    norms,
)

Holds = Callable[[Counts, Sequence[Counts], Sequence[int]], bool]


@dataclass(frozen=True)
class Pattern:
    """A property that some examples illustrate together for one partition."""

    examples: tuple[str, ...]  # their numbers or names
    says: str
    clusters: int
    sizes: Callable[[Counts], bool] = anything  # whether these sizes are allowed
    moved: Callable[[Counts], bool] = anything  # whether these numbers of moved points are allowed
    # holds(sizes, moves, deltas): whether the property holds; one move for each example
    holds: Holds = anything


@dataclass(frozen=True)
class Example:
    """A partition, and the partition after points have moved from its first cluster."""

    example: str
    sizes: str
    moved: str
    n: int  # points
    leave: int  # points that move
    delta: int  # computed from the matrices
    closed_form: int
    n_changed: int  # labels that differ, without renaming of clusters
    rand_deviation: float  # 1 - RI


def find(pattern: Pattern, most_n: int) -> tuple[Counts, tuple[Counts, ...]] | None:
    """Return the smallest sizes with the property, and the moves; None if there are none."""
    for n in range(2 * pattern.clusters, most_n + 1):
        for sizes in all_sizes(n, pattern.clusters):
            if min(sizes) < 2 or not pattern.sizes(sizes):
                continue
            moves = _moves(sizes, pattern)
            for chosen in permutations(moves, len(pattern.examples)):
                if pattern.holds(sizes, chosen, [moves[moved] for moved in chosen]):
                    return sizes, chosen
    return None


def _moves(sizes: Counts, pattern: Pattern) -> dict[Counts, int]:
    """Return the allowed moves with their delta, those of fewer points first."""
    able = [
        moved
        for moved in all_moves(sizes)
        if min(moved) > 0 and sum(moved) < sizes[0] and pattern.moved(moved)
    ]
    return {moved: reassignment_deviation(sizes, moved) for moved in sorted(able, key=sum)}


def examples(pattern: Pattern, most_n: int) -> Iterator[Example]:
    """Yield the examples of a pattern; none if no partition has the property."""
    found = find(pattern, most_n)
    if found is None:
        return
    sizes, moves = found
    for name, moved in zip(pattern.examples, moves, strict=True):
        labels, other = reassignment(sizes, moved)
        yield Example(
            example=name,
            sizes="+".join(map(str, sizes)),
            moved="+".join(map(str, moved)),
            n=sum(sizes),
            leave=sum(moved),
            delta=int(norms(labels, other[None])[0]),
            closed_form=reassignment_deviation(sizes, moved),
            n_changed=int(deviation(labels, other, "changed")),
            rand_deviation=deviation(labels, other, "rand"),
        )


def _all_different(counts: Counts) -> bool:
    return len(set(counts)) == len(counts)


def _others_equal(sizes: Counts) -> bool:
    return sizes[0] != sizes[1] and all_equal(sizes[1:])


def _grows(moves: Sequence[Counts]) -> bool:
    return bool((np.diff([sum(moved) for moved in moves]) > 0).all())


def _same_again(sizes: Counts, moves: Sequence[Counts], deltas: Sequence[int]) -> bool:
    beyond = sum(moves[2]) > -(sum(sizes) // -2)
    return _grows(moves) and deltas[0] < deltas[1] == deltas[2] and beyond


def _rises(sizes: Counts, moves: Sequence[Counts], deltas: Sequence[int]) -> bool:
    return _grows(moves) and deltas[0] < deltas[1]


def _rises_and_falls(sizes: Counts, moves: Sequence[Counts], deltas: Sequence[int]) -> bool:
    return _grows(moves) and deltas[0] < deltas[1] > deltas[2]


def _falls_and_differs(sizes: Counts, moves: Sequence[Counts], deltas: Sequence[int]) -> bool:
    """Return whether more points give a smaller delta, and as many a different one."""
    equally_many = sum(moves[1]) == sum(moves[2])
    return _grows(moves[:2]) and equally_many and deltas[0] > deltas[1] != deltas[2]


PATTERNS = (
    Pattern(
        ("5", "6", "7"),
        "Two clusters: more points move (6, 7), more than ceil(n / 2), and delta is the same.",
        2,
        holds=_same_again,
    ),
    Pattern(
        ("8", "9"),
        "Three equal clusters, s_2 = s_3: more points move, and delta increases.",
        3,
        all_equal,
        all_equal,
        _rises,
    ),
    Pattern(
        ("10", "11", "12"),
        "Three clusters, n_2 = n_3, s_2 = s_3: more points move, delta increases, then decreases.",
        3,
        _others_equal,
        all_equal,
        _rises_and_falls,
    ),
    Pattern(
        ("13", "14", "15"),
        "Three clusters: more points move, and delta decreases (13, 14); as many move to other "
        "clusters, and delta is another (14, 15).",
        3,
        holds=_falls_and_differs,
    ),
    *(
        Pattern(
            (f"K = {K}, {kind}",),
            f"{K} clusters, {kind}: delta is what the closed form says.",
            K,
            sizes,
        )
        for K in (2, 3, 4, 5)
        for kind, sizes in (("equal sizes", all_equal), ("different sizes", _all_different))
    ),
)
