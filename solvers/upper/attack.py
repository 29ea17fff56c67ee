"""`attack` solves a bilevel problem by a method that is chosen by its name."""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from bilad.models.learning.capability import CapabilityError
from bilad.models.learning.learning_model import LearningModelError, solve
from bilad.models.learning.learning_model import bound as prove_bound
from bilad.models.problem import BilevelProblem, check_problem
from bilad.models.registry import Registry
from bilad.models.validation import (
    ArgumentError,
    boolean,
    did_you_mean,
    one_of,
    seconds_limit,
    seed_number,
    whole_number,
)
from bilad.solvers.bilevel.continuation import best_returned
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.recomputation import Recomputation
from bilad.solvers.bilevel.result import Attack, Point
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import (
    CONVERGED,
    INTERRUPTED,
    SOLVE_LIMIT,
    TIME_LIMIT,
    overall,
    termination_of,
)
from bilad.solvers.upper import greedy, grid_search, milp, parametric, vertex_search
from bilad.solvers.upper.auto import automatic_method
from bilad.solvers.upper.closing import CLOSINGS, LEAST_SOLVES, close
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE
from bilad.solvers.upper.gradient import GRADIENT
from bilad.solvers.upper.method import (
    FunctionMethod,
    UpperMethod,
    new_method,
    refusal,
    takes_every,
)
from bilad.solvers.upper.overflow import check_magnitudes
from bilad.solvers.upper.reformulation import REFORMULATIONS

# A step may exceed the time limit by this share of it plus this number of seconds.
GRACE = (0.05, 0.25)
BOUNDING = 0.2  # share of the time left that a bound before the search may take
CLOSING = 0.2  # share of the time left after the bound that is reserved for closing
ENDED = (CONVERGED, SOLVE_LIMIT, TIME_LIMIT)  # terminations of a method that closing may follow
EFFORTS = ("none", "quick", "tight")

UPPER_METHODS: Registry[UpperMethod] = Registry(
    "bilad.methods",
    UpperMethod,
    {
        "exact": FunctionMethod(
            parametric.refusal, parametric.prepare, ("ray_steps",), has_bound=True
        ),
        "direct": FunctionMethod(grid_search.refusal, grid_search.prepare),
        "greedy": FunctionMethod(greedy.refusal, greedy.prepare),
        "corners": FunctionMethod(takes_every, vertex_search.prepare_coordinates),
        "random": FunctionMethod(takes_every, vertex_search.prepare_random),
        **DERIVATIVE_FREE,
        **GRADIENT,
        **REFORMULATIONS,
        "milp": FunctionMethod(milp.refusal, milp.prepare, ("write_milp",), has_bound=True),
    },
)


def register_method(name: str, prepare: Callable[..., Runner], **about: Any) -> None:
    """Register a new method, which `attack` then accepts by its name.

    Alternatively, an installed package declares an entry point of the group "bilad.methods" for an
    object that `bilad.solvers.upper.new_method` returned.

    Parameters
    ----------
    name : str
    prepare : callable(problem, rng, **options)
        As in `bilad.solvers.upper.new_method`.
    **about
        `refusal`, `needs` and `has_bound`, as in `bilad.solvers.upper.new_method`.

    Raises
    ------
    ArgumentError
        If the name is already registered, or an argument does not define a method.
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
    progress: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Attack:
    """Search for the best perturbation of a bilevel problem.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
    method : str, default "auto"
        One of `bilad.solvers.upper.UPPER_METHODS`, which docs/attacks.md describes. "auto" is
        "exact" or the method for counts if they can be applied, of which `found.method` is the
        name, and otherwise several methods in turn, which `found.stages` lists.
    seed : int, default 0
        Seed of the random starts and samples of the method and of closing.
    time_limit : float, optional
        Limit in seconds on the whole computation with the bound; no limit if infinite, as in
        `cluster`. docs/attacks.md lists the computations that cannot be interrupted.
    max_solves : int, optional
        Largest number of lower-level solves; with 0, eps = 0 is returned. If None, five million,
        so that their history fits into memory.
    lower, tol
        Method and tolerance of the lower level, as in `cluster`.
    bound : {"quick", "tight", "none"}, default "quick"
        Effort for the proved bound on the optimum, if the method computes none itself. "quick"
        computes it before the search, which is omitted if the bound proves that no attack exists;
        it is not available for n > 500. "tight" computes it after the search and may take minutes.
        A learning model without the capability `bound` has none.
    closing : {"none", "ray", "search"}, default "search"
        Local search with the true deviation after the method, from the points that the method
        returned: none; a search along rays; or also a search by coordinates. It uses at most 1000
        solves or as many as the method, within what the method leaves of `max_solves`; a fifth of
        the time limit is reserved for it. It is omitted after Ctrl-C, after an error, and if the
        method's own bound is attained. `found.own` is the result without it.
    progress : bool, default False
        Show a progress bar on the standard error stream.
    on_progress : callable(done, total), optional
        Called during the method; an exception that it raises ends the search.
    **options
        Options of the method, which `UPPER_METHODS[method].options` lists. They are documented with
        the function that implements the method.

    Returns
    -------
    Attack
        Whenever the arguments are accepted; `found.termination` is the reason why the search ended.

    Raises
    ------
    ArgumentError
        If an argument is wrong; this is checked before any computation.
    UnsupportedError
        If the method cannot be applied to the problem; the message names the methods that can.
    EngineError
        If the method needs IPOPT, which cannot be started.
    LearningModelError
        If the learning model fails at eps = 0, or if a model without proofs returns two different
        outcomes there.
    """
    method, chosen = _choose(problem, method, options)
    one_of(bound, "bound", EFFORTS)
    one_of(closing, "closing", CLOSINGS)
    if not callable(on_progress):
        raise ArgumentError("on_progress", type(on_progress).__name__, "a callable(done, total)")
    boolean(progress, "progress")
    seconds = seconds_limit(time_limit, "time_limit", least=0)
    most = None if max_solves is None else whole_number(max_solves, "max_solves", least=0)
    rng = np.random.default_rng(seed_number(seed))
    check_magnitudes(problem)
    method_run = chosen.prepare(problem, rng, **options)
    with _progress_bar(method, on_progress) if progress else nullcontext(on_progress) as report:
        steps = _Steps(LowerLevel(problem, lower, tol, most, seconds), Trace(report), seconds)
        steps.search(method_run, "none" if chosen.has_bound else bound, closing, rng)
        return steps.result(method, bound, closing)


@contextmanager
def _progress_bar(
    method: str, on_progress: Callable[[int, int], None]
) -> Iterator[Callable[[int, int], None]]:
    """Show a bar, and yield a function that moves it and calls `on_progress`."""
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(method, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            on_progress(done, total)

        yield report
        if bar.tasks[task].total is None:  # the method reports no progress
            bar.update(task, completed=1, total=1)


def _choose(
    problem: BilevelProblem, method: str, options: dict[str, Any]
) -> tuple[str, UpperMethod]:
    check_problem(problem)
    solve.require(problem.model)
    if one_of(method, "method", ["auto", *UPPER_METHODS]) == "auto":
        method, chosen = automatic_method(problem, UPPER_METHODS)
    else:
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
    known = ", ".join(map(repr, chosen.options)) or "none"
    meant = did_you_mean(name, [*own, *chosen.options])
    expected = f"one of {', '.join(own)}, or of method {method!r}, which are {known}{meant}"
    return ArgumentError("keyword", repr(name), expected)


class _Steps:
    """The steps of one attack, which do not raise: the termination of each is stored."""

    def __init__(self, lower: LowerLevel, trace: Trace, seconds: float) -> None:
        self.lower, self.trace = lower, trace
        self.grace = GRACE[0] * seconds + GRACE[1]
        self.seconds_bounding = 0.0
        self.bound: float | None = None
        self.own: Evaluation | None = None
        self.closing_solves, self.closing_seconds = 0, 0.0
        self.endings: list[str] = []

    def search(self, run: Runner, effort: str, closing: str, rng: np.random.Generator) -> None:
        """Solve at eps = 0, compute a quick bound, and run the method unless no attack exists."""
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
        self._run(lambda: run(lower, self.trace), end, raising=(CapabilityError,))
        lower.deadline = deadline
        self.own = best_returned(lower, self.trace)
        if closing != "none" and self.endings[-1] in ENDED and not self._is_solved():
            self._close(closing, rng)

    def _is_solved(self) -> bool:
        """Return whether the method's own bound is attained."""
        bound, own = self.trace.bound, self.own
        if bound is None or not self.trace.bounds_all:
            return False
        if own is None:
            return self.lower.problem.excludes(bound)
        return self.lower.problem.attains(bound, own.size, own.deviation)

    def _close(self, closing: str, rng: np.random.Generator) -> None:
        """Run closing within what the method has left of the limits."""
        lower, solves, began = self.lower, self.lower.solves, time.perf_counter()
        trace = self.trace
        most, given = solves + max(LEAST_SOLVES, solves), lower.max_solves
        lower.max_solves = most if given is None else min(given, most)
        step = functools.partial(close, lower, trace, closing, rng)
        ending = termination_of(step, lower.deadline + self.grace - began)
        lower.max_solves = given
        # The limit on the solves of closing is not a limit that the user has set.
        self.endings += [] if ending == SOLVE_LIMIT and lower.solves != given else [ending]
        self.closing_solves = lower.solves - solves
        self.closing_seconds = time.perf_counter() - began

    def result(self, method: str, effort: str, closing: str) -> Attack:
        """Recompute the best attack, and return the result."""
        lower, trace, problem = self.lower, self.trace, self.lower.problem
        end = lower.deadline + 2 * self.grace
        self._run(lambda: lower.best_solution, end)  # a solve, if the best eps was only evaluated
        answer = Recomputation(lower)
        self._run(lambda: answer.run(end), end)
        size, deviation = answer.best.size, answer.deviation
        seconds = time.perf_counter() - lower.began
        # Two accurate solutions can differ by the uncertainty, which refutes no bound.
        least = deviation - answer.uncertainty() if size > 0 else 0.0
        bound = _unrefuted(problem, trace.bound, size, least)
        if bound is None:
            if self.bound is None and INTERRUPTED not in self.endings:
                self._seek_bound(effort, lower.deadline)
            bound = _unrefuted(problem, self.bound, size, least)
        claimed = bound if trace.bounds_all else None
        proved = all(map(problem.is_proved, (answer.baseline, answer.solution)))
        status = _grade(problem, size, deviation, claimed, proved)
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
        """Compute the bound until a given time; without sufficient time there is no bound."""
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
        lower.began += seconds  # the time of the bound is not part of the time of the search

    def _run(
        self,
        step: Callable[[], object],
        end: float,
        raising: tuple[type[Exception], ...] = (),
    ) -> None:
        """Run a step until a given time, and store its termination."""
        self.endings.append(termination_of(step, end - time.perf_counter(), raising))


def _unrefuted(
    problem: BilevelProblem, bound: float | None, size: float, deviation: float
) -> float | None:
    """Return the bound, or None if the attack contradicts it."""
    return None if bound is None or problem.refutes(bound, size, deviation) else bound


def _grade(
    problem: BilevelProblem, size: float, deviation: float, bound: float | None, proved: bool
) -> str:
    """Return the status of a result."""
    if size == 0:
        none = bound is not None and problem.excludes(bound)
        return "no attack exists" if none else "no attack found"
    if not (proved and problem.is_attack(size, deviation)):
        return "unproved"
    if bound is not None and problem.attains(bound, size, deviation):
        return "optimal"
    return "feasible"
