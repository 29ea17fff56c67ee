"""Upper bounds of the deviation as functions of the radius, from which (BL1) and (BL2) follow."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bilad.models.learning.linear_model import Fit, LinearModel
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

BISECTIONS, CLOSE = 200, 1e-9  # most steps, and the relative length at which the bisection ends
SMALLEST, LARGEST = 1e-50, 1e50  # products of some such numbers neither underflow nor overflow


def is_in_range(problem: BilevelProblem, fit: Fit) -> bool:
    """Return whether all numbers of a problem are 0 or of a size from 1e-50 to 1e50.

    Bounds of rounding errors hold if nothing underflows.
    """
    model, held_out = fit.model, problem.deviation.held_out or (None, None)
    given = (model.data, model.targets, model.penalty, problem.operator("targets").data, *held_out)
    sizes = np.abs(np.concatenate([np.ravel(one) for one in given if one is not None]))
    return not ((sizes > LARGEST) | ((sizes > 0) & (sizes < SMALLEST))).any()


@dataclass(frozen=True)
class DeviationBound(ABC):
    """A proved upper bound of the deviation of every eps with ||eps|| <= radius.

    Parameters
    ----------
    problem : BilevelProblem
    fit : Fit
        At eps = 0.

    Attributes
    ----------
    method : str
        The name of the theorem.
    """

    problem: BilevelProblem
    fit: Fit
    method: ClassVar[str]

    @property
    def model(self) -> LinearModel:
        """The model at eps = 0."""
        return self.fit.model

    @abstractmethod
    def largest(self, radius: float) -> float:
        """Return the bound, which is rounded up."""

    def least(self, target: float, limit: float) -> float:
        """Return a radius within which no eps reaches the target.

        By default it is found by bisection, and infinite if it exceeds the limit: the bound at the
        radius is smaller than the target.
        """
        if self.largest(limit) < target:
            return math.inf
        low, high = 0.0, limit
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            if self.largest(middle) < target:
                low = middle
            else:
                high = middle
            if high - low <= CLOSE * high:
                break
        return low

    def witness(self, radius: float) -> tuple[FloatArray, float] | None:
        """Return an eps (k,) just beyond this least radius, and its deviation; None if unknown."""
        return None
