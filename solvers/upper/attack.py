"""`attack`: solve a bilevel problem by a method chosen by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.black_box import ClustererError
from bilad.models.validation import ArgumentError, one_of, seconds_limit, whole_number
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import corners, direct, exact, milp
from bilad.solvers.upper.auto import best_method
from bilad.solvers.upper.bounding import EFFORTS, bound_afterwards
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE
from bilad.solvers.upper.gradient import GRADIENT
from bilad.solvers.upper.journal import Journal
from bilad.solvers.upper.learner import QueryLearner, Solution
from bilad.solvers.upper.lower_level import BudgetSpentError, Evaluation, LowerLevel
from bilad.solvers.upper.method import FunctionMethod, UpperMethod, refusal, takes_every
from bilad.solvers.upper.reformulation import REFORMULATIONS
from bilad.solvers.upper.result import Attack

CONFIRMATIONS = 8  # attacks, best first, that are solved again until one is confirmed


UPPER_METHODS: dict[str, UpperMethod] = {
    "exact": FunctionMethod(exact.refusal, exact.prepare, needs_white_box=True),
    "direct": FunctionMethod(direct.refusal, direct.prepare),
    "corners": FunctionMethod(takes_every, corners.prepare_coordinates),
    "random": FunctionMethod(takes_every, corners.prepare_random),
    **DERIVATIVE_FREE,
    **GRADIENT,
    **REFORMULATIONS,
    "milp": FunctionMethod(milp.refusal, milp.prepare, needs_white_box=True),
}


def attack(
    problem: BilevelProblem,
    method: str = "kkt",
    seed: int = 0,
    time_limit: float | None = None,
    max_solves: int | None = None,
    *,
    lower: str = "auto",
    tol: float = 1e-8,
    bound: str = "quick",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Attack:
    """Look for the best perturbation.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    method : str, default "kkt"
        One of `bilad.solvers.upper.UPPER_METHODS`; docs/attacks.md says what each is good for.
        "auto" takes what has measured best for a problem of this kind; `found.method` names it.
    seed : int, default 0
        Of the random starts, if the method has any.
    time_limit : float, optional
        Seconds; none if infinite, as in `cluster`.
    max_solves : int, optional
        Lower-level solves; 0 returns eps = 0.
    lower, tol
        Method and tolerance of the lower level, as in `cluster`; not for black boxes.
    bound : {"quick", "tight", "none"}, default "quick"
        The proved bound, where the method has none of its own: `optimum_bound`. It is sought after
        the search, beyond its limits, for a second or some: `found.seconds_bounding`. "quick" has
        none for n > 500, "tight" may take minutes; none for black boxes.
    on_progress : callable(done, total), optional
    **options
        The method's own, keyword arguments of its `prepare`, where they are documented;
        `UPPER_METHODS[method].options` lists them.

    Returns
    -------
    Attack
        Always, once the arguments are accepted; also when a limit or Ctrl-C came first.

    Raises
    ------
    ArgumentError
        If an argument is wrong, before any work.
    UnsupportedError
        If the method cannot take the problem; the message names those that can.
    EngineError
        If the method needs IPOPT and none can be started.
    ClustererError
        If a black box does not answer at eps = 0, or not twice alike.
    """
    method, chosen = _choose(problem, method, options)
    one_of(bound, "bound", EFFORTS)
    limit = seconds_limit(time_limit, "time_limit", least=0)
    most = None if max_solves is None else whole_number(max_solves, "max_solves", least=0)
    rng = np.random.default_rng(whole_number(seed, "seed", least=0))
    work = chosen.prepare(problem, rng, **options)
    oracle = LowerLevel(problem, lower, tol, most, limit)
    journal = Journal(on_progress)
    status = "feasible"
    try:
        work(oracle, journal)
    except BudgetSpentError as limit_met:
        status = str(limit_met)
    except KeyboardInterrupt:
        status = "interrupted"
    except ClustererError as error:
        status = f"error: {error}"
    return _result(method, oracle, journal, status, bound)


def _choose(
    problem: BilevelProblem, method: str, options: dict[str, Any]
) -> tuple[str, UpperMethod]:
    if not isinstance(problem, BilevelProblem):
        raise ArgumentError("problem", type(problem).__name__, "MaxDeviation or MinPerturbation")
    if one_of(method, "method", ["auto", *UPPER_METHODS]) == "auto":
        method = best_method(problem, UPPER_METHODS)
    chosen = UPPER_METHODS[method]
    for name in options:
        one_of(name, f"option of method {method!r}", chosen.options)
    reason = refusal(chosen, problem)
    if reason is not None:
        able = [name for name, other in UPPER_METHODS.items() if refusal(other, problem) is None]
        raise UnsupportedError(method, reason, able)
    return method, chosen


def _result(method: str, oracle: LowerLevel, journal: Journal, status: str, effort: str) -> Attack:
    """Report the best eps, and only what the lower level says when solved there once more."""
    problem = oracle.problem
    try:
        best, clustering = _confirmed(oracle)
    except ClustererError as error:
        best, clustering, status = _nothing(oracle), oracle.baseline, f"error: {error}"
    deviation = problem.deviation.value(oracle.baseline.labels, clustering.labels)
    seconds, seconds_bounding, bound = time.perf_counter() - oracle.began, 0.0, journal.bound
    if bound is not None and problem.refutes(bound, best.size, deviation):
        bound = None
    if bound is None and status != "interrupted":
        bound, seconds_bounding = bound_afterwards(problem, oracle.baseline, effort)
    if status == "feasible":
        claimed = bound if journal.bounds_all else None
        status = _grade(problem, best.size, deviation, claimed, clustering.proved)
    return Attack(
        problem=problem,
        method=method,
        eps=best.eps,
        norm=best.size,
        deviation=deviation,
        baseline=oracle.baseline,
        clustering=clustering,
        bound=bound,
        status=status,
        lower_solves=oracle.solves,
        undecided=oracle.undecided,
        seconds=seconds,
        seconds_solving=oracle.seconds_solving,
        seconds_bounding=seconds_bounding,
        history=tuple(oracle.history),
        stages=tuple(journal.stages),
        engine=journal.engine,
    )


def _confirmed(oracle: LowerLevel) -> tuple[Evaluation, Solution]:
    """Return the best attack that a tighter solve confirms, and that solve; eps = 0 without one.

    An eps within rounding of a step can be an attack by one solve and undecided by the next: then
    the next best is looked at. If none of a few is confirmed, the best stands, unproved.
    """
    problem = oracle.problem
    attacks = [seen for seen in oracle.history if oracle.counts(seen)]
    attacks.sort(key=lambda seen: problem.rank(seen.size, seen.deviation), reverse=True)
    first: tuple[Evaluation, Solution] | None = None
    for seen in attacks[:CONFIRMATIONS] or [_nothing(oracle)]:
        began = time.perf_counter()
        clustering = oracle.learner.confirm(seen.eps)
        oracle.seconds_solving += time.perf_counter() - began
        first = first or (seen, clustering)
        deviation = problem.deviation.value(oracle.baseline.labels, clustering.labels)
        if clustering.proved and deviation == seen.deviation:
            return seen, clustering
        if isinstance(oracle.learner, QueryLearner):
            raise oracle.learner.contradiction(seen.eps)
    assert first is not None
    return first


def _nothing(oracle: LowerLevel) -> Evaluation:
    zero = np.zeros(oracle.problem.perturbation.dim)
    return Evaluation(zero, 0.0, 0.0, oracle.baseline.proved, 0, 0.0)


def _grade(
    problem: BilevelProblem, size: float, deviation: float, bound: float | None, proved: bool
) -> str:
    """Return the status of what no limit cut short."""
    if size == 0:
        none = bound is not None and problem.excludes(bound)
        return "no attack exists" if none else "no attack found"
    if not proved:
        return "unproved"
    if bound is not None and problem.attains(bound, size, deviation):
        return "optimal"
    return "feasible"
