"""Bounds on the change of the data and of the solution of convex clustering over all eps."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import edge_operator
from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray


def displacement_bound(problem: BilevelProblem) -> float:
    """Return an upper bound of ||A(eps) - A||_F over all eps within the radius."""
    T = problem.operator("data")
    columns = sp.linalg.norm(T, axis=0) if T.shape[1] else np.zeros(1)
    if problem.norm == 1:
        return problem.radius * float(columns.max())
    gram = (T.T @ T).tocoo()
    if problem.norm == 2:
        # Gershgorin's bound of ||T||_2; exact if each entry of the data depends on one eps only.
        rows = np.bincount(gram.row, np.abs(gram.data), minlength=T.shape[1])
        return problem.radius * float(np.sqrt(rows.max(initial=0.0)))
    return problem.radius * float(np.sqrt(np.abs(gram.data).sum()))


def data_box(problem: BilevelProblem) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper corner (d,) of a box that contains A(eps) and X*(eps) for all eps.

    X*(eps) lies in every box that contains the rows of A(eps): clipping X to the box does not
    increase the objective, and the minimiser is unique.
    """
    low, high = problem.box
    T, data = problem.operator("data"), problem.model.data
    positive, negative = T.maximum(0.0), T.minimum(0.0)
    most = data + np.asarray(positive @ high + negative @ low).reshape(data.shape)
    least = data + np.asarray(positive @ low + negative @ high).reshape(data.shape)
    return least.min(axis=0), most.max(axis=0)


def may_coincide(problem: BilevelProblem, X: FloatArray, pairs: IntArray) -> BoolArray:
    """Return which pairs of points can coincide in X*(eps) for some admissible eps: shape (P,).

    X* is a nonexpansive function of the data (paper, Definition 2, with modulus 1). If the distance
    of a pair in X exceeds sqrt(2) times the largest displacement of the data, it cannot become 0.
    If weights are perturbed, this argument does not apply, and the result is true for all pairs.

    Parameters
    ----------
    problem : BilevelProblem
    X : ndarray, shape (n, d)
        The solution at eps = 0.
    pairs : ndarray of int, shape (P, 2)
    """
    if edge_operator(problem).nnz:
        return np.ones(len(pairs), dtype=bool)
    distances = row_norms(X[pairs[:, 0]] - X[pairs[:, 1]], 2)
    near: BoolArray = distances <= np.sqrt(2) * displacement_bound(problem)
    return near
