"""Steps in the ball of a problem's norm, between the bounds of eps."""

from __future__ import annotations

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


def steepest(problem: BilevelProblem, eps: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return the direction of steepest ascent, of size 1 in the problem's norm: shape (k,).

    max <gradient, v> over ||v|| <= 1: gradient / ||gradient|| for norm 2, its signs for norm inf,
    the entry of the largest derivative for norm 1. Entries that would leave the box at once stay.
    Zero if no entry can rise.
    """
    low, high = problem.box
    free = np.where(gradient > 0, eps < high, eps > low)
    slope = np.where(free, gradient, 0.0)
    largest = float(np.abs(slope).max(initial=0.0))
    if largest == 0:
        return np.zeros_like(slope)
    if problem.norm == np.inf:
        return np.sign(slope)
    if problem.norm == 2:
        slope = slope / largest
        return slope / np.linalg.norm(slope)
    result = np.zeros_like(slope)
    k = int(np.argmax(np.abs(slope)))
    result[k] = np.sign(slope[k])
    return result


def moved(problem: BilevelProblem, eps: FloatArray, step: FloatArray) -> FloatArray:
    """Return eps + step, clipped to the box, then scaled into the ball."""
    return problem.project(np.clip(eps + step, *problem.box))


def random_point(problem: BilevelProblem, rng: np.random.Generator) -> FloatArray:
    """Draw from the box, uniformly, and scale into the ball."""
    return problem.project(rng.uniform(*problem.box))
