"""From the critical regions of each feature to partitions: the common refinement."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

import numpy as np

from bilad.models.validation import IntArray
from bilad.solvers.clustering.labels.partition import numbered
from bilad.solvers.clustering.parametric.critical_regions import (
    CriticalRegion,
    Crossing,
    LineProblem,
    critical_regions,
)


class Feature:
    """A one-dimensional problem and its critical regions.

    Parameters
    ----------
    line : LineProblem
    low, high : Fraction
        low < high.
    """

    def __init__(self, line: LineProblem, low: Fraction, high: Fraction) -> None:
        self.regions = critical_regions(line, low, high)
        self._ends = [cell.high for cell in self.regions]
        # On the complete graph no two blocks cross.
        self._may_cross = not line.network.is_complete

    def ends(self) -> set[Fraction]:
        """Return the ends of the regions."""
        return {self.regions[0].low, *self._ends}

    def crossings(self) -> list[tuple[CriticalRegion, Crossing]]:
        """Return the crossings of blocks that no edge joins inside a region."""
        if not self._may_cross:
            return []
        return [(region, crossing) for region in self.regions for crossing in region.crossings()]

    def labels(self, eps: Fraction) -> list[int]:
        """Return labels at an eps, equal if and only if the points are: length n."""
        return self.regions[bisect_left(self._ends, eps)].labels(eps)

    def labels_at(self, values: list[Fraction]) -> IntArray:
        """Return labels at each eps: shape (len(values), n)."""
        return np.array([self.labels(eps) for eps in values])

    def labels_after(self, values: list[Fraction]) -> IntArray:
        """Return labels between consecutive eps: shape (len(values) - 1, n).

        The values must contain all ends of regions and all crossings that matter.
        """
        owners = [bisect_left(self._ends, eps) for eps in values[1:]]
        inside = np.array([_labels_inside(region) for region in self.regions])
        return inside[owners]


def _labels_inside(region: CriticalRegion) -> list[int]:
    """Return labels, equal if and only if the points are equal throughout the region: length n."""
    at_low, at_high = region.labels(region.low), region.labels(region.high)
    known: dict[tuple[int, int], int] = {}
    return [known.setdefault(pair, len(known)) for pair in zip(at_low, at_high, strict=True)]


def candidate_breakpoints(features: list[Feature]) -> list[Fraction]:
    """Return every eps where the partition can change, including both ends, in order."""
    values = set().union(*(feature.ends() for feature in features))
    for feature in features:
        others = [other for other in features if other is not feature]
        values |= {
            crossing.eps
            for region, crossing in feature.crossings()
            if crossing.eps not in values and _matters(region, crossing, others)
        }
    return sorted(values)


def _matters(region: CriticalRegion, crossing: Crossing, others: list[Feature]) -> bool:
    """Return whether points of both blocks are equal in all other features at the crossing."""
    if not others:
        return True
    labels = [other.labels(crossing.eps) for other in others]
    first, second = (
        {tuple(feature[point] for feature in labels) for point in region.blocks[block]}
        for block in crossing.blocks
    )
    return not first.isdisjoint(second)


def refine(features: list[IntArray]) -> IntArray:
    """Return labels of the common refinement, row by row, numbered by first appearance.

    Parameters
    ----------
    features : list of ndarray of int, shape (r, n)

    Returns
    -------
    ndarray of int, shape (r, n)
    """
    return np.array([numbered(row) for row in zip(*features, strict=True)])
