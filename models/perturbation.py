"""Perturbations of the data, affine in a short vector eps (paper, sections 2.2 and 6.5).

A perturbation is a linear map T from eps (k,) to the n d entries of the data:
A(eps) = A + T eps. Every formulation and every gradient needs only T.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    index_array,
    real_array,
    whole_number,
)


class Perturbation:
    """A(eps) = A + T eps. Made by `shift` or `additive`.

    Parameters
    ----------
    shape : tuple of int
        (n, d), the shape of the data.
    operator : sparse array, shape (n d, k)
        T; rows in the order of `data.ravel()`.
    """

    def __init__(self, shape: tuple[int, int], operator: sp.csr_array) -> None:
        self.shape = shape
        self.operator = operator

    @classmethod
    def shift(cls, direction: ArrayLike) -> Perturbation:
        """One eps times a fixed direction V: A(eps) = A + eps V.

        Parameters
        ----------
        direction : array_like, shape (n, d)
            V, finite and not zero.
        """
        V = real_array(direction, "direction", (None, None))
        if not V.any():
            raise ArgumentError("direction", "zeros only", "at least one entry that is not zero")
        return cls(V.shape, sp.csr_array(V.reshape(-1, 1)))

    @classmethod
    def additive(
        cls,
        shape: tuple[int, int],
        points: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> Perturbation:
        """One eps for every chosen entry of the data, in row-major order.

        Parameters
        ----------
        shape : tuple of int
            (n, d), the shape of the data.
        points, features : array_like of int, optional
            Rows and columns that may move; all by default.
        """
        if not isinstance(shape, tuple | list) or len(shape) != 2:
            raise ArgumentError("shape", repr(shape), "a pair (n, d)")
        n, d = (whole_number(length, "shape", least=1) for length in shape)
        rows = np.arange(n) if points is None else index_array(points, "points", n)
        columns = np.arange(d) if features is None else index_array(features, "features", d)
        entries = (rows[:, None] * d + columns[None, :]).ravel()
        k = len(entries)
        selection = sp.csr_array((np.ones(k), (entries, np.arange(k))), shape=(n * d, k))
        return cls((n, d), selection)

    @property
    def dim(self) -> int:
        """k, the length of eps."""
        return int(self.operator.shape[1])

    def displacement(self, eps: ArrayLike) -> FloatArray:
        """Return T eps as an (n, d) array."""
        vector = real_array(np.atleast_1d(eps), "eps", (self.dim,))
        return np.asarray(self.operator @ vector).reshape(self.shape)

    def apply(self, model: ConvexClustering, eps: ArrayLike) -> ConvexClustering:
        """Return the model at the perturbed data A + T eps."""
        if model.data.shape != self.shape:
            raise ArgumentError(
                "model", f"data of shape {model.data.shape}", f"data of shape {self.shape}"
            )
        return model.with_data(model.data + self.displacement(eps))
