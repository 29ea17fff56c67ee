"""The closed forms of delta (Theorems 3 to 5) against the norm of the matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from bilad.models import deviation, spill, spill_deviation
from bilad.models.validation import IntArray

MOVES, POINTS, RANDOM = "all sizes and moves", "all sizes, every choice of points", "random"

Counts = tuple[int, ...]


@dataclass(frozen=True)
class FormulaCheck:
    """Partitions whose delta was counted in every way."""

    how: str  # how they were chosen: one of `MOVES`, `POINTS`, `RANDOM`
    n: int  # the most, if random
    clusters: int
    tried: int
    # so often the formula of Theorem 3 (two clusters) or 4 (three) is not the matrices' norm
    wrong_own: int
    wrong_general: int  # so often that of Theorem 5 is not
    wrong_library: int  # so often delta as the library counts it, from labels, is not


def check_all_moves(most_n: int) -> Iterator[FormulaCheck]:
    """Yield a row for each n and K: all sizes, and all numbers of points that move."""
    for n in range(2, most_n + 1):
        for clusters in range(2, n + 1):
            parts = (
                _count(sizes, moves := all_moves(sizes), [spill(sizes, s)[1] for s in moves])
                for sizes in all_sizes(n, clusters)
            )
            yield _row(MOVES, n, clusters, parts)


def check_all_points(most_n: int) -> Iterator[FormulaCheck]:
    """Yield a row for each n and K: all sizes, each point of cluster 1 into each cluster."""
    for n in range(2, most_n + 1):
        for clusters in range(2, n + 1):
            parts = (_count_choices(sizes) for sizes in all_sizes(n, clusters))
            yield _row(POINTS, n, clusters, parts)


def check_random(number: int, most_n: int, most_clusters: int, seed: int) -> Iterator[FormulaCheck]:
    """Yield a row for each K: sizes and moves drawn at random.

    Parameters
    ----------
    number : int
        Of partitions for each K.
    most_n, most_clusters, seed : int
    """
    rng = np.random.default_rng(seed)
    for clusters in range(2, most_clusters + 1):
        spills = (random_spill(rng, most_n, clusters) for _ in range(number))
        parts = (_count(sizes, [moved], [spill(sizes, moved)[1]]) for sizes, moved in spills)
        yield _row(RANDOM, most_n, clusters, parts)


def all_sizes(n: int, clusters: int) -> Iterator[Counts]:
    """Yield every (n_1, .., n_K), each at least 1, of sum n."""
    for cuts in combinations(range(1, n), clusters - 1):
        yield tuple(np.diff([0, *cuts, n]).tolist())


def all_moves(sizes: Counts) -> list[Counts]:
    """Return every (s_2, .., s_K), each at least 0, of sum at most n_1."""
    n1, K = sizes[0], len(sizes)
    return [
        tuple((np.diff([-1, *bars]) - 1).tolist())
        for bars in combinations(range(n1 + K - 1), K - 1)
    ]


def random_spill(rng: np.random.Generator, most_n: int, clusters: int) -> tuple[Counts, Counts]:
    """Return sizes, and how many leave cluster 1 for each other."""
    n = int(rng.integers(clusters, most_n + 1))
    cuts = np.sort(rng.choice(np.arange(1, n), clusters - 1, replace=False))
    sizes = np.diff([0, *cuts, n])
    ends = np.sort(rng.integers(0, sizes[0] + 1, clusters - 1))
    return tuple(sizes.tolist()), tuple(np.diff([0, *ends]).tolist())


def norms(labels: IntArray, others: IntArray) -> IntArray:
    """Return ||D D' - E E'||_F^2 for one partition and each of others, from the matrices."""
    K = int(max(labels.max(), others.max())) + 1
    difference = _relations(labels, K) - _relations(others, K)
    return np.asarray((difference**2).sum(axis=(1, 2), dtype=np.int64))


def _relations(labels: IntArray, K: int) -> IntArray:
    """Return D D' of each row: shape (.., n, n)."""
    D = (labels[..., None] == np.arange(K)).astype(np.int32)
    return np.asarray(D @ np.swapaxes(D, -1, -2))


def theorem(sizes: Counts, moved: Counts) -> int | None:
    """Return delta by Theorem 3 (two clusters) or Theorem 4 (three), None if there are more."""
    if len(sizes) == 2:
        (s,) = moved
        return 2 * s * (sum(sizes) - s)
    if len(sizes) == 3:
        (n1, n2, n3), (s2, s3) = sizes, moved
        S = s2 + s3
        return 2 * (S * (n1 - S) + s2 * s3 + n2 * s2 + n3 * s3)
    return None


def _count_choices(sizes: Counts) -> IntArray:
    """Count for every choice of the points that leave."""
    K, rest = len(sizes), np.repeat(np.arange(len(sizes)), sizes)[sizes[0] :]
    firsts = list(product(range(K), repeat=sizes[0]))
    moves = [tuple(first.count(k) for k in range(1, K)) for first in firsts]
    return _count(sizes, moves, [np.array([*first, *rest]) for first in firsts])


def _count(sizes: Counts, moves: Sequence[Counts], others: Sequence[IntArray]) -> IntArray:
    """Return how many were tried, and the three counts of what is wrong."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    wrong = np.zeros(4, dtype=np.int64)
    true_values = norms(labels, np.array(others)).tolist()
    for moved, other, true in zip(moves, others, true_values, strict=True):
        own = theorem(sizes, moved)
        found = own, spill_deviation(sizes, moved), deviation(labels, other)
        wrong += [1, *(value is not None and value != true for value in found)]
    return wrong


def _row(how: str, n: int, clusters: int, parts: Iterator[IntArray]) -> FormulaCheck:
    return FormulaCheck(how, n, clusters, *np.sum(list(parts), axis=0).tolist())
