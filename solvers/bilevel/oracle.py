"""The oracle of the upper level: it solves the lower level, with a cache and warm starts.

Every method evaluates eps through this object only. It counts the solves, enforces the limits and
stores the best attack, in the same way for all methods.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.learning_model import (
    LearningModel,
    LearningModelError,
    Solution,
    confirm,
    evaluator,
    solve,
    solver_options,
)
from bilad.models.problem import BilevelProblem, check_problem
from bilad.models.representation import Represented
from bilad.models.validation import (
    FloatArray,
    real_number,
    seconds_limit,
    whole_number,
)
from bilad.solvers.termination import SOLVE_LIMIT, TIME_LIMIT, BudgetSpentError

RECOMPUTE_TOL = 1e-10  # tolerance of the solution at the eps that is returned
WARM_STARTS = 8  # number of recent solutions that can be used as a warm start
MOST_SOLVES = 5_000_000  # unless a limit is given: their history has to fit into memory
LEAST_SECONDS = 0.25  # least time limit of the solve at eps = 0


class LowerLevelError(RuntimeError):
    """The lower level failed at an eps whose solution is indispensable."""


@dataclass(frozen=True, repr=False, slots=True)
class Evaluation(Represented):
    """The result of the evaluation of one eps.

    Attributes
    ----------
    eps : ndarray, shape (k,)
    size : float
        ||eps|| in the problem's norm.
    deviation : float
        U(eps), computed from the lower-level solution.
    proved : bool
        Whether the labels at eps are proved. Otherwise `deviation` depends on undecided pairs of
        points.
    solves : int
        Number of lower-level solves so far, including this one.
    seconds : float
        Time since the beginning of the attack, without that of the bound.
    error : str or None
        "error: ..." if the lower level failed; its labels are then not proved.
    """

    eps: FloatArray
    size: float
    deviation: float
    proved: bool
    solves: int
    seconds: float
    error: str | None = None


class LowerLevel(Represented):
    """The lower level of one bilevel problem.

    Parameters
    ----------
    problem : BilevelProblem
    method : str, default "auto"
        Solver of the learning model, if it has several; it must apply to the model at every eps.
    tol : float, default 1e-8
        Tolerance of the relative duality gap.
    max_solves : int, optional
        Number of solves after which `BudgetSpentError` is raised; a black box can have a smaller
        limit of its own. The solve at eps = 0, which defines the deviation, is not counted. If
        None, five million, so that their history fits into memory.
    time_limit : float, default inf
        Time limit in seconds from the construction on.

    Attributes
    ----------
    best : Evaluation or None
        The best attack so far, among the eps whose labels are proved.
    best_solution : Solution or None
        The solution at the best attack; it may be computed at the first access.
    history : list of Evaluation
        The evaluations of all eps that were solved, in order, without those of the relaxation.
    seconds_solving : float
        Time spent in the learning model, also at eps = 0; the rest is the time of the method.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        method: str = "auto",
        tol: float = 1e-8,
        max_solves: int | None = None,
        time_limit: float = float("inf"),
    ) -> None:
        self.began = time.perf_counter()
        check_problem(problem)
        self.problem = problem
        self.tol = real_number(tol, "tol", above=0.0)
        self._options = solver_options(_typical(problem), method)
        most = None if max_solves is None else whole_number(max_solves, "max_solves", least=0)
        limits = [limit for limit in (most, problem.model.max_queries) if limit is not None]
        self.max_solves = min(limits, default=None)
        self.deadline = self.began + seconds_limit(time_limit, "time_limit", least=0)
        self.best: Evaluation | None = None
        self._best_solution: tuple[Evaluation, Solution] | None = None
        self.history: list[Evaluation] = []
        self._known: dict[bytes, Evaluation] = {}
        self._recent: deque[tuple[FloatArray, Solution]] = deque(maxlen=WARM_STARTS)
        self._baseline: Solution | None = None
        self._evaluates = method == "auto"  # a method that is named solves at every eps
        self._evaluator: Callable[[FloatArray], float | None] | None = None
        self.seconds_solving = 0.0
        self._relaxed = 0  # solves at eps that are not binary, for the norm "count"

    def summary(self) -> dict[str, Any]:
        """Return the number of solves and its limit, the best attack so far, and the problem."""
        best = None if self.best is None else (self.best.size, self.best.deviation)
        solves = {"solves": self.solves, "max_solves": self.max_solves}
        return {**solves, "norm_and_deviation": best, "problem": self.problem}

    @property
    def has_baseline(self) -> bool:
        """Whether the lower level has been solved at eps = 0."""
        return self._baseline is not None

    @property
    def baseline(self) -> Solution:
        """The solution at eps = 0, which is computed at the first access.

        Raises
        ------
        LearningModelError
            If the learning model fails at eps = 0, or if a model without proofs returns two
            different outcomes there.
        LowerLevelError
            If the solver of the lower level failed.
        """
        if self._baseline is None:
            began = time.perf_counter()
            zero = np.zeros(self.problem.perturbation.dim)
            solution = self._baseline_within(zero, max(self.deadline - began, LEAST_SECONDS))
            self.seconds_solving += time.perf_counter() - began
            seconds = time.perf_counter() - self.began
            proved = self.problem.is_proved(solution)
            self._known[zero.tobytes()] = Evaluation(zero, 0.0, 0.0, proved, 0, seconds)
            self._recent.append((zero, solution))
            self._baseline = solution
            if self._evaluates:
                self._evaluator = evaluator(self.problem.model, self.problem, solution)
        return self._baseline

    @property
    def best_solution(self) -> Solution | None:
        """The solution at the best attack, or None if there is no attack."""
        best, known = self.best, self._best_solution
        if best is None:
            return None
        if known is None or known[0] is not best:
            left = max(self.deadline - time.perf_counter(), LEAST_SECONDS)
            solution = self._recent_solution(best.eps) or self._solve(best.eps, None, left)
            known = self._best_solution = best, solution
        return known[1]

    def _baseline_within(self, zero: FloatArray, seconds: float) -> Solution:
        """Solve at eps = 0, again to high accuracy if that is not proved.

        Every deviation refers to this solution. A model without proofs is asked twice.
        """
        end = time.perf_counter() + seconds
        solution = self._solve(zero, None, seconds)
        if solution.gap is None:
            again = self.confirm(zero, seconds)
            with _named(zero):
                agree = self.problem.deviation.are_the_same(solution.outcome, again.outcome)
            if not agree:
                raise self.contradiction(zero)
        elif not self.problem.is_proved(solution) and (left := end - time.perf_counter()) > 0:
            solution = self.confirm(zero, left)
        return _unbroken(solution)

    def _solve(self, eps: FloatArray, start: Solution | None, seconds: float) -> Solution:
        model = self.problem.perturbation.apply(self.problem.model, eps)
        with _named(eps):
            solution: Solution = solve(
                model, start, tol=self.tol, time_limit=seconds, **self._options
            )
        return solution

    def confirm(self, eps: FloatArray, seconds: float = float("inf")) -> Solution:
        """Return the solution at eps to high accuracy, without a warm start, within a time limit.

        Raises
        ------
        LowerLevelError
            If the solver of the lower level failed.
        """
        model = self.problem.perturbation.apply(self.problem.model, eps)
        tol = min(self.tol, RECOMPUTE_TOL)
        with _named(eps):
            return _unbroken(confirm(model, tol=tol, time_limit=seconds, **self._options))

    def contradiction(self, eps: FloatArray) -> LearningModelError:
        """Return the error for two different outcomes at the same eps."""
        error = self.problem.model.contradiction()
        return type(error)(f"at eps = {_shown(eps)}: {error}")

    @property
    def solves(self) -> int:
        """Number of lower-level solves so far, without that at eps = 0."""
        return len(self.history) + self._relaxed

    @property
    def undecided(self) -> int:
        """Number of solves whose labels were not proved."""
        return sum(not evaluation.proved for evaluation in self.history)

    @property
    def is_limited(self) -> bool:
        """Whether the solves or the time are limited."""
        return self.max_solves is not None or self.deadline < float("inf")

    def seconds_left(self) -> float:
        """Return the seconds left; raise `BudgetSpentError` if there are none."""
        left = self.deadline - time.perf_counter()
        if left <= 0:
            raise BudgetSpentError(TIME_LIMIT)
        return left

    def evaluate(self, eps: ArrayLike) -> Evaluation:
        """Return the evaluation of eps; one that was evaluated before needs no solve.

        For the norm "count", eps is rounded first (`BilevelProblem.rounded`).
        """
        vector = self.problem.rounded(self._vector(eps))
        key = vector.tobytes()
        known = self._known.get(key) or self._evaluated(vector, key)
        if known is None:
            self._solution(vector)
            known = self._known[key]
        return known

    def _evaluated(self, eps: FloatArray, key: bytes) -> Evaluation | None:
        """Return the evaluation if the learning model can evaluate the deviation by itself."""
        if self._evaluator is None:
            return None
        self.check_limits()
        began = time.perf_counter()
        deviation = self._evaluator(eps)
        self.seconds_solving += time.perf_counter() - began
        return None if deviation is None else self._learn(eps, key, deviation)

    def known(self, eps: FloatArray) -> Evaluation | None:
        """Return the stored evaluation of eps, rounded as by `evaluate`, or None."""
        vector = self.problem.rounded(self.problem.perturbation.vector(eps) + 0.0)
        return self._known.get(vector.tobytes())

    def solve(self, eps: ArrayLike) -> Solution:
        """Return the solution at eps, which is not rounded; a recent one needs no solve.

        A solve at an eps that was evaluated before is not counted again.
        """
        return self._solution(self._vector(eps))

    def _solution(self, vector: FloatArray) -> Solution:
        recent = self._recent_solution(vector)
        if recent is not None:
            return recent
        key = vector.tobytes()
        is_new = key not in self._known
        left = self.check_limits() if is_new else self.seconds_left()
        began = time.perf_counter()
        _, nearest = min(self._recent, key=lambda pair: float(np.linalg.norm(pair[0] - vector)))
        solution = self._solve(vector, nearest, left)
        self.seconds_solving += time.perf_counter() - began
        self._recent.append((vector, solution))
        if not np.array_equal(vector, self.problem.rounded(vector)):
            self._relaxed += 1
        elif is_new:
            with _named(vector):
                deviation = self.deviation(solution)
            proved, error = self.problem.is_proved(solution), _failure_of(solution)
            seen = self._learn(vector, key, deviation, proved, error)
            if seen is self.best:
                self._best_solution = seen, solution
        return solution

    def _recent_solution(self, vector: FloatArray) -> Solution | None:
        for seen, solution in self._recent:
            if np.array_equal(seen, vector):
                return solution
        return None

    def check_limits(self) -> float:
        """Return the seconds left; raise `BudgetSpentError` if no further solve is allowed."""
        left = self.seconds_left()
        if self.solves >= (MOST_SOLVES if self.max_solves is None else self.max_solves):
            raise BudgetSpentError(SOLVE_LIMIT)
        return left

    def _vector(self, eps: ArrayLike) -> FloatArray:
        """Return eps as a vector, after the lower level has been solved at eps = 0."""
        _ = self.baseline
        return self.problem.perturbation.vector(eps) + 0.0

    def _learn(
        self,
        eps: FloatArray,
        key: bytes,
        deviation: float,
        proved: bool = True,
        error: str | None = None,
    ) -> Evaluation:
        """Store an evaluation, which may be the best so far."""
        evaluation = Evaluation(
            eps=eps,
            size=self.problem.size(eps),
            deviation=deviation,
            proved=proved,
            solves=self.solves + 1,
            seconds=time.perf_counter() - self.began,
            error=error,
        )
        self._known[key] = evaluation
        self.history.append(evaluation)
        if self.is_better(evaluation, self.best):
            self.best = evaluation
        return evaluation

    def deviation(self, solution: Solution) -> float:
        """Return the deviation of a solution from the one at eps = 0."""
        return self.problem.deviation.value(self.baseline.outcome, solution.outcome)

    def counts(self, seen: Evaluation) -> bool:
        """Return whether an evaluation is an attack with proved labels."""
        return seen.proved and self.problem.is_attack(seen.size, seen.deviation)

    def is_better(self, new: Evaluation, old: Evaluation | None) -> bool:
        """Return whether an evaluation is a proved attack and better than another one."""
        if not self.counts(new):
            return False
        rank = self.problem.rank
        return old is None or rank(new.size, new.deviation) > rank(old.size, old.deviation)


@contextmanager
def _named(eps: FloatArray) -> Iterator[None]:
    """Add the eps to the message of an error of the learning model."""
    try:
        yield
    except LearningModelError as error:
        raise type(error)(f"at eps = {_shown(eps)}: {error}") from error


def _shown(eps: FloatArray) -> str:
    return np.array2string(eps, precision=17, threshold=20)


def _failure_of(solution: Solution) -> str | None:
    """Return the status "error: ..." of a lower-level solve that failed, or None."""
    return solution.status if solution.status.startswith("error") else None


def _unbroken(solution: Solution) -> Solution:
    failure = _failure_of(solution)
    if failure is not None:
        raise LowerLevelError(failure)
    return solution


def _typical(problem: BilevelProblem) -> LearningModel:
    """Return the model at a generic eps.

    A solver that applies to it applies to the model at every eps, whereas at eps = 0 the model can
    be a special case, such as one with equal weights.
    """
    numbers = np.random.default_rng(0).uniform(0.25, 0.75, problem.perturbation.dim)
    low, high = problem.box
    eps = problem.project(numbers * np.where(high > 0, high, low))
    return problem.perturbation.apply(problem.model, eps)
