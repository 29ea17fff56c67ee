"""Which points or edges to remove so that the partition changes most: a search over subsets.

Every subset of at most so many, if the solves suffice; otherwise one more again and again, each the
best to add to those before. What cannot be proved counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import IntArray
from bilad.solvers.lower.cluster import solve_lower
from bilad.solvers.lower.result import Clustering

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
        "solve limit": this, cut short; "undecided": labels that could not be proved stand in the
        way, with everything or without some.
    lower_solves : int
        The one with everything not counted.
    undecided : int
        Those whose labels could not be proved; they count for nothing.
    """

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


class RemovalSearch:
    """The subsets tried so far, and the best of them.

    Parameters
    ----------
    model : ConvexClustering
    without : callable(subset)
        Returns the model without a subset.
    labels_before : callable(subset, labels)
        Returns those of the labels with everything that the labels without a subset compare with.
    deviation : callable(labels_before, labels)
    lower, tol
        Of the lower level, as in `cluster`.
    most : int
        Lower-level solves.

    Attributes
    ----------
    best : tuple of int
        The subset.
    """

    def __init__(
        self,
        model: ConvexClustering,
        without: Callable[[Subset], ConvexClustering],
        labels_before: Callable[[Subset, IntArray], IntArray],
        deviation: Callable[[IntArray, IntArray], float],
        *,
        lower: str,
        tol: float,
        most: int,
    ) -> None:
        self._without, self._labels_before, self._value = without, labels_before, deviation
        self._lower, self._tol, self._most, self._cut_short = lower, tol, most, False
        self._solves = self._undecided = 0
        self._before = self._solve(model)
        self.best: Subset = ()
        self._deviation, self._labels = 0.0, self._before.labels

    def run(self, candidates: list[int], budget: int) -> Removal:
        """Remove at most `budget` of the candidates."""
        status = self._search(candidates, budget)
        return Removal(
            deviation=self._deviation,
            labels_before=self._labels_before(self.best, self._before.labels),
            labels=self._labels,
            status=status,
            lower_solves=self._solves,
            undecided=self._undecided,
        )

    def _search(self, candidates: list[int], budget: int) -> str:
        """Try every subset, or the greedy ones; return the status."""
        if not self._before.proved:
            return "undecided"
        if sum(comb(len(candidates), size) for size in range(1, budget + 1)) > self._most:
            return self._greedy(candidates, budget)
        for size in range(1, budget + 1):
            self._try(combinations(candidates, size))
        return "undecided" if self._undecided else "optimal"

    def _greedy(self, candidates: list[int], budget: int) -> str:
        """Add the best candidate again and again; return the status."""
        removed: Subset = ()
        for _ in range(budget):
            added = self._try((*removed, one) for one in candidates if one not in removed)
            if self._cut_short:
                return "solve limit"
            if added is None:
                return "undecided"
            removed = added
        return "greedy"

    def _try(self, subsets: Iterable[Subset]) -> Subset | None:
        """Solve without each of the subsets, as long as the limit allows; return the best."""
        best, most = None, -np.inf
        for subset, labels in self._proved(subsets):
            value = self._value(self._labels_before(subset, self._before.labels), labels)
            if value > most:
                best, most = subset, value
            if value > self._deviation:
                self.best, self._deviation, self._labels = subset, float(value), labels
        return best

    def _proved(self, subsets: Iterable[Subset]) -> Iterator[tuple[Subset, IntArray]]:
        for subset in subsets:
            self._cut_short = self._solves == self._most
            if self._cut_short:
                return
            solution = self._solve(self._without(subset))
            self._solves += 1
            if solution.proved:
                yield subset, solution.labels
            else:
                self._undecided += 1

    def _solve(self, model: ConvexClustering) -> Clustering:
        return solve_lower(model, self._lower, self._tol, refine=True, labels_only=True)
