"""The cells of one line: closed intervals of eps on which one choice of blocks is optimal.

Let the blocks be the connected sets of equal x_i at some eps. With them, x is affine in eps,

    x_B(eps) = 1/|B| sum_{i in B} pull_i(eps),    pull_i = a_i + forces from the other blocks,

and stays optimal as long as (a) blocks joined by an edge keep their order, and (b) no part S of a
block is pulled away: sum_{i in S} (pull_i - x_B) <= capacity of the edges from S to the rest of B.
Both are finitely many affine inequalities, so the cell is an interval. The end that (b) sets is
found by Newton's method on the largest excess over S, convex and piecewise affine in eps.

Every eps is in a cell and there are finitely many, so looking into each gap between known cells
finds all of them: no event has to be told from another, however many coincide. Mostly a cell can be
guessed from the end of its neighbour, which saves solving; a guess that is wrong is no harm, its
cell has no length. Blocks that no edge joins pass each other inside a cell; blocks that one joins
may meet at its ends.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from bilad.solvers.clustering.parametric.affine import Affine, at, short_number_between, total
from bilad.solvers.clustering.parametric.network import Blocks, Network, Pair

Split = tuple[int, list[int]]


@dataclass(frozen=True)
class Line:
    """One coordinate: data affine in eps, and the graph.

    Attributes
    ----------
    data : sequence of (int, int), length n
    network : Network
        Capacities in the unit of the data.
    """

    data: Sequence[Affine]
    network: Network


@dataclass(frozen=True)
class Meeting:
    """Two blocks of a cell that pass each other, and where."""

    place: Fraction
    blocks: Pair


@dataclass(frozen=True)
class Cell:
    """A closed interval of eps, the blocks on it, and the sum of the pulls in each.

    What ends it is known if it is a block that splits: its number, and its upper part.
    """

    low: Fraction
    high: Fraction
    blocks: Blocks
    sums: list[Affine]
    split_at_low: Split | None
    split_at_high: Split | None

    def levels(self, eps: Fraction) -> list[int]:
        """Return the values of the blocks at an eps of the cell, as integers in some unit."""
        unit = lcm(*map(len, self.blocks))
        return [
            at(sum_, eps) * (unit // len(points))
            for points, sum_ in zip(self.blocks, self.sums, strict=True)
        ]

    def numbers(self, eps: Fraction) -> list[int]:
        """Number the points at an eps of the cell, alike iff they are equal: length n."""
        known: dict[int, int] = {}
        result = [0] * sum(map(len, self.blocks))
        for points, level in zip(self.blocks, self.levels(eps), strict=True):
            number = known.setdefault(level, len(known))
            for point in points:
                result[point] = number
        return result

    def meetings(self) -> Iterator[Meeting]:
        """Yield where, strictly inside the cell, blocks meet: their order at its ends differs."""
        starts, ends = self.levels(self.low), self.levels(self.high)
        passed: list[tuple[int, int]] = []  # blocks that start no higher, by their ends
        for block in sorted(range(len(starts)), key=lambda k: (starts[k], ends[k])):
            above = bisect_right(passed, (ends[block], len(starts)))
            for _, other in passed[above:]:
                if starts[other] < starts[block]:
                    _, place = _crossing(self.blocks, self.sums, other, block)
                    yield Meeting(place, (other, block))
            insort(passed, (ends[block], block))


def tile(line: Line, low: Fraction, high: Fraction) -> list[Cell]:
    """Return the cells of positive length that cover low <= eps <= high, low < high, in order."""
    cells: list[Cell] = []
    gaps = [(low, high)]
    while gaps:
        start, end = gaps.pop()
        eps = short_number_between(start, end)
        blocks = line.network.blocks([at(datum, eps) for datum in line.data], eps)
        found = [_cell(line, blocks, start, end)]
        upwards = _walk(line, found[0], end, upwards=True)
        downwards = _walk(line, found[0], start, upwards=False)
        found += upwards + downwards
        reached = min(cell.low for cell in found), max(cell.high for cell in found)
        cells += [cell for cell in found if cell.low < cell.high]
        gaps += [gap for gap in ((start, reached[0]), (reached[1], end)) if gap[0] < gap[1]]
    cells.sort(key=lambda cell: cell.low)
    ends = [low, *(cell.high for cell in cells)]
    assert ends == [*(cell.low for cell in cells), high]
    return cells


def _walk(line: Line, cell: Cell, end: Fraction, upwards: bool) -> list[Cell]:
    """Return the cells that follow one another, up to the end or to where a guess is wrong."""
    cells: list[Cell] = []
    place = cell.high if upwards else cell.low
    while place != end:
        guess = _guess(
            line.network, cell, place, cell.split_at_high if upwards else cell.split_at_low
        )
        cell = _cell(line, guess, min(place, end), max(place, end))
        if cell.low == cell.high:
            break
        cells.append(cell)
        place = cell.high if upwards else cell.low
    return cells


def _guess(network: Network, cell: Cell, place: Fraction, split: Split | None) -> Blocks:
    """Guess the blocks beyond an end of a cell. They are optimal at the end itself in any case.

    Either a block splits there, along a cut whose edges are full; or joined blocks meet.
    """
    if split is not None:
        number, upper = split
        lower = sorted(set(cell.blocks[number]).difference(upper))
        parts = network.components(lower) + network.components(upper)
        return cell.blocks[:number] + parts + cell.blocks[number + 1 :]
    blocks: Blocks = []
    equal: dict[int, list[int]] = {}
    for points, level in zip(cell.blocks, cell.levels(place), strict=True):
        equal.setdefault(level, []).extend(points)
    for level in sorted(equal):
        blocks += network.components(equal[level])
    return blocks


def _cell(line: Line, blocks: Blocks, low: Fraction, high: Fraction) -> Cell:
    """Return the part of [low, high] where blocks are optimal that are so at some eps of it."""
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
            if upper is not None:  # sooner than all before it
                split_at_high = number, upper
            low, upper = block.holds_until(low)
            if upper is not None:
                split_at_low = number, upper
    return Cell(low, high, blocks, sums, split_at_low, split_at_high)


def _while_ordered(
    pairs: Iterable[Pair], blocks: Blocks, sums: list[Affine], low: Fraction, high: Fraction
) -> tuple[Fraction, Fraction]:
    """Shrink an interval to where the lower block of each pair has no larger value."""
    for lower, upper in pairs:
        slope, place = _crossing(blocks, sums, lower, upper)
        if slope > 0:
            high = min(high, place)
        elif slope < 0:
            low = max(low, place)
    return low, high


def _crossing(blocks: Blocks, sums: list[Affine], lower: int, upper: int) -> tuple[int, Fraction]:
    """Return a positive multiple of the slope of lower less upper value, and where that is zero."""
    m, n = len(blocks[lower]), len(blocks[upper])
    (p, q), (r, s) = sums[lower], sums[upper]
    slope = q * n - s * m
    return slope, Fraction(r * m - p * n, slope) if slope else Fraction(0)


class _Block:
    """Points that are equal, and what pulls at them."""

    def __init__(
        self, network: Network, points: Sequence[int], pulls: Sequence[Affine], sum_: Affine
    ) -> None:
        self.part = network.part(points)
        size, (p_sum, q_sum) = len(points), sum_
        self.size, self.points = size, points
        self.excess = [(size * p - p_sum, size * q - q_sum) for p, q in pulls]

    def holds_until(self, eps: Fraction) -> tuple[Fraction, list[int] | None]:
        """Return eps and None, or where on the way to it the block splits, and the upper part."""
        upper = None
        while True:
            cut = self.part.worst_cut([at(affine, eps) for affine in self.excess], eps)
            if cut is None:
                return eps, upper
            upper = [self.points[place] for place in cut]
            p, q = total(self.excess[place] for place in cut)
            p_edges, q_edges = self.part.capacity(cut)
            eps = Fraction(self.size * p_edges - p, q - self.size * q_edges)
