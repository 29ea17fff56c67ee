"""The interface of an engine: how it opens and solves a model, its answer, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bilad.models.validation import FloatArray
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.result import NlpStatus

REMEDY = (
    "get one with `pip install casadi`, `conda install -c conda-forge ipopt` "
    "or `idaes get-extensions`"
)


class EngineError(RuntimeError):
    """An engine cannot run; the message gives its name, the cause, and how to install one."""

    def __init__(self, engine: str, cause: str) -> None:
        super().__init__(f"{engine}: {cause}; {REMEDY}")


class OptionError(ValueError):
    """IPOPT refuses an option; the message gives its name, its value and IPOPT's own words."""

    def __init__(self, name: str, value: object, cause: str) -> None:
        super().__init__(f"options: IPOPT refuses {name!r} = {value!r}: {cause}")


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer of an engine, with multipliers of the signs that `NlpResult` defines.

    `evaluating` is the time spent in functions and derivatives, in seconds.
    `x` and `reduced_costs` have shape (n,), `duals` has shape (m,); they are None without a point.
    """

    status: NlpStatus
    message: str
    iterations: int | None = None
    evaluating: float | None = None
    x: FloatArray | None = None
    duals: FloatArray | None = None
    reduced_costs: FloatArray | None = None


class Program(Protocol):
    """A model that an engine has opened."""

    def solve(
        self, start: FloatArray, lower: FloatArray, upper: FloatArray, time_limit: float
    ) -> Answer:
        """Run IPOPT once, from a start within bounds, each of shape (n,).

        `time_limit` is in seconds; it may be infinite.
        """


@dataclass(frozen=True)
class Engine:
    """A way to run IPOPT on this machine.

    Attributes
    ----------
    name : str
        "IPOPT executable" or "IPOPT in CasADi".
    version : str
        The version of IPOPT, such as "3.14.19".
    open : callable
        Prepares a model, with options of IPOPT, for many solves.
    """

    name: str
    version: str
    open: Callable[[NlModel, Mapping[str, Any]], Program]
