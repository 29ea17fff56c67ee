"""The complete graph with equal weights, on which sorting replaces minimum cuts.

Among the subsets of one size, the points with the largest excess violate the inequality (b) of
module `critical_regions` most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

from bilad.solvers.clustering.parametric.affine import Affine, at
from bilad.solvers.clustering.parametric.general_graph import Blocks, Pair


class CompleteNetwork:
    """The complete graph with one capacity for all edges.

    Parameters
    ----------
    n : int
    capacity : (int, int)
        Affine in eps, not zero.
    """

    is_complete = True

    def __init__(self, n: int, capacity: Affine) -> None:
        self.n = n
        self.capacity = capacity

    def blocks(self, data: Sequence[int], eps: Fraction) -> Blocks:
        """Pool adjacent violators (module `bilad.solvers.clustering.exact.complete_graph`)."""
        capacity = at(self.capacity, eps)
        sums: list[int] = []
        blocks: Blocks = []
        for rank, point in enumerate(sorted(range(self.n), key=data.__getitem__)):
            value, members = data[point] - capacity * (2 * rank + 1 - self.n), [point]
            while blocks and sums[-1] * len(members) >= value * len(blocks[-1]):
                value += sums.pop()
                members = blocks.pop() + members
            sums.append(value)
            blocks.append(members)
        return blocks

    def joined(self, blocks: Blocks) -> Iterable[Pair]:
        """Return the neighbouring blocks, which is enough since all blocks are joined."""
        return pairwise(range(len(blocks)))

    def forces(self, blocks: Blocks) -> list[Affine]:
        """Return the forces: each point below pulls down, each point above pulls up."""
        p, q = self.capacity
        result = [(0, 0)] * self.n
        below = 0
        for points in blocks:
            upwards = self.n - 2 * below - len(points)
            for point in points:
                result[point] = (p * upwards, q * upwards)
            below += len(points)
        return result

    def components(self, points: list[int]) -> Blocks:
        """Return the set itself, which is connected."""
        return [points]

    def part(self, points: Sequence[int]) -> CompletePart:
        """Return a set of points with the edges inside it."""
        return CompletePart(len(points), self.capacity)


class CompletePart:
    """A set of points that are all joined with one capacity."""

    def __init__(self, size: int, capacity: Affine) -> None:
        self.size = size
        self.edge = capacity

    def most_violated_cut(self, excess: Sequence[int], eps: Fraction) -> list[int] | None:
        """Return the best over all sizes of the points with the largest excess."""
        capacity, size = self.size * at(self.edge, eps), self.size
        order = sorted(range(size), key=excess.__getitem__, reverse=True)
        sums = accumulate(excess[place] for place in order)
        violation = [
            sum_ - capacity * count * (size - count) for count, sum_ in enumerate(sums, start=1)
        ]
        most = max(violation)
        return order[: violation.index(most) + 1] if most > 0 else None

    def capacity(self, places: Sequence[int]) -> Affine:
        """Return the capacity of the edges from a subset to the rest of the set."""
        edges = len(places) * (self.size - len(places))
        return self.edge[0] * edges, self.edge[1] * edges
