"""Where derivative-free methods search: a cube of side 2, whatever the units, norm and bounds."""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.upper.derivative_free.radial_map import RadialMap

# What is best within a budget mostly lies at bounds. A method that samples this far beyond the
# cube, and is clipped, meets them often: two thirds of a uniform sample, in each entry.
STRETCH = 3.0


class SearchSpace:
    """The cube [-1, 1]^dim: affine to `problem.box`, and from there by `RadialMap` to eps.

    Points outside stand for the nearest point of the cube. Entries of eps that are fixed, their
    two bounds equal, are not searched.

    Parameters
    ----------
    problem : BilevelProblem

    Attributes
    ----------
    dim : int
        Number of entries that are searched, at most k.
    radius : float
        Of the problem.
    """

    def __init__(self, problem: BilevelProblem) -> None:
        self.radius = problem.radius
        self._radial = RadialMap(problem)
        low, high = problem.box
        self._free = np.flatnonzero(high > low)
        self._middle, self._half = 0.5 * (low + high), 0.5 * (high - low)
        self.dim = len(self._free)

    def eps(self, z: FloatArray) -> FloatArray:
        """Return the eps, shape (k,), that a point of shape (dim,) stands for."""
        y = self._middle.copy()
        y[self._free] += self._half[self._free] * np.clip(z, -1.0, 1.0)
        return self._radial.eps(y)

    def point(self, eps: FloatArray) -> FloatArray:
        """Return the point of the cube, shape (dim,), that stands for an eps that counts."""
        y = self._radial.point(eps)
        return ((y - self._middle)[self._free]) / self._half[self._free]

    def random(self, rng: np.random.Generator, stretch: float = STRETCH) -> FloatArray:
        """Draw a point of the stretched cube, clipped: entries are at a bound with chance 2/3.

        Parameters
        ----------
        rng : numpy.random.Generator
        stretch : float, default 3
            1 for points inside.
        """
        return np.clip(rng.uniform(-stretch, stretch, self.dim), -1.0, 1.0)

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Draw points of the stretched cube, one in each of `count` slices of every entry.

        A Latin hypercube (McKay, Beckman and Conover, 1979), shape (count, dim), not clipped.
        """
        slices = np.tile(np.arange(count)[:, None], self.dim)
        places = (rng.permuted(slices, axis=0) + rng.random((count, self.dim))) / count
        return STRETCH * (2 * places - 1)
