"""Continuation: a single-level reformulation is solved for a sequence of decreasing parameters.

Each stage of a schedule fixes the relaxation parameter and the smoothing width. The eps of every
stage is evaluated by the lower level itself.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bilad.formulations.schedule import Schedule, ScheduleStage
from bilad.formulations.single_level import SingleLevel
from bilad.models.learning.learning_model import state_gap
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.result import Stage
from bilad.solvers.bilevel.scaling import Scaling
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.termination import TIME_LIMIT, BudgetSpentError

# Options with which IPOPT remains close to a start that is almost optimal.
CLOSE_START = {"tol": 1e-4, "mu_init": 1e-3, "bound_push": 1e-4, "bound_frac": 1e-4}
BOUNDS_PER_STAGE = 2  # largest number of value-function bounds that are used with one slack
STILL = 1e-4  # change of eps, relative to the radius, at which a stage has converged


@dataclass
class ContinuationState:
    """A reformulation that is loaded into IPOPT, and the objects that solve its stages."""

    scaling: Scaling
    formulation: SingleLevel
    session: IpoptSession
    lower: LowerLevel
    trace: Trace

    def start_from(self, eps: FloatArray) -> None:
        """Set the initial point of the next solve to the lower-level solution at the user's eps."""
        solution = self.lower.solve(eps)
        self.formulation.start_from(
            self.scaling.scale_eps(eps), self.scaling.scale_solution(solution)
        )

    def solve(self, stage: ScheduleStage) -> FloatArray:
        """Solve one stage from the current point; evaluate, record and return its eps."""
        self.formulation.set_stage(stage)
        left = self.lower.seconds_left()
        result = self.session.solve(time_limit=left if np.isfinite(left) else None)
        eps = self.scaling.unscale_eps(self.formulation.eps())
        evaluation = self.lower.evaluate(eps)
        model = type(self.scaling.given).__name__
        violation = self.formulation.violation() if result.status.has_point else None
        if self.trace.paths:
            self.trace.paths[-1].append(eps)
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
        """Return the duality gap of the NLP's lower-level variables at its eps."""
        scaling, solution = self.scaling, self.lower.solve(eps)
        model = scaling.given.perturbation.apply(scaling.given.model, eps)
        state = scaling.unscale_state(self.formulation.state(solution.state))
        return state_gap(model, state, solution)


# Solves the stages of a schedule from a starting eps; returns the last eps.
PathFollower = Callable[[ContinuationState, FloatArray, Schedule], FloatArray]


def follow_warm_started(
    state: ContinuationState, eps: FloatArray, schedule: Schedule
) -> FloatArray:
    """Start the first stage at a lower-level solution, and each other stage at the last point."""
    state.start_from(eps)
    for stage in schedule.stages:
        eps = state.solve(stage)
    return eps


def follow_with_updated_bounds(
    state: ContinuationState, eps: FloatArray, schedule: Schedule
) -> FloatArray:
    """Update the bound on the value function at the last eps until eps converges.

    Each NLP starts at a lower-level solution, which is feasible for it.
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
    """The continuation for the problem of a `LowerLevel`.

    Parameters
    ----------
    formulate : callable(problem, baseline)
        Writes the reformulation, given the lower-level solution at eps = 0.
    follow : PathFollower
    schedule, refinement : Schedule
        Stages with decreasing parameters; for (BL2), the refinement has small parameters from its
        first stage on.
    ipopt_options : mapping
    opening : float
        Largest ratio of the time in which IPOPT loads the formulation to the time in which it is
        written.
    """

    lower: LowerLevel
    trace: Trace
    formulate: Callable[[BilevelProblem, Any], SingleLevel]
    follow: PathFollower
    schedule: Schedule
    refinement: Schedule
    ipopt_options: Mapping[str, Any]
    opening: float

    def run(self, points: list[FloatArray]) -> None:
        """Follow the schedule from each point.

        For (BL2), eps = 0 is feasible for a loose relaxation, and the stages would not leave it.
        The schedule is therefore applied to (BL1), the largest deviation within the limit. The
        refinement is then applied to (BL2) from the smallest attack that a stage has found.
        """
        problem, trace = self.lower.problem, self.trace
        leading = problem.largest_deviation()
        trace.paths = []
        trace.expected = len(points) * len(self.schedule.stages)
        if leading is problem:
            self._follow_from(points, self.schedule, problem, self.ipopt_options)
            return
        trace.expected += len(self.refinement.stages)
        self._follow_from(points, self.schedule, leading, self.ipopt_options)
        best = best_returned(self.lower, trace)
        if best is not None:
            options = {**self.ipopt_options, **CLOSE_START}
            self._follow_from([best.eps], self.refinement, problem, options)

    def _follow_from(
        self,
        points: list[FloatArray],
        schedule: Schedule,
        problem: BilevelProblem,
        options: Mapping[str, Any],
    ) -> None:
        state = self._open(problem, options)
        for point in points:
            assert self.trace.paths is not None
            self.trace.paths.append([])
            self.follow(state, point, schedule)

    def _open(self, problem: BilevelProblem, options: Mapping[str, Any]) -> ContinuationState:
        """Load a reformulation into IPOPT, if the time left is expected to be sufficient.

        Loading cannot be interrupted, since compiled code differentiates the expressions.
        """
        scaling, baseline, began = Scaling.of(problem), self.lower.baseline, time.perf_counter()
        formulation = self.formulate(scaling.problem, scaling.scale_solution(baseline))
        if self.opening * (time.perf_counter() - began) > self.lower.seconds_left():
            raise BudgetSpentError(TIME_LIMIT)
        session = IpoptSession(formulation.model, options)
        self.trace.engine = f"{session.engine} {session.version}"
        return ContinuationState(scaling, formulation, session, self.lower, self.trace)


def best_returned(lower: LowerLevel, trace: Trace) -> Evaluation | None:
    """Return the best attack among the points that a method returned, or None."""
    if trace.paths is None:
        return lower.best
    best = None
    for eps in itertools.chain(*trace.paths):
        seen = lower.known(eps)
        best = seen if seen is not None and lower.is_better(seen, best) else best
    return best
