"""What an engine is: something that opens a written model, and solves it many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.status import NlpStatus

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Query:
    """One solve: where it starts, between which bounds, for how long."""

    start: FloatArray
    lower: FloatArray
    upper: FloatArray
    time_limit: float | None


@dataclass(frozen=True, eq=False)
class Answer:
    """What an engine says, multipliers already in the sense of `NlpResult`.

    `x` and `reduced_costs` have shape (n,), `duals` (m,); None when there is no point.
    """

    status: NlpStatus
    message: str
    iterations: int | None = None
    x: FloatArray | None = None
    duals: FloatArray | None = None
    reduced_costs: FloatArray | None = None


class Program(Protocol):
    """A model opened by an engine."""

    def solve(self, query: Query) -> Answer:
        """Run IPOPT once."""


class Engine(Protocol):
    """A way to run IPOPT on this machine."""

    @property
    def name(self) -> str:
        """Such as "IPOPT executable"."""

    @property
    def version(self) -> str:
        """IPOPT's version, such as "3.14.19"."""

    def open(self, model: NlModel, options: Mapping[str, Any]) -> Program:
        """Prepare a model for many solves."""
