"""`cluster`: solve the lower level by a method chosen by name, and prove what can be proved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import ArgumentError, real_number, seconds_limit, whole_number
from bilad.solvers.lower.methods import (
    LOWER_METHODS,
    LowerMethod,
    Outcome,
    Request,
    choose_lower_method,
)
from bilad.solvers.lower.result import Clustering
from bilad.solvers.partition.partition import Partition
from bilad.solvers.rational.labels import exact_labels, is_decidable

TIGHTENING = 1e-2  # each attempt's tolerance over the last one's
LEAST_TOL = 1e-14  # of an attempt to prove labels
CENTRAL_TOL = 1e-12  # of an interior-point solution that is to prove labels
COARSE_TOL = 1e-6  # of the first attempt, where labels are all that is asked


def cluster(
    model: ConvexClustering,
    method: str = "auto",
    tol: float = 1e-8,
    start: Clustering | None = None,
    max_iterations: int = 1000,
    time_limit: float = float("inf"),
    refine: bool = False,
    labels_only: bool = False,
) -> Clustering:
    """Solve a convex clustering model.

    Parameters
    ----------
    model : ConvexClustering
    method : {"auto", "exact", "ssnal", "clarabel"}
        "exact" needs p = 1 or d = 1, and a graph that is complete with equal weights, a forest, or
        a union of these; "auto" takes it where it can and SSNAL elsewhere.
    tol : float, default 1e-8
        Largest relative duality gap and largest relative KKT residual, both.
    start : Clustering, optional
        A solution of a model of the same shape and edges, whatever their weights. SSNAL starts
        from its X and Z, with its penalty and factorisations; Clarabel reuses its program.
    max_iterations : int, default 1000
        Steps of ADMM and Newton (SSNAL) or of the interior-point method (Clarabel), for each
        attempt.
    time_limit : float, default inf
        Seconds.
    refine : bool, default False
        If labels are not proved at `tol`, tighten the tolerance until they are, or until that does
        not help; then `remark` says why not.
    labels_only : bool, default False
        Stop as soon as the labels are proved, perhaps before `tol` is reached. The status is then
        "labels proved". (SSNAL.)

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
    tol = real_number(tol, "tol", above=0.0)
    time_limit = seconds_limit(time_limit, "time_limit", above=0)
    request = Request(
        tol,
        None if start is None or chosen.name != "ssnal" else (start.X, start.Z),
        None if start is None else start.kept,
        whole_number(max_iterations, "max_iterations", least=1),
        began + time_limit,
    )
    outcome = _attempts(chosen, model, request, refine, labels_only)
    return Clustering(
        model=model,
        method=chosen.name,
        seconds=time.perf_counter() - began,
        **{name: getattr(outcome, name) for name in Outcome.__dataclass_fields__},
    )


def _check_start(model: ConvexClustering, start: Clustering | None) -> None:
    if start is None:
        return
    if not isinstance(start, Clustering):
        raise ArgumentError("start", type(start).__name__, "a Clustering")
    if not start.model.graph.has_edges_of(model.graph):
        raise ArgumentError("start", "a solution on another graph", "one on the model's own graph")
    if start.model.d != model.d:
        raise ArgumentError("start", f"a solution with d = {start.model.d}", f"d = {model.d}")


def _attempts(
    chosen: LowerMethod,
    model: ConvexClustering,
    request: Request,
    refine: bool,
    labels_only: bool,
) -> Outcome:
    """Solve at one tolerance after the other, each from the last, until nothing is left to ask."""
    best: Outcome | None = None
    spent = 0
    labels_only = labels_only and chosen.name == "ssnal"
    for tol in _tolerances(request.tol, refine, labels_only):
        outcome = chosen.solve(model, replace(request, tol=tol))
        spent += outcome.iterations
        better = best is None or len(outcome.partition.undecided) < len(best.partition.undecided)
        if best is None or tol >= request.tol or better:
            best = outcome
        if outcome.status in ("iteration limit", "time limit") or chosen.name == "exact":
            break
        if outcome.partition.proved:
            break
        if chosen.name == "ssnal":
            request = replace(request, start=(outcome.X, outcome.make_dual()))
        request = replace(request, kept=outcome.kept)
    assert best is not None
    if refine and chosen.name == "ssnal" and not best.partition.proved:
        best = _with_central_proof(model, best, request)
    best = _with_ties_decided(model, best, refine)
    return replace(
        best,
        iterations=spent,
        status=_status(best, request.tol, labels_only),
        remark=_remark(best, refine),
    )


def _with_central_proof(model: ConvexClustering, outcome: Outcome, request: Request) -> Outcome:
    """Prove the labels from an interior-point solution, whose Z leaves capacity unused.

    Where the dual solution is not unique, SSNAL's may lie on the boundary of the solutions, and
    prove nothing.
    """
    if outcome.status == "time limit":
        return outcome
    central = LOWER_METHODS["clarabel"].solve(model, replace(request, tol=CENTRAL_TOL, kept=None))
    if len(central.partition.undecided) >= len(outcome.partition.undecided):
        return outcome
    remark = "labels from an interior-point solution"
    return replace(outcome, partition=central.partition, remark=remark)


def _with_ties_decided(model: ConvexClustering, outcome: Outcome, refine: bool) -> Outcome:
    """Decide in exact arithmetic what floating point cannot, where that is affordable."""
    cheap = model.graph.uniform_weight is not None  # sorting, no cuts
    if outcome.partition.proved or not is_decidable(model) or not (refine or cheap):
        return outcome
    if outcome.status == "time limit":
        return outcome
    nothing = np.empty((0, 2), dtype=np.int64)
    partition = Partition(exact_labels(model), nothing)
    return replace(outcome, partition=partition, remark="ties decided in exact arithmetic")


def _tolerances(tol: float, refine: bool, labels_only: bool) -> Iterator[float]:
    coarse = COARSE_TOL
    while labels_only and coarse > tol:
        yield coarse
        coarse *= TIGHTENING
    yield tol
    while refine and tol > LEAST_TOL:
        tol = max(TIGHTENING * tol, LEAST_TOL)
        yield tol


def _status(outcome: Outcome, tol: float, labels_only: bool) -> str:
    if max(outcome.gap, outcome.kkt_residual) <= tol:
        return "optimal"
    if labels_only and outcome.partition.proved:
        return "labels proved"
    return outcome.status if outcome.status != "optimal" else "inaccurate"


def _remark(outcome: Outcome, refine: bool) -> str:
    if not refine or outcome.partition.proved:
        return outcome.remark
    reason = outcome.partition.why or "a tie to rounding"
    why = f"labels not proved, and a tighter tolerance does not help: {reason}"
    return "; ".join(filter(None, [outcome.remark, why]))
