"""The graph perturbation that removes vertices (paper, 2.2): which points to drop.

A dropped point takes its edges along. What counts is what that does to the points that stay: their
labels in the model without the others, against their labels in the model with all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation import DeviationFunction, deviation_function
from bilad.models.learning.learning_model import LearningModel, remove
from bilad.models.validation import (
    ArgumentError,
    IntArray,
    index_array,
    seconds_limit,
    whole_number,
)
from bilad.solvers.upper.removal import Removal, RemovalSearch, Subset


@dataclass(frozen=True, kw_only=True)
class DroppedPoints(Removal):
    """Points whose removal changes the partition of the others; labels are of those that stay.

    Attributes
    ----------
    points : ndarray of int, shape (r,)
        The dropped ones, increasing; none if no subset that was tried changes anything.
    remaining : ndarray of int, shape (n - r,)
        The others, increasing.
    """

    points: IntArray
    remaining: IntArray = field(repr=False)


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
    """Look for the points to drop so that the partition of the others changes most.

    Parameters
    ----------
    model : LearningModel
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
    time_limit : float, optional
        Seconds, as in `attack`.

    Returns
    -------
    DroppedPoints
        Of the subsets with the largest deviation, one of the smallest.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    """
    remove.require(model)
    budget = whole_number(budget, "budget", least=0)
    if budget > model.n - 2:
        raise ArgumentError("budget", budget, f"at most {model.n - 2}, so that two points stay")
    chosen = np.arange(model.n) if points is None else index_array(points, "points", model.n)
    most = whole_number(max_solves, "max_solves", least=0)
    search = RemovalSearch(
        model,
        lambda dropped: remove(model, "points", list(dropped)),
        _of_the_rest,
        _nameless(deviation, model).value,
        lower=lower,
        tol=tol,
        seconds=seconds_limit(time_limit, "time_limit", least=0),
        most=most,
    )
    found = search.run(np.sort(chosen).tolist(), min(budget, len(chosen)))
    dropped = np.array(sorted(search.best), dtype=np.int64)
    remaining = np.setdiff1d(np.arange(model.n), dropped)
    return DroppedPoints(**vars(found), points=dropped, remaining=remaining)


def _of_the_rest(dropped: Subset, labels: IntArray) -> IntArray:
    """Return the labels of the points that stay, numbered by first appearance among them."""
    rest = np.delete(labels, np.array(dropped, dtype=np.int64))
    _, first, numbers = np.unique(rest, return_index=True, return_inverse=True)
    renumbered: IntArray = np.argsort(np.argsort(first))[numbers]
    return renumbered


def _nameless(deviation: str | DeviationFunction, model: LearningModel) -> DeviationFunction:
    """Return the function, unless it names points: those that stay are numbered anew."""
    function, n = deviation_function(deviation), model.n
    function.check_fits(model)
    some = function.pairs is not None and len(function.pairs(n)[0]) < comb(n, 2)
    if some or function.least_n > 2:
        raise ArgumentError("deviation", repr(function.name), "one that treats all points alike")
    return function
