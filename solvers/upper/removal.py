"""Which points or edges to remove so that the partition changes most: a search over subsets.

Every subset of at most so many, if the solves suffice; otherwise one more again and again, each the
best to add to those before. What cannot be proved counts for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np

from bilad.models.learning.learning_model import LearningModel, Solution, decide, solver_options
from bilad.models.validation import IntArray, real_number
from bilad.solvers.termination import SOLVE_LIMIT, TIME_LIMIT, BudgetSpentError, termination_of

Subset = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What the best removal does.

    Attributes
    ----------
    deviation : float
        Of the labels after from the labels before.
    labels_before, labels : ndarray of int
        Of the points that count, with everything and without what was removed; proved.
    status : str
        "optimal": no subset is better; "greedy": each was the best to add to those before;
        "feasible": the best so far of a search that was cut short; "no attack found": the same
        where none changes anything; "undecided": labels that could not be proved stand in the way,
        with everything or without some.
    termination : str
        What ended the search, as in `Attack`.
    lower_solves : int
        The one with everything not counted.
    undecided : int
        Those whose labels could not be proved; they count for nothing.
    """

    deviation: float
    labels_before: IntArray = field(repr=False)
    labels: IntArray = field(repr=False)
    status: str
    termination: str
    lower_solves: int
    undecided: int

    @property
    def exhaustive(self) -> bool:
        """Whether every subset was solved, with proved labels: then this is the global optimum."""
        return self.status == "optimal"


class RemovalSearch:
    """The subsets tried so far, and the best of them.

    Parameters
    ----------
    model : LearningModel
    without : callable(subset)
        Returns the model without a subset.
    labels_before : callable(subset, labels)
        Returns those of the labels with everything that the labels without a subset compare with.
    deviation : callable(labels_before, labels)
    lower, tol
        Of the lower level, as in `cluster`.
    most : int
        Lower-level solves.
    seconds : float
        From now.

    Attributes
    ----------
    best : tuple of int
        The subset.

    Raises
    ------
    ArgumentError
        If the tolerance is wrong, or the method of the lower level is unknown.
    UnsupportedError
        If that method cannot take the model.
    """

    def __init__(
        self,
        model: LearningModel,
        without: Callable[[Subset], LearningModel],
        labels_before: Callable[[Subset, IntArray], IntArray],
        deviation: Callable[[IntArray, IntArray], float],
        *,
        lower: str,
        tol: float,
        most: int,
        seconds: float,
    ) -> None:
        decide.require(model)
        self._deadline = time.perf_counter() + seconds
        self._options = solver_options(model, lower)
        self._tol = real_number(tol, "tol", above=0.0)
        self._model = model
        self._without, self._labels_before, self._value = without, labels_before, deviation
        self._most = most
        self._solves = self._undecided = 0
        self._before = self._labels = np.arange(model.n)  # until it is solved
        self.best: Subset = ()
        self._deviation, self._status = 0.0, "undecided"

    def run(self, candidates: list[int], budget: int) -> Removal:
        """Remove at most `budget` of the candidates."""
        left = self._deadline - time.perf_counter()
        termination = termination_of(lambda: self._search(candidates, budget), left)
        return Removal(
            deviation=self._deviation,
            labels_before=self._labels_before(self.best, self._before),
            labels=self._labels,
            status=self._status,
            termination=termination,
            lower_solves=self._solves,
            undecided=self._undecided,
        )

    def _search(self, candidates: list[int], budget: int) -> None:
        """Try every subset, or the greedy ones."""
        before = self._solve(self._model)
        self._before = self._labels = before.outcome
        if not before.proved:
            return
        self._status = "no attack found"
        if sum(comb(len(candidates), size) for size in range(1, budget + 1)) > self._most:
            self._status = self._greedy(candidates, budget)
            return
        for size in range(1, budget + 1):
            self._try(combinations(candidates, size))
        self._status = "undecided" if self._undecided else "optimal"

    def _greedy(self, candidates: list[int], budget: int) -> str:
        """Add the best candidate again and again; return the status."""
        removed: Subset = ()
        for _ in range(budget):
            added = self._try((*removed, one) for one in candidates if one not in removed)
            if added is None:
                return "undecided"
            removed = added
        return "greedy"

    def _try(self, subsets: Iterable[Subset]) -> Subset | None:
        """Solve without each of the subsets; return the best whose labels are proved."""
        best, most = None, -np.inf
        for subset in subsets:
            if self._solves == self._most:
                raise BudgetSpentError(SOLVE_LIMIT)
            solution = self._solve(self._without(subset))
            self._solves += 1
            if not solution.proved:
                self._undecided += 1
                continue
            value = self._value(self._labels_before(subset, self._before), solution.outcome)
            if value > most:
                best, most = subset, value
            if value > self._deviation:
                self.best, self._deviation, self._labels = subset, float(value), solution.outcome
                self._status = "feasible"
        return best

    def _solve(self, model: LearningModel) -> Solution:
        left = self._deadline - time.perf_counter()
        if left <= 0:
            raise BudgetSpentError(TIME_LIMIT)
        solution: Solution = decide(model, tol=self._tol, time_limit=left, **self._options)
        return solution
