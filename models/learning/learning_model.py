"""The contract of a learning model: parts that can be exchanged, and what it can do with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.capability import Capability
from bilad.models.validation import ArgumentError, FloatArray, point_array


class LearningModelError(RuntimeError):
    """A learning model that broke down, or answered what cannot be an answer."""


class LearningModel(ABC):
    """A learning model at fixed parts, which are what a perturbation may move. Immutable.

    Parameters
    ----------
    data : array_like, shape (n, d)
        One row per point, n >= 2, d >= 1, finite.

    Attributes
    ----------
    data : ndarray, shape (n, d)
        Read-only.
    outcomes : {"labels", "parameters"}
        What a solution of the model gives, and a deviation compares: a cluster for each point, or
        the parameters that were learned.
    max_queries : int or None
        How often an attack may solve it; None if there is no limit.
    """

    outcomes: ClassVar[str] = "labels"
    max_queries: int | None = None

    def __init__(self, data: ArrayLike) -> None:
        self.data: FloatArray = point_array(data, "data")

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.data.shape[0])

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.data.shape[1])

    @property
    def parts(self) -> Mapping[str, FloatArray]:
        """What a perturbation may move, by name."""
        return {"data": self.data}

    @abstractmethod
    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same model with other values of some parts, of the same shapes."""

    def scale(self, part: str) -> FloatArray:
        """Return by how much one unit of a perturbation moves each entry of a part: 1."""
        return np.ones(self.parts[part].shape)

    def diameter(self, part: str) -> float:
        """Return how far an entry of a part has to move, in units of `rates`, to pass the others.

        The diameter of the bounding box of its rows, and at least 1.
        """
        return max(float(np.linalg.norm(np.ptp(self.parts[part], axis=0))), 1.0)

    def perturbed(self, changes: Mapping[str, FloatArray]) -> Self:
        """Return the model with each part moved: part + rates(part) * change."""
        return self.replace(
            **{name: self.parts[name] + self.scale(name) * by for name, by in changes.items()}
        )

    def contradiction(self) -> LearningModelError:
        """Return the error that the model has given two outcomes of the same parts."""
        return LearningModelError(f"{type(self).__name__} gave two outcomes of the same parts")

    def has_structure_of(self, other: Any) -> bool:
        """Say whether a perturbation that was made for this structure, if for any, fits."""
        return other is None


class Solution(Protocol):
    """A solution of a learning model."""

    @property
    def outcome(self) -> Any:
        """What a deviation compares: labels, shape (n,), or parameters."""

    @property
    def state(self) -> FloatArray:
        """The lower level's own variables, of which a smooth deviation is a function."""

    @property
    def gap(self) -> float | None:
        """Proved relative duality gap, or None if there is none."""

    @property
    def proved(self) -> bool:
        """Whether the outcome is proved to be that of the exact solution."""

    @property
    def status(self) -> str:
        """How the solve ended; "error: ..." if it broke down."""


@dataclass(frozen=True)
class Answer:
    """An outcome alone: of a model that is asked, or a stand-in where there is no solution.

    Attributes
    ----------
    outcome : ndarray
        Labels, shape (n,), or parameters.
    proved : bool
        True of a black box: what it answers is its outcome, there is nothing to prove.
    status : str
    """

    outcome: Any
    proved: bool = True
    status: str = "answered"
    gap: None = None

    @classmethod
    def unknown(cls, model: LearningModel) -> Answer:
        """Return an outcome of which nothing is known: each point alone, or no parameters."""
        outcome = np.arange(model.n) if model.outcomes == "labels" else np.empty(0)
        return cls(outcome, proved=False, status="unknown")

    @property
    def labels(self) -> Any:
        """The outcome, if it is labels."""
        return self.outcome

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(np.unique(self.outcome))

    @property
    def state(self) -> FloatArray:
        """There is none.

        Raises
        ------
        TypeError
        """
        raise TypeError("a model that is asked gives an outcome only")


@dataclass(frozen=True)
class NormalForm:
    """A learning model in units in which the tolerances of NLP and MIP solvers mean the same.

    Attributes
    ----------
    model : LearningModel
        With the outcomes of the one given.
    units : mapping of str to float
        Of the parts, in those of the model given; 1 for those that are not named.
    into : callable(solution)
        Returns a solution of the model given as one of this model.
    out : callable(state)
        Returns a state of this model as one of the model given.
    """

    model: LearningModel
    units: Mapping[str, float] = field(default_factory=dict)
    into: Callable[[Any], Any] = lambda solution: solution
    out: Callable[[FloatArray], FloatArray] = lambda state: state


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


# The first argument is the model. Solutions of one capability are arguments of the others.

# solve(model, start=None, tol, time_limit, **options): a Solution; `start` is one, of a model near.
solve: Capability[Any] = Capability("solve")
# confirm(model, tol, time_limit, **options): a Solution found afresh, as good as time allows.
confirm: Capability[Any] = Capability("confirm", _solve_afresh, needs=solve)
# decide(model, tol, time_limit, **options): a Solution of which only the outcome is asked, proved.
decide: Capability[Any] = Capability("decide", _confirmed, needs=solve)
# solver_options(model, method): the options of `solve` for the method that `lower=` names.
solver_options: Capability[dict[str, Any]] = Capability("solver_options", _no_options)
# adjoint(model, solution, direction, parts): for each of the parts named, the gradient of
# <direction, state>.
adjoint: Capability[Mapping[str, FloatArray]] = Capability("adjoint")
# smoothed(model, smoothing, start, deadline): the solution of a lower level that is smooth.
smoothed: Capability[Any] = Capability("smoothed")
# normal_form(model): a NormalForm.
normal_form: Capability[NormalForm] = Capability("normal_form", NormalForm)
# state_gap(model, state, solution): relative gap of a state, by the solution's dual.
state_gap: Capability[float | None] = Capability("state_gap", lambda model, state, solution: None)
# write_follower(model, block, parts): the lower level as a Pyomo block.
write_follower: Capability[Any] = Capability("write_follower")
# bound(model, problem, baseline, effort): a proved bound on the optimum, or None.
bound: Capability[float | None] = Capability("bound")
# radius(model, problem, baseline): a size of eps within which the outcome stays, proved.
radius: Capability[Any] = Capability("radius")
# ray_steps(model, perturbation, low, high): every step of the outcome along a ray.
ray_steps: Capability[Any] = Capability("ray_steps")
# write_milp(model, problem, ...): the bilevel problem as a MILP.
write_milp: Capability[Any] = Capability("write_milp")
# remove(model, what, which): the model without some of its points, or of its edges.
remove: Capability[Any] = Capability("remove")
