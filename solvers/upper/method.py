"""What a method of the upper level is: it refuses, or it prepares the work to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.capability import CAPABILITIES
from bilad.models.validation import ArgumentError, one_of
from bilad.solvers.upper.journal import Runner


@runtime_checkable
class UpperMethod(Protocol):
    """A way to attack."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the capabilities of the learning model that it cannot do without."""

    @property
    def has_bound(self) -> bool:
        """Whether it proves a bound of its own."""

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Say why this method cannot take the problem, or None."""

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Runner:
        """Check the options and return the work to do."""


@dataclass(frozen=True)
class FunctionMethod:
    """A method made of two functions, whose options are the keyword-only ones of the second."""

    refuse: Callable[[BilevelProblem], str | None]
    make: Callable[..., Runner]
    needs: tuple[str, ...] = ()
    has_bound: bool = False

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""
        return keywords(self.make)

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Say why this method cannot take the problem, or None."""
        return self.refuse(problem)

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Runner:
        """Check the options and return the work to do."""
        return self.make(problem, rng, **options)


def takes_every(problem: BilevelProblem) -> str | None:
    """Refuse no problem."""
    return None


def new_method(
    prepare: Callable[..., Runner],
    refusal: Callable[[BilevelProblem], str | None] = takes_every,
    needs: Iterable[str] = (),
    has_bound: bool = False,
) -> FunctionMethod:
    """Return a method of your own, for `register_method` or an entry point "bilad.methods".

    Parameters
    ----------
    prepare : callable(problem, rng, **options)
        Checks the options, which are its keyword-only parameters, and returns the work: a
        callable(lower, trace) that asks `lower.evaluate(eps)`, which keeps the best.
    refusal : callable(problem), optional
        Says why the method cannot take a problem, or returns None.
    needs : iterable of str, optional
        Names of `bilad.models.CAPABILITIES` that the learning model must have.
    has_bound : bool, default False
        Whether the work sets `trace.bound`, a proved bound.

    Raises
    ------
    ArgumentError
        If `prepare` or `refusal` cannot be called, or there is no such capability.
    """
    for argument, function in (("prepare", prepare), ("refusal", refusal)):
        if not callable(function):
            raise ArgumentError(argument, repr(function), "a callable")
    wanted = tuple(one_of(name, "needs", CAPABILITIES) for name in needs)
    return FunctionMethod(refusal, prepare, wanted, has_bound)


def refusal(method: UpperMethod, problem: BilevelProblem) -> str | None:
    """Say why a method cannot take a problem, or None."""
    for name in method.needs:
        if not CAPABILITIES[name].supports(problem.model):
            return CAPABILITIES[name].refusal(problem.model)
    return method.refusal(problem)


def keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
