"""The ways to solve the lower level, by name. A new one is a function and a line in the list."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bilad.formulations.conic import ConicProgram
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, one_of
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.lower import exact, ssnal
from bilad.solvers.lower.clarabel import solve_clarabel
from bilad.solvers.lower.workspace import Workspace
from bilad.solvers.partition.partition import Partition, prove_partition


@dataclass(frozen=True)
class Request:
    """What a method is asked for besides the model; `start` and `kept` of an earlier solve."""

    tol: float
    start: tuple[FloatArray, FloatArray] | None
    kept: Any
    max_iterations: int
    deadline: float


@dataclass(frozen=True)
class Outcome:
    """What a method returns: see `Clustering`. `kept` is its own, for the next solve."""

    X: FloatArray
    make_dual: Callable[[], FloatArray]
    partition: Partition
    objective: float
    gap: float
    kkt_residual: float
    status: str
    iterations: int
    kept: Any = None
    remark: str = ""


@dataclass(frozen=True)
class LowerMethod:
    """A named way to solve the lower level."""

    name: str
    refusal: Callable[[ConvexClustering], str | None]
    solve: Callable[[ConvexClustering, Request], Outcome]


def _solve_exact(model: ConvexClustering, request: Request) -> Outcome:
    solution = exact.solve_exact(model)
    primal = model.primal(solution.X)
    return Outcome(
        X=solution.X,
        make_dual=solution.make_dual,
        partition=solution.partition,
        objective=primal,
        gap=solution.absolute_gap / (1.0 + abs(primal)),
        kkt_residual=solution.kkt_residual,
        status="optimal",
        iterations=0,
    )


def _solve_ssnal(model: ConvexClustering, request: Request) -> Outcome:
    workspace = request.kept if isinstance(request.kept, Workspace) else None
    solution = ssnal.solve_ssnal(
        model, request.tol, request.start, workspace, request.max_iterations, request.deadline
    )
    return _measured(
        model,
        solution.X,
        solution.Z,
        request.tol,
        status_if_short=solution.status,
        iterations=solution.admm_steps + solution.newton_steps,
        kept=solution.workspace,
        remark=solution.workspace.remark if solution.workspace else "",
    )


def _solve_clarabel(model: ConvexClustering, request: Request) -> Outcome:
    program = request.kept if isinstance(request.kept, ConicProgram) else None
    seconds = request.deadline - time.perf_counter()
    solution = solve_clarabel(
        model, request.tol, request.max_iterations, max(seconds, 1e-3), program
    )
    return _measured(
        model,
        solution.X,
        solution.Z,
        request.tol,
        status_if_short=solution.status_if_short,
        iterations=solution.iterations,
        kept=solution.program,
    )


def _measured(
    model: ConvexClustering,
    X: FloatArray,
    Z: FloatArray,
    tol: float,
    status_if_short: str,
    iterations: int,
    kept: Any,
    remark: str = "",
) -> Outcome:
    """Measure a primal-dual pair the same way whichever solver made it."""
    gap, residual = model.gap(X, Z), model.kkt_residual(X, Z)
    return Outcome(
        X=X,
        make_dual=partial(np.asarray, Z),
        partition=prove_partition(model, X, Z),
        objective=model.primal(X),
        gap=gap,
        kkt_residual=residual,
        status="optimal" if max(gap, residual) <= tol else status_if_short,
        iterations=iterations,
        kept=kept,
        remark=remark,
    )


def _takes_all(model: ConvexClustering) -> None:
    """Refuse no model."""


# In the order in which "auto" tries them, the fastest first (scripts/benchmark_lower.py).
LOWER_METHODS = {
    method.name: method
    for method in (
        LowerMethod("exact", exact.refusal, _solve_exact),
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
