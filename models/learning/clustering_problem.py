"""Access to the convex clustering model of a bilevel problem."""

from __future__ import annotations

import scipy

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError


def clustering_of(problem: BilevelProblem) -> ConvexClustering:
    """Return the model of a problem, which must be convex clustering.

    Raises
    ------
    ArgumentError
        If it is another learning model.
    """
    if not isinstance(problem.model, ConvexClustering):
        raise ArgumentError("model", type(problem.model).__name__, "a ConvexClustering")
    return problem.model


def edge_operator(problem: BilevelProblem) -> scipy.sparse.csr_array:
    """Return S with w(eps) = w (1 - S eps), shape (m, k); zero if no weight is perturbed."""
    return -problem.operator("weights")
