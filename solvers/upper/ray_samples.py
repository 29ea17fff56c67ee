"""Values of the deviation along rays from eps = 0, exactly or by samples.

For p = 1, d = 1, or p = inf with d = 2, the parametric path along a ray is known exactly: every
breakpoint and every open interval between two of them is a `Site`. Otherwise every sample whose
labels are proved is one.
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

HALVINGS = 3  # bisections of an interval between two samples with different deviations


@dataclass(frozen=True)
class Site:
    """A point or an open interval of a ray on which the partition is constant.

    Attributes
    ----------
    ray : int
        Index of the ray.
    start, end : Fraction
        ||eps|| at its two ends; they belong to the site only if they are equal.
    value : float
        Deviation on the site.
    """

    ray: int
    start: Fraction
    end: Fraction
    value: float

    def double_between(self, low: Fraction, high: Fraction, share: Fraction) -> float | None:
        """Return the floating-point number low + share (high - low) if it is in the site."""
        number = float(low + share * (high - low))
        inside = self.start < Fraction(number) < self.end
        return number if inside or self.start == self.end == Fraction(number) else None


def is_exact(problem: BilevelProblem, direction: FloatArray) -> bool:
    """Return whether every breakpoint along a ray can be computed."""
    return ray_steps.refusal(problem.model, problem.along(direction)) is None


def exact_sites(
    problem: BilevelProblem, direction: FloatArray, ray: int, before: IntArray
) -> list[Site]:
    """Return all breakpoints and intervals from 0 to the end of the ray, in this order.

    Parameters
    ----------
    problem : BilevelProblem
    direction : ndarray, shape (k,)
        A direction of norm 1.
    ray : int
        Index of the ray.
    before : ndarray of int, shape (n,)
        Labels from which the deviation is measured.
    """
    along, reach = problem.along(direction), problem.largest_step(direction)
    path: ParametricPath = ray_steps(problem.model, along, 0.0, reach)
    between, at_breakpoints = (part.tolist() for part in path.values(problem.deviation, before))
    places = path.breakpoints
    sites = [Site(ray, places[0], places[0], at_breakpoints[0])]
    for (start, end), value, at_end in zip(
        pairwise(places), between, at_breakpoints[1:], strict=True
    ):
        sites += [Site(ray, start, end, value), Site(ray, end, end, at_end)]
    return sites


def sampled_sites(lower: LowerLevel, direction: FloatArray, ray: int, points: int) -> list[Site]:
    """Return samples with proved labels in increasing order, with bisection where U changes.

    Parameters
    ----------
    lower : LowerLevel
        If one of its limits is reached, there are fewer samples.
    direction, ray
        As in `exact_sites`.
    points : int
        Number of samples before the bisections, without eps = 0.
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
