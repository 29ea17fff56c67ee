"""How many points can move before delta decreases: by enumeration, and by the theorems.

The conditions of the theorems are partly lost; the bounds are our reading of them. At step s, s
points have moved from cluster 1 to cluster 2, or s to each of the other two clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bilad.scripts.reproduce.reassignment import monotone_range
from bilad.scripts.reproduce.theory.reassignment_checks import (
    Counts,
    all_equal,
    all_sizes,
    along,
    anything,
    norms,
)


@dataclass(frozen=True)
class Case:
    """A condition of a theorem under which delta does not decrease."""

    name: str  # theorem and item
    condition: str
    direction: Counts  # the points that move to each other cluster at each step
    sizes: Callable[[Counts], bool]  # whether the condition is about a partition of these sizes
    bound: Callable[[Counts], int]  # the number of steps in which delta should not decrease


@dataclass(frozen=True)
class Range:
    """The range in which delta does not decrease, for one partition."""

    case: str
    sizes: str
    n: int
    n1: int
    possible: int  # the number of steps for which cluster 1 has enough points
    largest: int  # the steps in which delta does not decrease, from the matrices of each step
    bound: int  # our reading of the theorem, at most `possible`
    library: int  # the result of `monotone_range`

    @property
    def is_safe(self) -> bool:
        """Whether delta does not decrease within the bound."""
        return self.bound <= self.largest

    @property
    def always(self) -> bool:
        """Whether delta never decreases."""
        return self.largest == self.possible


def _half(sizes: Counts) -> int:
    """Return ceil((n_1 + n_2) / 2)."""
    return -((sizes[0] + sizes[1]) // -2)


def _sixth(rounding: int) -> Callable[[Counts], int]:
    """Return the bound floor((2 n_1 + n_2 + n_3 + rounding) / 6)."""

    def bound(sizes: Counts) -> int:
        return (2 * sizes[0] + sizes[1] + sizes[2] + rounding) // 6

    return bound


TWO = Case("3 (ii)", "s <= min(n_1, ceil(n / 2))", (1,), anything, _half)
THREE_INTO_ONE = Case("4 (i)", "s_3 = 0, s_2 <= ceil((n_1 + n_2) / 2)", (1, 0), anything, _half)
EQUAL = Case(
    "4 (ii)", "n_1 = n_2 = n_3, s_2 = s_3, all s", (1, 1), all_equal, lambda sizes: sizes[0]
)
UNEQUAL = Case(
    "4 (iii)", "s_2 = s_3 = s <= (2 n_1 + n_2 + n_3) / 6", (1, 1), anything, _sixth(rounding=0)
)
NEAREST = Case("4 (iii), nearest", "the same bound, rounded", (1, 1), anything, _sixth(rounding=3))
ROUNDED_UP = Case("4 (iii), up", "the same bound, rounded up", (1, 1), anything, _sixth(rounding=5))
CASES = (TWO, THREE_INTO_ONE, EQUAL, UNEQUAL, NEAREST, ROUNDED_UP)


def ranges(cases: Iterable[Case], most_n: dict[int, int]) -> Iterator[Range]:
    """Yield a row for each case and sizes; `most_n` maps K to the largest n."""
    known: dict[tuple[Counts, Counts], list[int]] = {}
    for case in cases:
        clusters = len(case.direction) + 1
        for n in range(clusters, most_n[clusters] + 1):
            for sizes in filter(case.sizes, all_sizes(n, clusters)):
                key = sizes, case.direction
                if key not in known:
                    known[key] = deltas_along(sizes, case.direction)
                yield _range(case, sizes, known[key])


def _range(case: Case, sizes: Counts, deltas: list[int]) -> Range:
    possible = len(deltas) - 1
    return Range(
        case=case.name,
        sizes="+".join(map(str, sizes)),
        n=sum(sizes),
        n1=sizes[0],
        possible=possible,
        largest=nondecreasing_up_to(deltas),
        bound=min(case.bound(sizes), possible),
        library=monotone_range(sizes, case.direction),
    )


def deltas_along(sizes: Counts, direction: Counts) -> list[int]:
    """Return delta at every step, computed from the matrices."""
    others = along(sizes, direction)
    found: list[int] = norms(others[0], np.array(others)).tolist()
    return found


def nondecreasing_up_to(values: list[int]) -> int:
    """Return the index of the last value before the first decrease."""
    falls = np.flatnonzero(np.diff(values) < 0)
    return int(falls[0]) if len(falls) else len(values) - 1
