"""The lower level as the upper level sees it: a counted, cached, warm-started oracle.

Every method asks this object, and nothing else, what an eps does. It counts the solves, enforces
the limits, and keeps the best attack so far, so that no method has to and all are counted alike.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.bilevel import BilevelProblem
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray
from bilad.solvers.lower.cluster import cluster
from bilad.solvers.lower.methods import choose_lower_method
from bilad.solvers.lower.result import Clustering

WARM_STARTS = 8  # most recent solutions that may serve as a warm start


class BudgetSpentError(Exception):
    """The limit on solves or on time came; the message is the status to report."""


@dataclass(frozen=True)
class Evaluation:
    """What one eps does, and when that was learned.

    Attributes
    ----------
    eps : ndarray, shape (k,)
    size : float
        ||eps|| in the problem's norm.
    deviation : float
        U(eps), from the lower level's own solution.
    proved : bool
        Whether the labels at eps are proved; if not, `deviation` rests on an undecided pair.
    solves : int
        Lower-level solves spent so far, this one included.
    seconds : float
        Since the attack began.
    """

    eps: FloatArray
    size: float
    deviation: float
    proved: bool
    solves: int
    seconds: float


class LowerLevel:
    """The lower level of one bilevel problem.

    Parameters
    ----------
    problem : BilevelProblem
    method : str, default "auto"
        Lower-level method, as in `cluster`; one that takes the model at every eps.
    tol : float, default 1e-8
        As in `cluster`.
    max_solves : int, optional
        Solves after which `BudgetSpentError` is raised. The solve at eps = 0, which defines the
        deviation, is not counted.
    time_limit : float, default inf
        Seconds, from now.

    Attributes
    ----------
    baseline : Clustering
        The solution at eps = 0.
    best : Evaluation or None
        The best attack so far. Only eps whose labels are proved count.
    history : list of Evaluation
        Every eps solved, in order.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        method: str = "auto",
        tol: float = 1e-8,
        max_solves: int | None = None,
        time_limit: float = float("inf"),
        on_solve: Callable[[Evaluation], None] = lambda evaluation: None,
    ) -> None:
        self.began = time.perf_counter()
        self.problem = problem
        self.method = choose_lower_method(_typical(problem), method).name
        self.tol = tol
        self.max_solves = max_solves
        self.deadline = self.began + time_limit
        self.on_solve = on_solve
        self.best: Evaluation | None = None
        self.history: list[Evaluation] = []
        self._known: dict[bytes, Evaluation] = {}
        self._recent: deque[tuple[FloatArray, Clustering]] = deque(maxlen=WARM_STARTS)
        self.baseline = cluster(problem.model, self.method, tol)
        zero = np.zeros(problem.perturbation.dim)
        self._recent.append((zero, self.baseline))
        seconds = time.perf_counter() - self.began
        self._known[zero.tobytes()] = Evaluation(zero, 0.0, 0.0, self.baseline.proved, 0, seconds)

    @property
    def solves(self) -> int:
        """Number of lower-level solves so far, without the one at eps = 0."""
        return len(self.history)

    @property
    def undecided(self) -> int:
        """Number of solves whose labels were not proved."""
        return sum(not evaluation.proved for evaluation in self.history)

    def seconds_left(self) -> float:
        """Return the seconds left, raising if there are none."""
        left = self.deadline - time.perf_counter()
        if left <= 0:
            raise BudgetSpentError("time limit")
        return left

    def evaluate(self, eps: ArrayLike) -> Evaluation:
        """Return what eps does; an eps seen before costs nothing."""
        vector = self._vector(eps)
        known = self._known.get(vector.tobytes())
        if known is None:
            self.solve(vector)
            known = self._known[vector.tobytes()]
        return known

    def solve(self, eps: ArrayLike) -> Clustering:
        """Return the lower level's solution at eps; a recent one costs nothing."""
        vector = self._vector(eps)
        for seen, clustering in self._recent:
            if np.array_equal(seen, vector):
                return clustering
        left = self.seconds_left()
        if self.max_solves is not None and self.solves >= self.max_solves:
            raise BudgetSpentError("solve limit")
        _, nearest = min(self._recent, key=lambda pair: float(np.linalg.norm(pair[0] - vector)))
        model = self.problem.perturbation.apply(self.problem.model, vector)
        clustering = cluster(model, self.method, self.tol, start=nearest, time_limit=left)
        self._recent.append((vector, clustering))
        self._learn(vector, clustering)
        return clustering

    def _vector(self, eps: ArrayLike) -> FloatArray:
        return self.problem.perturbation.vector(eps) + 0.0

    def _learn(self, eps: FloatArray, clustering: Clustering) -> None:
        problem = self.problem
        evaluation = Evaluation(
            eps=eps,
            size=problem.size(eps),
            deviation=problem.deviation.value(self.baseline.labels, clustering.labels),
            proved=clustering.proved,
            solves=self.solves + 1,
            seconds=time.perf_counter() - self.began,
        )
        self._known[eps.tobytes()] = evaluation
        self.history.append(evaluation)
        if self._is_better(evaluation):
            self.best = evaluation
        self.on_solve(evaluation)

    def counts(self, seen: Evaluation) -> bool:
        """Say whether an evaluation is an attack with proved labels."""
        return seen.proved and self.problem.is_attack(seen.size, seen.deviation)

    def _is_better(self, new: Evaluation) -> bool:
        problem, old = self.problem, self.best
        if not self.counts(new):
            return False
        new_rank = problem.rank(new.size, new.deviation)
        return old is None or new_rank > problem.rank(old.size, old.deviation)


def _typical(problem: BilevelProblem) -> ConvexClustering:
    """Return the model at an eps with nothing special, whose weights differ if they can.

    A method that takes it takes the model at every eps: equal weights are a special case.
    """
    if problem.perturbation.edge_operator is None:  # the data do not matter
        return problem.model
    numbers = np.random.default_rng(0).uniform(0.25, 0.75, problem.perturbation.dim)
    return problem.perturbation.apply(problem.model, problem.project(numbers * problem.box[1]))
