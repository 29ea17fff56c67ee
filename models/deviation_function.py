"""The description of a deviation function U, and the registry of those that have a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bilad.models.learning.learning_model import LearningModel
from bilad.models.representation import Represented
from bilad.models.smooth_deviation import KERNELS, Kernel, SmoothDeviation, SmoothPairs
from bilad.models.validation import ArgumentError, FloatArray, IntArray, one_of, whole_number

Pairs = Callable[[int], tuple[IntArray, FloatArray]]

DEVIATIONS: dict[str, DeviationFunction] = {}


# These are named functions and not lambdas, because a problem must be picklable.
def constant(value: float, n: int) -> float:
    """Return the value for any number of points."""
    return value


def _always(solution: Any) -> bool:
    return True


@dataclass(frozen=True, repr=False)
class DeviationFunction(Represented):
    """A deviation function U.

    Attributes
    ----------
    name : str
    value : callable(outcome, perturbed_outcome)
        Returns U >= 0 from two outcomes: label arrays of shape (n,), or parameter arrays.
    largest : callable(n)
        Returns an upper bound of U over all outcomes on n points.
    pairs : callable(n), or None
        If U is additive over pairs, returns the pairs i < j with c_ij > 0, shape (P, 2), and their
        coefficients c, shape (P,). None if U is not additive.
    least_n : int
        The smallest number of points for which U is defined. It exceeds 2 if U refers to points by
        their index.
    compares : {"labels", "parameters", "predictions"}
        The kind of outcome. Predictions are made by the learning model from its outcome.
    smooth : callable(outcome, kernel), or None
        Returns the smooth approximation of U, if it is not the one that follows from `pairs`.
    tolerance : callable(outcome), or None
        Returns the largest deviation of two accurate solutions of one model. None if U takes
        discrete values, so that it is 0.
    decided : callable(solution)
        Returns whether a solution with proved outcome determines U; it does for labels.
    agree : callable(outcome, other), or None
        Returns whether two outcomes of a model without proofs are the same. By default they are
        if U does not tell them apart.
    bind : callable(model), or None
        Returns U for a learning model, if U depends on the model.
    least_change : float or None
        The least positive value of U, if U is positive at every change of what it compares.
    held_out : tuple (X, y), or None
        The data on which the predictions are compared, if U is bound to a learning model.
    """

    name: str
    value: Callable[[Any, Any], float]
    largest: Callable[[int], float]
    pairs: Pairs | None = None
    least_n: int = 2
    compares: str = "labels"
    smooth: Callable[[Any, Kernel], SmoothDeviation] | None = None
    tolerance: Callable[[Any], float] | None = None
    decided: Callable[[Any], bool] = _always
    agree: Callable[[Any, Any], bool] | None = None
    bind: Callable[[LearningModel], DeviationFunction] | None = None
    least_change: float | None = None
    held_out: tuple[Any, Any] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Check what a user's function is most likely to lack."""
        if not isinstance(self.name, str) or not self.name:
            raise ArgumentError("name", repr(self.name), "a string that is not empty")
        for argument in ("value", "largest"):
            given = getattr(self, argument)
            if not callable(given):
                raise ArgumentError(argument, type(given).__name__, "a callable")
        whole_number(self.least_n, "least_n", least=1)
        one_of(self.compares, "compares", ("labels", "parameters", "predictions"))

    def summary(self) -> dict[str, Any]:
        """Return the name, what is compared, and whether the values are discrete."""
        return {"name": self.name, "compares": self.compares, "is_discrete": self.is_discrete}

    def _content(self) -> dict[str, Any]:
        return self.summary()

    @property
    def is_discrete(self) -> bool:
        """Whether two different values of U differ by more than rounding errors."""
        return self.tolerance is None

    @property
    def is_smooth(self) -> bool:
        """Whether the deviation function has a smooth approximation."""
        return self.pairs is not None or self.smooth is not None

    def smoothed(self, outcome: Any, kernel: str = "rational") -> SmoothDeviation:
        """Return the smooth approximation of the deviation from the outcome at eps = 0.

        Parameters
        ----------
        outcome : ndarray
            The labels, shape (n,), or the parameters, at eps = 0.
        kernel : {"rational", "exponential"}
            The kernel that approximates "together", for a deviation that is additive over pairs.

        Raises
        ------
        ArgumentError
            If the deviation has no smooth approximation, or the kernel is not known.
        """
        chosen = KERNELS[one_of(kernel, "kernel", KERNELS)]
        if self.smooth is not None:
            return self.smooth(outcome, chosen)
        if self.pairs is None:
            raise ArgumentError("deviation", repr(self.name), self._with_smooth_form())
        return SmoothPairs(outcome, *self.pairs(len(outcome)), chosen)

    def smoothing_refusal(self) -> str | None:
        """Return an explanation if the deviation has no smooth approximation, else None."""
        if self.is_smooth:
            return None
        return f"{self.name!r} has no smooth form; {self._with_smooth_form()} has one"

    def _with_smooth_form(self) -> str:
        """Return the names of the smooth deviations that compare the same kind of outcome."""
        alike = [one for one in DEVIATIONS.values() if one.compares == self.compares]
        able = [one.name for one in alike if one.is_smooth]
        able += ["chosen_pairs", "between_clusters"] if self.compares == "labels" else []
        return f"one of {', '.join(able)}"

    def uncertainty(self, outcome: Any) -> float:
        """Return the largest deviation of two accurate solutions of one model: 0 for labels."""
        return 0.0 if self.tolerance is None else self.tolerance(outcome)

    def are_the_same(self, outcome: Any, other: Any) -> bool:
        """Return whether two outcomes that a model without proofs gave for its parts agree."""
        if self.agree is not None:
            return self.agree(outcome, other)
        return self.value(outcome, other) <= self.uncertainty(outcome)

    def bound_to(self, model: LearningModel) -> DeviationFunction:
        """Return the deviation function for a learning model.

        Raises
        ------
        ArgumentError
            If the model has outcomes of another kind, too few points, or makes no predictions.
        """
        if self.bind is not None:
            return self.bind(model)
        if self.compares != model.outcomes:
            kind = type(model).__name__
            able = [one.name for one in DEVIATIONS.values() if one.compares == model.outcomes]
            if model.outcomes != "labels":
                able += [one.name for one in DEVIATIONS.values() if one.compares == "predictions"]
            expected = f"a deviation of {model.outcomes}, the outcomes of {kind}: {', '.join(able)}"
            raise ArgumentError("deviation", f"{self.name!r}, of {self.compares}", expected)
        self.check_points(model.n)
        return self

    def of_any_change(self) -> tuple[DeviationFunction, float]:
        """Return a deviation function and the value that it reaches at any change of the outcome.

        A change of a partition is any change of its pairs, whatever U weighs.

        Raises
        ------
        ArgumentError
            If arbitrarily small values of U are possible, so that every eps may be a change.
        """
        function = DEVIATIONS["delta"] if self.compares == "labels" else self
        if function.least_change is None:
            given = f"{self.name!r} in (BL1), for which every eps may be an attack"
            raise ArgumentError("deviation", given, "MinPerturbation with a target")
        return function, function.least_change

    def check_points(self, n: int) -> None:
        """Raise `ArgumentError` if the function refers to a point whose index is n or larger."""
        if n < self.least_n:
            raise ArgumentError(
                "deviation", f"{self.name!r} with point {self.least_n - 1}", f"points 0 to {n - 1}"
            )


def register_deviations(*functions: DeviationFunction) -> None:
    """Add deviation functions to those that are known by their name."""
    DEVIATIONS.update((function.name, function) for function in functions)


def deviation_function(
    deviation: str | DeviationFunction, argument: str = "deviation"
) -> DeviationFunction:
    """Return the deviation function of this name; a `DeviationFunction` is returned unchanged."""
    if isinstance(deviation, DeviationFunction):
        return deviation
    return DEVIATIONS[one_of(deviation, argument, DEVIATIONS)]
