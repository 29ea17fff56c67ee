"""Critical regions of a one-dimensional problem: intervals of eps with a fixed set of blocks.

Let the blocks be the connected sets of equal x_i at some eps. As long as they do not change, x is
affine in eps,

    x_B(eps) = 1/|B| sum_{i in B} pull_i(eps),    pull_i = a_i + forces from the other blocks,

and optimal if and only if (a) blocks that an edge joins keep their order, and (b) no subset S of a
block separates: sum_{i in S} (pull_i - x_B) <= capacity of the edges from S to the rest of B. These
are finitely many affine inequalities, so the critical region is a closed interval. The end that (b)
imposes is found by Newton's method on the largest violation over S, which is convex and piecewise
affine in eps.

Every eps lies in a critical region and there are finitely many, so all are found by solving in
every gap between known regions, also if several breakpoints coincide. The blocks of the next region
can mostly be derived from the end of its neighbour, which saves a solve; if they are wrong, the
derived region has length 0 and is dropped. Blocks that no edge joins may cross inside a region.
Blocks that an edge joins may meet at its ends.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from bilad.solvers.clustering.parametric.affine import Affine, at, simple_fraction_between, total
from bilad.solvers.clustering.parametric.complete_graph import CompleteNetwork
from bilad.solvers.clustering.parametric.general_graph import Blocks, GraphNetwork, Pair

Network = CompleteNetwork | GraphNetwork
Split = tuple[int, list[int]]


@dataclass(frozen=True)
class LineProblem:
    """A one-dimensional problem whose data and capacities are affine in eps.

    Attributes
    ----------
    data : sequence of (int, int), length n
    network : Network
        The graph, with capacities in the unit of the data.
    """

    data: Sequence[Affine]
    network: Network


@dataclass(frozen=True)
class Crossing:
    """Two blocks of a region that cross, and the eps where they are equal."""

    eps: Fraction
    blocks: Pair


@dataclass(frozen=True)
class CriticalRegion:
    """A closed interval of eps, its blocks, and the sum of the pulls in each block.

    If a block splits at an end, that split is its number and the points of its upper part.
    """

    low: Fraction
    high: Fraction
    blocks: Blocks
    sums: list[Affine]
    split_at_low: Split | None
    split_at_high: Split | None

    def levels(self, eps: Fraction) -> list[int]:
        """Return the values of the blocks at an eps of the region, as integers in some unit."""
        unit = lcm(*map(len, self.blocks))
        return [
            at(sum_, eps) * (unit // len(points))
            for points, sum_ in zip(self.blocks, self.sums, strict=True)
        ]

    def labels(self, eps: Fraction) -> list[int]:
        """Return labels at an eps of the region, equal if and only if the points are: length n."""
        known: dict[int, int] = {}
        result = [0] * sum(map(len, self.blocks))
        for points, level in zip(self.blocks, self.levels(eps), strict=True):
            number = known.setdefault(level, len(known))
            for point in points:
                result[point] = number
        return result

    def crossings(self) -> Iterator[Crossing]:
        """Yield the crossings inside the region: the order of the blocks differs at its ends."""
        starts, ends = self.levels(self.low), self.levels(self.high)
        passed: list[tuple[int, int]] = []  # blocks with no larger start, by end
        for block in sorted(range(len(starts)), key=lambda k: (starts[k], ends[k])):
            above = bisect_right(passed, (ends[block], len(starts)))
            for _, other in passed[above:]:
                if starts[other] < starts[block]:
                    _, eps = _crossing(self.blocks, self.sums, other, block)
                    yield Crossing(eps, (other, block))
            insort(passed, (ends[block], block))


def critical_regions(line: LineProblem, low: Fraction, high: Fraction) -> list[CriticalRegion]:
    """Return the regions of positive length that cover low <= eps <= high, low < high, in order."""
    regions: list[CriticalRegion] = []
    gaps = [(low, high)]
    while gaps:
        start, end = gaps.pop()
        eps = simple_fraction_between(start, end)
        blocks = line.network.blocks([at(datum, eps) for datum in line.data], eps)
        found = [_region(line, blocks, start, end)]
        upwards = _neighbours(line, found[0], end, upwards=True)
        downwards = _neighbours(line, found[0], start, upwards=False)
        found += upwards + downwards
        reached = min(region.low for region in found), max(region.high for region in found)
        regions += [region for region in found if region.low < region.high]
        gaps += [gap for gap in ((start, reached[0]), (reached[1], end)) if gap[0] < gap[1]]
    regions.sort(key=lambda region: region.low)
    ends = [low, *(region.high for region in regions)]
    assert ends == [*(region.low for region in regions), high]
    return regions


def _neighbours(
    line: LineProblem, region: CriticalRegion, end: Fraction, upwards: bool
) -> list[CriticalRegion]:
    """Return successive regions up to the end, or until derived blocks are wrong."""
    regions: list[CriticalRegion] = []
    eps = region.high if upwards else region.low
    while eps != end:
        blocks = _next_blocks(
            line.network, region, eps, region.split_at_high if upwards else region.split_at_low
        )
        region = _region(line, blocks, min(eps, end), max(eps, end))
        if region.low == region.high:
            break
        regions.append(region)
        eps = region.high if upwards else region.low
    return regions


def _next_blocks(
    network: Network, region: CriticalRegion, eps: Fraction, split: Split | None
) -> Blocks:
    """Derive the blocks beyond an end of a region; they are optimal at the end itself in any case.

    Either a block splits there, along a cut whose edges are at their capacity, or joined blocks
    meet.
    """
    if split is not None:
        number, upper = split
        lower = sorted(set(region.blocks[number]).difference(upper))
        parts = network.components(lower) + network.components(upper)
        return region.blocks[:number] + parts + region.blocks[number + 1 :]
    blocks: Blocks = []
    equal: dict[int, list[int]] = {}
    for points, level in zip(region.blocks, region.levels(eps), strict=True):
        equal.setdefault(level, []).extend(points)
    for level in sorted(equal):
        blocks += network.components(equal[level])
    return blocks


def _region(line: LineProblem, blocks: Blocks, low: Fraction, high: Fraction) -> CriticalRegion:
    """Return where in [low, high] the blocks are optimal, if they are at some eps of it."""
    forces = line.network.forces(blocks)
    pulls = [(p + dp, q + dq) for (p, q), (dp, dq) in zip(line.data, forces, strict=True)]
    sums = [total(pulls[point] for point in points) for points in blocks]
    low, high = _while_ordered(line.network.joined(blocks), blocks, sums, low, high)
    split_at_low: Split | None = None
    split_at_high: Split | None = None
    for number, (points, sum_) in enumerate(zip(blocks, sums, strict=True)):
        if len(points) > 1:
            block = _Block(line.network, points, [pulls[point] for point in points], sum_)
            high, upper = block.holds_until(high)
            if upper is not None:  # earlier than the splits found before
                split_at_high = number, upper
            low, upper = block.holds_until(low)
            if upper is not None:
                split_at_low = number, upper
    return CriticalRegion(low, high, blocks, sums, split_at_low, split_at_high)


def _while_ordered(
    pairs: Iterable[Pair], blocks: Blocks, sums: list[Affine], low: Fraction, high: Fraction
) -> tuple[Fraction, Fraction]:
    """Restrict an interval to where the lower block of each pair has no larger value."""
    for lower, upper in pairs:
        slope, eps = _crossing(blocks, sums, lower, upper)
        if slope > 0:
            high = min(high, eps)
        elif slope < 0:
            low = max(low, eps)
    return low, high


def _crossing(blocks: Blocks, sums: list[Affine], lower: int, upper: int) -> tuple[int, Fraction]:
    """Return a positive multiple of the slope of lower - upper value, and its root."""
    m, n = len(blocks[lower]), len(blocks[upper])
    (p, q), (r, s) = sums[lower], sums[upper]
    slope = q * n - s * m
    return slope, Fraction(r * m - p * n, slope) if slope else Fraction(0)


class _Block:
    """A set of equal points and the forces on them."""

    def __init__(
        self, network: Network, points: Sequence[int], pulls: Sequence[Affine], sum_: Affine
    ) -> None:
        self.part = network.part(points)
        size, (p_sum, q_sum) = len(points), sum_
        self.size, self.points = size, points
        self.excess = [(size * p - p_sum, size * q - q_sum) for p, q in pulls]

    def holds_until(self, eps: Fraction) -> tuple[Fraction, list[int] | None]:
        """Return eps and None, or where the block splits on the way to it, and its upper part."""
        upper = None
        while True:
            cut = self.part.most_violated_cut([at(affine, eps) for affine in self.excess], eps)
            if cut is None:
                return eps, upper
            upper = [self.points[position] for position in cut]
            p, q = total(self.excess[position] for position in cut)
            p_edges, q_edges = self.part.capacity(cut)
            eps = Fraction(self.size * p_edges - p, q - self.size * q_edges)
