"""`attack`: solve a bilevel problem by a method chosen by name."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.capability import CapabilityError
from bilad.models.learning_model import LearningModelError, solve
from bilad.models.learning_model import bound as prove_bound
from bilad.models.registry import Registry
from bilad.models.validation import ArgumentError, one_of, seconds_limit, whole_number
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import (
    CONVERGED,
    INTERRUPTED,
    SOLVE_LIMIT,
    TIME_LIMIT,
    overall,
    termination_of,
)
from bilad.solvers.upper import corners, direct, exact, milp
from bilad.solvers.upper.auto import best_method
from bilad.solvers.upper.closing import CLOSINGS, LEAST_SOLVES, close
from bilad.solvers.upper.confirmation import Confirmation
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE
from bilad.solvers.upper.gradient import GRADIENT
from bilad.solvers.upper.homotopy import best_returned
from bilad.solvers.upper.journal import Runner, Trace
from bilad.solvers.upper.lower_level import Evaluation, LowerLevel
from bilad.solvers.upper.magnitudes import check_magnitudes
from bilad.solvers.upper.method import (
    FunctionMethod,
    UpperMethod,
    new_method,
    refusal,
    takes_every,
)
from bilad.solvers.upper.reformulation import REFORMULATIONS
from bilad.solvers.upper.result import Attack, Point

GRACE = (0.05, 0.25)  # of the limit, and seconds: what each step may go beyond it
BOUNDING = 0.2  # of the time left, for a bound before the search
CLOSING = 0.2  # of the time left then, which is kept for closing
ENDED = (CONVERGED, SOLVE_LIMIT, TIME_LIMIT)  # how a method ends that closing may go on from
EFFORTS = ("none", "quick", "tight")

UPPER_METHODS: Registry[UpperMethod] = Registry(
    "bilad.methods",
    UpperMethod,
    {
        "exact": FunctionMethod(exact.refusal, exact.prepare, ("ray_steps",), has_bound=True),
        "direct": FunctionMethod(direct.refusal, direct.prepare),
        "corners": FunctionMethod(takes_every, corners.prepare_coordinates),
        "random": FunctionMethod(takes_every, corners.prepare_random),
        **DERIVATIVE_FREE,
        **GRADIENT,
        **REFORMULATIONS,
        "milp": FunctionMethod(milp.refusal, milp.prepare, ("write_milp",), has_bound=True),
    },
)


def register_method(name: str, prepare: Callable[..., Runner], **about: Any) -> None:
    """Add a method of your own, which `attack` then knows by its name.

    An installed package can offer a method by an entry point of the group "bilad.methods" instead,
    that names what `bilad.solvers.upper.new_method` returns.

    Parameters
    ----------
    name : str
    prepare : callable(problem, rng, **options)
    **about
        `refusal`, `needs` and `has_bound`, as in `bilad.solvers.upper.new_method`.

    Raises
    ------
    ArgumentError
        If the name is taken, or what is given is no method.
    """
    UPPER_METHODS.register(name, new_method(prepare, **about))


def attack(
    problem: BilevelProblem,
    method: str = "auto",
    seed: int = 0,
    time_limit: float | None = None,
    max_solves: int | None = None,
    *,
    lower: str = "auto",
    tol: float = 1e-8,
    bound: str = "quick",
    closing: str = "search",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Attack:
    """Look for the best perturbation.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    method : str, default "auto"
        One of `bilad.solvers.upper.UPPER_METHODS`; docs/attacks.md says what each is good for.
        "auto" takes what has measured best for a problem of this kind; `found.method` names it.
    seed : int, default 0
        Of the random starts, if the method has any.
    time_limit : float, optional
        Seconds for everything, the bound included; none if infinite, as in `cluster`. What cannot
        be interrupted is listed in docs/attacks.md.
    max_solves : int, optional
        Lower-level solves; 0 returns eps = 0.
    lower, tol
        Method and tolerance of the lower level, as in `cluster`.
    bound : {"quick", "tight", "none"}, default "quick"
        The proved bound, where the method has none of its own: `optimum_bound`. "quick" is sought
        before the search, which is left out if the bound says that there is no attack; there is
        none for n > 500. "tight" is sought after the search, and may take minutes. None if the
        learning model has no `bound`.
    closing : {"none", "ray", "search"}, default "search"
        What is done on the true staircase after the method's own work, from the points that it
        returned: nothing; a search along rays; or that and a search by coordinates, of at most
        1000 solves, or as many as the method took. Of `max_solves` it has what the method leaves,
        of the time limit a fifth is kept for it. Not done after Ctrl-C or an error, nor if the
        method's own bound is met. `found.own` is what was found without it.
    on_progress : callable(done, total), optional
        An exception that it raises ends the search.
    **options
        The method's own, keyword arguments of its `prepare`, where they are documented;
        `UPPER_METHODS[method].options` lists them.

    Returns
    -------
    Attack
        Always, once the arguments are accepted: `found.termination` says what ended the search.

    Raises
    ------
    ArgumentError
        If an argument is wrong, before any work.
    UnsupportedError
        If the method cannot take the problem; the message names those that can.
    EngineError
        If the method needs IPOPT and none can be started.
    LearningModelError
        If the model does not answer at eps = 0; if it proves nothing, or not twice alike.
    """
    method, chosen = _choose(problem, method, options)
    one_of(bound, "bound", EFFORTS)
    one_of(closing, "closing", CLOSINGS)
    if not callable(on_progress):
        raise ArgumentError("on_progress", type(on_progress).__name__, "a callable(done, total)")
    seconds = seconds_limit(time_limit, "time_limit", least=0)
    most = None if max_solves is None else whole_number(max_solves, "max_solves", least=0)
    rng = np.random.default_rng(whole_number(seed, "seed", least=0))
    check_magnitudes(problem)
    work = chosen.prepare(problem, rng, **options)
    run = _Run(LowerLevel(problem, lower, tol, most, seconds), Trace(on_progress), seconds)
    run.search(work, "none" if chosen.has_bound else bound, closing, rng)
    return run.result(method, bound, closing)


def _choose(
    problem: BilevelProblem, method: str, options: dict[str, Any]
) -> tuple[str, UpperMethod]:
    if not isinstance(problem, BilevelProblem):
        raise ArgumentError("problem", type(problem).__name__, "MaxDeviation or MinPerturbation")
    solve.require(problem.model)
    if one_of(method, "method", ["auto", *UPPER_METHODS]) == "auto":
        method = best_method(problem, UPPER_METHODS)
    chosen = UPPER_METHODS[method]
    for name in options:
        if name not in chosen.options:
            raise _unknown_keyword(name, method, chosen)
    reason = refusal(chosen, problem)
    if reason is not None:
        able = [
            name
            for name, other in UPPER_METHODS.usable().items()
            if refusal(other, problem) is None
        ]
        raise UnsupportedError(method, reason, able)
    return method, chosen


def _unknown_keyword(name: str, method: str, chosen: UpperMethod) -> ArgumentError:
    own = [key for key in inspect.signature(attack).parameters if key not in ("problem", "options")]
    near = difflib.get_close_matches(name, [*own, *chosen.options], n=3)
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    known = ", ".join(map(repr, chosen.options)) or "none"
    expected = f"one of attack's own or of method {method!r}; {meant}the latter: {known}"
    return ArgumentError("keyword", repr(name), expected)


class _Run:
    """The steps of one attack, none of which raises: what ended each of them is kept."""

    def __init__(self, lower: LowerLevel, trace: Trace, seconds: float) -> None:
        self.lower, self.trace = lower, trace
        self.grace = GRACE[0] * seconds + GRACE[1]
        self.seconds_bounding = 0.0
        self.bound: float | None = None
        self.own: Evaluation | None = None
        self.closing_solves, self.closing_seconds = 0, 0.0
        self.endings: list[str] = []

    def search(self, work: Runner, effort: str, closing: str, rng: np.random.Generator) -> None:
        """Solve at eps = 0, seek a quick bound, and let the method work, unless it is pointless."""
        lower, end = self.lower, self.lower.deadline + self.grace
        self._run(lambda: lower.baseline, end, raising=(LearningModelError,))
        if effort == "quick":
            now = time.perf_counter()
            self._seek_bound(effort, now + BOUNDING * (lower.deadline - now))
        if self.bound is not None and lower.problem.excludes(self.bound):
            return
        if not lower.has_baseline or INTERRUPTED in self.endings:
            return
        deadline = lower.deadline
        if closing != "none" and math.isfinite(deadline):
            lower.deadline -= CLOSING * max(deadline - time.perf_counter(), 0.0)
        end = lower.deadline + self.grace
        self._run(lambda: work(lower, self.trace), end, raising=(CapabilityError,))
        lower.deadline = deadline
        self.own = best_returned(lower, self.trace)
        if closing != "none" and self.endings[-1] in ENDED and not self._is_solved():
            self._close(closing, rng)

    def _is_solved(self) -> bool:
        """Say whether the method's own bound is attained."""
        bound, own = self.trace.bound, self.own
        if bound is None or not self.trace.bounds_all:
            return False
        if own is None:
            return self.lower.problem.excludes(bound)
        return self.lower.problem.attains(bound, own.size, own.deviation)

    def _close(self, closing: str, rng: np.random.Generator) -> None:
        """Search from what the method returned, with what it has left of the limits."""
        lower, solves, began = self.lower, self.lower.solves, time.perf_counter()
        trace = self.trace
        most, given = solves + max(LEAST_SOLVES, solves), lower.max_solves
        lower.max_solves = most if given is None else min(given, most)
        step = functools.partial(close, lower, trace, closing, rng)
        ending = termination_of(step, lower.deadline + self.grace - began)
        lower.max_solves = given
        # That closing has come to its own limit on solves ends nothing.
        self.endings += [] if ending == SOLVE_LIMIT and lower.solves != given else [ending]
        self.closing_solves = lower.solves - solves
        self.closing_seconds = time.perf_counter() - began

    def result(self, method: str, effort: str, closing: str) -> Attack:
        """Report the best eps, and what the lower level says when solved there once more."""
        lower, trace, problem = self.lower, self.trace, self.lower.problem
        answer, end = Confirmation(lower), lower.deadline + 2 * self.grace
        self._run(lambda: answer.run(end), end)
        size, deviation = answer.best.size, answer.deviation
        seconds = time.perf_counter() - lower.began
        bound = self.bound if trace.bound is None else trace.bound
        if bound is not None and problem.refutes(bound, size, deviation):
            bound = None
        if bound is None and INTERRUPTED not in self.endings:
            self._seek_bound(effort, lower.deadline)
            bound = self.bound
        claimed = bound if trace.bounds_all else None
        status = _grade(problem, size, deviation, claimed, answer.solution.proved)
        return Attack(
            problem=problem,
            method=method,
            eps=answer.best.eps,
            norm=size,
            deviation=deviation,
            baseline=answer.baseline,
            solution=answer.solution,
            own=self._own_point(),
            closing=closing,
            closing_solves=self.closing_solves,
            closing_seconds=self.closing_seconds,
            bound=bound,
            margin=trace.margin(answer.best.eps, deviation),
            status=status if trace.attainable else "unproved",
            termination=overall(self.endings),
            lower_solves=lower.solves,
            undecided=lower.undecided,
            seconds=seconds,
            seconds_solving=lower.seconds_solving,
            seconds_bounding=self.seconds_bounding,
            history=tuple(lower.history),
            stages=tuple(trace.stages),
            engine=trace.engine,
        )

    def _own_point(self) -> Point:
        if self.own is None:
            return Point(np.zeros(self.lower.problem.perturbation.dim), 0.0, 0.0)
        return Point(self.own.eps, self.own.size, self.own.deviation)

    def _seek_bound(self, effort: str, end: float) -> None:
        """Seek a bound until a moment; that there was no time for it is said by its absence."""
        lower, began = self.lower, time.perf_counter()
        problem = lower.problem
        if effort == "none" or not prove_bound.supports(problem.model):
            return

        def step() -> None:
            self.bound = prove_bound(problem.model, problem, lower.baseline, effort)

        ending = termination_of(step, end - began)
        self.endings += [] if ending == TIME_LIMIT else [ending]
        seconds = time.perf_counter() - began
        self.seconds_bounding += seconds
        lower.began += seconds  # a search is timed without it

    def _run(
        self,
        step: Callable[[], object],
        end: float,
        raising: tuple[type[Exception], ...] = (),
    ) -> None:
        """Run a step until a moment, and keep how it ended."""
        self.endings.append(termination_of(step, end - time.perf_counter(), raising))


def _grade(
    problem: BilevelProblem, size: float, deviation: float, bound: float | None, proved: bool
) -> str:
    """Return what is known of an answer."""
    if size == 0:
        none = bound is not None and problem.excludes(bound)
        return "no attack exists" if none else "no attack found"
    if not (proved and problem.is_attack(size, deviation)):
        return "unproved"
    if bound is not None and problem.attains(bound, size, deviation):
        return "optimal"
    return "feasible"
