"""The evaluator of models on lines: complete graphs with equal weights, and data that move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bilad.models.deviation import delta
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.learning_model import Solution
from bilad.models.learning.separable import line_signs
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.evaluation.line_loops import line_deviation
from bilad.solvers.clustering.evaluation.moved_entries import MovedEntries


def line_evaluator(
    model: ConvexClustering, problem: BilevelProblem, baseline: Solution
) -> Callable[[FloatArray], float | None] | None:
    """Return a function that evaluates the deviation in microseconds, or None.

    Parameters
    ----------
    model : ConvexClustering
    problem : BilevelProblem
    baseline : Solution
        The solution at eps = 0.

    Returns
    -------
    callable(eps), or None
        It returns the deviation at eps, shape (k,), if it can prove the labels, and None otherwise.
        There is no such function unless the graph is complete with equal weights, the model
        separates into lines, and each datum moves with at most one entry of eps.
    """
    weight, signs = model.graph.uniform_weight, line_signs(model)
    entries = MovedEntries.of(problem.perturbation)
    if weight is None or signs is None or entries is None:
        return None
    moves = entries.places, entries.columns, entries.factors
    data, step, labels = model.data.ravel(), model.gamma * weight, np.empty(model.n, dtype=np.int64)
    before = np.unique(baseline.outcome, return_inverse=True)[1]
    known = (
        signs.astype(float),
        step,
        np.tile(np.arange(model.n), (len(signs), 1)),
        before,
        np.argsort(before),
        labels,
    )
    line_deviation(data, moves, np.zeros(problem.perturbation.dim), *known)  # loads compiled code
    value = problem.deviation.value

    def evaluate(eps: FloatArray) -> float | None:
        changed = line_deviation(data, moves, eps, *known)
        if changed < 0:
            return None
        return changed if value is delta else value(baseline.outcome, labels)

    return evaluate
