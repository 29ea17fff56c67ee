"""The entries of the data that a perturbation moves, each by a multiple of one entry of eps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bilad.models.perturbation import Perturbation
from bilad.models.validation import FloatArray, IntArray


@dataclass(frozen=True)
class MovedEntries:
    """Entry `places[l]` of `data.ravel()` is moved by `factors[l] * eps[columns[l]]`.

    The data at eps are then the same floating-point numbers that `Perturbation.apply` computes.

    Attributes
    ----------
    places, columns : ndarray of int, shape (moves,)
    factors : ndarray, shape (moves,)
    """

    places: IntArray
    columns: IntArray
    factors: FloatArray

    @classmethod
    def of(cls, perturbation: Perturbation) -> Self | None:
        """Return the moved entries; None if eps moves weights, or two of its entries add up."""
        if set(perturbation.operators) != {"data"}:
            return None
        T = perturbation.operators["data"]
        counts = np.diff(T.indptr)
        if counts.max() > 1:
            return None
        places = np.flatnonzero(counts)
        return cls(places.astype(np.int64), T.indices.astype(np.int64), T.data.astype(np.float64))
