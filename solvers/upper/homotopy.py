"""The homotopy of a reformulation: starts, stages, and what each stage's point is worth."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bilad.formulations.schedule import Schedule, ScheduleStage
from bilad.formulations.single_level import SingleLevel
from bilad.models.bilevel import BilevelProblem
from bilad.models.learning_model import state_gap
from bilad.models.validation import FloatArray
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.termination import TIME_LIMIT, BudgetSpentError
from bilad.solvers.upper.frame import Scaling
from bilad.solvers.upper.journal import Trace
from bilad.solvers.upper.lower_level import Evaluation, LowerLevel
from bilad.solvers.upper.result import Stage

# Options that keep IPOPT near a start that is nearly optimal already.
CLOSE_START = {"tol": 1e-4, "mu_init": 1e-3, "bound_push": 1e-4, "bound_frac": 1e-4}
BOUNDS_PER_STAGE = 2  # of the value function, renewed at one slack
STILL = 1e-4  # of the radius: eps has stopped moving


@dataclass
class ContinuationState:
    """One reformulation opened for the stages of one homotopy."""

    scaling: Scaling
    formulation: SingleLevel
    session: IpoptSession
    lower: LowerLevel
    trace: Trace

    def start_from(self, eps: FloatArray) -> None:
        """Start the next solve at the lower level's solution at the user's eps."""
        solution = self.lower.solve(eps)
        self.formulation.start_from(
            self.scaling.scale_eps(eps), self.scaling.scale_solution(solution)
        )

    def solve(self, stage: ScheduleStage) -> FloatArray:
        """Solve one stage from the model's current values; return, score and record its eps."""
        self.formulation.set_stage(stage)
        left = self.lower.seconds_left()
        result = self.session.solve(time_limit=left if np.isfinite(left) else None)
        eps = self.scaling.unscale_eps(self.formulation.eps())
        evaluation = self.lower.evaluate(eps)
        model = type(self.scaling.given).__name__
        violation = self.formulation.violation() if result.status.has_point else None
        if self.trace.walks:
            self.trace.walks[-1].append(eps)
        self.trace.record(
            Stage(
                name=f"{model}, t = {stage.relaxation:g}, width = {stage.width:g}",
                claimed=result.objective,
                eps=eps,
                deviation=evaluation.deviation,
                engine_status=result.status.value,
                iterations=result.iterations or 0,
                seconds=result.seconds,
                lower_gap=None if violation is None else self._lower_gap(eps),
                violation=violation,
            )
        )
        return eps

    def _lower_gap(self, eps: FloatArray) -> float | None:
        """Return how far the NLP's state is from optimal for its eps, by the lower level's dual."""
        scaling, solution = self.scaling, self.lower.solve(eps)
        model = scaling.given.perturbation.apply(scaling.given.model, eps)
        state = scaling.unscale_state(self.formulation.state(solution.state))
        return state_gap(model, state, solution)


Walk = Callable[[ContinuationState, FloatArray, Schedule], FloatArray]


def follow_warm_started(
    state: ContinuationState, eps: FloatArray, schedule: Schedule
) -> FloatArray:
    """Start at a lower-level solution; then each stage starts where the last one ended."""
    state.start_from(eps)
    for stage in schedule.stages:
        eps = state.solve(stage)
    return eps


def follow_with_updated_bounds(
    state: ContinuationState, eps: FloatArray, schedule: Schedule
) -> FloatArray:
    """Renew the value function's bound where the last NLP ended, until eps stops moving.

    Each NLP starts from a lower-level solution, which is feasible for it.
    """
    problem = state.scaling.given
    for stage in schedule.stages:
        for _ in range(BOUNDS_PER_STAGE):
            state.start_from(eps)
            previous, eps = eps, state.solve(stage)
            if problem.size(eps - previous) <= STILL * problem.radius:
                break
    return eps


@dataclass(frozen=True)
class Continuation:
    """A reformulation of the problem of `lower`, and the way it is walked.

    Parameters
    ----------
    formulate : callable(problem, baseline)
        Makes the reformulation, from the solution at eps = 0.
    walk : Walk
        Solves the stages one after another; returns the last eps.
    schedule, refinement : Schedule
        From loose to tight; and, for (BL2), tight from the beginning.
    ipopt_options : mapping
    opening : float
        At most so many times as long as the formulation takes to build, IPOPT takes to open it.
    """

    lower: LowerLevel
    trace: Trace
    formulate: Callable[[BilevelProblem, Any], SingleLevel]
    walk: Walk
    schedule: Schedule
    refinement: Schedule
    ipopt_options: Mapping[str, Any]
    opening: float

    def run(self, points: list[FloatArray]) -> None:
        """Walk the schedule from each point.

        For (BL2) a loose relaxation is met at eps = 0 and leads nowhere. So look first for an
        attack within the largest eps searched, (BL1); then solve (BL2) itself from the shortest
        that a stage has found, tightly.
        """
        problem, trace = self.lower.problem, self.trace
        leading = problem.largest_deviation()
        trace.walks = []
        trace.expected = len(points) * len(self.schedule.stages)
        if leading is problem:
            self._walk_from(points, self.schedule, problem, self.ipopt_options)
            return
        trace.expected += len(self.refinement.stages)
        self._walk_from(points, self.schedule, leading, self.ipopt_options)
        best = best_returned(self.lower, trace)
        if best is not None:
            options = {**self.ipopt_options, **CLOSE_START}
            self._walk_from([best.eps], self.refinement, problem, options)

    def _walk_from(
        self,
        points: list[FloatArray],
        schedule: Schedule,
        problem: BilevelProblem,
        options: Mapping[str, Any],
    ) -> None:
        state = self._open(problem, options)
        for point in points:
            assert self.trace.walks is not None
            self.trace.walks.append([])
            self.walk(state, point, schedule)

    def _open(self, problem: BilevelProblem, options: Mapping[str, Any]) -> ContinuationState:
        """Open a reformulation, unless that is expected to take longer than there is time.

        It cannot be stopped: the expressions are differentiated in compiled code.
        """
        scaling, baseline, began = Scaling.of(problem), self.lower.baseline, time.perf_counter()
        formulation = self.formulate(scaling.problem, scaling.scale_solution(baseline))
        if self.opening * (time.perf_counter() - began) > self.lower.seconds_left():
            raise BudgetSpentError(TIME_LIMIT)
        session = IpoptSession(formulation.model, options)
        self.trace.engine = f"{session.engine} {session.version}"
        return ContinuationState(scaling, formulation, session, self.lower, self.trace)


def best_returned(lower: LowerLevel, trace: Trace) -> Evaluation | None:
    """Return the best attack among a method's own answers, or None."""
    if trace.walks is None:
        return lower.best
    best = None
    for eps in itertools.chain(*trace.walks):
        seen = lower.known(eps)
        best = seen if seen is not None and lower.is_better(seen, best) else best
    return best
