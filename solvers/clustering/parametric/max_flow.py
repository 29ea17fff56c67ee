"""Minimum cuts in exact arithmetic: Dinic's algorithm on Python integers of any size.

Supplies at some points are sent to demands at others through undirected edges. The supplies that
cannot be sent are separated by a minimum cut: the points that they still reach. (The maximum flow
of SciPy is restricted to 32-bit capacities.)
"""

from __future__ import annotations

from collections.abc import Sequence

Edge = tuple[int, int]


class _Flow:
    """Residual capacities, and the remaining supplies (> 0) and demands (< 0)."""

    def __init__(
        self, supplies: Sequence[int], edges: Sequence[Edge], capacities: Sequence[int]
    ) -> None:
        self.left = list(supplies)
        self.arcs: list[list[int]] = [[] for _ in supplies]
        self.heads: list[int] = []
        self.room: list[int] = []
        for (i, j), capacity in zip(edges, capacities, strict=True):
            self.arcs[i].append(len(self.heads))
            self.arcs[j].append(len(self.heads) + 1)  # arc a ^ 1 is the reverse of arc a
            self.heads += [j, i]
            self.room += [capacity, capacity]

    def levels(self) -> tuple[list[int], bool]:
        """Return the distance of each point from a supply, or -1, and whether a demand is reached.

        The search stops at the nearest demands, so that -1 means out of reach only if no demand is
        reached.
        """
        level = [0 if amount > 0 else -1 for amount in self.left]
        front = [point for point, amount in enumerate(self.left) if amount > 0]
        met, distance = False, 0
        while front and not met:
            distance += 1
            reached = []
            for point in front:
                for arc in self.arcs[point]:
                    head = self.heads[arc]
                    if level[head] < 0 and self.room[arc]:
                        level[head] = distance
                        reached.append(head)
                        met = met or self.left[head] < 0
            front = reached
        return level, met

    def saturate(self, level: list[int]) -> None:
        """Send a blocking flow along shortest paths."""
        following = [0] * len(self.left)  # the first arc of each point that is not yet exhausted
        for source, amount in enumerate(self.left):
            while amount > 0:
                path = self._path(source, level, following)
                if path is None:
                    break
                end = self.heads[path[-1]]
                sent = min(amount, -self.left[end], *(self.room[arc] for arc in path))
                for arc in path:
                    self.room[arc] -= sent
                    self.room[arc ^ 1] += sent
                self.left[end] += sent
                amount -= sent
            self.left[source] = amount

    def _path(self, source: int, level: list[int], following: list[int]) -> list[int] | None:
        """Return the arcs of a shortest path from a supply to a demand, or None."""
        path: list[int] = []
        point = source
        while self.left[point] >= 0:
            arcs = self.arcs[point]
            while following[point] < len(arcs):
                arc = arcs[following[point]]
                if self.room[arc] and level[self.heads[arc]] == level[point] + 1:
                    break
                following[point] += 1
            else:
                if not path:
                    return None
                last = path.pop()
                point = self.heads[last ^ 1]
                following[point] += 1
                continue
            path.append(arc)
            point = self.heads[arc]
        return path


def minimum_cut(
    supplies: Sequence[int], edges: Sequence[Edge], capacities: Sequence[int]
) -> list[int] | None:
    """Return the smallest set S that maximises its supply minus the capacity of its cut.

    Parameters
    ----------
    supplies : sequence of int, length n
        Positive at sources, negative at sinks; the sum is 0.
    edges : sequence of (int, int), length m
    capacities : sequence of int, length m
        The same in both directions; nonnegative.

    Returns
    -------
    list of int, or None
        The points of S, increasing; None if all supplies can be sent, so that the maximum is 0.
    """
    flow = _Flow(supplies, edges, capacities)
    while any(amount > 0 for amount in flow.left):
        level, met = flow.levels()
        if not met:
            return [point for point, distance in enumerate(level) if distance >= 0]
        flow.saturate(level)
    return None
