"""`cluster`: solve the lower level by a method chosen by name, and prove what can be proved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import ArgumentError, FloatArray, one_of, real_number, whole_number
from bilad.solvers.certificates.partition import prove_partition
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.lower import exact, ssnal
from bilad.solvers.lower.clarabel import solve_clarabel
from bilad.solvers.lower.result import Clustering


@dataclass(frozen=True)
class Request:
    """What every method is asked for besides the model."""

    tol: float
    start: Clustering | None
    max_iterations: int
    time_limit: float


@dataclass(frozen=True)
class LowerMethod:
    """A named way to solve the lower level."""

    name: str
    refusal: Callable[[ConvexClustering], str | None]
    solve: Callable[[ConvexClustering, Request], dict[str, Any]]


def _run_exact(model: ConvexClustering, request: Request) -> dict[str, Any]:
    solution = exact.solve_exact(model)
    X = solution.X
    primal = model.primal(X)
    return {
        "X": X,
        "make_dual": solution.make_dual,
        "partition": solution.partition,
        "objective": primal,
        "gap": solution.absolute_gap / (1.0 + abs(primal)),
        "kkt_residual": solution.kkt_residual,
        "status": "optimal",
        "iterations": 0,
    }


def _run_ssnal(model: ConvexClustering, request: Request) -> dict[str, Any]:
    start = None
    if request.start is not None:
        start = request.start.X, request.start.Z
    deadline = time.perf_counter() + request.time_limit
    iterate = ssnal.solve_ssnal(
        model, request.tol, start, None, request.max_iterations, deadline
    )
    steps = iterate.admm_steps + iterate.newton_steps
    return _measured(model, iterate.X, iterate.Z, iterate.status, steps, request)


def _run_clarabel(model: ConvexClustering, request: Request) -> dict[str, Any]:
    solution = solve_clarabel(model, request.tol, request.max_iterations, request.time_limit)
    return _measured(
        model, solution.X, solution.Z, solution.status_if_short, solution.iterations, request
    )


def _measured(
    model: ConvexClustering,
    X: FloatArray,
    Z: FloatArray,
    status_if_short: str,
    iterations: int,
    request: Request,
) -> dict[str, Any]:
    """Measure a primal-dual pair the same way whichever solver made it."""
    gap, residual = model.gap(X, Z), model.kkt_residual(X, Z)
    solved = gap <= request.tol and residual <= request.tol
    return {
        "X": X,
        "make_dual": lambda: Z,
        "partition": prove_partition(model, X, Z),
        "objective": model.primal(X),
        "gap": gap,
        "kkt_residual": residual,
        "status": "optimal" if solved else status_if_short,
        "iterations": iterations,
    }


def _unproved(model: ConvexClustering) -> str | None:
    if model.p != 2 and model.d > 1:
        return f"labels are proved for p = 2 (any p if d = 1), the model has p = {model.p:g}"
    return None


LOWER_METHODS = {
    method.name: method
    for method in (
        LowerMethod("exact", exact.refusal, _run_exact),
        LowerMethod("ssnal", _unproved, _run_ssnal),
        LowerMethod("clarabel", _unproved, _run_clarabel),
    )
}


def refusal(model: ConvexClustering) -> str | None:
    """Say why no method can take the model, or None."""
    reasons = [method.refusal(model) for method in LOWER_METHODS.values()]
    return None if None in reasons else reasons[-1]


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
    if method == "auto" and able:
        return able[0]
    chosen = LOWER_METHODS["ssnal" if method == "auto" else method]
    reason = chosen.refusal(model)
    if reason is not None:
        raise UnsupportedError(method, reason, [candidate.name for candidate in able])
    return chosen


def _check_start(model: ConvexClustering, start: Clustering | None) -> None:
    if start is None:
        return
    if not isinstance(start, Clustering):
        raise ArgumentError("start", type(start).__name__, "a Clustering")
    if start.model.graph is not model.graph:
        raise ArgumentError("start", "a solution on another graph", "one on the model's own graph")
    if start.model.d != model.d:
        raise ArgumentError("start", f"a solution with d = {start.model.d}", f"d = {model.d}")


def cluster(
    model: ConvexClustering,
    method: str = "auto",
    tol: float = 1e-8,
    start: Clustering | None = None,
    max_iterations: int = 1000,
    time_limit: float = float("inf"),
) -> Clustering:
    """Solve a convex clustering model.

    Parameters
    ----------
    model : ConvexClustering
        With p = 2, or d = 1 and any p.
    method : {"auto", "exact", "ssnal", "clarabel"}
        "exact" needs d = 1 and a complete graph with equal weights; "auto" takes it where it can
        and SSNAL elsewhere.
    tol : float, default 1e-8
        Largest relative duality gap and largest relative KKT residual, both.
    start : Clustering, optional
        A solution of a model of the same shape and graph, as a warm start (SSNAL uses it).
    max_iterations : int, default 1000
        Newton systems (SSNAL) or interior-point steps (Clarabel).
    time_limit : float, default inf
        Seconds.

    Returns
    -------
    Clustering
        Always; when a limit came first, the best so far with its true gap and a status.

    Raises
    ------
    ArgumentError
        If an argument is wrong, before any work.
    UnsupportedError
        If the method cannot take the model.
    """
    began = time.perf_counter()
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    chosen = choose_lower_method(model, method)
    _check_start(model, start)
    limit = (
        float("inf")
        if time_limit == float("inf")
        else real_number(time_limit, "time_limit", above=0)
    )
    request = Request(
        real_number(tol, "tol", above=0.0),
        start,
        whole_number(max_iterations, "max_iterations", 1),
        limit,
    )
    outcome = chosen.solve(model, request)
    return Clustering(
        model=model, method=chosen.name, seconds=time.perf_counter() - began, **outcome
    )
