"""Continuation: a single-level reformulation is solved for a sequence of decreasing parameters.

(BL1) is solved along a schedule of stages from one start after another. (BL2) is solved as a
sequence of (BL1) with decreasing budgets: eps = 0 is feasible for a relaxed (BL2), and its stages
would not leave it. The eps of every stage is evaluated by the lower level itself.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from bilad.formulations.reformulations import contract
from bilad.formulations.schedule import Schedule, ScheduleStage
from bilad.formulations.single_level import SingleLevel
from bilad.models.learning.learning_model import state_gap
from bilad.models.problem import NO_ONE, BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.result import Stage
from bilad.solvers.bilevel.scaling import Scaling
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.nlp import NlpResult, NlpStatus

STILL = 1e-4  # of the radius: eps has stopped moving
REACH = 2.5  # widths: the kernel of a pair that is farther apart is below 0.002
MOST_ROWS = 500  # a model with more rows is not opened if another is open already
FRACTIONS = (0.3, 0.1, 0.03, 0.01)  # of the limit: budgets at which a first attack is looked for
SHRINK, SLOWER, LEAST_CUT = 0.5, 2.5, 4e-4  # of the budget: see `Continuation._shrink`
REOPEN = 0.3  # of the radius: a model for a smaller budget is written again, in its own scale


class Session(Protocol):
    """A model that is open in a solver: `IpoptSession` or `PyomoSession`."""

    @property
    def engine(self) -> str:
        """The name of the solver."""

    @property
    def version(self) -> str:
        """Its version."""

    def solve(self, time_limit: float | None = None) -> NlpResult:
        """Solve from the current values within so many seconds."""


@dataclass
class ContinuationState:
    """A single-level model that is open in IPOPT, and is written again when a block splits.

    Parameters
    ----------
    scaling : Scaling
    formulate : callable(problem, baseline, contraction=..., observed=...)
    contraction : {"none", "observed", "neighbours"}
    open_session : callable(model)
        Opens the model in a solver.
    reach : float
        In units of length: pairs of rows that stay farther apart are left out of the model.
    lower : LowerLevel
    trace : Trace
    """

    scaling: Scaling
    formulate: Callable[..., SingleLevel]
    contraction: str
    open_session: Callable[[Any], Session]
    reach: float
    lower: LowerLevel
    trace: Trace
    observed: list[Any] = field(default_factory=list)
    radius: float = 1.0
    _spent: tuple[float, float] = (0.0, 0.0)  # seconds of writing and opening, not yet recorded

    def open(self) -> None:
        """Write the model and open it in the solver."""
        scaling, baseline, began = self.scaling, self.lower.baseline, time.perf_counter()
        self.formulation = self.formulate(
            scaling.problem,
            scaling.scale_solution(baseline),
            contraction=self.contraction,
            observed=self.observed,
            reach=self.reach,
        )
        written = time.perf_counter()
        self.session = self.open_session(self.formulation.model)
        self.formulation.set_radius(self.radius)
        self.trace.engine = f"{self.session.engine} {self.session.version}"
        self._spent = (written - began, time.perf_counter() - written)
        self.seconds = sum(self._spent)

    @property
    def rows(self) -> int:
        """The number of rows of the state that the model distinguishes."""
        block_of = self.formulation.block_of
        return self.lower.problem.model.n if block_of is None else int(block_of.max()) + 1

    def observe(self, eps: FloatArray) -> bool:
        """Write the model again if it does not represent the lower level at the user's eps.

        Returns whether it was written again: with blocks that are split where they are apart, and
        with the pairs that have come within reach.
        """
        solution = self.scaling.scale_solution(self.lower.solve(eps))
        if self.formulation.represents(solution, self.reach):
            return False
        self.observed.append(solution)
        self.open()
        return True

    def set_radius(self, radius: float) -> None:
        """Bound eps by a share of the radius for which the model was written."""
        self.radius = radius
        self.formulation.set_radius(radius)

    def start(self, eps: FloatArray, stage: ScheduleStage) -> None:
        """Start the next solve at the lower level's solution at the user's eps."""
        self.observe(eps)
        self.formulation.set_stage(stage)
        scaling, solution = self.scaling, self.lower.solve(eps)
        self.formulation.start_from(scaling.scale_eps(eps), scaling.scale_solution(solution))

    def solve(self, stage: ScheduleStage) -> FloatArray:
        """Solve one stage from the model's current values; return, score and record its eps."""
        self.formulation.set_stage(stage)
        left = self.lower.seconds_left()
        result = self.session.solve(time_limit=left if np.isfinite(left) else None)
        eps = self.scaling.unscale_eps(self.formulation.eps())
        evaluation = self.lower.evaluate(eps)
        violation = self.formulation.violation() if result.status.has_point else None
        if self.trace.paths:
            self.trace.paths[-1].append(eps)
        budget = self.radius * self.scaling.given.radius
        block_of = self.formulation.block_of
        self.trace.record(
            Stage(
                name=f"budget {budget:.6g}, t = {stage.relaxation:.3g}, width = {stage.width:.3g}",
                claimed=result.objective,
                eps=eps,
                deviation=evaluation.deviation,
                engine_status=_named(result),
                iterations=result.iterations or 0,
                seconds=result.seconds,
                lower_gap=None if violation is None else self._lower_gap(eps),
                violation=violation,
                blocks=None if block_of is None else self.rows,
                writing=self._spent[0],
                opening=self._spent[1],
                evaluating=result.evaluating,
            )
        )
        self._spent = (0.0, 0.0)
        return eps

    def _lower_gap(self, eps: FloatArray) -> float | None:
        """Return how far the NLP's state is from optimal for its eps, by the lower level's dual."""
        scaling, solution = self.scaling, self.lower.solve(eps)
        model = scaling.given.perturbation.apply(scaling.given.model, eps)
        state = scaling.unscale_state(self.formulation.state(solution.state))
        return state_gap(model, state, solution)


def _named(result: NlpResult) -> str:
    """Return the status, with the words of a solver that has failed in its own way."""
    foreign = result.status is NlpStatus.FOREIGN_EXCEPTION
    return f"{result.status.value}: {result.message}" if foreign else result.status.value


PathFollower = Callable[[ContinuationState, FloatArray, Schedule], FloatArray]


def follow_warm_started(
    model: ContinuationState, eps: FloatArray, schedule: Schedule
) -> FloatArray:
    """Start the first stage at a lower-level solution, and each other stage at the last point.

    After a stage at whose eps a block splits, the next stage starts at the lower-level solution.
    """
    for number, stage in enumerate(schedule.stages):
        if number == 0 or model.observe(eps):
            model.start(eps, stage)
        eps = model.solve(stage)
    return eps


def follow_with_renewals(renewals: int) -> PathFollower:
    """Return a walk that renews the model of the value function where the last NLP ended.

    Each NLP starts from the smoothed lower level's solution, which is feasible for it. A stage ends
    when eps stops moving, at latest after so many renewals.
    """

    def follow(model: ContinuationState, eps: FloatArray, schedule: Schedule) -> FloatArray:
        problem = model.scaling.given
        for stage in schedule.stages:
            for _ in range(renewals):
                model.start(eps, stage)
                previous, eps = eps, model.solve(stage)
                moved = problem.size(eps - previous)
                if moved <= STILL * min(1.0, stage.width) * problem.radius:
                    break
        return eps

    return follow


@dataclass
class Continuation:
    """A reformulation of the problem of `lower`, followed from start to start.

    Parameters
    ----------
    lower : LowerLevel
    trace : Trace
    formulate : callable
        Writes the single-level model, as `Formulation` does.
    follow : PathFollower
        Solves the stages one after another; returns the last eps.
    schedules : sequence of Schedule
        Each from loose to tight. The starts take them in turn.
    slack : callable(width, smoothing)
        The relaxation t that belongs to a width.
    contractions : sequence of {"none", "observed", "neighbours"}
        The starts take them in turn.
    open_session : callable(model)
        Opens a model in a solver.
    sampled : ndarray, shape (s, k)
        The eps at which the lower level is solved to see which rows are equal.
    """

    lower: LowerLevel
    trace: Trace
    formulate: Callable[..., SingleLevel]
    follow: PathFollower
    schedules: Sequence[Schedule]
    slack: Callable[[float, float], float]
    contractions: Sequence[str]
    open_session: Callable[[Any], Session]
    sampled: FloatArray

    def run(self, points: list[FloatArray]) -> None:
        """Solve from each start, one after another."""
        problem, trace = self.lower.problem, self.trace
        trace.paths = []
        schedules, contractions = self.schedules, self.contractions
        # With equal numbers of both, all pairs of a schedule and a contraction have their turn.
        turns = [
            (
                schedules[(i + i // len(contractions)) % len(schedules)],
                contractions[i % len(contractions)],
            )
            for i in range(len(points))
        ]
        trace.expected = sum(len(schedule.stages) for schedule, _ in turns)
        self._samples = [self.lower.solve(eps) for eps in self.sampled]
        leading, models = problem.largest_deviation(), dict[str, ContinuationState]()
        for point, (schedule, contraction) in zip(points, turns, strict=True):
            trace.paths.append([])
            if contraction not in models and models and not self._is_cheap(contraction, models):
                contraction = contractions[0]
            if contraction not in models:
                models[contraction] = self._open(leading, contraction)
            self.follow(models[contraction], point, schedule)
            if leading is not problem:
                self._shrink(point, contraction)

    def _is_cheap(self, contraction: str, models: Mapping[str, ContinuationState]) -> bool:
        """Return whether opening a model takes at most a quarter of the time that is left.

        The time is extrapolated from the first model by the number of pairs of rows.
        """
        problem, known = self.lower.problem, models[self.contractions[0]]
        rows = problem.model.n
        if contraction != "none":
            outcomes = [self.lower.baseline.outcome, *(s.outcome for s in self._samples)]
            rows = int(contract(problem.model, problem, outcomes, contraction).max()) + 1
        seconds = known.seconds * (rows / known.rows) ** 2
        return rows <= MOST_ROWS and seconds <= self.lower.seconds_left() / 4

    @property
    def schedule(self) -> Schedule:
        """The schedule of the first start."""
        return self.schedules[0]

    def _open(self, problem: BilevelProblem, contraction: str) -> ContinuationState:
        scaling = Scaling.of(problem)
        model = ContinuationState(
            scaling,
            self.formulate,
            contraction,
            self.open_session,
            REACH * self.schedule.stages[0].width,
            self.lower,
            self.trace,
            [scaling.scale_solution(solution) for solution in self._samples],
        )
        model.open()
        return model

    def _shrink(self, point: FloatArray, contraction: str) -> None:
        """Solve (BL1) within smaller and smaller budgets, for as long as there are attacks.

        The budget is c times the size of the best attack so far: c stays while attacks are found,
        and 1 - c is divided by 2.5 when none is.
        """
        lower, problem = self.lower, self.lower.problem
        for fraction in FRACTIONS:
            if best_returned(lower, self.trace) is not None:
                break
            model = self._open(
                problem.within(fraction * problem.radius).largest_deviation(), contraction
            )
            self.follow(model, model.scaling.given.project(point), self.schedule)
        best = best_returned(lower, self.trace)
        c, opened, failed = SHRINK, None, 0.0
        while best is not None and 1 - c > LEAST_CUT:
            target = problem.shortened(best.size, c)
            if problem.is_binary and target in (failed, NO_ONE):
                break
            if opened is None or target < REOPEN * opened.scaling.given.radius:
                opened = self._open(problem.within(best.size).largest_deviation(), contraction)
            opened.set_radius(target / opened.scaling.given.radius)
            for start, schedule in self._attempts(opened, best, c):
                self.follow(opened, start, schedule)
                new = best_returned(lower, self.trace)
                if new is not None and new.size <= target * (1 + 1e-9):
                    best = new
                    break
            else:
                c, failed = 1 - (1 - c) / SLOWER, target

    def _attempts(
        self, model: ContinuationState, best: Evaluation, c: float
    ) -> Iterator[tuple[FloatArray, Schedule]]:
        """Return starts within c times the size of an attack, each with its schedule."""
        scaled = model.scaling.scale_eps(best.eps)
        moved = model.scaling.problem.operator("data") @ scaled / model.formulation.unit
        change = float(np.linalg.norm(moved)) or float(np.linalg.norm(scaled))
        width = min(max((1 - c) * change, 1e-4), 0.05)
        ladder = ((min(0.5, 10 * width), 0.3), (min(0.3, 3 * width), 0.2), (width, 0.1))
        stages = tuple(ScheduleStage(self.slack(w, share), w, share) for w, share in ladder)
        yield c * best.eps, Schedule(stages)
        if c <= 0.9:
            yield np.zeros_like(best.eps), self.schedule


def best_returned(lower: LowerLevel, trace: Trace) -> Evaluation | None:
    """Return the best attack among a method's own answers, or None."""
    if trace.paths is None:
        return lower.best
    best = None
    for eps in itertools.chain(*trace.paths):
        seen = lower.known(eps)
        best = seen if seen is not None and lower.is_better(seen, best) else best
    return best
