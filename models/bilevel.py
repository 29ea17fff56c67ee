"""The two bilevel models of an attack (paper, section 4).

    (BL1)  max_eps U(eps)     s.t.  ||eps|| <= a,         X in argmin CVC(A(eps))
    (BL2)  min_eps ||eps||    s.t.  U(eps) >= delta_0,    X in argmin CVC(A(eps))

U is the deviation of the labels at eps from the labels at eps = 0. A problem says which eps it
accepts and which of two it prefers; it solves nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.deviation import DeviationFunction, deviation_function
from bilad.models.learning_model import LearningModel
from bilad.models.norms import check_norm
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray, real_number, real_vector

ROUNDING = 1e-9  # relative, of a deviation that is not a count
# The optimality tolerance of lengths, relative. Where clusters part, (BL2) has an infimum that is
# not attained: an eps is optimal if it exceeds the infimum by this share at most. The method
# "exact" keeps this share of the budget of (BL1) away from the ends of a step.
LENGTH_TOL = 1e-6


class BilevelProblem(ABC):
    """What (BL1) and (BL2) share: a model, a perturbation, a norm for eps, a deviation function.

    Attributes
    ----------
    model : LearningModel
    perturbation : Perturbation
    norm : float
    deviation : DeviationFunction
    radius : float
        Every eps that counts has norm at most this.
    """

    radius: float

    def __init__(
        self,
        model: LearningModel,
        perturbation: Perturbation,
        norm: Any,
        deviation: str | DeviationFunction,
    ) -> None:
        if not isinstance(model, LearningModel):
            raise ArgumentError("model", type(model).__name__, "a ConvexClustering or a BlackBox")
        if not isinstance(perturbation, Perturbation):
            raise ArgumentError("perturbation", type(perturbation).__name__, "a Perturbation")
        perturbation.check_fits(model)
        self.model = model
        self.perturbation = perturbation
        self.norm = check_norm(norm, "norm")
        self.deviation = deviation_function(deviation)
        self.deviation.check_points(model.n)

    @property
    def is_white_box(self) -> bool:
        """Whether the model is known from inside, not by its answers only."""
        return isinstance(self.model, ConvexClustering)

    @property
    def white_box(self) -> ConvexClustering:
        """The model, for methods that need it from inside.

        Raises
        ------
        ArgumentError
            If the model is a black box.
        """
        if not isinstance(self.model, ConvexClustering):
            raise ArgumentError("model", type(self.model).__name__, "a ConvexClustering")
        return self.model

    @cached_property
    def data_operator(self) -> sp.csr_array:
        """T, with A(eps) = A + T eps: shape (n d, k), all zero if only weights are perturbed."""
        operator = self.perturbation.operator
        return sp.csr_array(operator if operator.shape[0] else (self.model.data.size, self._k))

    @cached_property
    def edge_operator(self) -> sp.csr_array:
        """S, with w(eps) = w (1 - S eps): shape (m, k), all zero if no weight is perturbed."""
        operator = self.perturbation.edge_operator
        return sp.csr_array((self.white_box.graph.m, self._k) if operator is None else operator)

    @property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """The least box that holds every eps that counts: lower and upper bounds, shape (k,)."""
        lower, upper = self.perturbation.lower, self.perturbation.upper
        return np.maximum(lower, -self.radius), np.minimum(upper, self.radius)

    @property
    def _k(self) -> int:
        return self.perturbation.dim

    def size(self, eps: ArrayLike) -> float:
        """Return ||eps|| in the problem's norm."""
        return float(np.linalg.norm(np.atleast_1d(eps), ord=self.norm))

    def project(self, eps: ArrayLike) -> FloatArray:
        """Return eps clipped to its bounds, then scaled back radially if it is too long."""
        given = real_vector(eps, "eps", self._k)
        vector = np.clip(given, self.perturbation.lower, self.perturbation.upper)
        size, scaled, margin = self.size(vector), vector, 4 * np.finfo(float).eps
        # Some ulps inward, so that rounding never leaves the result outside. Zero is within the
        # bounds, so scaling does not leave them either.
        while self.size(scaled) > self.radius:
            scaled = vector * (self.radius / size * (1 - margin))
            margin *= 2
        return scaled

    def reach(self, direction: ArrayLike) -> float:
        """Return the largest t for which t times a direction (k,) of size 1 is an eps that counts.

        The ray leaves at the radius, or at a bound of eps if that comes first.
        """
        along = real_vector(direction, "direction", self._k)
        moving = along != 0
        bounds = np.where(along > 0, self.perturbation.upper, self.perturbation.lower)
        with np.errstate(over="ignore"):  # a bound that is met nowhere near the radius
            lengths = bounds[moving] / along[moving]
        return float(np.min(lengths, initial=self.radius))

    def along(self, direction: ArrayLike) -> Perturbation:
        """Return the perturbation t times a direction (k,) of size 1, for the t that count."""
        along = real_vector(direction, "direction", self._k)
        return self.perturbation.along(along, -self.reach(-along), self.reach(along))

    @abstractmethod
    def normalised(self) -> BilevelProblem:
        """Return the same problem in centred data of unit spread, and eps in units of the radius.

        Its eps, times this problem's radius, is this problem's: labels and deviations agree.
        """

    def _normalised_parts(self) -> tuple[ConvexClustering, Perturbation]:
        model, _, unit = self.white_box.standardised()
        return model, self.perturbation.in_units(self.radius, unit)

    @abstractmethod
    def is_attack(self, size: float, deviation: float) -> bool:
        """Say whether an eps of this size with this deviation answers the question at all."""

    @abstractmethod
    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """Say whether an eps of this size with this deviation is as good as a proved bound."""

    @abstractmethod
    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """Say whether an eps of this size with this deviation contradicts a bound."""

    @abstractmethod
    def excludes(self, bound: float) -> bool:
        """Say whether a proved bound leaves no eps that is an attack."""

    @abstractmethod
    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Return a key that is larger for a better answer."""


class MaxDeviation(BilevelProblem):
    """(BL1): the largest deviation within a budget.

    Parameters
    ----------
    model : ConvexClustering or BlackBox
    perturbation : Perturbation
        For data of the model's shape.
    budget : float
        a > 0, in units of eps.
    norm : {1, 2, inf}, default 2
        Norm of eps.
    deviation : str or DeviationFunction, default "delta"
        A name that `deviation` knows, or e.g. `chosen_pairs` or `between_clusters`.
    """

    def __init__(
        self,
        model: LearningModel,
        perturbation: Perturbation,
        budget: float,
        norm: Any = 2,
        deviation: str | DeviationFunction = "delta",
    ) -> None:
        super().__init__(model, perturbation, norm, deviation)
        self.budget = self.radius = real_number(budget, "budget", above=0.0)

    def normalised(self) -> MaxDeviation:
        """Return the problem with budget 1, in centred data of unit spread."""
        return MaxDeviation(*self._normalised_parts(), 1.0, self.norm, self.deviation)

    def is_attack(self, size: float, deviation: float) -> bool:
        """Within the budget, and the partition moves."""
        return size <= self.budget and deviation > 0

    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """No deviation can be larger, but for rounding."""
        return deviation >= bound * (1 - ROUNDING)

    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """The deviation is larger, by more than rounding."""
        return deviation > bound * (1 + ROUNDING)

    def excludes(self, bound: float) -> bool:
        """No deviation is positive."""
        return bound <= 0

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
        the points it moves past all others (the diameter of the data's bounding box), or to its
        bounds.
    """

    def __init__(
        self,
        model: LearningModel,
        perturbation: Perturbation,
        target: float,
        norm: Any = 2,
        deviation: str | DeviationFunction = "delta",
        limit: float | None = None,
    ) -> None:
        super().__init__(model, perturbation, norm, deviation)
        self.target = real_number(target, "target", above=0.0)
        largest = self.deviation.largest(model.n)
        if self.target > largest:
            raise ArgumentError(
                "target", target, f"at most {largest:g} for {self.deviation.name!r}"
            )
        if limit is None:
            self.radius = self._default_limit()
        else:
            self.radius = real_number(limit, "limit", above=0.0)

    def normalised(self) -> MinPerturbation:
        """Return the problem with limit 1, in centred data of unit spread."""
        return MinPerturbation(
            *self._normalised_parts(), self.target, self.norm, self.deviation, limit=1.0
        )

    def within(self, limit: float) -> MinPerturbation:
        """Return the problem with another limit on ||eps||."""
        return MinPerturbation(
            self.model, self.perturbation, self.target, self.norm, self.deviation, limit
        )

    def largest_deviation(self) -> MaxDeviation:
        """Return (BL1) with the largest eps that is searched as its budget."""
        return MaxDeviation(self.model, self.perturbation, self.radius, self.norm, self.deviation)

    def _default_limit(self) -> float:
        diameter = max(float(np.linalg.norm(np.ptp(self.model.data, axis=0))), 1.0)
        displacement = abs(self.perturbation.operator).tocoo()
        least = np.full(self._k, np.inf)  # what a unit of each eps moves, where it moves anything
        moves = displacement.data > 0
        np.minimum.at(least, displacement.col[moves], displacement.data[moves])
        lengths = np.where(np.isinf(least), np.inf, diameter / least)
        bounds = np.maximum(-self.perturbation.lower, self.perturbation.upper)
        lengths = np.minimum(lengths, bounds)
        return self.size(np.where(np.isinf(lengths), 0.0, lengths))

    def is_attack(self, size: float, deviation: float) -> bool:
        """Within the limit, and the partition moves by the target."""
        return size <= self.radius and deviation >= self.target

    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """It exceeds the bound by `excess` at most: the infimum need not be attained."""
        return size <= bound + self.excess(bound)

    def excess(self, bound: float) -> float:
        """Return how much longer than the infimum an optimal eps may be, also if that is 0."""
        return LENGTH_TOL * max(bound, LENGTH_TOL * self.radius)

    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """It is an attack, and shorter by more than `excess`."""
        return self.is_attack(size, deviation) and size + self.excess(size) < bound

    def excludes(self, bound: float) -> bool:
        """Every attack is beyond the limit."""
        return bound > self.radius

    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Prefer the smaller eps, then the larger deviation."""
        return (-size, deviation)
