"""What convex clustering on a line needs to know of its graph, capacities affine in eps.

A set of points that are equal stays so iff no part S of it is pulled away: the sum over S of what
pulls at its points, less their mean, must not exceed the capacity of the edges that leave S inside
the set. So a network is asked for the part that exceeds most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

from bilad.solvers.clustering.parametric.affine import Affine

Blocks = list[list[int]]  # the points of each block; blocks by increasing value
Pair = tuple[int, int]


class Part(Protocol):
    """A set of points, and the edges inside it."""

    def worst_cut(self, excess: Sequence[int], eps: Fraction) -> list[int] | None:
        """Return the smallest S with the largest excess(S) - capacity of its cut, if positive.

        Parameters
        ----------
        excess : sequence of int
            By place in the set: pull less mean, times the size of the set and the denominator of
            eps. The sum is 0.
        eps : Fraction

        Returns
        -------
        list of int, or None
            Places in the set.
        """

    def capacity(self, places: Sequence[int]) -> Affine:
        """Return the capacity of the edges that leave a subset, inside the set."""


class Network(Protocol):
    """The graph of one line.

    Attributes
    ----------
    all_joined : bool
        Whether every pair of points is joined, so that no two blocks can pass each other.
    """

    all_joined: bool

    def blocks(self, data: Sequence[int], eps: Fraction) -> Blocks:
        """Solve at eps: return the connected sets of equal points, by increasing value.

        Parameters
        ----------
        data : sequence of int, length n
            Times the denominator of eps.
        eps : Fraction
            At which all capacities are positive.
        """

    def joined(self, blocks: Blocks) -> Iterable[Pair]:
        """Return numbers of lower and upper blocks, enough to keep joined ones in their order."""

    def forces(self, blocks: Blocks) -> list[Affine]:
        """Return what the points of other blocks add to each datum: length n."""

    def components(self, points: list[int]) -> Blocks:
        """Split a set into what is connected inside it."""

    def part(self, points: Sequence[int]) -> Part:
        """Return a set of points with the edges inside it."""
