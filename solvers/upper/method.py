"""What a method of the upper level is: it refuses, or it prepares the work to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.solvers.upper.journal import Work


class UpperMethod(Protocol):
    """A way to attack."""

    @property
    def needs_white_box(self) -> bool:
        """Whether it needs the learning model from inside, not by its answers only."""

    @property
    def has_bound(self) -> bool:
        """Whether it proves a bound of its own."""

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Say why this method cannot take the problem, or None."""

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Work:
        """Check the options and return the work to do."""


@dataclass(frozen=True)
class FunctionMethod:
    """A method made of two functions, whose options are the keyword-only ones of the second."""

    refuse: Callable[[BilevelProblem], str | None]
    make: Callable[..., Work]
    needs_white_box: bool = False
    has_bound: bool = False

    @property
    def options(self) -> list[str]:
        """Names of the method's own options."""
        return keywords(self.make)

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Say why this method cannot take the problem, or None."""
        return self.refuse(problem)

    def prepare(self, problem: BilevelProblem, rng: np.random.Generator, **options: Any) -> Work:
        """Check the options and return the work to do."""
        return self.make(problem, rng, **options)


def takes_every(problem: BilevelProblem) -> str | None:
    """Refuse no problem."""
    return None


def refusal(method: UpperMethod, problem: BilevelProblem) -> str | None:
    """Say why a method cannot take a problem, or None."""
    if method.needs_white_box and not problem.is_white_box:
        return "it needs the model from inside, a black box gives labels only"
    return method.refusal(problem)


def keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
