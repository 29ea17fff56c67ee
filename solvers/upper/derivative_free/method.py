"""A derivative-free method: a search of the cube, restarted for as long as the limits allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.upper.derivative_free.merit import (
    LineSearchDueError,
    MeritFunction,
    StalledError,
)
from bilad.solvers.upper.derivative_free.search_space import STRETCH, SearchSpace
from bilad.solvers.upper.line_search import line_search
from bilad.solvers.upper.method import keywords, takes_every
from bilad.solvers.upper.multistart import Start, check_restarts, multistart

LINE_SEARCH_SOLVES = 25  # reserved for (BL2): 20 bisections give a relative accuracy of 1e-6
LINE_SEARCH_SHARE = 0.25  # largest part of all solves that is reserved

# Minimises a merit function from a start, shape (dim,); the last argument is the number of
# searches before this one.
Search = Callable[[MeritFunction, FloatArray, np.random.Generator, int], None]


@dataclass(frozen=True)
class DerivativeFreeMethod:
    """A method of the upper level that minimises the merit function.

    Attributes
    ----------
    make : callable(problem, **options)
        Checks the options, which are its keyword-only parameters, and returns a `Search`.
    refuse : callable(problem)
        Returns the reason why the method cannot be applied to a problem, or None.
    """

    make: Callable[..., Search]
    refuse: Callable[[BilevelProblem], str | None] = takes_every
    needs: ClassVar[tuple[str, ...]] = ()
    has_bound: ClassVar[bool] = False

    @property
    def documented(self) -> tuple[Callable[..., Any], ...]:
        """The functions whose docstrings describe the method and its options."""
        return self.make, self.prepare

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""
        return [*keywords(self.make), *keywords(self.prepare)]

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return the reason why the method cannot be applied to the problem, or None."""
        return self.refuse(problem)

    def prepare(
        self,
        problem: BilevelProblem,
        rng: np.random.Generator,
        *,
        restarts: int | None = None,
        **options: Any,
    ) -> Runner:
        """Search from eps = 0, and then from random points, for as long as the limits allow.

        The first search starts at eps = 0, the others at random points. A line search along the ray
        of the best attack follows each of them. For (BL2), each search after the first attack is
        confined to the ball of the best attack, since no eps outside that ball is better.

        Parameters
        ----------
        problem : BilevelProblem
        rng : numpy.random.Generator
        restarts : int, optional
            Number of searches. The default is 5, or as many as the limits allow if the solves or
            the time are limited. Three searches in a row without a new lower-level solve end the
            method in any case.
        **options
            The keyword-only parameters of the function that makes the search.
        """
        most, search = check_restarts(restarts), self.make(problem, **options)

        def run(lower: LowerLevel, trace: Trace) -> None:
            last = _last_before_line_search(lower)
            for start in multistart(lower, trace, most):
                space = SearchSpace(_within_best(lower))
                if space.dim == 0:
                    return
                objective = MeritFunction(lower, space, last, start.progress)
                point = _starting_point(space, problem, rng, start)
                if not _completes(search, objective, point, rng, start.number):
                    last = None
                line_search(lower, [])

        return run


def _starting_point(
    space: SearchSpace, problem: BilevelProblem, rng: np.random.Generator, start: Start
) -> FloatArray:
    if start.number == 0:
        return space.point(np.zeros(problem.perturbation.dim))
    # A search without a new solve most likely started at the same bounds as one before it.
    return space.random(rng, STRETCH if start.idle == 0 else 1.0)


def _completes(
    search: Search,
    objective: MeritFunction,
    point: FloatArray,
    rng: np.random.Generator,
    number: int,
) -> bool:
    """Run a search; return False if it was stopped because the line search is due."""
    try:
        search(objective, point, rng, number)
    except BaseException:
        if objective.failure is None:  # the search itself failed, and no evaluation
            raise
    if objective.failure is None or isinstance(objective.failure, StalledError):
        return True
    if isinstance(objective.failure, LineSearchDueError):
        return False
    raise objective.failure


def _within_best(lower: LowerLevel) -> BilevelProblem:
    """Return the problem within the ball of the eps that are better than the best attack."""
    return lower.problem if lower.best is None else lower.problem.improving(lower.best.size)


def _last_before_line_search(lower: LowerLevel) -> int | None:
    """Return the number of solves after which only those of the line search are left."""
    if lower.max_solves is None or lower.problem.sense == "max":
        return None
    reserved = min(LINE_SEARCH_SOLVES, int(LINE_SEARCH_SHARE * lower.max_solves))
    return lower.max_solves - reserved
