"""The contract of a learning model: parts, which a perturbation changes, and capabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.frame import FrameNames, names_of
from bilad.models.learning.capability import Capability
from bilad.models.representation import Represented
from bilad.models.rounding import RoundedArray
from bilad.models.validation import ArgumentError, FloatArray, point_array

if TYPE_CHECKING:
    from pandas import Index


class LearningModelError(RuntimeError):
    """A learning model failed, or returned an invalid outcome."""


class LearningModel(Represented, ABC):
    """A learning model with fixed parts. Immutable.

    A part is an array that a perturbation may change, such as the data.

    Parameters
    ----------
    data : array_like or pandas.DataFrame, shape (n, d)
        One row per point, n >= 2, d >= 1, finite.

    Attributes
    ----------
    data : ndarray, shape (n, d)
        Read-only.
    outcomes : {"labels", "parameters", "predictions"}
        The kind of outcome of a solution, which a deviation compares: cluster labels, learned
        parameters, or a fitted estimator, known by its predictions.
    max_queries : int or None
        The largest number of times that an attack may solve the model; None if there is no limit.
    """

    outcomes: ClassVar[str] = "labels"
    max_queries: int | None = None
    _names: FrameNames | None = None  # an attribute of the instance only if there are names

    def __init__(self, data: ArrayLike) -> None:
        self.data: FloatArray = point_array(data, "data")
        self._set_names(names_of(data))

    def _set_names(self, names: FrameNames | None) -> Self:
        if names is not None:
            self._names = names
        return self

    def summary(self) -> dict[str, Any]:
        """Return the numbers of points and features; a subclass adds its parameters."""
        return {"n": self.n, "d": self.d}

    def _content(self) -> dict[str, Any]:
        return {**super()._content(), "feature_names": self.feature_names}

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the features, if the data were given as a data frame."""
        return None if self._names is None else self._names.features

    @property
    def index(self) -> Index | None:
        """The index of the data frame in which the data were given, or None."""
        return None if self._names is None else self._names.index

    @property
    def n(self) -> int:
        """The number of points."""
        return int(self.data.shape[0])

    @property
    def d(self) -> int:
        """The number of features."""
        return int(self.data.shape[1])

    @property
    def parts(self) -> Mapping[str, FloatArray]:
        """The arrays that a perturbation may change, by name."""
        return {"data": self.data}

    @abstractmethod
    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same model with new values, of the same shapes, for some parts."""

    def scale(self, part: str) -> FloatArray:
        """Return the elementwise factor s of a perturbation, by which it adds s * change to a part.

        The default is 1 for every entry.
        """
        return np.ones(self.parts[part].shape)

    def diameter(self, part: str) -> float:
        """Return the change, in units of `scale`, that moves an entry of a part past all others.

        The default is the diameter of the bounding box of the rows of the part, but at least 1.
        """
        return max(float(np.linalg.norm(np.ptp(self.parts[part], axis=0))), 1.0)

    def perturbed(self, changes: Mapping[str, RoundedArray]) -> Self:
        """Return the model in which each part named in `changes` is part + scale(part) * change.

        A model can keep the rounding errors, if its solutions are proved for the exact sums.
        """
        return self.replace(
            **{
                name: self.parts[name] + self.scale(name) * change.values
                for name, change in changes.items()
            }
        )

    def contradiction(self) -> LearningModelError:
        """Return the error to raise if the model gave two outcomes for the same parts."""
        kind = type(self).__name__
        return LearningModelError(f"{kind} returned two different outcomes for the same parts")

    def has_structure_of(self, other: Any) -> bool:
        """Return whether the `structure` of a perturbation fits the model; None always does."""
        return other is None


class Solution(Protocol):
    """A solution of a learning model."""

    @property
    def outcome(self) -> Any:
        """The labels, shape (n,), or the parameters, which deviations compare."""

    @property
    def state(self) -> FloatArray:
        """The lower-level variables, of which smooth deviations are functions."""

    @property
    def gap(self) -> float | None:
        """The proved relative duality gap, or None if no gap is known."""

    @property
    def proved(self) -> bool:
        """Whether the outcome is proved to be that of the exact solution."""

    @property
    def status(self) -> str:
        """How the solver terminated; "error: ..." if it failed."""


@dataclass(frozen=True, repr=False)
class Answer(Represented):
    """An outcome without a solution, from a black box or in place of an unknown solution.

    Attributes
    ----------
    outcome : ndarray
        Labels, shape (n,), or parameters.
    proved : bool
        True for a black box, whose outcome is by definition what it returns.
    status : str
    gap : None
    """

    outcome: Any
    proved: bool = True
    status: str = "answered"
    gap: None = None

    @classmethod
    def unknown(cls, model: LearningModel) -> Answer:
        """Return a placeholder with `proved` false: singleton clusters, or no parameters."""
        outcome = np.arange(model.n) if model.outcomes == "labels" else np.empty(0)
        return cls(outcome, proved=False, status="unknown")

    @property
    def labels(self) -> Any:
        """The outcome, for models whose outcomes are labels."""
        return self.outcome

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return len(np.unique(self.outcome))

    @property
    def state(self) -> FloatArray:
        """Not available.

        Raises
        ------
        TypeError
            Always, because a black box has no lower-level variables.
        """
        raise TypeError("a black box has an outcome and no state")


@dataclass(frozen=True)
class NormalForm:
    """A learning model in normalised units, suited to the absolute tolerances of solvers.

    Attributes
    ----------
    model : LearningModel
        A model with the same outcomes as the original one.
    units : mapping of str to float
        The unit of each part, in terms of the original part; 1 for parts that are not named.
    into : callable(solution)
        Converts a solution of the original model to one of the normalised model.
    out : callable(state)
        Converts a state of the normalised model to one of the original model.
    """

    model: LearningModel
    units: Mapping[str, float] = field(default_factory=dict)
    into: Callable[[Any], Any] = lambda solution: solution
    out: Callable[[FloatArray], FloatArray] = lambda state: state


@dataclass(frozen=True)
class Proof:
    """A proved lower bound on the norm of every eps that reaches the target of (BL2).

    Attributes
    ----------
    lower : float
        No shorter eps reaches the target. It may be infinite if none within the limit does.
    method : str
        The name of the theorem; "none" if `lower` is 0 because nothing is proved.
    exact : bool
        Whether `lower` is the infimum, up to a relative 1e-6. The search for an attack is then
        confined to the starts.
    starts : iterable of ndarray, shape (k,)
        Points at which the search for an attack starts; empty by default.
    """

    lower: float
    method: str
    exact: bool = False
    starts: Iterable[FloatArray] = ()


def _solve_afresh(model: LearningModel, **options: Any) -> Solution:
    solution: Solution = solve(model, None, **options)
    return solution


def _confirmed(model: LearningModel, **options: Any) -> Solution:
    solution: Solution = confirm(model, **options)
    return solution


def _no_options(model: LearningModel, method: str) -> dict[str, Any]:
    if method != "auto":
        raise ArgumentError("lower", repr(method), f"'auto' for {type(model).__name__}")
    return {}


# The capabilities. The first argument is always the model.

# solve(model, start=None, tol, time_limit, **options): a Solution. `start` is a solution of a
# similar model, or None.
solve: Capability[Any] = Capability("solve")
# confirm(model, tol, time_limit, **options): an accurate Solution, computed without a start.
confirm: Capability[Any] = Capability("confirm", _solve_afresh, needs=solve)
# decide(model, tol, time_limit, **options): a Solution whose outcome is proved if possible, and
# whose state need not be accurate.
decide: Capability[Any] = Capability("decide", _confirmed, needs=solve)
# solver_options(model, method): the options of `solve` that select a method by name (`lower=`).
solver_options: Capability[dict[str, Any]] = Capability("solver_options", _no_options)
# adjoint(model, solution, direction, parts): the gradient of <direction, state> with respect to
# each of the named parts.
adjoint: Capability[Mapping[str, FloatArray]] = Capability("adjoint")
# smoothed(model, smoothing, start, deadline): the solution of a smooth approximation of the model.
smoothed: Capability[Any] = Capability("smoothed")
# normal_form(model): a NormalForm.
normal_form: Capability[NormalForm] = Capability("normal_form", NormalForm)
# evaluator(model, problem, baseline): a callable(eps) that returns the deviation at an admissible
# eps if it can prove the labels at little cost, and else None; or None in place of the callable.
evaluator: Capability[Callable[[FloatArray], float | None] | None] = Capability(
    "evaluator", lambda model, problem, baseline: None
)
# state_gap(model, state, solution): the relative duality gap of a state and the dual of a solution.
state_gap: Capability[float | None] = Capability("state_gap", lambda model, state, solution: None)
# write_follower(model, block, parts): writes the lower level on a Pyomo block; returns the state.
write_follower: Capability[Any] = Capability("write_follower")
# complete_follower(model, block): sets the variables of the block that are not part of the state to
# optimal values for the current state and eps.
complete_follower: Capability[None] = Capability("complete_follower", lambda model, block: None)
# bound(model, problem, baseline, effort): a proved bound on the optimum, or None.
bound: Capability[float | None] = Capability("bound")
# radius(model, problem, baseline): a Proof for (BL2).
radius: Capability[Proof] = Capability("radius")
# ray_steps(model, perturbation, low, high): all changes of the outcome for scalar eps.
ray_steps: Capability[Any] = Capability("ray_steps")
# write_milp(model, problem, ...): the bilevel problem as a MILP.
write_milp: Capability[Any] = Capability("write_milp")
# remove(model, what, which): the model without some of its points or edges.
remove: Capability[Any] = Capability("remove")
