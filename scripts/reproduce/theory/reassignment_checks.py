"""Check of the closed forms of Theorems 3 to 5, and of deviation functions under reassignment.

The closed forms of delta are compared with ||D D' - E E'||_F^2, where D and E are the membership
matrices of the two partitions. Every deviation function is evaluated as points move from the first
cluster to the others in fixed proportions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from sklearn.metrics import rand_score

from bilad.models import deviation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.validation import IntArray
from bilad.scripts.reproduce.reassignment import (
    monotone_range,
    reassignment,
    reassignment_deviation,
)

MOVES, POINTS, RANDOM = "all sizes and moves", "all sizes, every choice of points", "random"

Counts = tuple[int, ...]
ROUNDING = 1e-12  # a smaller decrease may be a rounding error


@dataclass(frozen=True)
class FormulaCheck:
    """The result of comparing the formulas for delta on some partitions."""

    how: str  # how the partitions were chosen: `MOVES`, `POINTS` or `RANDOM`
    n: int  # the number of points; if random, the largest number
    clusters: int
    tried: int
    # The number of partitions for which a formula differs from the norm of the matrices: Theorem 3
    # (two clusters) or 4 (three), Theorem 5, and the function `deviation` of the package.
    wrong_own: int
    wrong_general: int
    wrong_library: int


def check_all_moves(most_n: int) -> Iterator[FormulaCheck]:
    """Yield a row for each n and K: all sizes, and all numbers of points that move."""
    for n in range(2, most_n + 1):
        for clusters in range(2, n + 1):
            parts = (
                _count(sizes, moves := all_moves(sizes), [reassignment(sizes, s)[1] for s in moves])
                for sizes in all_sizes(n, clusters)
            )
            yield _row(MOVES, n, clusters, parts)


def check_all_points(most_n: int) -> Iterator[FormulaCheck]:
    """Yield a row for each n and K: all sizes, and every assignment of the points of cluster 1."""
    for n in range(2, most_n + 1):
        for clusters in range(2, n + 1):
            parts = (_count_choices(sizes) for sizes in all_sizes(n, clusters))
            yield _row(POINTS, n, clusters, parts)


def check_random(number: int, most_n: int, most_clusters: int, seed: int) -> Iterator[FormulaCheck]:
    """Yield a row for each K: `number` partitions with random sizes and numbers of moved points."""
    rng = np.random.default_rng(seed)
    for clusters in range(2, most_clusters + 1):
        drawn = (random_reassignment(rng, most_n, clusters) for _ in range(number))
        parts = (_count(sizes, [moved], [reassignment(sizes, moved)[1]]) for sizes, moved in drawn)
        yield _row(RANDOM, most_n, clusters, parts)


def anything(*arguments: object) -> bool:
    """Return True for any sizes and moves."""
    return True


def all_equal(counts: Counts) -> bool:
    """Return whether all counts are equal."""
    return len(set(counts)) == 1


def all_sizes(n: int, clusters: int) -> Iterator[Counts]:
    """Yield every (n_1, .., n_K) of positive integers with sum n."""
    for cuts in combinations(range(1, n), clusters - 1):
        yield tuple(np.diff([0, *cuts, n]).tolist())


def all_moves(sizes: Counts) -> list[Counts]:
    """Return every (s_2, .., s_K) of nonnegative integers with sum at most n_1."""
    n1, K = sizes[0], len(sizes)
    return [
        tuple((np.diff([-1, *bars]) - 1).tolist())
        for bars in combinations(range(n1 + K - 1), K - 1)
    ]


def random_reassignment(
    rng: np.random.Generator, most_n: int, clusters: int
) -> tuple[Counts, Counts]:
    """Return random sizes, and the numbers of points that move to each other cluster."""
    n = int(rng.integers(clusters, most_n + 1))
    cuts = np.sort(rng.choice(np.arange(1, n), clusters - 1, replace=False))
    sizes = np.diff([0, *cuts, n])
    ends = np.sort(rng.integers(0, sizes[0] + 1, clusters - 1))
    return tuple(sizes.tolist()), tuple(np.diff([0, *ends]).tolist())


def norms(labels: IntArray, others: IntArray) -> IntArray:
    """Return ||D D' - E E'||_F^2 for a partition of shape (n,) and others of shape (m, n)."""
    K = int(max(labels.max(), others.max())) + 1
    difference = _relations(labels, K) - _relations(others, K)
    return np.asarray((difference**2).sum(axis=(1, 2), dtype=np.int64))


def _relations(labels: IntArray, K: int) -> IntArray:
    """Return D D' of each row: shape (.., n, n)."""
    D = (labels[..., None] == np.arange(K)).astype(np.int32)
    return np.asarray(D @ np.swapaxes(D, -1, -2))


def theorem(sizes: Counts, moved: Counts) -> int | None:
    """Return delta by Theorem 3 (two clusters) or 4 (three clusters); None for more clusters."""
    if len(sizes) == 2:
        (s,) = moved
        return 2 * s * (sum(sizes) - s)
    if len(sizes) == 3:
        (n1, n2, n3), (s2, s3) = sizes, moved
        S = s2 + s3
        return 2 * (S * (n1 - S) + s2 * s3 + n2 * s2 + n3 * s3)
    return None


def _count_choices(sizes: Counts) -> IntArray:
    """Check every assignment of the points of cluster 1 to the clusters."""
    K, rest = len(sizes), np.repeat(np.arange(len(sizes)), sizes)[sizes[0] :]
    firsts = list(product(range(K), repeat=sizes[0]))
    moves = [tuple(first.count(k) for k in range(1, K)) for first in firsts]
    return _count(sizes, moves, [np.array([*first, *rest]) for first in firsts])


def _count(sizes: Counts, moves: Sequence[Counts], others: Sequence[IntArray]) -> IntArray:
    """Return the number of partitions, and the numbers for which each formula is wrong."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    wrong = np.zeros(4, dtype=np.int64)
    true_values = norms(labels, np.array(others)).tolist()
    for moved, other, true in zip(moves, others, true_values, strict=True):
        own = theorem(sizes, moved)
        found = own, reassignment_deviation(sizes, moved), deviation(labels, other)
        wrong += [1, *(value is not None and value != true for value in found)]
    return wrong


def _row(how: str, n: int, clusters: int, parts: Iterator[IntArray]) -> FormulaCheck:
    return FormulaCheck(how, n, clusters, *np.sum(list(parts), axis=0).tolist())


@dataclass(frozen=True)
class PathRow:
    """A deviation function as points move in fixed proportions."""

    deviation: str
    # at step t, t times `direction` points have moved from cluster 1
    sizes: str
    direction: str
    clusters: int
    steps: int  # the number of steps for which cluster 1 has enough points
    in_range: int  # the steps for which delta does not decrease (`monotone_range`)
    first_fall: int  # the step before the first decrease; `steps` if there is none
    # the values before and after the first decrease; NaN if there is none
    before: float
    after: float

    @property
    def falls_in_range(self) -> bool:
        """Whether the function decreases where delta does not."""
        return self.first_fall < self.in_range

    @property
    def falls(self) -> bool:
        """Whether the function decreases at all."""
        return self.first_fall < self.steps


def check_paths(paths: int, most_n: int, most_clusters: int, seed: int) -> Iterator[PathRow]:
    """Yield a row for each random path and function; every second path has two clusters."""
    rng = np.random.default_rng(seed)
    for number in range(paths):
        clusters = int(rng.integers(3, most_clusters + 1)) if number % 2 else 2
        sizes, _ = random_reassignment(rng, most_n, clusters)
        direction = _direction(rng, clusters)
        partitions = along(sizes, direction)
        for name in PARTITION_DEVIATIONS:
            yield _path(name, sizes, direction, partitions)


def along(sizes: Counts, direction: Counts) -> list[IntArray]:
    """Return the labels at each step, beginning with step 0."""
    steps = range(sizes[0] // sum(direction) + 1)
    return [reassignment(sizes, [t * d for d in direction])[1] for t in steps]


def identity_error(labels: IntArray, other: IntArray) -> float:
    """Return |delta - n (n - 1) (1 - RI)|, with the Rand index RI of scikit-learn."""
    n = len(labels)
    return abs(deviation(labels, other) - n * (n - 1) * (1 - rand_score(labels, other)))


def _direction(rng: np.random.Generator, clusters: int) -> Counts:
    drawn = rng.integers(0, 3, clusters - 1)
    drawn[int(rng.integers(clusters - 1))] += not drawn.any()
    return tuple((drawn // np.gcd.reduce(drawn)).tolist())


def _path(name: str, sizes: Counts, direction: Counts, partitions: list[IntArray]) -> PathRow:
    values = np.array([deviation(partitions[0], other, name) for other in partitions])
    falls = np.flatnonzero(np.diff(values) < -ROUNDING * max(1.0, values.max()))
    steps = len(partitions) - 1
    first = int(falls[0]) if len(falls) else steps
    return PathRow(
        deviation=name,
        sizes="+".join(map(str, sizes)),
        direction="+".join(map(str, direction)),
        clusters=len(sizes),
        steps=steps,
        in_range=monotone_range(sizes, direction),
        first_fall=first,
        before=float(values[first]) if len(falls) else float("nan"),
        after=float(values[first + 1]) if len(falls) else float("nan"),
    )
