"""The graph perturbation that removes vertices (paper, 2.2): which points to drop.

A dropped point takes its edges along. What counts is what that does to the points that stay: their
labels in the model without the others, against their labels in the model with all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.deviation import DeviationFunction, deviation_function
from bilad.models.validation import ArgumentError, IntArray, index_array, whole_number
from bilad.solvers.lower.cluster import cluster
from bilad.solvers.lower.result import Clustering
from bilad.solvers.rational.features import refine

Subset = tuple[int, ...]


@dataclass(frozen=True)
class DroppedPoints:
    """Points whose removal changes the partition of the others.

    Attributes
    ----------
    points : ndarray of int, shape (r,)
        The dropped ones, increasing; none if no subset that was tried changes anything.
    remaining : ndarray of int, shape (n - r,)
        The others, increasing.
    deviation : float
        Of the labels after from the labels before, among the remaining points.
    labels_before, labels : ndarray of int, shape (n - r,)
        Of the remaining points, with all points and without the dropped ones; proved, and numbered
        by first appearance among them.
    status : str
        "optimal": no subset is better; "greedy": each point was the best to add to those before;
        "solve limit": this, cut short; "undecided": labels that could not be proved stand in the
        way, with all points or without some.
    lower_solves : int
        The one with all points not counted.
    undecided : int
        Those whose labels could not be proved; they count for nothing.
    """

    points: IntArray
    remaining: IntArray = field(repr=False)
    deviation: float
    labels_before: IntArray = field(repr=False)
    labels: IntArray = field(repr=False)
    status: str
    lower_solves: int
    undecided: int

    @property
    def exhaustive(self) -> bool:
        """Whether every subset was solved, with proved labels: then this is the global optimum."""
        return self.status == "optimal"


def drop_points(
    model: ConvexClustering,
    budget: int,
    deviation: str | DeviationFunction = "delta",
    points: ArrayLike | None = None,
    *,
    max_solves: int = 1000,
    lower: str = "auto",
    tol: float = 1e-8,
) -> DroppedPoints:
    """Look for the points to drop so that the partition of the others changes most.

    Parameters
    ----------
    model : ConvexClustering
    budget : int
        How many may be dropped at most; two points stay.
    deviation : str or DeviationFunction, default "delta"
        One that treats all points alike.
    points : array_like of int, optional
        Which may be dropped; all by default.
    max_solves : int, default 1000
        Lower-level solves. If these suffice for every subset of at most `budget` points, every one
        is solved; otherwise points are added greedily.
    lower, tol
        Method and tolerance of the lower level, as in `cluster`.

    Returns
    -------
    DroppedPoints
        Of the subsets with the largest deviation, one of the smallest.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    """
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    budget = whole_number(budget, "budget", least=0)
    if budget > model.n - 2:
        raise ArgumentError("budget", budget, f"at most {model.n - 2}, so that two points stay")
    chosen = np.arange(model.n) if points is None else index_array(points, "points", model.n)
    most = whole_number(max_solves, "max_solves", least=0)
    search = _Search(model, _nameless(deviation, model.n), lower, tol, most)
    return search.run(np.sort(chosen).tolist(), min(budget, len(chosen)))


def _nameless(deviation: str | DeviationFunction, n: int) -> DeviationFunction:
    """Return the function, unless it names points: those that stay are numbered anew."""
    function = deviation_function(deviation)
    some = function.pairs is not None and len(function.pairs(n)[0]) < comb(n, 2)
    if some or function.least_n > 2:
        raise ArgumentError("deviation", repr(function.name), "one that treats all points alike")
    return function


class _Search:
    """The subsets tried so far, and the best of them."""

    def __init__(
        self,
        model: ConvexClustering,
        function: DeviationFunction,
        lower: str,
        tol: float,
        most: int,
    ) -> None:
        self.model, self.function, self.lower, self.tol = model, function, lower, tol
        self.most, self.cut_short = most, False
        self.solves = self.undecided = 0
        self.before = self._solve(model)
        self.best: Subset = ()
        self.deviation, self.labels = 0.0, self.before.labels

    def run(self, points: list[int], budget: int) -> DroppedPoints:
        """Try every subset, or the greedy ones."""
        if not self.before.proved:
            return self._result("undecided")
        if sum(comb(len(points), size) for size in range(1, budget + 1)) > self.most:
            return self._result(self._greedy(points, budget))
        for size in range(1, budget + 1):
            self._try(combinations(points, size))
        return self._result("undecided" if self.undecided else "optimal")

    def _greedy(self, points: list[int], budget: int) -> str:
        """Add the best point again and again; return the status."""
        dropped: Subset = ()
        for _ in range(budget):
            added = self._try((*dropped, point) for point in points if point not in dropped)
            if self.cut_short:
                return "solve limit"
            if added is None:
                return "undecided"
            dropped = added
        return "greedy"

    def _try(self, subsets: Iterable[Subset]) -> Subset | None:
        """Solve without each of the subsets, as long as the limit allows; return the best."""
        best, most = None, -np.inf
        for subset, labels in self._proved(subsets):
            value = self.function.value(self._labels_before(subset), labels)
            if value > most:
                best, most = subset, value
            if value > self.deviation:
                self.best, self.deviation, self.labels = subset, float(value), labels
        return best

    def _proved(self, subsets: Iterable[Subset]) -> Iterator[tuple[Subset, IntArray]]:
        for subset in subsets:
            self.cut_short = self.solves == self.most
            if self.cut_short:
                return
            solution = self._solve(self.model.without(subset))
            self.solves += 1
            if solution.proved:
                yield subset, solution.labels
            else:
                self.undecided += 1

    def _solve(self, model: ConvexClustering) -> Clustering:
        return cluster(model, self.lower, self.tol, refine=True, labels_only=True)

    def _labels_before(self, subset: Subset) -> IntArray:
        """Return the labels with all points, of those that stay, numbered by first appearance."""
        labels = np.delete(self.before.labels, np.array(subset, dtype=np.int64))
        return refine([labels[None, :]])[0]

    def _result(self, status: str) -> DroppedPoints:
        dropped = np.array(sorted(self.best), dtype=np.int64)
        return DroppedPoints(
            points=dropped,
            remaining=np.setdiff1d(np.arange(self.model.n), dropped),
            deviation=self.deviation,
            labels_before=self._labels_before(self.best),
            labels=self.labels,
            status=status,
            lower_solves=self.solves,
            undecided=self.undecided,
        )
