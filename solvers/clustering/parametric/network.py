"""The interface of a graph of a one-dimensional problem, with capacities affine in eps.

A block stays fused if and only if no subset S of it separates: the sum over S of the pulls minus
their mean must not exceed the capacity of the edges from S to the rest of the block. A network
returns the subset that violates this most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

from bilad.solvers.clustering.parametric.affine import Affine

Blocks = list[list[int]]  # the points of each block, in the order of increasing values
Pair = tuple[int, int]


class Part(Protocol):
    """A set of points and the edges inside it."""

    def most_violated_cut(self, excess: Sequence[int], eps: Fraction) -> list[int] | None:
        """Return the smallest S that maximises excess(S) - capacity of its cut, or None.

        Parameters
        ----------
        excess : sequence of int
            By position in the set: the pull minus the mean, times the size of the set and the
            denominator of eps. The sum is 0.
        eps : Fraction

        Returns
        -------
        list of int, or None
            Positions in the set.
        """

    def capacity(self, places: Sequence[int]) -> Affine:
        """Return the capacity of the edges from a subset to the rest of the set."""


class Network(Protocol):
    """The graph of a one-dimensional problem.

    Attributes
    ----------
    is_complete : bool
        Whether every pair of points is joined, so that no two blocks can cross.
    """

    is_complete: bool

    def blocks(self, data: Sequence[int], eps: Fraction) -> Blocks:
        """Solve at eps; return the connected sets of equal points by increasing value.

        Parameters
        ----------
        data : sequence of int, length n
            The data times the denominator of eps.
        eps : Fraction
            All capacities are positive there.
        """

    def joined(self, blocks: Blocks) -> Iterable[Pair]:
        """Return pairs of lower and upper blocks whose order implies that of all joined blocks."""

    def forces(self, blocks: Blocks) -> list[Affine]:
        """Return the force of the other blocks on each point: length n."""

    def components(self, points: list[int]) -> Blocks:
        """Return the connected components of a set."""

    def part(self, points: Sequence[int]) -> Part:
        """Return a set of points with the edges inside it."""
