"""How far eps moves the data, and so the solution, of convex clustering."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import edge_operator
from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray


def displacement_bound(problem: BilevelProblem) -> float:
    """Return a bound on ||A(eps) - A||_F within the radius."""
    T = problem.operator("data")
    columns = sp.linalg.norm(T, axis=0) if T.shape[1] else np.zeros(1)
    if problem.norm == 1:
        return problem.radius * float(columns.max())
    gram = (T.T @ T).tocoo()
    if problem.norm == 2:
        # By Gershgorin; exact where each entry of the data follows one eps only.
        rows = np.bincount(gram.row, np.abs(gram.data), minlength=T.shape[1])
        return problem.radius * float(np.sqrt(rows.max(initial=0.0)))
    return problem.radius * float(np.sqrt(np.abs(gram.data).sum()))


def data_box(problem: BilevelProblem) -> tuple[FloatArray, FloatArray]:
    """Return the box, (d,) and (d,), that holds A(eps), and so X*(eps), for every eps allowed.

    Clipping X to the box lengthens no edge and brings every point nearer to its data: the
    solution, which is unique, lies inside.
    """
    low, high = problem.box
    T, data = problem.operator("data"), problem.model.data
    positive, negative = T.maximum(0.0), T.minimum(0.0)
    most = data + np.asarray(positive @ high + negative @ low).reshape(data.shape)
    least = data + np.asarray(positive @ low + negative @ high).reshape(data.shape)
    return least.min(axis=0), most.max(axis=0)


def may_coincide(problem: BilevelProblem, X: FloatArray, pairs: IntArray) -> BoolArray:
    """Return which pairs of points some eps allowed may bring together: shape (P,).

    X*(eps) is nonexpansive in the data: a pair farther apart than sqrt(2) times the largest
    displacement stays apart (paper, Definition 2, with modulus 1). Changed weights move X* without
    moving the data, so there every pair may.
    """
    if edge_operator(problem).nnz:
        return np.ones(len(pairs), dtype=bool)
    distances = row_norms(X[pairs[:, 0]] - X[pairs[:, 1]], 2)
    near: BoolArray = distances <= np.sqrt(2) * displacement_bound(problem)
    return near
