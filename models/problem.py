"""The two bilevel problems of an attack on a learning model (paper, section 4).

    (BL1)  max_eps U(eps)     s.t.  ||eps|| <= a
    (BL2)  min_eps ||eps||    s.t.  U(eps) >= delta_0

eps is the perturbation, U(eps) is the deviation of the outcome of the learning model at eps from
its outcome at eps = 0, a > 0 is the budget and delta_0 > 0 is the target. The lower level, which
computes the outcome, is the training problem of the learning model: for convex clustering, X in
argmin CVC(A(eps)). An *attack* is an eps within the radius whose deviation is positive (BL1) or at
least delta_0 (BL2). The classes of this file describe problems and do not solve them.

For the norm "count", eps is binary and ||eps|| is the number of its ones, such as that of flipped
labels. Methods search the relaxation: eps in [0, 1]^k and the 1-norm, which is the count of a
binary eps. `BilevelProblem.rounded` takes an eps of the relaxation to a binary one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bilad.models.deviation_function import DeviationFunction, deviation_function
from bilad.models.learning.learning_model import LearningModel, NormalForm, Solution
from bilad.models.norms import NORMS, norm_name
from bilad.models.perturbation import Perturbation
from bilad.models.representation import Represented
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    one_of,
    real_number,
    real_vector,
)

ROUNDING = 1e-9  # relative rounding error of a deviation that is not an integer
# Relative optimality tolerance of ||eps||. The infimum of (BL2) need not be attained, because the
# set of eps at which two points are in different clusters is open. An eps therefore counts as
# optimal if its norm exceeds the infimum by at most this fraction. The method "exact" keeps eps
# away from the end points of an interval of constant labels by this fraction of the budget. A
# deviation that is continuous counts as optimal if it is smaller than the bound by this fraction.
LENGTH_TOL = 1e-6
EPSILON = float(np.finfo(float).eps)
COUNT = "count"
NO_ONE = 0.25  # a radius for the norm "count" within which every eps is rounded to zero


class BilevelProblem(Represented, ABC):
    """Base class of (BL1) and (BL2): a model, a perturbation, a norm of eps and a deviation.

    Attributes
    ----------
    model : LearningModel
        The learning model at eps = 0.
    perturbation : Perturbation
        The map from eps to the perturbed model.
    norm : float
        Exponent of the norm of eps: 1, 2 or inf; 1 for the norm "count".
    is_binary : bool
        Whether the norm is "count", so that only a binary eps is an attack.
    deviation : DeviationFunction
        The function U.
    sense : {"max", "min"}
        "max" if the problem maximises the deviation, "min" if it minimises ||eps||.
    target : float
        delta_0 for (BL2); 0 for (BL1), for which every positive deviation is an attack.
    radius : float
        The largest norm of an eps that is admissible: the budget a of (BL1), the search limit of
        (BL2); at most k for the norm "count".
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
        self.model = model
        self.perturbation = perturbation.bound_to(model)
        self._operators: dict[str, scipy.sparse.csr_array] = {}
        chosen = one_of(norm, "norm", (*NORMS, COUNT))
        self.is_binary = chosen == COUNT
        self.norm = 1.0 if self.is_binary else float(chosen)
        if self.is_binary:
            self._check_counts()
        self.deviation = deviation_function(deviation).bound_to(model)

    def summary(self) -> dict[str, Any]:
        """Return the model, the perturbation, the budget or target, the norm and the deviation."""
        return {
            "model": self.model,
            "perturbation": self.perturbation,
            **self._ends(),
            "norm": self.norm_name,
            "deviation": self.deviation.name,
        }

    def _content(self) -> dict[str, Any]:
        return {**super()._content(), "norm": COUNT if self.is_binary else norm_name(self.norm)}

    @abstractmethod
    def _ends(self) -> dict[str, float]:
        """Return the numbers that limit the norm and the deviation, by their names."""

    def _check_counts(self) -> None:
        bounds = self.perturbation.lower, self.perturbation.upper
        if (bounds[0] != 0).any() or (bounds[1] != 1).any():
            given = f"entries of eps from {bounds[0].min():g} to {bounds[1].max():g}"
            expected = f"entries from 0 to 1 for the norm {COUNT!r}, as of `flips` and `edges`"
            raise ArgumentError("perturbation", given, expected)

    def _checked_radius(self, value: Any, argument: str) -> float:
        """Return a budget or a limit, which is a whole number for the norm "count"."""
        radius = real_number(value, argument, above=0.0)
        if not self.is_binary:
            return radius
        if radius < 1 or not radius.is_integer():
            raise ArgumentError(argument, repr(value), "a whole number >= 1")
        return min(radius, float(self._k))

    @property
    def norm_name(self) -> str | float:
        """The argument `norm` of the constructor: "count" or the exponent."""
        return COUNT if self.is_binary else self.norm

    def operator(self, part: str) -> scipy.sparse.csr_array:
        """Return the matrix T of the perturbation of one part: shape (size of the part, k).

        At eps the part is `part + model.scale(part) * (T eps)`. T is zero if eps does not act on
        the part.
        """
        if part not in self._operators:
            given = self.perturbation.operators.get(part)
            shape = (self.model.parts[part].size, self._k)
            self._operators[part] = scipy.sparse.csr_array(shape) if given is None else given
        return self._operators[part]

    def gradient(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """Return the gradient with respect to eps, shape (k,), of a function of the parts.

        By the chain rule it is the sum over the parts of `T' (model.scale(part) * g)`.

        Parameters
        ----------
        parts : mapping of str to ndarray
            The gradient g of the function with respect to each part that eps changes.
        """
        total = np.zeros(self._k)
        for name, T in self.perturbation.operators.items():
            total += T.T @ (self.model.scale(name) * parts[name]).ravel()
        return total

    @property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds (k,) of every admissible eps, from its bounds and the radius."""
        lower, upper = self.perturbation.lower, self.perturbation.upper
        return np.maximum(lower, -self.radius), np.minimum(upper, self.radius)

    def is_proved(self, solution: Solution) -> bool:
        """Return whether a solution determines the deviation: its outcome, or its predictions."""
        return solution.proved and self.deviation.decided(solution)

    @property
    def _k(self) -> int:
        return self.perturbation.dim

    def size(self, eps: ArrayLike) -> float:
        """Return ||eps|| in the norm of the problem."""
        vector = np.asarray(eps, dtype=float).ravel()
        if self.norm == 2:
            with np.errstate(over="ignore"):  # several times as fast as np.linalg.norm
                length = math.sqrt(vector.dot(vector))
            if 1e-150 < length < 1e150:
                return length
            return float(np.hypot.reduce(vector))  # whose squares neither underflow nor overflow
        lengths = np.abs(vector)
        return float(lengths.sum() if self.norm == 1 else lengths.max())

    def project(self, eps: ArrayLike) -> FloatArray:
        """Return an admissible eps: clip it to its bounds, then scale it to the radius if needed.

        The result need not be the nearest admissible point.
        """
        given = real_vector(eps, "eps", self._k)
        vector = np.minimum(np.maximum(given, self.perturbation.lower), self.perturbation.upper)
        size, scaled, margin = self.size(vector), vector, 4 * EPSILON
        length = size
        # The result is scaled slightly inwards, so that rounding cannot leave it outside the ball.
        # Because 0 lies within the bounds, scaling towards 0 does not violate them.
        while length > self.radius:
            scaled = vector * (self.radius / size * (1 - margin))
            length = self.size(scaled)
            margin *= 2
        return scaled

    def rounded(self, eps: FloatArray) -> FloatArray:
        """Return the binary vector that an eps stands for; without the norm "count", eps itself.

        Its m largest entries become 1, and the others 0, where m is the sum of its entries, rounded
        to the nearest whole number and at most the radius. Of equal entries the first are taken, so
        random eps should have distinct entries.

        Parameters
        ----------
        eps : ndarray, shape (k,)
            Within its bounds.
        """
        if not self.is_binary:
            return eps
        m = min(math.floor(float(eps.sum()) + 0.5), math.floor(self.radius))
        ones = np.zeros(self._k)
        ones[np.argsort(-eps, kind="stable")[:m]] = 1.0
        return ones

    def random_vertex(self, rng: np.random.Generator) -> FloatArray:
        """Draw a vertex of the box, shape (k,), which need not be admissible.

        For the norm "count" it is all ones up to distinct small differences, so that on the ray
        through it the entries are rounded to 1 in random order.
        """
        if self.is_binary:
            return 1.0 - rng.permutation(self._k) / self._k**2
        return np.where(rng.random(self._k) < 0.5, *self.box)

    def largest_step(self, direction: ArrayLike) -> float:
        """Return the largest t such that t times the direction is an admissible eps.

        Parameters
        ----------
        direction : array_like, shape (k,)
            A vector of norm 1.
        """
        along = real_vector(direction, "direction", self._k)
        moving = along != 0
        bounds = np.where(along > 0, self.perturbation.upper, self.perturbation.lower)
        with np.errstate(over="ignore"):  # a bound far beyond the radius
            lengths = bounds[moving] / along[moving]
        return float(np.min(lengths, initial=self.radius))

    def along(self, direction: ArrayLike) -> Perturbation:
        """Return the scalar perturbation t -> t direction, restricted to the admissible t.

        Parameters
        ----------
        direction : array_like, shape (k,)
            A vector of norm 1.
        """
        along = real_vector(direction, "direction", self._k)
        return self.perturbation.along(along, -self.largest_step(-along), self.largest_step(along))

    @abstractmethod
    def normalised(self, form: NormalForm) -> BilevelProblem:
        """Return the equivalent problem for the normal form of the model, with radius 1.

        If eps solves the normalised problem, `radius * eps` solves this one. Outcomes and
        deviations are the same.
        """

    @abstractmethod
    def largest_deviation(self) -> BilevelProblem:
        """Return (BL1) over the same admissible eps; for (BL2) its radius becomes the budget.

        For (BL2) and the norm "count" it is the relaxation, in the 1-norm.
        """

    @abstractmethod
    def within(self, radius: float) -> Self:
        """Return (BL2) with the search limit `radius`, > 0; (BL1) is returned unchanged."""

    def improving(self, size: float) -> Self:
        """Return the problem within a radius that contains every better eps than one of this norm.

        Only a shorter eps improves on an attack in (BL2), but a longer one may in (BL1).
        """
        return self.within(self.shortened(size, 1.0))

    def shortened(self, size: float, share: float) -> float:
        """Return the length `share * size`; for the norm "count" the next smaller whole number.

        Parameters
        ----------
        size : float
            The norm of an eps.
        share : float
            0 < share <= 1.
        """
        if not self.is_binary:
            return share * size
        return max(math.ceil(share * size) - 1.0, NO_ONE)

    def length_tolerance(self, bound: float) -> float:
        """Return by how much the norm of an optimal eps may exceed a lower bound on the infimum.

        The tolerance is `LENGTH_TOL * max(bound, LENGTH_TOL * radius)`, positive even if the bound
        is 0; for the norm "count" it is 1 less this number, since a norm is a whole number.
        """
        rounding = self._length_rounding(bound)
        return max(1.0 - rounding, rounding) if self.is_binary else rounding

    def _length_rounding(self, size: float) -> float:
        """Return the difference of norms of about this size that is neglected."""
        return LENGTH_TOL * max(size, LENGTH_TOL * self.radius)

    @abstractmethod
    def value(self, size: float, deviation: float) -> float:
        """Return the objective value: the deviation (BL1) or the norm of eps (BL2)."""

    @abstractmethod
    def is_attack(self, size: float, deviation: float) -> bool:
        """Return whether an eps of this norm and deviation is an attack."""

    @abstractmethod
    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """Return whether this norm and deviation attain a proved bound, so that eps is optimal."""

    @abstractmethod
    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """Return whether an eps of this norm and deviation contradicts a claimed bound."""

    @abstractmethod
    def excludes(self, bound: float) -> bool:
        """Return whether a proved bound shows that no attack exists."""

    @abstractmethod
    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Return a sort key that is larger for a better eps."""


def check_problem(problem: Any) -> None:
    """Raise `ArgumentError` unless `problem` is (BL1) or (BL2)."""
    if not isinstance(problem, BilevelProblem):
        raise ArgumentError("problem", type(problem).__name__, "MaxDeviation or MinPerturbation")


class MaxDeviation(BilevelProblem):
    """(BL1): maximise the deviation U(eps) subject to ||eps|| <= budget.

    Parameters
    ----------
    model : LearningModel
    perturbation : Perturbation
        Its shapes must be those of the parts of the model.
    budget : float
        a > 0, in the unit of eps; for the norm "count" a whole number.
    norm : {1, 2, inf, "count"}, default 2
        Norm of eps. "count" is the number of ones of a binary eps, for a perturbation whose entries
        are bounded by 0 and 1, such as `Perturbation.flips`.
    deviation : str or DeviationFunction, default "delta"
        The function U: a name that `deviation` accepts, or the result of `chosen_pairs` or
        `between_clusters`, for example.

    Raises
    ------
    ArgumentError
        If an argument is invalid, or the perturbation or the deviation does not fit the model.
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
        self.budget = self.radius = self._checked_radius(budget, "budget")

    def _ends(self) -> dict[str, float]:
        return {"budget": self.budget}

    def normalised(self, form: NormalForm) -> MaxDeviation:
        """Return (BL1) with budget 1 for the normal form of the model."""
        scaled = self.perturbation.in_units(self.radius, form.units)
        return MaxDeviation(form.model, scaled, 1.0, self.norm, self.deviation)

    def largest_deviation(self) -> MaxDeviation:
        """Return the problem itself."""
        return self

    def within(self, radius: float) -> Self:
        """Return the problem itself, because a longer eps may have a larger deviation."""
        return self

    def value(self, size: float, deviation: float) -> float:
        """Return the deviation."""
        return deviation

    def is_attack(self, size: float, deviation: float) -> bool:
        """Return whether size <= budget and deviation > 0."""
        return size <= self.budget and deviation > 0

    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """Return whether the deviation equals the upper bound, up to rounding.

        A continuous deviation may be smaller by the relative `LENGTH_TOL`.
        """
        return deviation >= bound * (1 - (ROUNDING if self.deviation.is_discrete else LENGTH_TOL))

    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """Return whether the deviation exceeds the upper bound by more than rounding."""
        return deviation > bound * (1 + ROUNDING)

    def excludes(self, bound: float) -> bool:
        """Return whether the upper bound is 0, so that no eps has a positive deviation."""
        return bound <= 0

    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Return a key that prefers the larger deviation, then the smaller norm."""
        return (deviation, -size)


class MinPerturbation(BilevelProblem):
    """(BL2): minimise ||eps|| subject to U(eps) >= target.

    Parameters
    ----------
    model, perturbation
        As in `MaxDeviation`.
    target : float
        delta_0 > 0, at most the largest value of the deviation function on n points.
    norm, deviation
        As in `MaxDeviation`.
    limit : float, optional
        The largest ||eps|| that is searched. The default is the norm of the vector whose entry j
        moves its data by the diameter of the bounding box of the data, or equals a bound of eps_j
        if that is nearer; for the norm "count" it is k.

    Raises
    ------
    ArgumentError
        If an argument is invalid, or the perturbation or the deviation does not fit the model.
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
            self.radius = float(self._k) if self.is_binary else self._default_limit()
        else:
            self.radius = self._checked_radius(limit, "limit")

    def _ends(self) -> dict[str, float]:
        return {"target": self.target, "limit": self.radius}

    def normalised(self, form: NormalForm) -> MinPerturbation:
        """Return (BL2) with limit 1 for the normal form of the model."""
        scaled = self.perturbation.in_units(self.radius, form.units)
        return MinPerturbation(
            form.model, scaled, self.target, self.norm, self.deviation, limit=1.0
        )

    def within(self, radius: float) -> Self:
        """Return (BL2) with another search limit."""
        narrowed = copy(self)
        narrowed.radius = real_number(radius, "radius", above=0.0)
        return narrowed

    def value(self, size: float, deviation: float) -> float:
        """Return the norm of eps."""
        return size

    def largest_deviation(self) -> MaxDeviation:
        """Return (BL1) whose budget is the search limit of this problem, with the norm `norm`."""
        return MaxDeviation(self.model, self.perturbation, self.radius, self.norm, self.deviation)

    def _default_limit(self) -> float:
        lengths = np.full(self._k, -np.inf)  # an entry of this size moves its data by the diameter
        for name, T in self.perturbation.operators.items():
            moves, diameter = abs(T).tocoo(), self.model.diameter(name)
            moving = moves.data > 0
            np.maximum.at(lengths, moves.col[moving], diameter / moves.data[moving])
        lengths[lengths == -np.inf] = np.inf
        bounds = np.maximum(-self.perturbation.lower, self.perturbation.upper)
        lengths = np.minimum(lengths, bounds)
        return self.size(np.where(np.isinf(lengths), 0.0, lengths))

    def is_attack(self, size: float, deviation: float) -> bool:
        """Return whether size <= limit and deviation >= target."""
        return size <= self.radius and deviation >= self.target

    def attains(self, bound: float, size: float, deviation: float) -> bool:
        """Return whether the size exceeds the lower bound by at most `length_tolerance`.

        A tolerance is needed because the infimum may not be attained.
        """
        return size <= bound + self.length_tolerance(bound)

    def refutes(self, bound: float, size: float, deviation: float) -> bool:
        """Return whether an attack is shorter than the lower bound by more than the tolerance."""
        return self.is_attack(size, deviation) and size + self._length_rounding(size) < bound

    def excludes(self, bound: float) -> bool:
        """Return whether the lower bound exceeds the search limit."""
        return bound > self.radius

    def rank(self, size: float, deviation: float) -> tuple[float, float]:
        """Return a key that prefers the smaller norm, then the larger deviation."""
        return (-size, deviation)


def steepest(problem: BilevelProblem, eps: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return the feasible direction of steepest ascent of norm 1, shape (k,).

    It solves max <gradient, v> over ||v|| <= 1: gradient / ||gradient|| for the 2-norm, the signs
    of the gradient for the infinity norm, and the coordinate direction of the largest derivative
    for the 1-norm. Entries of eps at a bound that the direction would violate are left out. The
    direction is zero if no entry can increase the objective.
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
