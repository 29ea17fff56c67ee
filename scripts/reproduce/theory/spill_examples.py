"""Examples 5 to 15: the fewest points that show what each of them shows.

The paper's numbers are lost, what it says of them is not: that is the pattern searched for. Every
cluster has at least two points, each other cluster gains at least one, cluster 1 keeps one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from bilad.models import deviation
from bilad.scripts.reproduce.reassignment import reassignment, reassignment_deviation
from bilad.scripts.reproduce.theory.spill_checks import (
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
    """What examples show together, of one partition."""

    examples: tuple[str, ...]  # their numbers, or other names
    says: str
    clusters: int
    sizes: Callable[[Counts], bool] = anything  # (sizes): whether the partition may have such sizes
    moved: Callable[[Counts], bool] = anything  # (moved): whether points may move so
    # (sizes, moves, deltas): whether it is shown by moves, one for each example, with these deltas
    holds: Holds = anything


@dataclass(frozen=True)
class Example:
    """A partition, and one after points left its first cluster."""

    example: str
    sizes: str
    moved: str
    # n, leave: points, and how many of them move
    n: int
    leave: int
    delta: int  # from the matrices
    closed_form: int
    n_changed: int  # labels that differ, as they are numbered
    rand_deviation: float  # 1 - RI


def find(pattern: Pattern, most_n: int) -> tuple[Counts, tuple[Counts, ...]] | None:
    """Return sizes, and a move for each example, of the fewest points; None if there are none."""
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
    """Return the moves that may be, fewest points first, each with its delta."""
    able = [
        moved
        for moved in all_moves(sizes)
        if min(moved) > 0 and sum(moved) < sizes[0] and pattern.moved(moved)
    ]
    return {moved: reassignment_deviation(sizes, moved) for moved in sorted(able, key=sum)}


def examples(pattern: Pattern, most_n: int) -> Iterator[Example]:
    """Yield the examples of a pattern; none if it is not found."""
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
    """Say whether the second moves more to less effect, and the third as many to another."""
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
