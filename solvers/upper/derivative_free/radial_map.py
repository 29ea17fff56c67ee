"""The radial map: a box onto the ball in it, ray by ray, for methods that know boxes only."""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


class RadialMap:
    """One to one between `problem.box` and the eps that count: the ball, cut by the bounds of eps.

    On the ray along u, ||u|| = 1, the box ends at some length b(u) and the eps that count end at
    `problem.largest_step(u)`; y in the box goes to

        eps = y reach(u) / b(u),    u = y / ||y||,

    and 0 to 0. So the boundary goes to the boundary, and a point half-way out stays half-way out.
    For norm inf it is the identity: there the box is the ball.

    Parameters
    ----------
    problem : BilevelProblem
    """

    def __init__(self, problem: BilevelProblem) -> None:
        self.problem = problem
        self.low, self.high = problem.box

    def eps(self, y: FloatArray) -> FloatArray:
        """Return the eps of a point of the box, both of shape (k,)."""
        return self.problem.project(y * self._shrinkage(y))

    def point(self, eps: FloatArray) -> FloatArray:
        """Return the point of the box of an eps that counts: the inverse of `eps`."""
        return np.clip(eps / self._shrinkage(eps), self.low, self.high)

    def _shrinkage(self, along: FloatArray) -> float:
        """Return reach(u) / b(u) of the ray through a point; 1 for the point 0.

        In units of the point's own length: reach(u) is the radius' length or b(u), whichever is
        less, since the box is cut by the same bounds.
        """
        size = self.problem.size(along)
        if size == 0:
            return 1.0
        moving = along != 0
        bounds = np.where(along > 0, self.high, self.low)
        with np.errstate(over="ignore"):  # an entry that is tiny beside its bound
            box_end = float(np.min(bounds[moving] / along[moving]))
        return min(self.problem.radius / size / box_end, 1.0)
