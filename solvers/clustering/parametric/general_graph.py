"""Any graph, any weights: the part that is pulled away most is a minimum cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from bilad.solvers.clustering.parametric.affine import Affine, at, total
from bilad.solvers.clustering.parametric.max_flow import Edge, cut_off
from bilad.solvers.clustering.parametric.network import Blocks, Pair, Part


class GraphNetwork:
    """Any edges, any capacities.

    Parameters
    ----------
    n : int
    edges : sequence of (int, int)
    capacities : sequence of (int, int)
        Affine in eps. Each is zero throughout, then it is no edge, or positive at every eps for
        which blocks are asked for.
    """

    all_joined = False

    def __init__(self, n: int, edges: Sequence[Edge], capacities: Sequence[Affine]) -> None:
        self.n = n
        self._neighbours: list[list[tuple[int, Affine]]] = [[] for _ in range(n)]
        for (i, j), capacity in zip(edges, capacities, strict=True):
            if capacity != (0, 0):
                self._neighbours[i].append((j, capacity))
                self._neighbours[j].append((i, capacity))

    def blocks(self, data: Sequence[int], eps: Fraction) -> Blocks:
        """Divide: the worst cut of a set is its points above the mean of what pulls at them.

        Hochbaum, "An efficient algorithm for image segmentation, Markov random fields and related
        problems", J. ACM 48, 2001; a set without a cut in excess is a block.
        """
        pulls = list(data)
        blocks: Blocks = []
        waiting = [list(range(self.n))]
        while waiting:
            points = waiting.pop()
            mass = sum(pulls[point] for point in points)
            excess = [len(points) * pulls[point] - mass for point in points]
            above = self.part(points).worst_cut(excess, eps)
            if above is None:
                blocks += self.components(points)
                continue
            upper = {points[place] for place in above}
            lower = [point for point in points if point not in upper]
            self._pull_apart(pulls, upper, set(lower), eps)
            waiting += [sorted(upper), lower]  # the lower set comes next
        return blocks

    def components(self, points: list[int]) -> Blocks:
        """Split a set into what is connected inside it."""
        left = set(points)
        components: Blocks = []
        for point in points:
            if point in left:
                left.remove(point)
                component = [point]
                for reached in component:  # grows as it is read
                    for other, _ in self._neighbours[reached]:
                        if other in left:
                            left.remove(other)
                            component.append(other)
                components.append(component)
        return components

    def _pull_apart(
        self, pulls: list[int], upper: set[int], lower: set[int], eps: Fraction
    ) -> None:
        """Add, in place, the forces between two sets that have parted."""
        for point in upper:
            for other, capacity in self._neighbours[point]:
                if other in lower:
                    force = at(capacity, eps)
                    pulls[point] -= force
                    pulls[other] += force

    def joined(self, blocks: Blocks) -> Iterable[Pair]:
        """Return the pairs with an edge between them."""
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
        """Return what the points of other blocks add to each datum: length n."""
        rank = self._ranks(blocks)
        return [
            total(
                (p, q) if rank[other] > rank[point] else (-p, -q)
                for other, (p, q) in self._neighbours[point]
                if rank[other] != rank[point]
            )
            for point in range(self.n)
        ]

    def part(self, points: Sequence[int]) -> Part:
        """Return a set of points with the edges inside it."""
        place = {point: k for k, point in enumerate(points)}
        inside = [
            (k, place[other], capacity)
            for k, point in enumerate(points)
            for other, capacity in self._neighbours[point]
            if point < other and other in place
        ]
        return _GraphPart(len(points), inside)


class _GraphPart:
    """Points with the edges inside, by place."""

    def __init__(self, size: int, inside: Sequence[tuple[int, int, Affine]]) -> None:
        self.size = size
        self.edges = [(i, j) for i, j, _ in inside]
        self.capacities = [capacity for _, _, capacity in inside]

    def worst_cut(self, excess: Sequence[int], eps: Fraction) -> list[int] | None:
        """Find it as a minimum cut."""
        capacities = [self.size * at(capacity, eps) for capacity in self.capacities]
        return cut_off(excess, self.edges, capacities)

    def capacity(self, places: Sequence[int]) -> Affine:
        """Return the capacity of the edges that leave a subset, inside the set."""
        members = set(places)
        return total(
            capacity
            for (i, j), capacity in zip(self.edges, self.capacities, strict=True)
            if (i in members) != (j in members)
        )
