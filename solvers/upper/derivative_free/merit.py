"""The merit function that every derivative-free method minimises.

    (BL1)  -U / U_max     if eps is an attack with proved labels, and 0 otherwise
    (BL2)  ||eps|| / r    if it is, and 1 + max(0, 1 - U / target) otherwise

U is the deviation, U_max its largest possible value (1 if it is unbounded), and r the radius of the
ball that is searched. An outcome that is not proved has the merit of an outcome without a change.
For the norm "count" the merit is constant near each point, and a search can end long before its
steps are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.upper.derivative_free.search_space import SearchSpace

MOST_REPEATED = 50  # evaluations in a row, besides two per parameter, that need no solve


class LineSearchDueError(Exception):
    """Only the solves that are reserved for the final line search are left."""


class StalledError(Exception):
    """A search for the norm "count" has evaluated only known eps for a long time."""


class MeritFunction:
    """The merit of the points of a search space; smaller is better.

    Many libraries suppress the exceptions of their callbacks, or call them again. So the first
    exception, such as a limit that was reached, is stored, and every later call raises it again.

    Parameters
    ----------
    lower : LowerLevel
    space : SearchSpace
    last : int, optional
        If an attack is known, `LineSearchDueError` is raised as soon as this number of lower-level
        solves is spent; the count begins with the attack.
    on_call : callable, optional
        Called before each evaluation.

    Attributes
    ----------
    failure : BaseException or None
        The exception that the first failed call raised.
    """

    def __init__(
        self,
        lower: LowerLevel,
        space: SearchSpace,
        last: int | None = None,
        on_call: Callable[[], None] = lambda: None,
    ) -> None:
        self.lower = lower
        self.space = space
        self.last = last
        self.on_call = on_call
        self.failure: BaseException | None = None
        self._repeated = 0  # evaluations in a row that needed no solve

    def __call__(self, z: FloatArray) -> float:
        """Return the merit of a point, shape (dim,)."""
        if self.failure is not None:
            raise self.failure
        try:
            return self._evaluate(z)
        except BaseException as failure:
            self.failure = failure
            raise

    def _evaluate(self, z: FloatArray) -> float:
        lower = self.lower
        lower.seconds_left()  # raises also in a search that evaluates only known eps
        if self.last is not None and lower.solves >= self.last and lower.best is not None:
            raise LineSearchDueError
        self.on_call()
        solves = lower.solves
        seen = lower.evaluate(self.space.eps(z))
        self._repeated = self._repeated + 1 if lower.solves == solves else 0
        if lower.problem.is_binary and self._repeated > MOST_REPEATED + 2 * self.space.dim:
            raise StalledError
        return merit(lower, seen, self.space.radius)


def merit(lower: LowerLevel, seen: Evaluation, radius: float) -> float:
    """Return the merit of an evaluation; norms of eps are divided by the radius."""
    problem = lower.problem
    attacks = lower.counts(seen)
    if problem.sense == "max":
        return -seen.deviation / _scale(problem) if attacks else 0.0
    if attacks:
        return seen.size / radius
    reached = seen.deviation / problem.target if seen.proved else 0.0
    return 1.0 + max(1.0 - reached, 0.0)


def _scale(problem: BilevelProblem) -> float:
    largest = problem.deviation.largest(problem.model.n)
    return largest if math.isfinite(largest) else 1.0
