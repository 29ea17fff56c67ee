"""Closing: what is done on the true staircase after the last step of a method.

A relaxed and smoothed problem puts the steps of the staircase a little off where they are. So what
a method returned is looked at again: along rays, and then entry by entry. What closing finds is
told apart from what the method found itself (`Attack.own`).
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.upper.coordinates import (
    coordinate_search,
    corner_near,
    random_corners,
    try_direction,
)
from bilad.solvers.upper.journal import Trace
from bilad.solvers.upper.lower_level import LowerLevel
from bilad.solvers.upper.polish import polish

CLOSINGS = ("none", "ray", "search")
CORNERS = 8  # drawn for each closing search
LEAST_SOLVES = 1000  # that closing may take, if the method took no more


def close(lower: LowerLevel, trace: Trace, closing: str, rng: np.random.Generator) -> None:
    """Search from the points that a method returned.

    Parameters
    ----------
    lower : LowerLevel
    trace : Trace
        With what the method returned, and where it ended.
    closing : {"ray", "search"}
        For each walk of the method, a search along the rays through its end and through the best
        attack; or that, and then a search by coordinates, (BL1) from the best of the walk's points,
        of the corners near those, and of a few other corners, (BL2) from the best attack.
    rng : numpy.random.Generator
        Draws the corners, and orders the entries of eps.
    """
    for walk in trace.walks or [[]]:
        polish(lower, walk[-1:])
        if closing == "search":
            _climb(lower, walk, rng)


def _climb(lower: LowerLevel, candidates: list[FloatArray], rng: np.random.Generator) -> None:
    """Search by coordinates from the best of the candidates and of corners; (BL2) of the attack."""
    problem = lower.problem
    if not candidates and lower.best is not None:
        candidates = [lower.best.eps]
    most = min(CORNERS, 2**problem.perturbation.dim)
    corners = list(random_corners(problem, rng, most))
    corners += [corner_near(problem, eps) for eps in candidates]
    if problem.sense == "min":
        for corner in corners:
            try_direction(lower, corner)
        start = np.zeros(problem.perturbation.dim) if lower.best is None else lower.best.eps
    else:
        seen = [lower.evaluate(problem.project(eps)) for eps in candidates + corners]
        start = max(seen, key=lambda one: problem.rank(one.size, one.deviation)).eps
    coordinate_search(lower, start, rng)
