"""How a learning model answers at one eps after another: by solving it, or by asking it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.black_box import BlackBox, ClustererError
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.deviation import delta
from bilad.models.validation import FloatArray, IntArray, one_of, real_number
from bilad.solvers.lower.cluster import solve_lower
from bilad.solvers.lower.methods import LOWER_METHODS, choose_lower_method
from bilad.solvers.lower.result import Clustering

RECOMPUTE_TOL = 1e-10  # of the solution at the eps that is returned


@dataclass(frozen=True)
class Answer:
    """Labels alone: what a black box answered with, or a stand-in where there is no solution.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
    proved : bool
        True of a black box: what it answers is its partition; there is nothing to prove.
    """

    labels: IntArray
    proved: bool = True

    @classmethod
    def unknown(cls, n: int) -> Answer:
        """Return labels of n points of which nothing is known: each alone, and not proved."""
        return cls(np.arange(n), proved=False)

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(np.unique(self.labels))


Solution = Clustering | Answer


def solved(solution: Solution) -> Clustering:
    """Return a solution as that of a model that is solved, not asked."""
    if isinstance(solution, Clustering):
        return solution
    raise TypeError("a black box gives labels only")


class LowerLevelError(RuntimeError):
    """A lower level that broke down where nothing can be done without its solution."""


def failure_of(solution: Solution) -> str | None:
    """Return the "error: ..." that ended a lower-level solve, or None."""
    status = solution.status if isinstance(solution, Clustering) else ""
    return status if status.startswith("error") else None


class Learner(Protocol):
    """The learning model of one problem, at any eps."""

    @property
    def max_solves(self) -> int | None:
        """Most solves that the model itself allows an attack."""

    def baseline(self, seconds: float = math.inf) -> Solution:
        """Return the solution at eps = 0, found within so many seconds."""

    def solve(
        self, eps: FloatArray, near: Sequence[tuple[FloatArray, Solution]], seconds: float
    ) -> Solution:
        """Return the solution at eps; `near` are those at other eps, which may help."""

    def confirm(self, eps: FloatArray, seconds: float = math.inf) -> Solution:
        """Return the solution at eps, found afresh, as good as it gets within so many seconds."""


def make_learner(problem: BilevelProblem, method: str, tol: float) -> Learner:
    """Return the learner of a problem; `method` and `tol` are for models that are solved."""
    one_of(method, "lower", ["auto", *LOWER_METHODS])
    real_number(tol, "tol", above=0.0)
    if isinstance(problem.model, BlackBox):
        return QueryLearner(problem, problem.model)
    return ConvexLearner(problem, method, tol)


class ConvexLearner:
    """Convex clustering, solved from the nearest of the recent solutions.

    Parameters
    ----------
    problem : BilevelProblem
    method : str
        As in `cluster`; one that takes the model at every eps.
    tol : float
    """

    max_solves: int | None = None

    def __init__(self, problem: BilevelProblem, method: str, tol: float) -> None:
        self.problem = problem
        self.method = choose_lower_method(_typical(problem), method).name
        self.tol = tol

    def baseline(self, seconds: float = math.inf) -> Clustering:
        """Solve at eps = 0.

        Raises
        ------
        LowerLevelError
            If the lower level broke down.
        """
        model = self.problem.white_box
        return _unbroken(solve_lower(model, self.method, self.tol, time_limit=seconds))

    def solve(
        self, eps: FloatArray, near: Sequence[tuple[FloatArray, Solution]], seconds: float
    ) -> Clustering:
        """Solve, from the nearest solution."""
        _, nearest = min(near, key=lambda pair: float(np.linalg.norm(pair[0] - eps)))
        model = self.problem.perturbation.apply(self.problem.white_box, eps)
        return solve_lower(model, self.method, self.tol, start=solved(nearest), time_limit=seconds)

    def confirm(self, eps: FloatArray, seconds: float = math.inf) -> Clustering:
        """Solve from scratch, to a tighter tolerance, until the labels are proved.

        Raises
        ------
        LowerLevelError
            If the lower level broke down.
        """
        model = self.problem.perturbation.apply(self.problem.white_box, eps)
        tol = min(self.tol, RECOMPUTE_TOL)
        return _unbroken(solve_lower(model, self.method, tol, time_limit=seconds, refine=True))


class QueryLearner:
    """A black box."""

    def __init__(self, problem: BilevelProblem, model: BlackBox) -> None:
        self.problem = problem
        self.model = model

    @property
    def max_solves(self) -> int | None:
        """Most queries."""
        return self.model.max_queries

    def baseline(self, seconds: float = math.inf) -> Answer:
        """Ask at eps = 0, twice.

        Raises
        ------
        ClustererError
            If the answers differ.
        """
        zero = np.zeros(self.problem.perturbation.dim)
        first, second = self._ask(zero), self._ask(zero)
        if delta(first.labels, second.labels) != 0:
            raise self.contradiction(zero)
        return first

    def solve(
        self, eps: FloatArray, near: Sequence[tuple[FloatArray, Solution]], seconds: float
    ) -> Answer:
        """Ask."""
        return self._ask(eps)

    def confirm(self, eps: FloatArray, seconds: float = math.inf) -> Answer:
        """Ask again."""
        return self._ask(eps)

    def _ask(self, eps: FloatArray) -> Answer:
        """Ask.

        Raises
        ------
        ClustererError
            If there is no answer; with the eps that did it.
        """
        try:
            return Answer(self.problem.perturbation.apply(self.model, eps).query())
        except ClustererError as error:
            raise ClustererError(f"at eps = {_shown(eps)}: {error}") from error

    def contradiction(self, eps: FloatArray) -> ClustererError:
        """Return the error for two partitions at one eps."""
        name = type(self.model.clusterer).__name__
        return ClustererError(
            f"at eps = {_shown(eps)}: {name} is not deterministic, it gave two partitions of the "
            "same data; set its random_state"
        )


def _unbroken(found: Clustering) -> Clustering:
    failure = failure_of(found)
    if failure is not None:
        raise LowerLevelError(failure)
    return found


def _shown(eps: FloatArray) -> str:
    return np.array2string(eps, precision=17, threshold=20)


def _typical(problem: BilevelProblem) -> ConvexClustering:
    """Return the model at an eps with nothing special, whose weights differ if they can.

    A method that takes it takes the model at every eps: equal weights are a special case.
    """
    if problem.perturbation.edge_operator is None:  # the data do not matter
        return problem.white_box
    numbers = np.random.default_rng(0).uniform(0.25, 0.75, problem.perturbation.dim)
    eps = problem.project(numbers * problem.box[1])
    return problem.perturbation.apply(problem.white_box, eps)
