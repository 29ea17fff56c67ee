"""Data frames of pandas, in and out: the names of rows and columns that belong to an array."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame, Index


@dataclass(frozen=True)
class FrameNames:
    """The names of the columns of a data frame as text, and its index."""

    features: tuple[str, ...]
    index: Index

    def without(self, points: Any) -> FrameNames:
        """Return the names without those of some rows."""
        return replace(self, index=self.index.delete(points))


def is_frame(source: object) -> TypeGuard[DataFrame]:
    """Return whether the source is a pandas data frame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame)


def names_of(data: object) -> FrameNames | None:
    """Return the names of a data frame; None for anything else."""
    return FrameNames(tuple(map(str, data.columns)), data.index) if is_frame(data) else None


def feature_titles(features: Sequence[str] | None, d: int) -> list[str]:
    """Return the names of the features; x0, x1, .. if they have none."""
    return [f"x{k}" for k in range(d)] if features is None else list(features)


def point_frame(
    points: np.ndarray,
    features: Sequence[str] | None,
    index: Index | None,
    first: Mapping[str, Any],
) -> DataFrame:
    """Return one row a point: the columns `first`, then its coordinates.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    features : sequence of str, optional
        The names of the coordinates, as in `feature_titles`.
    index : pandas.Index, optional
        The index; by default 0, .., n-1.
    first : mapping of str to array_like, shape (n,)
    """
    import pandas  # slow to import

    titles = feature_titles(features, points.shape[1])
    frame = pandas.DataFrame(points, index=index, columns=titles)
    for k, (name, column) in enumerate(first.items()):
        frame.insert(k, name, column, allow_duplicates=True)
    return frame
