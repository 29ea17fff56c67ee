"""The two bilevel models of an attack (paper, section 4).

    (BL1)  max_eps U(eps)     s.t.  ||eps|| <= a,         X in argmin CVC(A(eps))
    (BL2)  min_eps ||eps||    s.t.  U(eps) >= delta_0,    X in argmin CVC(A(eps))

U is the deviation of the labels at eps from the labels at eps = 0. A problem says which eps it
accepts and which of two it prefers; it solves nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from bilad.models.deviation import DeviationFunction, deviation_function
from bilad.models.learning.learning_model import LearningModel, NormalForm
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
    sense : {"max", "min"}
        Whether the deviation is maximised, or the size of eps minimised.
    target : float
        The deviation that (BL2) asks for; 0 for (BL1), where every deviation > 0 is an attack.
    radius : float
        Every eps that counts has norm at most this.
    """

    sense: ClassVar[str]
    target: float = 0.0
    radius: float

    def __init__(
        self,
        model: LearningModel,
        perturbation: Perturbation,
        norm: Any,
        deviation: str | DeviationFunction,
    ) -> None:
        if not isinstance(model, LearningModel):
            raise ArgumentError("model", type(model).__name__, "a LearningModel")
        if not isinstance(perturbation, Perturbation):
            raise ArgumentError("perturbation", type(perturbation).__name__, "a Perturbation")
        perturbation.check_fits(model)
        self.model = model
        self.perturbation = perturbation
        self._operators: dict[str, sp.csr_array] = {}
        self.norm = check_norm(norm, "norm")
        self.deviation = deviation_function(deviation)
        self.deviation.check_fits(model)

    def operator(self, part: str) -> sp.csr_array:
        """Return T, by which eps moves a part: shape (size, k), all zero if it does not move.

        In units of `LearningModel.scale`.
        """
        if part not in self._operators:
            given = self.perturbation.operators.get(part)
            shape = (self.model.parts[part].size, self._k)
            self._operators[part] = sp.csr_array(shape) if given is None else given
        return self._operators[part]

    def gradient(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return the gradient in eps, (k,), of a function of the parts, by the chain rule.

        Parameters
        ----------
        parts : mapping of str to ndarray
            Its gradient in each part that moves, at any eps.
        """
        total = np.zeros(self._k)
        for name, T in self.perturbation.operators.items():
            total += T.T @ (self.model.scale(name) * parts[name]).ravel()
        return total

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

    def largest_step(self, direction: ArrayLike) -> float:
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
        return self.perturbation.along(along, -self.largest_step(-along), self.largest_step(along))

    @abstractmethod
    def normalised(self, form: NormalForm) -> BilevelProblem:
        """Return the same problem of the model's normal form, with eps in units of the radius.

        Its eps, times this problem's radius, is this problem's: outcomes and deviations agree.
        """

    @abstractmethod
    def largest_deviation(self) -> BilevelProblem:
        """Return (BL1) over every eps that counts: itself, or of (BL2) with its limit as budget."""

    @abstractmethod
    def within(self, radius: float) -> BilevelProblem:
        """Return the problem that is left once an eps of this size is known: itself for (BL1)."""

    def length_tolerance(self, bound: float) -> float:
        """Return how much longer than the infimum an optimal eps may be, also if that is 0."""
        return LENGTH_TOL * max(bound, LENGTH_TOL * self.radius)

    @abstractmethod
    def value(self, size: float, deviation: float) -> float:
        """Return what the problem optimises: the deviation, or the size."""

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
    model : LearningModel
    perturbation : Perturbation
        For data of the model's shape.
    budget : float
        a > 0, in units of eps.
    norm : {1, 2, inf}, default 2
        Norm of eps.
    deviation : str or DeviationFunction, default "delta"
        A name that `deviation` knows, or e.g. `chosen_pairs` or `between_clusters`.
    """

    sense = "max"

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

    def normalised(self, form: NormalForm) -> MaxDeviation:
        """Return the problem with budget 1, of the normal form."""
        scaled = self.perturbation.in_units(self.radius, form.units)
        return MaxDeviation(form.model, scaled, 1.0, self.norm, self.deviation)

    def largest_deviation(self) -> MaxDeviation:
        """Return the problem itself."""
        return self

    def within(self, radius: float) -> MaxDeviation:
        """Return the problem itself: a longer eps may have the larger deviation."""
        return self

    def value(self, size: float, deviation: float) -> float:
        """Return the deviation."""
        return deviation

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

    sense = "min"

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

    def normalised(self, form: NormalForm) -> MinPerturbation:
        """Return the problem with limit 1, of the normal form."""
        scaled = self.perturbation.in_units(self.radius, form.units)
        return MinPerturbation(
            form.model, scaled, self.target, self.norm, self.deviation, limit=1.0
        )

    def within(self, radius: float) -> MinPerturbation:
        """Return the problem with another limit on ||eps||."""
        return MinPerturbation(
            self.model, self.perturbation, self.target, self.norm, self.deviation, radius
        )

    def value(self, size: float, deviation: float) -> float:
        """Return the size."""
        return size

    def largest_deviation(self) -> MaxDeviation:
        """Return (BL1) with the largest eps that is searched as its budget."""
        return MaxDeviation(self.model, self.perturbation, self.radius, self.norm, self.deviation)

    def _default_limit(self) -> float:
        lengths = np.full(self._k, -np.inf)  # at which all that an entry moves has passed the rest
        for name, T in self.perturbation.operators.items():
            moves, diameter = abs(T).tocoo(), self.model.diameter(name)
            moving = moves.data > 0
            np.maximum.at(lengths, moves.col[moving], diameter / moves.data[moving])
        lengths[lengths == -np.inf] = np.inf
        bounds = np.maximum(-self.perturbation.lower, self.perturbation.upper)
        lengths = np.minimum(lengths, bounds)
        return self.size(np.where(np.isinf(lengths), 0.0, lengths))

    def is_attack(self, size: float, deviation: float) -> bool:
        """Within the limit, and the partition moves by the target."""
        return size <= self.radius and deviation >= self.target

    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """It exceeds the bound by `excess` at most: the infimum need not be attained."""
        return size <= bound + self.length_tolerance(bound)

    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """It is an attack, and shorter by more than `excess`."""
        return self.is_attack(size, deviation) and size + self.length_tolerance(size) < bound

    def excludes(self, bound: float) -> bool:
        """Every attack is beyond the limit."""
        return bound > self.radius

    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Prefer the smaller eps, then the larger deviation."""
        return (-size, deviation)
