"""How a learning model answers at one eps after another: by solving it, or by asking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.black_box import BlackBox, ClustererError
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.deviation import delta
from bilad.models.validation import FloatArray, IntArray, one_of
from bilad.solvers.lower.cluster import solve_lower
from bilad.solvers.lower.methods import LOWER_METHODS, choose_lower_method
from bilad.solvers.lower.result import Clustering

RECOMPUTE_TOL = 1e-10  # of the solution at the eps that is returned


@dataclass(frozen=True)
class Answer:
    """The partition that a black box answered with.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
    """

    labels: IntArray

    @property
    def proved(self) -> bool:
        """True: what a black box answers is its partition; there is nothing to prove."""
        return True

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


class Learner(Protocol):
    """The learning model of one problem, at any eps."""

    @property
    def max_solves(self) -> int | None:
        """Most solves that the model itself allows an attack."""

    def baseline(self) -> Solution:
        """Return the solution at eps = 0."""

    def solve(
        self, eps: FloatArray, near: Sequence[tuple[FloatArray, Solution]], seconds: float
    ) -> Solution:
        """Return the solution at eps; `near` are those at other eps, which may help."""

    def confirm(self, eps: FloatArray) -> Solution:
        """Return the solution at eps, found afresh, as good as it gets."""


def make_learner(problem: BilevelProblem, method: str, tol: float) -> Learner:
    """Return the learner of a problem; `method` and `tol` are for models that are solved."""
    one_of(method, "lower", ["auto", *LOWER_METHODS])
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

    def baseline(self) -> Clustering:
        """Solve at eps = 0."""
        return solve_lower(self.problem.white_box, self.method, self.tol)

    def solve(
        self, eps: FloatArray, near: Sequence[tuple[FloatArray, Solution]], seconds: float
    ) -> Clustering:
        """Solve, from the nearest solution."""
        _, nearest = min(near, key=lambda pair: float(np.linalg.norm(pair[0] - eps)))
        model = self.problem.perturbation.apply(self.problem.white_box, eps)
        return solve_lower(model, self.method, self.tol, start=solved(nearest), time_limit=seconds)

    def confirm(self, eps: FloatArray) -> Clustering:
        """Solve from scratch, to a tighter tolerance, until the labels are proved."""
        model = self.problem.perturbation.apply(self.problem.white_box, eps)
        return solve_lower(model, self.method, min(self.tol, RECOMPUTE_TOL), refine=True)


class QueryLearner:
    """A black box."""

    def __init__(self, problem: BilevelProblem, model: BlackBox) -> None:
        self.problem = problem
        self.model = model

    @property
    def max_solves(self) -> int | None:
        """Most queries."""
        return self.model.max_queries

    def baseline(self) -> Answer:
        """Ask at eps = 0, twice.

        Raises
        ------
        ClustererError
            If the answers differ.
        """
        zero = np.zeros(self.problem.perturbation.dim)
        first, second = self.confirm(zero), self.confirm(zero)
        if delta(first.labels, second.labels) != 0:
            raise self.contradiction(zero)
        return first

    def solve(
        self, eps: FloatArray, near: Sequence[tuple[FloatArray, Solution]], seconds: float
    ) -> Answer:
        """Ask."""
        return self.confirm(eps)

    def confirm(self, eps: FloatArray) -> Answer:
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
