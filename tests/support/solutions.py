"""Accurate solutions of the lower level, and what their gaps allow two of them to differ."""

import numpy as np

from bilad.solvers import cluster
from support.problems import same_partition


def solve(model, method):
    solution = cluster(model, method, tol=1e-10)
    assert solution.status == "optimal"
    return solution


def error(solution):
    """What the gap proves about ||X - X*||; the gap itself is known up to rounding."""
    model = solution.model
    lengths = np.linalg.norm(model.graph.differences(solution.X), axis=1)
    rounding = 1e-15 * float(model.radii @ lengths)
    scale = 1 + np.linalg.norm(model.data) + model.radii.sum()
    gap = model.absolute_gap(solution.X, solution.Z)
    return np.sqrt(2 * (gap + rounding)) + 1e-13 * scale


def check_same(solution, other, expected_X, expected_labels, scale=1.0):
    """`other` must be what `solution`, times the scale, says, up to the errors of the two."""
    allowed = scale * error(solution) + error(other)
    assert allowed < 1e-3 * (1 + np.linalg.norm(other.model.data))
    assert np.linalg.norm(other.X - expected_X) <= allowed
    if solution.proved and other.proved:
        assert same_partition(other.labels, expected_labels)
