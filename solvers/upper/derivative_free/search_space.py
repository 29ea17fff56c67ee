"""The set that the derivative-free methods search: the cube [-1, 1]^dim, for every problem.

The cube does not depend on the units, the norm or the bounds of the problem: an affine map takes
it to the box of the bounds, and a radial map takes that box to the feasible set of eps.
"""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

# The best eps within a budget mostly lies on bounds. A method that draws its samples from a cube
# larger by this factor, and clips them, samples the bounds often: in each entry, two thirds of a
# uniform sample are clipped.
STRETCH = 3.0
# For the norm "count" the part of eps that distinguishes points of the larger cube that are clipped
# to the same bound: of equal entries, the rounding always takes the first.
DISTINCT = 1e-6


class RadialMap:
    """The bijection from `problem.box` to the feasible set: the norm ball, cut by the bounds.

    On the ray along u, ||u|| = 1, the box ends at some length b(u) and the feasible set ends at
    `problem.largest_step(u)`. A point y of the box is mapped to

        eps = y reach(u) / b(u),    u = y / ||y||,

    and 0 is mapped to 0. Boundary points are therefore mapped to boundary points, and the relative
    position on a ray is kept. For the infinity norm the map is the identity.

    Parameters
    ----------
    problem : BilevelProblem
    """

    def __init__(self, problem: BilevelProblem) -> None:
        self.problem = problem
        self.low, self.high = problem.box

    def eps(self, y: FloatArray) -> FloatArray:
        """Return the eps of a point of the box; both have shape (k,)."""
        return self.problem.project(y * self._factor(y))

    def point(self, eps: FloatArray) -> FloatArray:
        """Return the point of the box of a feasible eps; this is the inverse of `eps`."""
        return np.clip(eps / self._factor(eps), self.low, self.high)

    def _factor(self, along: FloatArray) -> float:
        """Return reach(u) / b(u) for the ray through a point, and 1 for the point 0.

        The reach is the smaller of the radius and b(u), since the bounds that cut the ball are
        those of the box.
        """
        size = self.problem.size(along)
        if size == 0:
            return 1.0
        moving = along != 0
        bounds = np.where(along > 0, self.high, self.low)
        with np.errstate(over="ignore"):  # an entry can be tiny compared with its bound
            box_end = float(np.min(bounds[moving] / along[moving]))
        return min(self.problem.radius / size / box_end, 1.0)


class SearchSpace:
    """The cube [-1, 1]^dim and its map to eps.

    A point outside the cube is replaced by the nearest point of the cube, up to a difference of
    1e-6 for the norm "count". Entries of eps whose two bounds are equal are fixed and not searched.

    Parameters
    ----------
    problem : BilevelProblem

    Attributes
    ----------
    dim : int
        Number of entries that are searched, at most k.
    radius : float
        The radius of the problem.
    """

    def __init__(self, problem: BilevelProblem) -> None:
        self.radius = problem.radius
        self._radial = RadialMap(problem)
        low, high = problem.box
        self._free = np.flatnonzero(high > low)
        self._middle, self._half = 0.5 * (low + high), 0.5 * (high - low)
        self.dim = len(self._free)

    def eps(self, z: FloatArray) -> FloatArray:
        """Return the eps, shape (k,), of a point z, shape (dim,)."""
        inside = np.clip(z, -1.0, 1.0)
        if self._radial.problem.is_binary:
            inside = (1 - DISTINCT) * inside + DISTINCT * z / (1 + np.abs(z))
        y = self._middle.copy()
        y[self._free] += self._half[self._free] * inside
        return self._radial.eps(y)

    def point(self, eps: FloatArray) -> FloatArray:
        """Return the point of the cube, shape (dim,), of a feasible eps."""
        y = self._radial.point(eps)
        return ((y - self._middle)[self._free]) / self._half[self._free]

    def random(self, rng: np.random.Generator, stretch: float = STRETCH) -> FloatArray:
        """Draw a uniform point of the cube enlarged by `stretch`, and clip it to the cube.

        For the norm "count" the cube is not enlarged, because the entries should be distinct.

        Parameters
        ----------
        rng : numpy.random.Generator
        stretch : float, default 3
            With 3, each entry is at a bound with probability 2/3; with 1, the point is uniform.
        """
        if self._radial.problem.is_binary:
            stretch = 1.0
        return np.clip(rng.uniform(-stretch, stretch, self.dim), -1.0, 1.0)

    def sample(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Draw a Latin hypercube sample of the enlarged cube, shape (count, dim), not clipped.

        Each of `count` equal intervals of every entry contains one point (McKay, Beckman and
        Conover, 1979).
        """
        slices = np.tile(np.arange(count)[:, None], self.dim)
        places = (rng.permuted(slices, axis=0) + rng.random((count, self.dim))) / count
        return STRETCH * (2 * places - 1)
