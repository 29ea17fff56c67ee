"""Theorem 2 and the exact partition at every eps of an interval, in rational arithmetic.

The data are on a line, a(eps) = A + eps V, and all weights on the complete graph are w. Then (C1')
always holds, and

    gamma_min(eps) = max over i, j in the same cluster I_a of |a_i - a_j| / (n_a w),
    gamma_max(eps) = min over clusters a < b of |abar_a - abar_b| / (w (2 n - n_a - n_b)),

with the means abar_a. Both are piecewise linear in eps. The interval is divided at the eps at which
two of the terms, or a term and gamma, are equal, and at the changes of the partition. In each cell
the conditions of Theorem 2 and the partition are constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, Perturbation
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

Line = tuple[Fraction, Fraction]  # value at 0, slope


@dataclass(frozen=True)
class Instance:
    """Two clusters on a line, one point of which is shifted by eps."""

    data: FloatArray  # shape (n,)
    labels: IntArray  # shape (n,)
    moved: int  # the index of the shifted point
    gamma: float
    reach: float  # the largest |eps|

    @property
    def model(self) -> ConvexClustering:
        """The model, with weights 1 on the complete graph."""
        graph = FusionGraph.complete(len(self.data))
        return ConvexClustering(self.data[:, None], graph, self.gamma)

    @property
    def perturbation(self) -> Perturbation:
        """The shift of one point."""
        return Perturbation.shift(np.eye(len(self.data))[:, [self.moved]])


@dataclass(frozen=True)
class Cell:
    """An open interval of eps, or a single eps, on which the conditions are constant."""

    instance: int
    # the ends of the interval; equal if the cell is a single eps
    low: Fraction
    high: Fraction
    # the values in the middle of the cell
    gamma_min: Fraction
    gamma_max: Fraction
    holds_c2: bool  # (C2'): whether gamma_min < gamma_max
    guaranteed: bool  # whether gamma_min <= gamma < gamma_max, so that Theorem 2 applies
    unchanged: bool  # whether the partition is that at eps = 0, by the parametric path

    @property
    def middle(self) -> Fraction:
        """The middle of the cell."""
        return (self.low + self.high) / 2

    @property
    def length(self) -> Fraction:
        """The length of the interval; 0 for a single eps."""
        return self.high - self.low


def cells(instance: Instance, number: int) -> Iterator[Cell]:
    """Yield the cells of an instance, numbered as given, in increasing order of eps."""
    reach, gamma = Fraction(instance.reach), Fraction(instance.gamma)
    inner, outer = _distances(instance)
    stairs = parametric_path(instance.model, instance.perturbation, -instance.reach, instance.reach)
    ends = {end for end in _meetings(inner, outer, gamma) if abs(end) < reach}
    places = sorted(ends | set(stairs.breakpoints))
    spans = [span for low, high in pairwise(places) for span in ((low, low), (low, high))]
    for low, high in [*spans, (places[-1], places[-1])]:
        eps = (low + high) / 2
        gamma_min = max(abs(value + eps * slope) for value, slope in inner)
        gamma_max = min(abs(value + eps * slope) for value, slope in outer)
        yield Cell(
            instance=number,
            low=low,
            high=high,
            gamma_min=gamma_min,
            gamma_max=gamma_max,
            holds_c2=gamma_min < gamma_max,
            guaranteed=gamma_min <= gamma < gamma_max,
            unchanged=bool((stairs.labels_at(eps) == instance.labels).all()),
        )


def _distances(instance: Instance) -> tuple[set[Line], set[Line]]:
    """Return the terms, up to their signs, whose maximum is gamma_min and minimum gamma_max."""
    a = [Fraction(float(value)) for value in instance.data]
    lines = [(value, Fraction(int(i == instance.moved))) for i, value in enumerate(a)]
    n, K = len(a), int(instance.labels.max()) + 1
    clusters = [[line for line, k in zip(lines, instance.labels, strict=True) if k == own]
                for own in range(K)]  # fmt: skip
    inner = {
        _difference(one, other, len(cluster))
        for cluster in clusters
        for one, other in combinations(cluster, 2)
    }
    centroids = [
        (sum(value for value, _ in cluster) / Fraction(len(cluster)),
         sum(slope for _, slope in cluster) / Fraction(len(cluster)))
        for cluster in clusters
    ]  # fmt: skip
    outer = {
        _difference(centroids[k], centroids[m], 2 * n - len(clusters[k]) - len(clusters[m]))
        for k, m in combinations(range(K), 2)
    }
    return inner, outer


def _difference(one: Line, other: Line, divisor: int) -> Line:
    return (one[0] - other[0]) / divisor, (one[1] - other[1]) / divisor


def _meetings(inner: set[Line], outer: set[Line], gamma: Fraction) -> Iterator[Fraction]:
    """Yield every eps at which two terms, or a term and gamma, are equal."""
    level = (gamma, Fraction(0))
    for one, other in [*product(inner | outer, [level]), *product(inner, outer)]:
        for sign in (1, -1):
            slope = one[1] - sign * other[1]
            if slope:
                yield (sign * other[0] - one[0]) / slope


def random_instance(rng: np.random.Generator) -> Instance:
    """Return two clusters whose partition Theorem 1 guarantees.

    Each has 3 to 8 points, multiples of 1/16 in an interval of length 4. |eps| is at most the
    distance of the centroids.
    """
    sizes = rng.integers(3, 9, 2)
    n = int(sizes.sum())
    parts = [np.sort(rng.integers(0, 65, size)) / 16 for size in sizes]
    gamma_min = max(np.ptp(part) / len(part) for part in parts) + 1 / 16
    gap = n * gamma_min * rng.uniform(1.1, 2.0)
    shift = np.ceil(16 * (gap + parts[0].mean() - parts[1].mean())) / 16
    data = np.concatenate([parts[0], parts[1] + shift])
    apart = data[sizes[0] :].mean() - data[: sizes[0]].mean()
    gamma = float(np.round(1024 * rng.uniform(gamma_min, apart / n)) / 1024)
    moved = int(rng.integers(n))
    return Instance(data, np.repeat([0, 1], sizes), moved, gamma, float(np.ceil(apart)))
