"""`cluster`: solve the lower level by a method chosen by name, and prove what can be proved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    real_number,
    seconds_limit,
    whole_number,
)
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import Partition, nothing_proved, prove_partition
from bilad.solvers.clustering.methods import (
    LOWER_METHODS,
    LowerMethod,
    Measure,
    Outcome,
    Request,
    choose_lower_method,
    measured,
)
from bilad.solvers.clustering.parametric.exact_labels import exact_labels, is_decidable
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.unit_scale import UnitScale, unit_scale

TIGHTENING = 1e-2  # each attempt's tolerance over the last one's
LEAST_TOL = 1e-14  # of an attempt to prove labels
CENTRAL_TOL = 1e-12  # of an interior-point solution that is to prove labels
COARSE_TOL = 1e-6  # of the first attempt, where labels are all that is asked
LIMITS = ("iteration limit", "time limit")


class InterruptedSolveError(KeyboardInterrupt):
    """An interrupt from the keyboard during a solve; `clustering` is what was found."""

    def __init__(self, clustering: Clustering) -> None:
        super().__init__()
        self.clustering = clustering


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
        from its X and Z, with its penalty and factorisations, and once more without them where
        that falls short; Clarabel reuses its program.
    max_iterations : int, default 1000
        Steps of ADMM and Newton (SSNAL) or of the interior-point method (Clarabel), for each
        attempt.
    time_limit : float, default inf
        Seconds, for the proof of the labels too: what it does not reach is undecided.
    refine : bool, default False
        If labels are not proved at `tol`, tighten the tolerance until they are, or until that does
        not help; then `remark` says why not.
    labels_only : bool, default False
        Stop as soon as the labels are proved, perhaps before `tol` is reached. The status is then
        "labels proved". (SSNAL.)

    Returns
    -------
    Clustering
        Always, once the arguments are accepted. If a limit, a fault or an interrupt from the
        keyboard came first, the best so far with its true gap, and what happened in `status`.

    Raises
    ------
    ArgumentError
        If an argument is wrong, before any work.
    UnsupportedError
        If the method cannot take the model.
    """
    try:
        return solve_lower(
            model, method, tol, start, max_iterations, time_limit, refine, labels_only
        )
    except InterruptedSolveError as stop:
        return stop.clustering


def solve_lower(
    model: ConvexClustering,
    method: str = "auto",
    tol: float = 1e-8,
    start: Clustering | None = None,
    max_iterations: int = 1000,
    time_limit: float = float("inf"),
    refine: bool = False,
    labels_only: bool = False,
) -> Clustering:
    """Do what `cluster` does, for callers with more work to stop: an interrupt is theirs too.

    Raises
    ------
    InterruptedSolveError
        A `KeyboardInterrupt` that holds the clustering so far.
    """
    began = time.perf_counter()
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    scale = unit_scale(model)
    chosen = choose_lower_method(scale.model, method)
    _check_start(model, start)
    tol = real_number(tol, "tol", above=0.0)
    time_limit = seconds_limit(time_limit, "time_limit", above=0)
    request = Request(
        tol,
        None if start is None or chosen.name != "ssnal" else scale.enter(start.X, start.Z),
        None if start is None else start.kept,
        whole_number(max_iterations, "max_iterations", least=1),
        began + time_limit,
        scale.one,
    )
    labels_only = labels_only and chosen.name == "ssnal"
    return Run(scale, chosen, request, began).result(lambda run: run.solve(refine, labels_only))


def _check_start(model: ConvexClustering, start: Clustering | None) -> None:
    if start is None:
        return
    if not isinstance(start, Clustering):
        raise ArgumentError("start", type(start).__name__, "a Clustering")
    if not start.model.graph.has_edges_of(model.graph):
        raise ArgumentError("start", "a solution on another graph", "one on the model's own graph")
    if start.model.d != model.d:
        raise ArgumentError("start", f"a solution with d = {start.model.d}", f"d = {model.d}")


class Run:
    """One solve: attempts at one tolerance after the other, and the best outcome so far.

    Parameters
    ----------
    scale : UnitScale
        The model, and that in which it is solved.
    chosen : LowerMethod
    request : Request
        In the unit.
    began : float
        Value of `time.perf_counter()`.
    """

    def __init__(
        self, scale: UnitScale, chosen: LowerMethod, request: Request, began: float
    ) -> None:
        self._scale, self._model, self._method = scale, scale.model, chosen
        self._request, self._began = request, began
        self._best = _trivial(scale.model)
        self._spent = 0
        self._labels_only = False

    def result(self, work: Callable[[Run], None]) -> Clustering:
        """Do some work on this run; return what has come of it, whatever happens.

        Raises
        ------
        InterruptedSolveError
            After an interrupt from the keyboard, with the result.
        """
        try:
            work(self)
            return self.clustering()
        except KeyboardInterrupt:
            raise InterruptedSolveError(self._ended("interrupted")) from None
        except BaseException as fault:
            # A panic of Clarabel is no Exception; the other ones that are none are the caller's.
            if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
                raise
            return self._ended(f"error: {type(fault).__name__}: {fault}")

    def solve(
        self,
        refine: bool,
        labels_only: bool = False,
        first: Callable[[], Outcome] | None = None,
    ) -> None:
        """Solve at one tolerance after the other, until nothing is left to ask.

        Parameters
        ----------
        refine, labels_only : bool
            As in `cluster`.
        first : callable, optional
            Makes the first attempt in place of the method.
        """
        method, request = self._method, self._request
        self._labels_only = labels_only
        for count, tol in enumerate(_tolerances(request.tol, refine, labels_only)):
            asked = replace(request, tol=tol)
            outcome = self._from_start(asked, first) if count == 0 else self._attempt(asked)
            outcome = self._with_proof(outcome)
            better = len(outcome.partition.undecided) < len(self._best.partition.undecided)
            if count == 0 or tol >= request.tol or better:
                self._best = outcome
            if outcome.status in LIMITS or outcome.partition.proved or method.name == "exact":
                break
            if method.name == "ssnal":
                request = replace(request, start=(outcome.X, outcome.make_dual()))
            request = replace(request, kept=outcome.kept)
        if refine and method.name == "ssnal":
            self._prove_centrally(request)
        self._decide_ties(refine)
        if refine and not self._best.partition.proved:
            self._best = replace(self._best, remark=_why_not_proved(self._best))

    def _attempt(self, request: Request) -> Outcome:
        outcome = self._method.solve(self._model, request)
        self._spent += outcome.iterations
        return outcome

    def _from_start(self, request: Request, first: Callable[[], Outcome] | None) -> Outcome:
        """Make the first attempt; if a start has led nowhere, make it once more without."""
        if first is not None:
            outcome = first()
            self._spent += outcome.iterations
        else:
            outcome = self._attempt(request)
        self._best = outcome
        if request.start is None or outcome.status == "time limit":
            return outcome
        # Capacities that were cut off are not in the method's own measure.
        is_whole = self._model.graph is self._scale.given.graph
        if outcome.status == "optimal" and (is_whole or self._error(outcome) <= request.tol):
            return outcome
        afresh = self._attempt(replace(request, start=None, kept=outcome.kept))
        return min(outcome, afresh, key=self._error)

    def _with_proof(self, outcome: Outcome) -> Outcome:
        if outcome.measure is not None:  # it has brought its own
            return outcome
        Z, deadline = outcome.make_dual(), self._request.deadline
        return replace(outcome, partition=prove_partition(self._model, outcome.X, Z, deadline))

    def _error(self, outcome: Outcome) -> float:
        measure = measured(self._model, outcome, outcome.X)
        beyond = self._scale.beyond_capacity(outcome.X)
        gap = self._scale.relative_square(measure.gap + beyond, measure.primal + beyond)
        return max(gap, self._scale.relative(measure.residual, self._norm))

    @property
    def _norm(self) -> float:
        return float(np.linalg.norm(self._model.data))

    def _prove_centrally(self, request: Request) -> None:
        """Prove the labels from an interior-point solution, whose Z leaves capacity unused.

        Where the dual solution is not unique, SSNAL's may lie on the boundary of the solutions, and
        prove nothing.
        """
        best = self._best
        if best.partition.proved or best.status == "time limit":
            return
        asked = replace(request, tol=CENTRAL_TOL, kept=None)
        central = self._with_proof(LOWER_METHODS["clarabel"].solve(self._model, asked)).partition
        if len(central.undecided) < len(best.partition.undecided):
            remark = "labels from an interior-point solution"
            self._best = replace(best, partition=central, remark=remark)

    def _decide_ties(self, refine: bool) -> None:
        """Decide in exact arithmetic what floating point cannot, where that is affordable."""
        best, given = self._best, self._scale.given
        cheap = given.graph.uniform_weight is not None  # sorting, no cuts
        if best.partition.proved or best.status == "time limit" or not (refine or cheap):
            return
        labels = exact_labels(given, self._request.deadline) if is_decidable(given) else None
        if labels is not None:
            partition = Partition(labels, np.empty((0, 2), dtype=np.int64))
            remark = "ties decided in exact arithmetic"
            self._best = replace(best, partition=partition, remark=remark)

    def clustering(self, status: str | None = None) -> Clustering:
        """Return the best outcome, measured, in the unit of the data."""
        scale, best = self._scale, self._best
        X = scale.leave_primal(_component_means(self._model, best))
        in_unit, _ = scale.enter(X, np.empty((0, 1)))  # as it is rounded
        measure = measured(self._model, best, in_unit)
        beyond = scale.beyond_capacity(in_unit)
        primal = measure.primal + beyond
        gap = scale.relative_square(measure.gap + beyond, primal)
        residual = scale.relative(measure.residual, self._norm)
        return Clustering(
            model=scale.given,
            method=self._method.name,
            X=X,
            partition=best.partition,
            objective=scale.leave_square(primal),
            gap=gap,
            kkt_residual=residual,
            status=status or self._status(max(gap, residual)),
            iterations=self._spent,
            seconds=time.perf_counter() - self._began,
            make_dual=partial(_dual, scale.exponent, best.make_dual),
            remark=best.remark,
            kept=best.kept,
        )

    def _status(self, error: float) -> str:
        if error <= self._request.tol:
            return "optimal"
        if self._labels_only and self._best.partition.proved:
            return "labels proved"
        return self._best.status if self._best.status != "optimal" else "inaccurate"

    def _ended(self, status: str) -> Clustering:
        """Return the best outcome so far after what the status says, measured where possible."""
        try:
            return self.clustering(status)
        except (ArithmeticError, MemoryError):
            unknown = Measure(np.inf, np.inf, np.inf)
            self._best = replace(_trivial(self._model), measure=unknown)
            return self.clustering(status)


def _tolerances(tol: float, refine: bool, labels_only: bool) -> Iterator[float]:
    coarse = COARSE_TOL
    while labels_only and coarse > tol:
        yield coarse
        coarse *= TIGHTENING
    yield tol
    while refine and tol > LEAST_TOL:
        tol = max(TIGHTENING * tol, LEAST_TOL)
        yield tol


def _why_not_proved(outcome: Outcome) -> str:
    reason = outcome.partition.why or "a tie to rounding"
    why = f"labels not proved, and a tighter tolerance does not help: {reason}"
    return "; ".join(filter(None, [outcome.remark, why]))


def _trivial(model: ConvexClustering) -> Outcome:
    """Return the data and no flow, with nothing proved."""
    make_dual = partial(np.zeros, (model.graph.m, model.d))
    return Outcome(model.data, make_dual, nothing_proved(model.n), "inaccurate", 0)


def _dual(exponent: int, make_dual: Callable[[], FloatArray]) -> FloatArray:
    """Return Z in the unit of the data."""
    with np.errstate(over="ignore"):
        return np.asarray(np.ldexp(make_dual(), exponent))


def _component_means(model: ConvexClustering, outcome: Outcome) -> FloatArray:
    """Return X; the means of the graph's components where each is proved to be one cluster."""
    labels = outcome.partition.labels
    if not outcome.partition.proved or labels.max() >= len(labels) - 1:
        return outcome.X
    if model.graph.uniform_weight is not None:  # its edges need not be made
        components = np.zeros_like(labels)
        fused = labels.max() == 0 and model.gamma * model.graph.uniform_weight > 0
    else:
        joined = model.radii > 0
        ends = labels[model.graph.edges[joined]]
        fused = bool((ends[:, 0] == ends[:, 1]).all())
        components = model.graph.components(joined) if fused else labels
    return block_means(model.data, components)[components] if fused else outcome.X
