"""The interface of the methods for the upper level."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bilad.models.learning.capability import CAPABILITIES
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, one_of
from bilad.solvers.bilevel.trace import Runner


@runtime_checkable
class UpperMethod(Protocol):
    """A method of `attack`."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the capabilities that the learning model must have."""

    @property
    def has_bound(self) -> bool:
        """Whether the method proves a bound of its own."""

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return the reason why the method cannot be applied to the problem, or None."""

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Runner:
        """Check the options and return the run of the method."""


@dataclass(frozen=True)
class FunctionMethod:
    """A method that consists of two functions.

    Its options are the keyword-only parameters of `make`, which checks them and returns the run;
    `refuse` returns the reason why a problem is refused, or None.
    """

    refuse: Callable[[BilevelProblem], str | None]
    make: Callable[..., Runner]
    needs: tuple[str, ...] = ()
    has_bound: bool = False

    @property
    def documented(self) -> tuple[Callable[..., Any], ...]:
        """The functions whose docstrings describe the method and its options."""
        return (self.make,)

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""
        return keywords(self.make)

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return the reason why the method cannot be applied to the problem, or None."""
        return self.refuse(problem)

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Runner:
        """Check the options and return the run of the method."""
        return self.make(problem, rng, **options)


def takes_every(problem: BilevelProblem) -> str | None:
    """Return None: the method can be applied to every problem."""
    return None


def new_method(
    prepare: Callable[..., Runner],
    refusal: Callable[[BilevelProblem], str | None] = takes_every,
    needs: Iterable[str] = (),
    has_bound: bool = False,
) -> FunctionMethod:
    """Return a new method, for `register_method` or an entry point of the group "bilad.methods".

    Parameters
    ----------
    prepare : callable(problem, rng, **options)
        Checks the options, which are its keyword-only parameters, and returns the run of the
        method: a callable(lower, trace) that calls `lower.evaluate(eps)`, which stores the best.
    refusal : callable(problem), optional
        Returns the reason why the method cannot be applied to a problem, or None.
    needs : iterable of str, optional
        Names in `bilad.models.CAPABILITIES` of what the learning model must provide.
    has_bound : bool, default False
        Whether the run sets `trace.bound`, a proved bound.

    Raises
    ------
    ArgumentError
        If `prepare` or `refusal` is not callable, or a capability does not exist.
    """
    for argument, function in (("prepare", prepare), ("refusal", refusal)):
        if not callable(function):
            raise ArgumentError(argument, repr(function), "a callable")
    wanted = tuple(one_of(name, "needs", CAPABILITIES) for name in needs)
    return FunctionMethod(refusal, prepare, wanted, has_bound)


def refusal(method: UpperMethod, problem: BilevelProblem) -> str | None:
    """Return the reason why a method cannot be applied to a problem, or None."""
    for name in method.needs:
        if not CAPABILITIES[name].supports(problem.model):
            return CAPABILITIES[name].refusal(problem.model)
    return method.refusal(problem)


def keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
