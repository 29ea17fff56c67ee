"""What is known of the deviation along rays from eps = 0: all of it, or proved samples.

On lines (p = 1, d = 1, or p = inf in the plane) the staircase along a ray is exact: every break and
every open piece between two is a site. Elsewhere each sample whose labels are proved is one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from bilad.models.learning.learning_model import ray_steps
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath
from bilad.solvers.termination import BudgetSpentError

HALVINGS = 3  # of the interval between two samples with different deviations


@dataclass(frozen=True)
class Site:
    """A single eps of a ray, or an open piece of it, with one partition.

    Attributes
    ----------
    ray : int
        Number of the ray.
    start, end : Fraction
        ||eps|| at its ends, which do not belong to it unless they are equal.
    value : float
        Deviation there.
    """

    ray: int
    start: Fraction
    end: Fraction
    value: float

    def double_between(self, low: Fraction, high: Fraction, share: Fraction) -> float | None:
        """Return the double at a share of the way from low to high, if it is in the site."""
        number = float(low + share * (high - low))
        inside = self.start < Fraction(number) < self.end
        return number if inside or self.start == self.end == Fraction(number) else None


def is_exact(problem: BilevelProblem, direction: FloatArray) -> bool:
    """Say whether every step along a ray can be known."""
    return ray_steps.refusal(problem.model, problem.along(direction)) is None


def exact_sites(
    problem: BilevelProblem, direction: FloatArray, ray: int, before: IntArray
) -> list[Site]:
    """Return every break and every piece from 0 to as far as eps may go, outwards.

    Parameters
    ----------
    problem : BilevelProblem
    direction : ndarray, shape (k,)
        Of size 1 in the problem's norm.
    ray : int
        Its number.
    before : ndarray of int, shape (n,)
        Labels to deviate from.
    """
    path, reach = problem.along(direction), problem.largest_step(direction)
    stairs: ParametricPath = ray_steps(problem.model, path, 0.0, reach)
    between, at_breaks = (part.tolist() for part in stairs.values(problem.deviation, before))
    places = stairs.breaks
    sites = [Site(ray, places[0], places[0], at_breaks[0])]
    for (start, end), value, at_end in zip(pairwise(places), between, at_breaks[1:], strict=True):
        sites += [Site(ray, start, end, value), Site(ray, end, end, at_end)]
    return sites


def sampled_sites(lower: LowerLevel, direction: FloatArray, ray: int, points: int) -> list[Site]:
    """Return samples with proved labels, outwards: evenly spaced, and more where U changes.

    Parameters
    ----------
    lower : LowerLevel
        If its limit comes first, there are fewer.
    direction, ray
        As in `exact_sites`.
    points : int
        Samples before the halvings, eps = 0 not counted.
    """
    seen: dict[float, Evaluation] = {}
    with suppress(BudgetSpentError):
        _sample(lower, direction, points, seen)
    proved = sorted(length for length, evaluation in seen.items() if evaluation.proved)
    return [
        Site(ray, Fraction(length), Fraction(length), seen[length].deviation) for length in proved
    ]


def _sample(
    lower: LowerLevel, direction: FloatArray, points: int, seen: dict[float, Evaluation]
) -> None:
    reach = lower.problem.largest_step(direction)
    lengths = np.linspace(0.0, reach, points + 1).tolist()
    for _ in range(HALVINGS + 1):
        for length in lengths:
            seen[length] = lower.evaluate(lower.problem.project(length * direction))
        lengths = [
            (left + right) / 2
            for left, right in pairwise(sorted(seen))
            if seen[left].deviation != seen[right].deviation
        ]
