"""Attacks that delete vertices or edges of the graph (Section 2.2 of the paper).

A deleted point takes its edges with it. The deviation then compares the labels of the remaining
points in the smaller model with their labels in the whole model.

If the limit on solves is sufficient, every subset of at most the given size is solved. Otherwise
subsets grow greedily: the best point or edge is added to those before, one at a time. An outcome
whose labels cannot be proved is ignored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation_function import DeviationFunction, deviation_function
from bilad.models.learning.learning_model import (
    LearningModel,
    Solution,
    decide,
    remove,
    solver_options,
)
from bilad.models.representation import Represented
from bilad.models.validation import (
    ArgumentError,
    IntArray,
    index_array,
    real_number,
    seconds_limit,
    whole_number,
)
from bilad.solvers.termination import SOLVE_LIMIT, TIME_LIMIT, BudgetSpentError, termination_of

Subset = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Deletion(Represented):
    """The best deletion that was found.

    Attributes
    ----------
    deviation : float
        Deviation of the labels after the deletion from the labels before it.
    labels_before, labels : ndarray of int
        Proved labels of the points that are compared, in the whole and in the smaller model.
    status : str
        "optimal": no subset has a larger deviation; "greedy": each element was the best addition
        to those before; "feasible": the best subset of a search that was stopped; "no attack
        found": the same without any change; "undecided": the labels of the whole model or of some
        subsets could not be proved.
    termination : str
        The reason why the search ended, as in `Attack`.
    lower_solves : int
        Number of lower-level solves without that of the whole model.
    undecided : int
        Number of solves whose labels could not be proved.
    """

    deviation: float
    labels_before: IntArray = field(repr=False)
    labels: IntArray = field(repr=False)
    status: str
    termination: str
    lower_solves: int
    undecided: int

    def summary(self) -> dict[str, Any]:
        """Return the status, the deviation, and what was deleted."""
        shown = dict(super().summary())
        return {"status": shown.pop("status"), **shown}

    @property
    def exhaustive(self) -> bool:
        """Whether every subset was solved with proved labels; the result is then optimal."""
        return self.status == "optimal"


@dataclass(frozen=True, kw_only=True, repr=False)
class DroppedPoints(Deletion):
    """Points whose deletion changes the partition of the remaining points.

    The labels are those of the remaining points.

    Attributes
    ----------
    points : ndarray of int, shape (r,)
        Deleted points in increasing order; empty if no subset that was solved has an effect.
    remaining : ndarray of int, shape (n - r,)
        The other points in increasing order.
    """

    points: IntArray
    remaining: IntArray = field(repr=False)


@dataclass(frozen=True, kw_only=True, repr=False)
class DroppedEdges(Deletion):
    """Edges whose deletion changes the partition.

    Attributes
    ----------
    edges : ndarray of int, shape (r,)
        Rows of `graph.edges` in increasing order; empty if no subset that was solved has an effect.
    """

    edges: IntArray


def drop_points(
    model: LearningModel,
    budget: int,
    deviation: str | DeviationFunction = "delta",
    points: ArrayLike | None = None,
    *,
    max_solves: int = 1000,
    lower: str = "auto",
    tol: float = 1e-8,
    time_limit: float | None = None,
) -> DroppedPoints:
    """Search for the points whose deletion changes the partition of the others most.

    Parameters
    ----------
    model : LearningModel
    budget : int
        Largest number of deleted points, at most n - 2.
    deviation : str or DeviationFunction, default "delta"
        A deviation that treats all points alike.
    points : array_like of int, optional
        Points that may be deleted; all by default.
    max_solves : int, default 1000
        Largest number of lower-level solves. If it is sufficient for every subset of at most
        `budget` points, all of them are solved; otherwise the subsets grow greedily.
    lower, tol
        Method and tolerance of the lower level, as in `cluster`.
    time_limit : float, optional
        Seconds, as in `attack`.

    Returns
    -------
    DroppedPoints
        One of the smallest of the subsets with the largest deviation.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    CapabilityError
        If nothing can be deleted from a model of this type.
    UnsupportedError
        If the method of the lower level cannot be applied to the model.
    """
    remove.require(model)
    budget = whole_number(budget, "budget", least=0)
    if budget > model.n - 2:
        raise ArgumentError("budget", budget, f"at most {model.n - 2}, so that two points stay")
    chosen = np.arange(model.n) if points is None else index_array(points, "points", model.n)
    search = _SubsetSearch(
        model, "points", _symmetric(deviation, model), max_solves, lower, tol, time_limit
    )
    found = search.run(chosen, budget)
    dropped = search.chosen
    remaining = np.setdiff1d(np.arange(model.n), dropped)
    return DroppedPoints(**found, points=dropped, remaining=remaining)


def drop_edges(
    model: LearningModel,
    budget: int,
    deviation: str | DeviationFunction = "delta",
    edges: ArrayLike | None = None,
    *,
    max_solves: int = 1000,
    lower: str = "auto",
    tol: float = 1e-8,
    time_limit: float | None = None,
) -> DroppedEdges:
    """Search for the edges whose deletion changes the partition most.

    Parameters
    ----------
    model : LearningModel
    budget : int
        Largest number of deleted edges.
    deviation : str or DeviationFunction, default "delta"
    edges : array_like of int, optional
        Rows of `graph.edges` that may be deleted; all by default.
    max_solves, lower, tol, time_limit
        As in `drop_points`.

    Returns
    -------
    DroppedEdges
        One of the smallest of the subsets with the largest deviation.

    Raises
    ------
    ArgumentError, CapabilityError, UnsupportedError
        As in `drop_points`, and if the learning model has no weights.
    """
    remove.require(model)
    if "weights" not in model.parts:
        raise ArgumentError("model", type(model).__name__, "a learning model with weights")
    m, function = len(model.parts["weights"]), deviation_function(deviation).bound_to(model)
    budget = whole_number(budget, "budget", least=0)
    chosen = np.arange(m) if edges is None else index_array(edges, "edges", m)
    search = _SubsetSearch(model, "edges", function, max_solves, lower, tol, time_limit)
    return DroppedEdges(**search.run(chosen, budget), edges=search.chosen)


class _SubsetSearch:
    """The search over subsets of the points or of the edges, and the best subset so far."""

    def __init__(
        self,
        model: LearningModel,
        kind: str,
        deviation: DeviationFunction,
        max_solves: int,
        lower: str,
        tol: float,
        time_limit: float | None,
    ) -> None:
        decide.require(model)
        self._model, self._kind, self._deviation = model, kind, deviation
        self._most = whole_number(max_solves, "max_solves", least=0)
        self._deadline = time.perf_counter() + seconds_limit(time_limit, "time_limit", least=0)
        self._options = solver_options(model, lower)
        self._tol = real_number(tol, "tol", above=0.0)
        self._solves = self._undecided = 0
        self._before = self._labels = np.arange(model.n)  # until the whole model is solved
        self._best: Subset = ()
        self._value, self._status = 0.0, "undecided"

    @property
    def chosen(self) -> IntArray:
        """The best subset, in increasing order."""
        return np.array(sorted(self._best), dtype=np.int64)

    def run(self, candidates: IntArray, budget: int) -> dict[str, Any]:
        """Delete at most `budget` of the candidates; return the attributes of a `Deletion`."""
        elements = np.sort(candidates).tolist()
        left = self._deadline - time.perf_counter()
        termination = termination_of(
            lambda: self._search(elements, min(budget, len(elements))), left
        )
        return {
            "deviation": self._value,
            "labels_before": self._compared(self._best),
            "labels": self._labels,
            "status": self._status,
            "termination": termination,
            "lower_solves": self._solves,
            "undecided": self._undecided,
        }

    def _search(self, candidates: list[int], budget: int) -> None:
        """Solve every subset, or the greedy ones if there are more than the limit allows."""
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
        """Add the best candidate, one at a time; return the status."""
        removed: Subset = ()
        for _ in range(budget):
            added = self._try((*removed, one) for one in candidates if one not in removed)
            if added is None:
                return "undecided"
            removed = added
        return "greedy"

    def _try(self, subsets: Iterable[Subset]) -> Subset | None:
        """Solve the model without each of the subsets; return the best with proved labels."""
        best, most = None, -np.inf
        for subset in subsets:
            if self._solves == self._most:
                raise BudgetSpentError(SOLVE_LIMIT)
            solution = self._solve(remove(self._model, self._kind, list(subset)))
            self._solves += 1
            if not solution.proved:
                self._undecided += 1
                continue
            value = self._deviation.value(self._compared(subset), solution.outcome)
            if value > most:
                best, most = subset, value
            if value > self._value:
                self._best, self._value, self._labels = subset, float(value), solution.outcome
                self._status = "feasible"
        return best

    def _solve(self, model: LearningModel) -> Solution:
        left = self._deadline - time.perf_counter()
        if left <= 0:
            raise BudgetSpentError(TIME_LIMIT)
        solution: Solution = decide(model, tol=self._tol, time_limit=left, **self._options)
        return solution

    def _compared(self, subset: Subset) -> IntArray:
        """Return the labels in the whole model of the points that the model without a subset has.

        They are numbered by first appearance, as the labels of every model are.
        """
        if self._kind == "edges":
            return self._before
        rest = np.delete(self._before, np.array(subset, dtype=np.int64))
        _, first, numbers = np.unique(rest, return_index=True, return_inverse=True)
        renumbered: IntArray = np.argsort(np.argsort(first))[numbers]
        return renumbered


def _symmetric(deviation: str | DeviationFunction, model: LearningModel) -> DeviationFunction:
    """Return the deviation; refuse one that names points, since the remaining are renumbered."""
    function, n = deviation_function(deviation).bound_to(model), model.n
    some = function.pairs is not None and len(function.pairs(n)[0]) < comb(n, 2)
    if some or function.least_n > 2:
        raise ArgumentError("deviation", repr(function.name), "one that treats all points alike")
    return function
