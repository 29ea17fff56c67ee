"""The attack to report: the best that a tighter solve confirms."""

from __future__ import annotations

import time

import numpy as np

from bilad.solvers.termination import TIME_LIMIT, BudgetSpentError
from bilad.solvers.upper.learner import Answer, QueryLearner, Solution
from bilad.solvers.upper.lower_level import Evaluation, LowerLevel

CONFIRMATIONS = 8  # attacks, best first, that are solved again until one is confirmed


class Confirmation:
    """What is reported of a search, whether it is solved again in time or not.

    Parameters
    ----------
    lower : LowerLevel
        After the search.

    Attributes
    ----------
    baseline : Clustering or Answer
        Solution at eps = 0; labels that are not proved if there is none.
    best : Evaluation
        The best attack; eps = 0 without one.
    solution : Clustering or Answer
        There: that of the search, until `run` has found another.
    deviation : float
        Of its labels from those at eps = 0.
    """

    def __init__(self, lower: LowerLevel) -> None:
        self._lower = lower
        unknown = Answer.unknown(lower.problem.model.n)
        self.baseline: Solution = lower.baseline if lower.has_baseline else unknown
        self.best = lower.best or self._nothing()
        self.solution = lower.best_solution or self.baseline
        self.deviation = self.best.deviation

    def run(self, end: float) -> None:
        """Solve the attacks again, best first, until one is confirmed.

        An eps within rounding of a step can be an attack by one solve and undecided by the next:
        then the next best is looked at. If none of a few is confirmed, the best stands, unproved.

        Parameters
        ----------
        end : float
            Value of `time.perf_counter()` at which to stop.

        Raises
        ------
        BudgetSpentError
            If that came first.
        ClustererError
            If a black box gives another answer than before; then nothing is reported.
        """
        lower = self._lower
        if not lower.has_baseline:
            return
        attacks = [seen for seen in lower.history if lower.counts(seen)]
        attacks.sort(key=lambda seen: lower.problem.rank(seen.size, seen.deviation), reverse=True)
        for place, seen in enumerate(attacks[:CONFIRMATIONS] or [self.best]):
            began = time.perf_counter()
            if began >= end:
                raise BudgetSpentError(TIME_LIMIT)
            try:
                solution = lower.learner.confirm(seen.eps, end - began)
            finally:
                lower.seconds_solving += time.perf_counter() - began
            if solution.proved and self._value(solution) == seen.deviation:
                return self._report(seen, solution)
            if isinstance(lower.learner, QueryLearner):
                self._report(self._nothing(), self.baseline)
                raise lower.learner.contradiction(seen.eps)
            if time.perf_counter() >= end:
                raise BudgetSpentError(TIME_LIMIT)
            if place == 0:
                self._report(seen, solution)

    def _report(self, best: Evaluation, solution: Solution) -> None:
        self.best, self.solution, self.deviation = best, solution, self._value(solution)

    def _value(self, solution: Solution) -> float:
        return self._lower.problem.deviation.value(self.baseline.labels, solution.labels)

    def _nothing(self) -> Evaluation:
        zero = np.zeros(self._lower.problem.perturbation.dim)
        return Evaluation(zero, 0.0, 0.0, self.baseline.proved, 0, 0.0)
