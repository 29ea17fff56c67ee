"""The graph perturbation that removes edges (paper, 2.2): which edges to drop."""

from __future__ import annotations

from dataclasses import dataclass

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
from bilad.solvers.upper.removal import Removal, RemovalSearch


@dataclass(frozen=True, kw_only=True)
class DroppedEdges(Removal):
    """Edges whose removal changes the partition.

    Attributes
    ----------
    edges : ndarray of int, shape (r,)
        Rows of `graph.edges`, increasing; none if no subset that was tried changes anything.
    """

    edges: IntArray


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
    """Look for the edges to drop so that the partition changes most.

    Parameters
    ----------
    model : LearningModel
    budget : int
        How many may be dropped at most.
    deviation : str or DeviationFunction, default "delta"
    edges : array_like of int, optional
        Rows of `graph.edges` that may be dropped; all by default.
    max_solves, lower, tol, time_limit
        As in `drop_points`.

    Returns
    -------
    DroppedEdges
        Of the subsets with the largest deviation, one of the smallest.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    """
    remove.require(model)
    if "weights" not in model.parts:
        raise ArgumentError("model", type(model).__name__, "a learning model with weights")
    m, function = len(model.parts["weights"]), deviation_function(deviation)
    function.check_fits(model)
    budget = whole_number(budget, "budget", least=0)
    chosen = np.arange(m) if edges is None else index_array(edges, "edges", m)
    search = RemovalSearch(
        model,
        lambda dropped: remove(model, "edges", list(dropped)),
        lambda dropped, labels: labels,
        function.value,
        lower=lower,
        tol=tol,
        seconds=seconds_limit(time_limit, "time_limit", least=0),
        most=whole_number(max_solves, "max_solves", least=0),
    )
    found = search.run(np.sort(chosen).tolist(), min(budget, len(chosen)))
    return DroppedEdges(**vars(found), edges=np.array(sorted(search.best), dtype=np.int64))
