"""What every learning model has: data that can be exchanged, one row per point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from numpy.typing import ArrayLike

from bilad.models.validation import FloatArray, point_array


class LearningModel(ABC):
    """A clustering of the rows of its data.

    Attributes
    ----------
    data : ndarray, shape (n, d)
        One row per point, n >= 2, d >= 1, finite; read-only.
    """

    def __init__(self, data: ArrayLike) -> None:
        self.data: FloatArray = point_array(data, "data")

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.data.shape[0])

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.data.shape[1])

    @abstractmethod
    def with_data(self, data: ArrayLike) -> Self:
        """Return the same model at other data of the same shape."""
