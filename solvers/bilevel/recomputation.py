"""Recomputation: the best attack is solved again with a smaller tolerance before it is reported."""

from __future__ import annotations

import time

import numpy as np

from bilad.models.learning.learning_model import Answer, Solution
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.termination import TIME_LIMIT, BudgetSpentError

RECOMPUTATIONS = 8  # largest number of attacks that are recomputed until one is confirmed


class Recomputation:
    """The attack to report, whether there was time to recompute it or not.

    Parameters
    ----------
    lower : LowerLevel
        The lower level after the search.

    Attributes
    ----------
    baseline : Solution
        The solution at eps = 0; an outcome that is not proved if there is no solution.
    best : Evaluation
        The best attack; eps = 0 if there is none.
    solution : Solution
        The solution at the best attack: that of the search until `run` replaces it.
    deviation : float
        Deviation of its outcome from that at eps = 0.
    """

    def __init__(self, lower: LowerLevel) -> None:
        self._lower = lower
        unknown = Answer.unknown(lower.problem.model)
        self.baseline: Solution = lower.baseline if lower.has_baseline else unknown
        self.best = lower.best or self._nothing()
        self.solution = lower.best_solution or self.baseline
        self.deviation = self.best.deviation

    def run(self, end: float) -> None:
        """Recompute the attacks in decreasing order of quality until one is confirmed.

        Within rounding errors of a breakpoint, one solve can prove an attack and the next cannot.
        The next best attack is then recomputed. If none of the first eight is confirmed, the best
        is reported without a proof.

        Parameters
        ----------
        end : float
            Value of `time.perf_counter()` at which the recomputation ends.

        Raises
        ------
        BudgetSpentError
            If this time is reached first.
        LearningModelError
            If a model without proofs returns another outcome than before. No attack is reported
            then.
        """
        lower = self._lower
        if not lower.has_baseline:
            return
        attacks = [seen for seen in lower.history if lower.counts(seen)]
        attacks.sort(key=lambda seen: lower.problem.rank(seen.size, seen.deviation), reverse=True)
        for place, seen in enumerate(attacks[:RECOMPUTATIONS] or [self.best]):
            began = time.perf_counter()
            if began >= end:
                raise BudgetSpentError(TIME_LIMIT)
            try:
                solution = lower.confirm(seen.eps, end - began)
            finally:
                lower.seconds_solving += time.perf_counter() - began
            value = lower.deviation(solution)
            agrees = abs(value - seen.deviation) <= self.uncertainty()
            still_counts = seen.size == 0 or lower.problem.is_attack(seen.size, value)
            if lower.problem.is_proved(solution) and agrees and still_counts:
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
        self.deviation = self._lower.deviation(solution) if best.size > 0 else 0.0

    def uncertainty(self) -> float:
        """Return the largest deviation of two accurate solutions at one eps."""
        return self._lower.problem.deviation.uncertainty(self.baseline.outcome)

    def _nothing(self) -> Evaluation:
        problem = self._lower.problem
        zero, proved = np.zeros(problem.perturbation.dim), problem.is_proved(self.baseline)
        return Evaluation(zero, 0.0, 0.0, proved, 0, 0.0)
