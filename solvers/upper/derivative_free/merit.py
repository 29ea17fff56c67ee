"""What every derivative-free method minimises: one number for what an eps does.

    (BL1)  -U / U_max     if it is an attack with proved labels, else 0
    (BL2)  ||eps|| / r    if it is, else 1 + the shortfall of U to the target, relative

U_max is the largest value the deviation function takes, 1 if it has none, r the radius of the ball
that is searched. An outcome that is not proved is worth as much as one that did not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.upper.derivative_free.search_space import SearchSpace


class PolishDueError(Exception):
    """The solves that are kept for the polish are all that is left."""


class Merit:
    """The merit of points of a search space; less is better.

    Any exception, such as a limit that came, is kept and raised again by every further call: many
    libraries swallow what their callbacks raise, or go on asking.

    Parameters
    ----------
    lower : LowerLevel
    space : SearchSpace
    last : int, optional
        Number of lower-level solves, counted from the attack's first, after which `PolishDueError`
        is raised if there is an attack to polish.
    on_call : callable, optional
        Called before each evaluation.

    Attributes
    ----------
    failure : BaseException or None
        What the first failed call raised.
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
        lower.seconds_left()  # also where only known eps are asked for, which cost no solve
        if self.last is not None and lower.solves >= self.last and lower.best is not None:
            raise PolishDueError
        self.on_call()
        return merit(lower, lower.evaluate(self.space.eps(z)), self.space.radius)


def merit(lower: LowerLevel, seen: Evaluation, radius: float) -> float:
    """Return the merit of an evaluation, with sizes in units of a radius."""
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
