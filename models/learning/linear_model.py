"""Linear learning models: a loss of scores x'theta, and a squared norm that penalises theta.

    theta(X, y) = argmin_theta  sum_i l(y_i, x_i'theta) + penalty / 2 ||theta||^2

X (n, d) is the data and y (n,) the targets. With an intercept, X has another column of ones, so
that the intercept is penalised too and the objective is strongly convex with modulus `penalty`.
Hence ||theta - theta*|| <= sqrt(2 (f(theta) - f*) / penalty), which turns a duality gap into a
proof about parameters and predictions.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.frame import feature_titles, names_of
from bilad.models.learning.learning_model import LearningModel
from bilad.models.learning.predictor import predictor
from bilad.models.representation import Represented
from bilad.models.smooth_deviation import SmoothDeviation, SmoothScores, sign_changes
from bilad.models.validation import (
    ArgumentError,
    BoolArray,
    FloatArray,
    boolean,
    real_array,
    real_number,
    shown,
)

if TYPE_CHECKING:
    from pandas import DataFrame

ACCURATE = 1e-5  # largest relative distance from theta* at which parameters count as proved
UNIT_ROUNDOFF = float(np.finfo(float).eps)


class Loss(Represented, ABC):
    """A loss l(y, z) that is convex in the score z; all methods are elementwise."""

    @property
    def is_smooth(self) -> bool:
        """Whether the loss is differentiable in the score."""
        return True

    @abstractmethod
    def value(self, y: Any, z: Any) -> FloatArray:
        """Return l(y, z)."""

    @abstractmethod
    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the derivative of l in z, or a subgradient."""

    @abstractmethod
    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the second derivative of l in z, or an element of its generalised Jacobian."""

    @abstractmethod
    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the derivative of `slope` in y."""

    def largest_target_slope(
        self, low: FloatArray, high: FloatArray, z: FloatArray
    ) -> FloatArray | None:
        """Return an upper bound of |target_slope| over targets from low to high, or None.

        It is a Lipschitz constant of `slope` in the target, from which bounds of the deviation
        follow; there are none for a loss that does not define it.
        """
        return None

    def largest_slope_change(
        self, y: FloatArray, new: FloatArray, z: FloatArray, error: FloatArray
    ) -> FloatArray | None:
        """Return an upper bound of the change of `slope` between two targets, or None.

        It has to hold for every subgradient at scores that differ from z by at most the error, or
        at z itself if the loss is differentiable.
        """
        return np.abs(self.slope(new, z) - self.slope(y, z)) if self.is_smooth else None

    @abstractmethod
    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return a smooth approximation of l(y, z) for numbers, arrays or Pyomo expressions.

        Parameters
        ----------
        y, z
            The target and the score.
        width
            The approximation tends to l as the width tends to 0.
        functions : module
            Provides `exp`, `log` and `sqrt`: NumPy, or `pyomo.environ`.
        """

    def smoothed_slope(self, y: FloatArray, z: FloatArray, width: float) -> FloatArray:
        """Return the derivative of `smoothed` in z; by default that of the loss itself."""
        return self.slope(y, z)


class LinearModel(LearningModel):
    """Base class of linear learning models. Immutable.

    Parameters
    ----------
    data : array_like, shape (n, d)
        X, one row per point, n >= 2, d >= 1, finite.
    targets : array_like, shape (n,)
        y, finite and not constant; two classes for a classifier.
    penalty : float, default 1
        Factor of ||theta||^2 / 2, > 0.
    intercept : bool, default False
        Whether theta has a last entry for a column of ones, which is penalised like the others.

    Attributes
    ----------
    data, targets : ndarray
        Read-only. A classifier has the targets -1 and 1.
    penalty : float
    intercept : bool
    loss_function : Loss

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """

    outcomes = "parameters"
    loss_function: Loss

    def __init__(
        self,
        data: ArrayLike,
        targets: ArrayLike,
        penalty: float = 1.0,
        *,
        intercept: bool = False,
    ) -> None:
        super().__init__(data)
        loss = getattr(self, "loss_function", None)
        if not isinstance(loss, Loss):
            expected = f"an instance of Loss as an attribute of {type(self).__name__}"
            raise ArgumentError("loss_function", repr(loss), expected)
        self.targets = self._read_targets(targets)
        self.penalty = real_number(penalty, "penalty", above=0.0)
        self.intercept = boolean(intercept, "intercept")

    def summary(self) -> dict[str, Any]:
        """Return the sizes of the data, the penalty, and whether there is an intercept."""
        own = {"penalty": self.penalty, "intercept": self.intercept}
        return {**super().summary(), **own}

    def _read_targets(self, targets: ArrayLike) -> FloatArray:
        """Return the targets of a regression, which must not be constant."""
        y = real_array(targets, "targets", (self.n,))
        if (y == y[0]).all():
            raise ArgumentError(
                "targets", f"the constant {y[0]:g}", "at least two different values"
            )
        return y

    def read_held_out(self, targets: ArrayLike, n: int) -> FloatArray:
        """Return held-out targets, shape (n,), in the form of `targets`."""
        return real_array(targets, "y", (n,))

    @property
    def parts(self) -> Mapping[str, FloatArray]:
        """The data, shape (n, d), and the targets, shape (n,)."""
        return {"data": self.data, "targets": self.targets}

    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same model with other data, other targets, or both.

        The targets may be any numbers, such as relaxed labels between -1 and 1.
        """
        unknown = set(parts) - {"data", "targets"}
        if unknown:
            raise ArgumentError("parts", ", ".join(sorted(unknown)), "'data', 'targets'")
        new = copy.copy(self)
        new.__dict__.pop("design", None)
        for name, value in parts.items():
            setattr(new, name, real_array(value, name, self.parts[name].shape))
        return new

    @cached_property
    def design(self) -> FloatArray:
        """The matrix whose product with theta are the scores: X, with ones for the intercept."""
        return self.design_of(self.data)

    def design_of(self, X: FloatArray) -> FloatArray:
        """Return the rows of X in the form of `design`."""
        return np.column_stack([X, np.ones(len(X))]) if self.intercept else X

    def primal(self, theta: FloatArray) -> float:
        """Return the objective at theta."""
        losses = self.loss_function.value(self.targets, self.design @ theta)
        return float(losses.sum() + 0.5 * self.penalty * (theta @ theta))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return the gradient of the objective at theta, or a subgradient."""
        slopes = self.loss_function.slope(self.targets, self.design @ theta)
        return self.design.T @ slopes + self.penalty * theta

    def hessian(self, theta: FloatArray) -> FloatArray:
        """Return the Hessian of the objective at theta, or an element of the generalised one."""
        curvatures = self.loss_function.curvature(self.targets, self.design @ theta)
        return (self.design.T * curvatures) @ self.design + self.penalty * np.eye(len(theta))


class LinearClassifier(LinearModel):
    """Base class of linear models of two classes, which are -1 and 1 in `targets`.

    Attributes
    ----------
    classes : ndarray, shape (2,)
        The user's labels of -1 and 1, in increasing order.
    """

    def _read_targets(self, targets: ArrayLike) -> FloatArray:
        self.classes, y = _two_classes(targets, self.n)
        return y

    def summary(self) -> dict[str, Any]:
        """Return the sizes of the data, the parameters and the two classes."""
        return {**super().summary(), "classes": self.classes.tolist()}

    def read_held_out(self, targets: ArrayLike, n: int) -> FloatArray:
        """Return held-out labels as -1 and 1: shape (n,)."""
        given = known_labels(targets, self.classes, n)
        y = np.where(given == self.classes[1], 1.0, -1.0)
        y.flags.writeable = False
        return y


def _two_classes(targets: ArrayLike, n: int) -> tuple[np.ndarray, FloatArray]:
    given = label_array(targets, "targets", n)
    classes, places = np.unique(given, return_inverse=True)
    if len(classes) != 2:
        found = ", ".join(map(str, classes[:4])) + (", ..." if len(classes) > 4 else "")
        count = "1 class" if len(classes) == 1 else f"{len(classes)} classes"
        raise ArgumentError("targets", f"{count}: {found}", "labels of two classes")
    y: FloatArray = np.where(places == 1, 1.0, -1.0)
    y.flags.writeable = False
    return classes, y


def known_labels(targets: ArrayLike, classes: np.ndarray, n: int) -> np.ndarray:
    """Return n held-out labels, which must be among the classes."""
    given = label_array(targets, "y", n)
    known = (given[:, None] == classes).any(axis=1)
    if not known.all():
        names = [str(one) for one in classes]
        expected = f"the labels {', '.join(names[:-1])} and {names[-1]}"
        raise ArgumentError("y", str(given[~known][0]), expected)
    return given


def label_array(targets: ArrayLike, argument: str, n: int) -> np.ndarray:
    """Return a read-only copy of n labels: numbers, Booleans or strings."""
    expected = f"{n} numbers, Booleans or strings, one for each point"
    if np.ma.is_masked(targets):
        raise ArgumentError(argument, "masked entries", expected)
    try:
        entries, given = np.array(targets, dtype=object), np.array(targets)
    except (TypeError, ValueError):
        raise ArgumentError(argument, "labels of different kinds", expected) from None
    if given.shape != (n,):
        raise ArgumentError(argument, f"shape {given.shape}", f"shape ({n},)")
    # NumPy would turn the numbers of a list that has strings too into strings.
    if len({isinstance(entry, str) for entry in entries}) > 1:
        raise ArgumentError(argument, "labels of different kinds", expected)
    if given.dtype.kind in "OT" and all(np.isscalar(entry) for entry in entries):
        given = np.array(entries.tolist())
    if given.dtype.kind not in "biufU":
        kind = type(entries[0]).__name__
        raise ArgumentError(argument, f"labels of type {kind} or of different kinds", expected)
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ArgumentError(argument, "a label that is infinite or NaN", expected)
    given.flags.writeable = False
    return given


@dataclass(frozen=True, repr=False)
class Fit(Represented):
    """The parameters of a linear model, with a proof of their accuracy.

    Attributes
    ----------
    model : LinearModel
    theta : ndarray, shape (d,), or (d + 1,) with the intercept as last entry
    absolute_gap : float
        A proved upper bound of f(theta) - f*. For differentiable losses it is
        ||grad f(theta)||^2 / (2 penalty); for the hinge loss it is a duality gap.
    status : str
        "optimal", "inaccurate", "time limit", or "error: ...".
    iterations : int
    duals : ndarray, shape (2 n,), or None
        For the hinge loss, the dual variables of the pieces 1 - z_i and 1 + z_i of all points, from
        0 to their weights w_+ and w_-.
    """

    model: LinearModel
    theta: FloatArray
    absolute_gap: float
    status: str
    iterations: int
    duals: FloatArray | None = field(default=None, repr=False)

    def summary(self) -> dict[str, Any]:
        """Return the status, the parameters, and how accurate they are."""
        return {
            "status": self.status,
            "theta": self.theta,
            "proved": self.proved,
            "distance_bound": self.distance_bound,
            "iterations": self.iterations,
        }

    def to_frame(self) -> DataFrame:
        """Return one row a parameter, under the name of its feature: x0, x1, .., "intercept".

        The column "theta" has its value; the exact one is proved to be from "lower" to "upper",
        which lie `distance_bound` below and above it.
        """
        import pandas  # slow to import

        model, r = self.model, self.distance_bound
        names = feature_titles(model.feature_names, model.d) + ["intercept"] * model.intercept
        columns = {"theta": self.theta, "lower": self.theta - r, "upper": self.theta + r}
        return pandas.DataFrame(columns, index=names)

    @property
    def outcome(self) -> FloatArray:
        """The parameters, of which deviations are functions."""
        return self.theta

    @property
    def state(self) -> FloatArray:
        """The parameters, of which smooth deviations are functions."""
        return self.theta

    @property
    def gap(self) -> float:
        """The proved relative gap, (f(theta) - f*) / (1 + |f(theta)|) at most."""
        return self.absolute_gap / (1.0 + abs(self.model.primal(self.theta)))

    @property
    def distance_bound(self) -> float:
        """A proved upper bound of ||theta - theta*||, sqrt(2 absolute_gap / penalty)."""
        return math.sqrt(2.0 * self.absolute_gap / self.model.penalty)

    @property
    def proved(self) -> bool:
        """Whether the parameters are proved up to a relative distance of 1e-5."""
        return self.distance_bound <= ACCURATE * (1.0 + float(np.linalg.norm(self.theta)))

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Return the scores x'theta of the rows of X, shape (m, d): shape (m,)."""
        return self.model.design_of(held_out_data(self.model, X)) @ self.theta

    def predict(self, X: ArrayLike) -> Any:
        """Return the predictions for the rows of X: shape (m,).

        They are the scores of a regression, and the user's labels of a classification, whose
        second class is predicted for scores >= 0.
        """
        scores = self.decision_function(X)
        if isinstance(self.model, LinearClassifier):
            return self.model.classes[(scores >= 0).astype(int)]
        return scores

    def proved_predictions(self, X: ArrayLike) -> BoolArray:
        """Return for which rows of X the sign of the score is proved: shape (m,).

        It is proved if |x'theta| > ||x|| r, where r bounds ||theta - theta*||.
        """
        return _proved_signs(self, self.model.design_of(held_out_data(self.model, X)))


def _proved_signs(fit: Fit, design: FloatArray) -> BoolArray:
    norms = np.hypot.reduce(design, axis=1)  # squares could underflow
    rounding = len(fit.theta) * UNIT_ROUNDOFF * float(np.linalg.norm(fit.theta))
    proved: BoolArray = np.abs(design @ fit.theta) > norms * (fit.distance_bound + rounding)
    return proved | ~design.any(axis=1)  # a row of zeros has the score 0


def held_out_data(model: LearningModel, X: ArrayLike) -> FloatArray:
    """Return held-out data X, shape (m, d), m >= 1, with as many features as the model's data.

    Raises
    ------
    ArgumentError
        If X is anything else, or a data frame whose columns are not the features of the model.
    """
    names = names_of(X)
    if names and model.feature_names and names.features != model.feature_names:
        expected = f"those of the model's data, {shown(list(model.feature_names))}"
        raise ArgumentError("X", f"the columns {shown(list(names.features))}", expected)
    points = real_array(X, "X", (None, None))
    if len(points) < 1 or points.shape[1] != model.d:
        expected = f"at least one row of {model.d} features, as in the model's data"
        raise ArgumentError("X", f"shape {points.shape}", expected)
    return points


@dataclass(frozen=True)
class LinearPredictor:
    """The predictions of a linear model as functions of its parameters (`Predictor`)."""

    model: LinearModel
    is_smooth: ClassVar[bool] = True

    def check(self, X: ArrayLike | None, y: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
        """Return the held-out data and targets; the model's own where they are None."""
        model = self.model
        points = model.data if X is None else held_out_data(model, X)
        if y is None:
            return points, model.targets if X is None else np.zeros(len(points))
        return points, model.read_held_out(y, len(points))

    def predict(self, theta: FloatArray, X: FloatArray) -> FloatArray:
        """Return -1 or 1 for each row of X: the sign of the score, 1 for zero."""
        return np.where(self.model.design_of(X) @ theta >= 0, 1.0, -1.0)

    def loss(self, theta: FloatArray, X: FloatArray, y: FloatArray) -> float:
        """Return the mean loss of the model on held-out data."""
        scores = self.model.design_of(X) @ theta
        return float(np.mean(self.model.loss_function.value(y, scores)))

    def decided(self, solution: Any, X: FloatArray) -> bool:
        """Return whether the predictions of a solution are proved for all rows of X."""
        return bool(_proved_signs(solution, self.model.design_of(X)).all())

    def smooth_changes(self, theta: FloatArray, X: FloatArray) -> SmoothDeviation:
        """Return the smooth number of the rows of X whose prediction differs from that of theta."""
        return sign_changes(self.model.design_of(X), theta)

    def smooth_loss(self, theta: FloatArray, X: FloatArray, y: FloatArray) -> SmoothDeviation:
        """Return the smooth increase of the mean loss, relative to that of theta."""
        loss = self.model.loss_function
        return SmoothScores(
            self.model.design_of(X),
            y,
            theta,
            loss.smoothed,
            loss.smoothed_slope,
            1.0 / len(X),
            self.loss(theta, X, y),
        )


predictor.register(LinearModel)(LinearPredictor)
