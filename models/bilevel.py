"""The two bilevel models of an attack (paper, section 4).

    (BL1)  max_eps U(eps)     s.t.  ||eps|| <= a,         X in argmin CVC(A(eps))
    (BL2)  min_eps ||eps||    s.t.  U(eps) >= delta_0,    X in argmin CVC(A(eps))

U is the deviation of the labels at eps from the labels at eps = 0. A problem says which eps it
accepts and which of two it prefers; it solves nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.deviation import deviation_function
from bilad.models.norms import check_norm
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray, real_array, real_number


class BilevelProblem(ABC):
    """What (BL1) and (BL2) share: a model, a perturbation, a norm for eps, a deviation function.

    Attributes
    ----------
    radius : float
        Every eps that counts has norm at most this.
    """

    radius: float

    def __init__(
        self, model: ConvexClustering, perturbation: Perturbation, norm: Any, deviation: str
    ) -> None:
        if not isinstance(model, ConvexClustering):
            raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
        if not isinstance(perturbation, Perturbation):
            raise ArgumentError("perturbation", type(perturbation).__name__, "a Perturbation")
        if perturbation.shape != model.data.shape:
            raise ArgumentError(
                "perturbation", f"shape {perturbation.shape}", f"{model.data.shape} as the data"
            )
        self.model = model
        self.perturbation = perturbation
        self.norm = check_norm(norm, "norm")
        self.deviation = deviation_function(deviation)

    def size(self, eps: ArrayLike) -> float:
        """Return ||eps|| in the problem's norm."""
        return float(np.linalg.norm(np.atleast_1d(eps), ord=self.norm))

    def project(self, eps: ArrayLike) -> FloatArray:
        """Return eps, scaled back radially if its norm is above the radius."""
        vector = real_array(np.atleast_1d(eps), "eps", (self.perturbation.dim,))
        size = self.size(vector)
        if size <= self.radius:
            return vector
        # One ulp inward, so that rounding never leaves the result outside.
        return vector * (self.radius / size * (1 - 4 * np.finfo(float).eps))

    @abstractmethod
    def is_attack(self, size: float, deviation: float) -> bool:
        """Say whether an eps of this size with this deviation answers the question at all."""

    @abstractmethod
    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Return a key that is larger for a better answer."""


class MaxDeviation(BilevelProblem):
    """(BL1): the largest deviation within a budget.

    Parameters
    ----------
    model : ConvexClustering
    perturbation : Perturbation
        For data of the model's shape.
    budget : float
        a > 0, in units of eps.
    norm : {1, 2, inf}, default 2
        Norm of eps.
    deviation : str, default "delta"
        A name that `deviation` knows.
    """

    def __init__(
        self,
        model: ConvexClustering,
        perturbation: Perturbation,
        budget: float,
        norm: Any = 2,
        deviation: str = "delta",
    ) -> None:
        super().__init__(model, perturbation, norm, deviation)
        self.budget = self.radius = real_number(budget, "budget", above=0.0)

    def is_attack(self, size: float, deviation: float) -> bool:
        """Within the budget, and the partition moves."""
        return size <= self.budget and deviation > 0

    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Prefer the larger deviation, then the smaller eps."""
        return (deviation, -size)


class MinPerturbation(BilevelProblem):
    """(BL2): the smallest eps that moves the partition by a target.

    Parameters
    ----------
    model, perturbation, norm, deviation
        As in `MaxDeviation`.
    target : float
        delta_0 > 0, at most the largest value the deviation function takes on n points.
    limit : float, optional
        Largest ||eps|| that is searched. By default large enough for every entry of eps to carry
        the points it moves past all others (the diameter of the data's bounding box).
    """

    def __init__(
        self,
        model: ConvexClustering,
        perturbation: Perturbation,
        target: float,
        norm: Any = 2,
        deviation: str = "delta",
        limit: float | None = None,
    ) -> None:
        super().__init__(model, perturbation, norm, deviation)
        self.target = real_number(target, "target", above=0.0)
        largest = self.deviation.largest(model.n)
        if self.target > largest:
            raise ArgumentError("target", target, f"at most {largest:g} for {deviation!r}")
        if limit is None:
            self.radius = self._default_limit()
        else:
            self.radius = real_number(limit, "limit", above=0.0)

    def largest_deviation(self) -> MaxDeviation:
        """Return (BL1) with the largest eps that is searched as its budget."""
        return MaxDeviation(
            self.model, self.perturbation, self.radius, self.norm, self.deviation.name
        )

    def _default_limit(self) -> float:
        diameter = float(np.linalg.norm(np.ptp(self.model.data, axis=0)))
        displacement = np.abs(self.perturbation.operator.data)
        reach = max(diameter, 1.0) / float(displacement[displacement > 0].min())
        return reach * self.size(np.ones(self.perturbation.dim))

    def is_attack(self, size: float, deviation: float) -> bool:
        """Within the limit, and the partition moves by the target."""
        return size <= self.radius and deviation >= self.target

    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Prefer the smaller eps, then the larger deviation."""
        return (-size, deviation)
