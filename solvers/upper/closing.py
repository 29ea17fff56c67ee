"""Closing: a local search with the true deviation after the last step of a method.

The true deviation is piecewise constant, and the breakpoints of a relaxed and smoothed deviation
differ slightly from its breakpoints. Closing therefore searches along rays through the points that
a method returned, and then by coordinates. `Attack.own` is what the method found without closing.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.upper.coordinate_search import (
    coordinate_search,
    random_vertices,
    try_direction,
    vertex_near,
)
from bilad.solvers.upper.line_search import line_search

CLOSINGS = ("none", "ray", "search")
CORNERS = 8  # number of vertices that are drawn for each coordinate search
LEAST_SOLVES = 1000  # solves that closing may use, if the method used no more


def close(lower: LowerLevel, trace: Trace, closing: str, rng: np.random.Generator) -> None:
    """Search from the points that a method returned.

    Parameters
    ----------
    lower : LowerLevel
    trace : Trace
        The trace of the method, with the points that it returned.
    closing : {"ray", "search"}
        "ray" is a line search, for each start of the method, along the rays through its last point
        and through the best attack. "search" adds a coordinate search. For (BL1) it begins at the
        best of the returned points, of the vertices near them and of a few random vertices; for
        (BL2) it begins at the best attack.
    rng : numpy.random.Generator
        Draws the vertices and the order of the entries of eps.
    """
    for points in trace.paths or [[]]:
        line_search(lower, points[-1:])
        if closing == "search":
            _search_coordinates(lower, points, rng)


def _search_coordinates(
    lower: LowerLevel, candidates: list[FloatArray], rng: np.random.Generator
) -> None:
    """Start a coordinate search at the best of the candidates and of vertices near them."""
    problem = lower.problem
    if not candidates and lower.best is not None:
        candidates = [lower.best.eps]
    most = min(CORNERS, 2**problem.perturbation.dim)
    corners = list(random_vertices(problem, rng, most))
    corners += [vertex_near(problem, eps) for eps in candidates]
    if problem.sense == "min":
        for corner in corners:
            try_direction(lower, corner)
        start = np.zeros(problem.perturbation.dim) if lower.best is None else lower.best.eps
    else:
        seen = [lower.evaluate(problem.project(eps)) for eps in candidates + corners]
        start = max(seen, key=lambda one: problem.rank(one.size, one.deviation)).eps
    coordinate_search(lower, start, rng)
