"""The ways to solve the lower level, by name. A new one is a function and a line in the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, one_of
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.exact import lines
from bilad.solvers.clustering.labels.partition import Partition, nothing_proved
from bilad.solvers.clustering.ssnal import ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace
from bilad.solvers.errors import UnsupportedError


@dataclass(frozen=True)
class Request:
    """What a method is asked for besides the model.

    Attributes
    ----------
    tol : float
    start : (X, Z) or None
        Of an earlier solve.
    kept : object
        What the method left for the next solve.
    max_iterations : int
    deadline : float
        Value of `time.perf_counter()` at which to stop: the solve, then the proof.
    one : float
        Errors are relative to this + the size of the objective or of the data; at most 1.
    """

    tol: float
    start: tuple[FloatArray, FloatArray] | None
    kept: Any
    max_iterations: int
    deadline: float
    one: float = 1.0


@dataclass(frozen=True)
class Measure:
    """The primal objective, the duality gap and the KKT residual of a pair, none relative."""

    primal: float
    gap: float
    residual: float


@dataclass(frozen=True)
class Outcome:
    """What a method returns: see `Clustering`. `kept` is its own, for the next solve.

    `status` is how the method ended. A method that makes its dual solution only if it is asked for
    brings its own measure and its own proof; the others prove nothing.
    """

    X: FloatArray
    make_dual: Callable[[], FloatArray]
    partition: Partition
    status: str
    iterations: int
    kept: Any = None
    remark: str = ""
    measure: Measure | None = None


@dataclass(frozen=True)
class LowerMethod:
    """A named way to solve the lower level, of models that `unit_scale` made."""

    name: str
    refusal: Callable[[ConvexClustering], str | None]
    solve: Callable[[ConvexClustering, Request], Outcome]


def _solve_exact(model: ConvexClustering, request: Request) -> Outcome:
    solution = lines.solve_exact(model, request.deadline)
    return Outcome(
        X=solution.X,
        make_dual=partial(_projected, model, solution.make_dual),
        partition=solution.partition,
        status="optimal" if solution.complete else "time limit",
        iterations=0,
        measure=Measure(model.primal(solution.X), solution.absolute_gap, solution.residual),
    )


def _solve_ssnal(model: ConvexClustering, request: Request) -> Outcome:
    workspace = request.kept if isinstance(request.kept, Workspace) else None
    solution = ssnal.solve_ssnal(
        model,
        request.tol,
        request.start,
        workspace,
        request.max_iterations,
        request.deadline,
        request.one,
    )
    return Outcome(
        X=solution.X,
        make_dual=partial(np.asarray, solution.Z),
        partition=nothing_proved(model.n),
        status=solution.status,
        iterations=solution.admm_steps + solution.newton_steps,
        kept=solution.workspace,
        remark=solution.workspace.remark if solution.workspace else "",
    )


def _solve_clarabel(model: ConvexClustering, request: Request) -> Outcome:
    program = request.kept if isinstance(request.kept, ConicProgram) else None
    solution = solve_clarabel(model, request.tol, request.max_iterations, request.deadline, program)
    return Outcome(
        X=solution.X,
        make_dual=partial(np.asarray, model.project_dual(solution.Z)),
        partition=nothing_proved(model.n),
        status=solution.status_if_short,
        iterations=solution.iterations,
        kept=solution.program,
    )


def _projected(model: ConvexClustering, make_dual: Callable[[], FloatArray]) -> FloatArray:
    return model.project_dual(make_dual())


def measured(model: ConvexClustering, outcome: Outcome, X: FloatArray) -> Measure:
    """Measure X and the outcome's dual solution, the same way whichever solver made them."""
    if outcome.measure is not None:
        return outcome.measure
    Z = outcome.make_dual()
    size = 1.0 + float(np.linalg.norm(model.data))
    return Measure(model.primal(X), model.absolute_gap(X, Z), model.kkt_residual(X, Z) * size)


def _takes_all(model: ConvexClustering) -> None:
    """Refuse no model."""


# In the order in which "auto" tries them, the fastest first (scripts/benchmark_lower.py).
LOWER_METHODS = {
    method.name: method
    for method in (
        LowerMethod("exact", lines.refusal, _solve_exact),
        LowerMethod("ssnal", _takes_all, _solve_ssnal),
        LowerMethod("clarabel", _takes_all, _solve_clarabel),
    )
}


def choose_lower_method(model: ConvexClustering, method: str) -> LowerMethod:
    """Return the method of that name; for "auto", the first of the list that takes the model.

    Raises
    ------
    ArgumentError
        If the name is not known.
    UnsupportedError
        If the method cannot take the model; the message names those that can.
    """
    one_of(method, "method", ["auto", *LOWER_METHODS])
    able = [candidate for candidate in LOWER_METHODS.values() if candidate.refusal(model) is None]
    if method == "auto":
        return able[0]
    chosen = LOWER_METHODS[method]
    reason = chosen.refusal(model)
    if reason is not None:
        raise UnsupportedError(method, reason, [candidate.name for candidate in able])
    return chosen
