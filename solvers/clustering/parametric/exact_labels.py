"""The partition of a model, decided in exact rational arithmetic, ties included."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import line_signs
from bilad.models.validation import IntArray
from bilad.solvers.clustering.parametric.features import Feature, refine
from bilad.solvers.clustering.parametric.ray import lines_at

MOST_EDGES = 2_000  # largest number of edges, if minimum cuts are needed
MOST_NUMBERS = 20_000  # largest n d, if sorting is sufficient
# Size of one feature that is decided in a second: its number of points if sorting is sufficient,
# and its number of edges if minimum cuts are needed.
POINTS_A_SECOND, EDGES_A_SECOND = 10_000, 3_000


def is_decidable(model: ConvexClustering) -> bool:
    """Whether `exact_labels` can decide the model at a cost comparable to that of a solve."""
    if line_signs(model) is None:
        return False
    if model.uniform_weight is not None:
        return model.data.size <= MOST_NUMBERS
    return model.graph.m * model.d <= MOST_EDGES


def _seconds_a_feature(model: ConvexClustering) -> float:
    if model.uniform_weight is not None:
        return model.n / POINTS_A_SECOND
    return model.graph.m / EDGES_A_SECOND


def exact_labels(model: ConvexClustering, deadline: float = float("inf")) -> IntArray | None:
    """Return the partition of the model, whose floating-point numbers are taken as rationals.

    Of a perturbed model it is the partition for its exact data and weights, before rounding.

    Parameters
    ----------
    model : ConvexClustering
        With p = 1, d = 1, or p = inf and d = 2.
    deadline : float, default inf
        Value of `time.perf_counter()`; a feature that is expected to end later is not begun.

    Returns
    -------
    ndarray of int, shape (n,), or None
        Numbered by first appearance; None if the deadline prevents the decision, or the exact data
        are not known.

    Raises
    ------
    UnsupportedError
        For another p and d.
    """
    parts = model.exact_parts()
    if parts is None:
        return None
    start, end = Fraction(0), Fraction(1)
    lines = lines_at(model, *parts)
    latest = deadline - _seconds_a_feature(model)
    numbers = []
    for line in lines:
        if time.perf_counter() >= latest:
            return None
        numbers.append(np.array([Feature(line, start, end).labels(start)]))
    return refine(numbers)[0].astype(np.int64)
