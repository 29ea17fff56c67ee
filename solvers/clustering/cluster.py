"""`cluster` solves the lower level by a method chosen by name, and proves the labels if it can."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import ThreadpoolController

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    boolean,
    real_number,
    seconds_limit,
    whole_number,
)
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import Partition, nothing_proved, prove_partition
from bilad.solvers.clustering.methods import (
    LOWER_METHODS,
    LowerMethod,
    choose_lower_method,
    measured,
)
from bilad.solvers.clustering.parametric.exact_labels import exact_labels, is_decidable
from bilad.solvers.clustering.result import Clustering, Measure, MethodResult, SolveOptions
from bilad.solvers.clustering.unit_scale import UnitScale, unit_scale

TIGHTENING = 1e-2  # factor between the tolerances of two attempts
LEAST_TOL = 1e-14  # smallest tolerance of an attempt to prove labels
CENTRAL_TOL = 1e-12  # tolerance of the interior-point solution that serves to prove labels
COARSE_TOL = 1e-6  # tolerance of the first attempt if only labels are wanted
# The systems are small: threads of BLAS cost more than they save, in particular on a busy machine.
BLAS = ThreadpoolController()
STARTED = ("interior-point", "ssnal")  # the methods that start from X and Z
LIMITS = ("iteration limit", "time limit")


class InterruptedSolveError(KeyboardInterrupt):
    """An interrupt from the keyboard during a solve; `clustering` is the best result so far."""

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
    method : {"auto", "exact", "interior-point", "ssnal", "clarabel"}
        "exact" needs p = 1, d = 1, or p = inf with d = 2, and a graph that is complete with equal
        weights, a forest, or a union of these. "interior-point" needs p = 2 and d <= 5, or d = 1.
        "auto" uses the first if it can be applied, the second if d <= 2 and there are at most 30
        edges for each point, and otherwise SSNAL.
    tol : float, default 1e-8
        Largest relative duality gap and largest relative KKT residual.
    start : Clustering, optional
        A solution of a model with data of the same shape and the same edges; the weights may
        differ. The interior-point method starts from its blocks of equal rows; SSNAL starts from
        its X and Z with its penalty and factorisations, and a second time from scratch if the
        tolerance is not reached. Clarabel reuses its program.
    max_iterations : int, default 1000
        Steps of ADMM and of Newton's method (SSNAL), or of the interior-point methods, for each
        attempt.
    time_limit : float, default inf
        Seconds, including the proof of the labels. Pairs that the proof does not reach in time are
        undecided.
    refine : bool, default False
        If labels are not proved at `tol`, tighten the tolerance until they are. If that fails,
        `remark` gives the reason.
    labels_only : bool, default False
        SSNAL only: stop as soon as the labels are proved, possibly before `tol` is reached. The
        status is then "labels proved".

    Returns
    -------
    Clustering
        Always, once the arguments are accepted. After a limit, an error or an interrupt from the
        keyboard it holds the best pair so far with its true gap, and `status` gives the reason.

    Raises
    ------
    ArgumentError
        If an argument is wrong; raised before any work.
    UnsupportedError
        If the method cannot solve the model.
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
    """Do the same as `cluster`, but pass an interrupt on to the caller as an exception.

    Raises
    ------
    InterruptedSolveError
        After an interrupt from the keyboard; it holds the best clustering so far.
    """
    began = time.perf_counter()
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    scale = unit_scale(model)
    chosen = choose_lower_method(scale.model, method)
    _check_start(model, start)
    tol = real_number(tol, "tol", above=0.0)
    time_limit = seconds_limit(time_limit, "time_limit", above=0)
    options = SolveOptions(
        tol,
        None if start is None or chosen.name not in STARTED else scale.enter(start.X, start.Z),
        None if start is None else start.reusable,
        whole_number(max_iterations, "max_iterations", least=1),
        began + time_limit,
        scale.reference,
    )
    boolean(refine, "refine")
    labels_only = boolean(labels_only, "labels_only") and chosen.name in STARTED
    return LowerSolve(scale, chosen, options, began).result(
        lambda run: run.solve(refine, labels_only)
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


class LowerSolve:
    """One solve of a model: attempts with decreasing tolerances, and the best result so far.

    Parameters
    ----------
    scale : UnitScale
        The model and the scaled model that is solved.
    chosen : LowerMethod
    options : SolveOptions
        In the scaled unit.
    began : float
        Value of `time.perf_counter()` at the start.
    """

    def __init__(
        self, scale: UnitScale, chosen: LowerMethod, options: SolveOptions, began: float
    ) -> None:
        self._scale, self._model, self._method = scale, scale.model, chosen
        self._options, self._began = options, began
        self._best = _trivial(scale.model)
        self._spent = 0
        self._labels_only = False

    def result(self, work: Callable[[LowerSolve], None]) -> Clustering:
        """Call `work` on this object and return the result, also after an error.

        Raises
        ------
        InterruptedSolveError
            After an interrupt from the keyboard; it holds the result.
        """
        try:
            with BLAS.limit(limits=1, user_api="blas"):
                work(self)
                return self.clustering()
        except KeyboardInterrupt:
            raise InterruptedSolveError(self._ended("interrupted")) from None
        except BaseException as fault:
            # A panic of Clarabel is treated like an Exception, although its type is not a subclass.
            if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
                raise
            return self._ended(f"error: {type(fault).__name__}: {fault}")

    def solve(self, refine: bool, labels_only: bool = False) -> None:
        """Solve with decreasing tolerances until all requirements are met; as for `cluster`."""
        method, options = self._method, self._options
        self._labels_only = labels_only
        for count, tol in enumerate(_tolerances(options.tol, refine, labels_only)):
            current = replace(options, tol=tol)
            outcome = self._first_attempt(current) if count == 0 else self._attempt(method, current)
            outcome = self._with_proof(outcome)
            better = len(outcome.partition.undecided) < len(self._best.partition.undecided)
            if count == 0 or tol >= options.tol or better:
                self._best = outcome
            if outcome.status in LIMITS or outcome.partition.proved or method.name == "exact":
                break
            if method.name in STARTED:
                method = LOWER_METHODS["ssnal"]
                options = replace(options, start=(outcome.X, outcome.make_dual()))
            options = replace(options, reusable=outcome.reusable)
        if refine and self._method.name in STARTED:
            self._prove_by_interior_point(options)
        self._decide_exactly(refine)
        if refine and not self._best.partition.proved:
            self._best = replace(self._best, remark=_why_not_proved(self._best))

    def _attempt(self, method: LowerMethod, options: SolveOptions) -> MethodResult:
        outcome = method.solve(self._model, options)
        self._spent += outcome.iterations
        return outcome

    def _first_attempt(self, options: SolveOptions) -> MethodResult:
        """Make the first attempt; repeat it from scratch if a warm start misses the tolerance."""
        self._best = outcome = self._attempt(self._method, options)
        if options.start is None or outcome.status == "time limit":
            return outcome
        # If `unit_scale` reduced capacities, the error of the given model may be larger.
        is_whole = self._model.graph is self._scale.given.graph
        if outcome.status == "optimal" and (is_whole or self._error(outcome) <= options.tol):
            return outcome
        afresh = self._attempt(
            self._method, replace(options, start=None, reusable=outcome.reusable)
        )
        return min(outcome, afresh, key=self._error)

    def _with_proof(self, outcome: MethodResult) -> MethodResult:
        if outcome.measure is not None or outcome.partition.proved:  # by the method itself
            return outcome
        Z, deadline = outcome.make_dual(), self._options.deadline
        return replace(outcome, partition=prove_partition(self._model, outcome.X, Z, deadline))

    def _error(self, outcome: MethodResult) -> float:
        measure = measured(self._model, outcome, outcome.X)
        beyond = self._scale.beyond_capacity(outcome.X)
        gap = self._scale.relative_square(measure.gap + beyond, measure.primal + beyond)
        return max(gap, self._scale.relative(measure.residual, self._norm))

    @property
    def _norm(self) -> float:
        return float(np.linalg.norm(self._model.data))

    def _prove_by_interior_point(self, options: SolveOptions) -> None:
        """Prove the labels from an interior-point solution.

        If the dual solution is not unique, SSNAL may return a point on the relative boundary of the
        dual optimal set, which does not certify the labels. An interior-point solution leaves
        capacity unused on the edges of fused points.
        """
        best = self._best
        if best.partition.proved or best.status == "time limit":
            return
        central_options = replace(options, tol=CENTRAL_TOL, reusable=None)
        solution = LOWER_METHODS["clarabel"].solve(self._model, central_options)
        central = self._with_proof(solution).partition
        if len(central.undecided) < len(best.partition.undecided):
            remark = "labels from an interior-point solution"
            self._best = replace(best, partition=central, remark=remark)

    def _decide_exactly(self, refine: bool) -> None:
        """Decide undecided pairs in rational arithmetic if that is affordable."""
        best, given = self._best, self._scale.given
        cheap = given.uniform_weight is not None  # needs sorting only, no minimum cuts
        if best.partition.proved or best.status == "time limit" or not (refine or cheap):
            return
        labels = exact_labels(given, self._options.deadline) if is_decidable(given) else None
        if labels is not None:
            partition = Partition(labels, np.empty((0, 2), dtype=np.int64))
            remark = "ties decided in exact arithmetic"
            self._best = replace(best, partition=partition, remark=remark)

    def clustering(self, status: str | None = None) -> Clustering:
        """Return the best result with its errors, in the unit of the data."""
        scale, best = self._scale, self._best
        X = scale.leave_primal(_component_means(self._model, best))
        in_unit, _ = scale.enter(X, np.empty((0, 1)))  # X after rounding
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
            reusable=best.reusable,
        )

    def _status(self, error: float) -> str:
        if error <= self._options.tol:
            return "optimal"
        if self._labels_only and self._best.partition.proved:
            return "labels proved"
        return self._best.status if self._best.status != "optimal" else "inaccurate"

    def _ended(self, status: str) -> Clustering:
        """Return the best result so far with the given status, with its errors if possible."""
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


def _why_not_proved(outcome: MethodResult) -> str:
    reason = outcome.partition.why or "a tie to rounding"
    why = f"labels not proved, and a tighter tolerance does not help: {reason}"
    return "; ".join(filter(None, [outcome.remark, why]))


def _trivial(model: ConvexClustering) -> MethodResult:
    """Return X = A and Z = 0, with nothing proved."""
    make_dual = partial(np.zeros, (model.graph.m, model.d))
    return MethodResult(model.data, make_dual, nothing_proved(model.n), "inaccurate", 0)


def _dual(exponent: int, make_dual: Callable[[], FloatArray]) -> FloatArray:
    """Return Z in the unit of the data."""
    with np.errstate(over="ignore"):
        return np.asarray(np.ldexp(make_dual(), exponent))


def _component_means(model: ConvexClustering, outcome: MethodResult) -> FloatArray:
    """Return X, or the means of the components of the graph if each is proved to be one cluster."""
    labels = outcome.partition.labels
    if not outcome.partition.proved or labels.max() >= len(labels) - 1:
        return outcome.X
    if model.graph.uniform_weight is not None:  # avoids making its edges
        components = np.zeros_like(labels)
        fused = labels.max() == 0 and model.gamma * model.graph.uniform_weight > 0
    else:
        joined, (tails, heads) = model.radii > 0, model.graph.ends
        fused = bool((labels[tails] == labels[heads])[joined].all())
        components = model.graph.components(joined) if fused else labels
    return block_means(model.data, components)[components] if fused else outcome.X
