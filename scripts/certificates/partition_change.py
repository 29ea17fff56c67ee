"""What changes from one partition to another, in words: clusters that merge, split, lose points."""

from __future__ import annotations

import numpy as np

from bilad.models.deviation import contingency
from bilad.models.validation import IntArray

MOST_POINTS = 12  # that are listed one by one


def changes(before: IntArray, after: IntArray) -> list[str]:
    """Say where each cluster goes that does not stay as it is; clusters counted from 1."""
    table = contingency(before, after)
    lines = []
    for old, row in enumerate(table):
        parts = np.flatnonzero(row)
        if len(parts) > 1:
            kept = parts[row[parts].argmax()]
            leaving = [_points((before == old) & (after == part)) for part in parts if part != kept]
            lines.append(f"cluster {old + 1} ({row.sum()} points) splits off {'; '.join(leaving)}")
    for new, column in enumerate(table.T):
        parts = np.flatnonzero(column)
        if len(parts) > 1:
            joined = ", ".join(
                f"{column[part]} of {table[part].sum()} points of cluster {part + 1}"
                for part in parts
            )
            lines.append(f"merge to cluster {new + 1} ({column.sum()} points): {joined}")
    return lines


def moved_points(before: IntArray, after: IntArray) -> list[int]:
    """Return the points, from 1, that end apart from most of their old cluster, or joined."""
    table = contingency(before, after)
    old = np.unique(before, return_inverse=True)[1]
    new = np.unique(after, return_inverse=True)[1]
    heirs, founders = table.argmax(axis=1), table.argmax(axis=0)
    moved = (heirs[old] != new) | (founders[new] != old)
    return [int(point) + 1 for point in np.flatnonzero(moved)]


def _points(mask: np.ndarray) -> str:
    numbers = [str(place + 1) for place in np.flatnonzero(mask)]
    if len(numbers) > MOST_POINTS:
        return f"{len(numbers)} points"
    return ("point " if len(numbers) == 1 else "points ") + ", ".join(numbers)
