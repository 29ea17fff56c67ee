"""From the cells of each feature to partitions: the common refinement, at and between places."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

import numpy as np

from bilad.models.validation import IntArray
from bilad.solvers.clustering.parametric.cells import Cell, Line, Meeting, tile


class Feature:
    """One line, cut into cells.

    Parameters
    ----------
    line : Line
    low, high : Fraction
        low < high.
    """

    def __init__(self, line: Line, low: Fraction, high: Fraction) -> None:
        self.cells = tile(line, low, high)
        self._ends = [cell.high for cell in self.cells]
        # Where no two blocks pass each other there is no need to look for it.
        self._passing = not line.network.all_joined

    def ends(self) -> set[Fraction]:
        """Return the ends of the cells."""
        return {self.cells[0].low, *self._ends}

    def meetings(self) -> list[tuple[Cell, Meeting]]:
        """Return where blocks that no edge joins pass each other inside a cell."""
        if not self._passing:
            return []
        return [(cell, meeting) for cell in self.cells for meeting in cell.meetings()]

    def numbers(self, place: Fraction) -> list[int]:
        """Number the points at a place, alike iff they are equal: length n."""
        return self.cells[bisect_left(self._ends, place)].numbers(place)

    def numbers_at(self, places: list[Fraction]) -> IntArray:
        """Number the points at each place: shape (len(places), n)."""
        return np.array([self.numbers(place) for place in places])

    def numbers_after(self, places: list[Fraction]) -> IntArray:
        """Number the points right after each place but the last: shape (len(places) - 1, n).

        Between the ends of a cell, what is equal stays so, but where blocks pass each other.
        """
        owners = [bisect_left(self._ends, place) for place in places[1:]]
        inside = np.array([_numbers_inside(cell) for cell in self.cells])
        return inside[owners]


def _numbers_inside(cell: Cell) -> list[int]:
    """Number the points alike iff they are equal throughout the cell: length n."""
    at_low, at_high = cell.numbers(cell.low), cell.numbers(cell.high)
    known: dict[tuple[int, int], int] = {}
    return [known.setdefault(pair, len(known)) for pair in zip(at_low, at_high, strict=True)]


def places_of_change(features: list[Feature]) -> list[Fraction]:
    """Return every place where the partition can change, low and high included, in order."""
    places = set().union(*(feature.ends() for feature in features))
    for feature in features:
        others = [other for other in features if other is not feature]
        places |= {
            meeting.place
            for cell, meeting in feature.meetings()
            if meeting.place not in places and _matters(cell, meeting, others)
        }
    return sorted(places)


def _matters(cell: Cell, meeting: Meeting, others: list[Feature]) -> bool:
    """Whether points of the two blocks are equal in all other features too."""
    if not others:
        return True
    numbers = [other.numbers(meeting.place) for other in others]
    first, second = (
        {tuple(number[point] for number in numbers) for point in cell.blocks[block]}
        for block in meeting.blocks
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
    return np.array([_numbered(row) for row in np.stack(features, axis=-1)])


def _numbered(row: IntArray) -> IntArray:
    """Number the points, alike iff all their features are: shape (n,) from (n, d)."""
    known: dict[tuple[int, ...], int] = {}
    return np.array([known.setdefault(tuple(point), len(known)) for point in row.tolist()])
