"""How many points may leave before delta falls: by enumeration, against the theorems' bounds.

The paper's conditions are lost in part; the bounds are our reading. At step s, cluster 1 has lost
s times the direction: s points for cluster 2, or s for either of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bilad.models import monotone_range, spill
from bilad.models.validation import IntArray
from bilad.scripts.reproduce.theory.spill_checks import Counts, all_sizes, norms


@dataclass(frozen=True)
class Case:
    """A condition under which delta should not fall."""

    name: str  # Theorem and item
    condition: str
    direction: Counts  # how many leave for each other cluster at each step
    sizes: Callable[[Counts], bool]  # (sizes): whether the condition is about such sizes
    bound: Callable[[Counts], int]  # (sizes): the steps up to which delta should not fall


@dataclass(frozen=True)
class Range:
    """What is true of one partition."""

    case: str
    sizes: str
    n: int
    n1: int
    possible: int  # steps until cluster 1 has not enough points for another
    largest: int  # steps up to which delta does not fall, from the matrices of every step
    bound: int  # by our reading of the theorem, at most `possible`
    library: int  # by `monotone_range`

    @property
    def is_safe(self) -> bool:
        """Whether delta does not fall up to the bound."""
        return self.bound <= self.largest

    @property
    def always(self) -> bool:
        """Whether delta never falls."""
        return self.largest == self.possible


def _any(sizes: Counts) -> bool:
    return True


def _equal(sizes: Counts) -> bool:
    return len(set(sizes)) == 1


def _half(sizes: Counts) -> int:
    """Return ceil((n_1 + n_2) / 2)."""
    return -((sizes[0] + sizes[1]) // -2)


def _sixth(rounding: int) -> Callable[[Counts], int]:
    """Return the bound floor((2 n_1 + n_2 + n_3 + rounding) / 6)."""

    def bound(sizes: Counts) -> int:
        return (2 * sizes[0] + sizes[1] + sizes[2] + rounding) // 6

    return bound


TWO = Case("3 (ii)", "s <= min(n_1, ceil(n / 2))", (1,), _any, _half)
THREE_INTO_ONE = Case("4 (i)", "s_3 = 0, s_2 <= ceil((n_1 + n_2) / 2)", (1, 0), _any, _half)
EQUAL = Case("4 (ii)", "n_1 = n_2 = n_3, s_2 = s_3, all s", (1, 1), _equal, lambda sizes: sizes[0])
UNEQUAL = Case(
    "4 (iii)", "s_2 = s_3 = s <= (2 n_1 + n_2 + n_3) / 6", (1, 1), _any, _sixth(rounding=0)
)
NEAREST = Case("4 (iii), nearest", "the same bound, rounded", (1, 1), _any, _sixth(rounding=3))
ROUNDED_UP = Case("4 (iii), up", "the same bound, rounded up", (1, 1), _any, _sixth(rounding=5))
CASES = (TWO, THREE_INTO_ONE, EQUAL, UNEQUAL, NEAREST, ROUNDED_UP)


def ranges(cases: Iterable[Case], most_n: dict[int, int]) -> Iterator[Range]:
    """Yield a row for each case and all sizes it is about.

    Parameters
    ----------
    cases : iterable of Case
    most_n : dict of int to int
        The most points, by the number of clusters.
    """
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
    """Return delta at every step, from the matrices."""
    steps = range(sizes[0] // sum(direction) + 1)
    others: list[IntArray] = [spill(sizes, [t * d for d in direction])[1] for t in steps]
    found: list[int] = norms(others[0], np.array(others)).tolist()
    return found


def nondecreasing_up_to(values: list[int]) -> int:
    """Return the number of the last value before the first fall."""
    falls = np.flatnonzero(np.diff(values) < 0)
    return int(falls[0]) if len(falls) else len(values) - 1
