"""The graph of a one-dimensional problem, with any edges and capacities affine in eps.

A block stays fused if and only if no subset S of it separates: the sum over S of the pulls minus
their mean must not exceed the capacity of the edges from S to the rest of the block. The subset
that violates this most is found by a minimum cut. Module `complete_graph` has the same methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from bilad.solvers.clustering.parametric.affine import Affine, at, total
from bilad.solvers.clustering.parametric.max_flow import Edge, minimum_cut

Blocks = list[list[int]]  # the points of each block, in the order of increasing values
Pair = tuple[int, int]


class GraphNetwork:
    """A graph with any edges and capacities.

    Parameters
    ----------
    n : int
    edges : sequence of (int, int)
    capacities : sequence of (int, int)
        Affine in eps. Each is identically zero, and the edge is ignored, or positive at every eps
        for which blocks are computed.
    """

    is_complete = False  # so that blocks without an edge between them can cross

    def __init__(self, n: int, edges: Sequence[Edge], capacities: Sequence[Affine]) -> None:
        self.n = n
        self._neighbours: list[list[tuple[int, Affine]]] = [[] for _ in range(n)]
        for (i, j), capacity in zip(edges, capacities, strict=True):
            if capacity != (0, 0):
                self._neighbours[i].append((j, capacity))
                self._neighbours[j].append((i, capacity))

    def blocks(self, data: Sequence[int], eps: Fraction) -> Blocks:
        """Solve at eps; return the connected sets of equal points by increasing value.

        The data (n integers) are multiplied by the denominator of eps. The problem is solved by
        divide and conquer: the most violated cut of a set separates its upper points.

        Hochbaum, "An efficient algorithm for image segmentation, Markov random fields and related
        problems", J. ACM 48, 2001. The components of a set without a violated cut are blocks.
        """
        pulls = list(data)
        blocks: Blocks = []
        waiting = [list(range(self.n))]
        while waiting:
            points = waiting.pop()
            mass = sum(pulls[point] for point in points)
            excess = [len(points) * pulls[point] - mass for point in points]
            above = self.part(points).most_violated_cut(excess, eps)
            if above is None:
                blocks += self.components(points)
                continue
            upper = {points[place] for place in above}
            lower = [point for point in points if point not in upper]
            self._add_forces(pulls, upper, set(lower), eps)
            waiting += [sorted(upper), lower]  # the lower set is the next one
        return blocks

    def components(self, points: list[int]) -> Blocks:
        """Return the connected components of a set."""
        left = set(points)
        components: Blocks = []
        for point in points:
            if point in left:
                left.remove(point)
                component = [point]
                for reached in component:  # grows during the loop
                    for other, _ in self._neighbours[reached]:
                        if other in left:
                            left.remove(other)
                            component.append(other)
                components.append(component)
        return components

    def _add_forces(
        self, pulls: list[int], upper: set[int], lower: set[int], eps: Fraction
    ) -> None:
        """Add, in place, the forces between two sets that have been separated."""
        for point in upper:
            for other, capacity in self._neighbours[point]:
                if other in lower:
                    force = at(capacity, eps)
                    pulls[point] -= force
                    pulls[other] += force

    def joined(self, blocks: Blocks) -> Iterable[Pair]:
        """Return the pairs (lower, upper) of blocks that an edge joins."""
        rank = self._ranks(blocks)
        return {
            (rank[point], rank[other])
            for point in range(self.n)
            for other, _ in self._neighbours[point]
            if rank[point] < rank[other]
        }

    def _ranks(self, blocks: Blocks) -> list[int]:
        """Return the number of each point's block."""
        rank = [0] * self.n
        for number, points in enumerate(blocks):
            for point in points:
                rank[point] = number
        return rank

    def forces(self, blocks: Blocks) -> list[Affine]:
        """Return the force of the other blocks on each point: length n."""
        rank = self._ranks(blocks)
        return [
            total(
                (p, q) if rank[other] > rank[point] else (-p, -q)
                for other, (p, q) in self._neighbours[point]
                if rank[other] != rank[point]
            )
            for point in range(self.n)
        ]

    def part(self, points: Sequence[int]) -> GraphPart:
        """Return a set of points with the edges inside it."""
        place = {point: k for k, point in enumerate(points)}
        inside = [
            (k, place[other], capacity)
            for k, point in enumerate(points)
            for other, capacity in self._neighbours[point]
            if point < other and other in place
        ]
        return GraphPart(len(points), inside)


class GraphPart:
    """A set of points and the edges inside it; points are numbered by position in the set."""

    def __init__(self, size: int, inside: Sequence[tuple[int, int, Affine]]) -> None:
        self.size = size
        self.edges = [(i, j) for i, j, _ in inside]
        self.capacities = [capacity for _, _, capacity in inside]

    def most_violated_cut(self, excess: Sequence[int], eps: Fraction) -> list[int] | None:
        """Return the smallest S that maximises excess(S) - capacity of its cut, or None.

        The excess of a point is its pull minus the mean, times the size of the set and the
        denominator of eps; the sum is 0. The result has positions in the set, and is None if the
        maximum is 0.
        """
        capacities = [self.size * at(capacity, eps) for capacity in self.capacities]
        return minimum_cut(excess, self.edges, capacities)

    def capacity(self, places: Sequence[int]) -> Affine:
        """Return the capacity of the edges from a subset to the rest of the set."""
        members = set(places)
        return total(
            capacity
            for (i, j), capacity in zip(self.edges, self.capacities, strict=True)
            if (i in members) != (j in members)
        )
