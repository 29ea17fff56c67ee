"""The attack to report: the best that a tighter solve confirms."""

from __future__ import annotations

import time

import numpy as np

from bilad.models.learning.learning_model import Answer, Solution
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.termination import TIME_LIMIT, BudgetSpentError

CONFIRMATIONS = 8  # attacks, best first, that are solved again until one is confirmed


class Confirmation:
    """What is reported of a search, whether it is solved again in time or not.

    Parameters
    ----------
    lower : LowerLevel
        After the search.

    Attributes
    ----------
    baseline : Solution
        At eps = 0; an outcome that is not proved if there is none.
    best : Evaluation
        The best attack; eps = 0 without one.
    solution : Solution
        There: that of the search, until `run` has found another.
    deviation : float
        Of its outcome from that at eps = 0.
    """

    def __init__(self, lower: LowerLevel) -> None:
        self._lower = lower
        unknown = Answer.unknown(lower.problem.model)
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
        LearningModelError
            If a model that proves nothing gives another outcome than before; then nothing is
            reported.
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
                solution = lower.confirm(seen.eps, end - began)
            finally:
                lower.seconds_solving += time.perf_counter() - began
            value = self._value(solution)
            agrees = abs(value - seen.deviation) <= self._uncertainty()
            still_counts = seen.size == 0 or lower.problem.is_attack(seen.size, value)
            if solution.proved and agrees and still_counts:
                return self._report(seen, solution)
            if solution.gap is None and not agrees:
                self._report(self._nothing(), self.baseline)
                raise lower.contradiction(seen.eps)
            if time.perf_counter() >= end:
                raise BudgetSpentError(TIME_LIMIT)
            if place == 0:
                self._report(seen, solution)

    def _report(self, best: Evaluation, solution: Solution) -> None:
        self.best, self.solution = best, solution
        self.deviation = self._value(solution) if best.size > 0 else 0.0

    def _uncertainty(self) -> float:
        return self._lower.problem.deviation.uncertainty(self.baseline.outcome)

    def _value(self, solution: Solution) -> float:
        return self._lower.problem.deviation.value(self.baseline.outcome, solution.outcome)

    def _nothing(self) -> Evaluation:
        zero = np.zeros(self._lower.problem.perturbation.dim)
        return Evaluation(zero, 0.0, 0.0, self.baseline.proved, 0, 0.0)
