"""What the methods on a single-level reformulation share: starts, stages, candidates.

Every stage's eps is a candidate, scored by the lower level's own solution: the best is often not
the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.formulations.schedule import Schedule, ScheduleStage
from bilad.formulations.single_level import SingleLevel
from bilad.models.bilevel import BilevelProblem, MinPerturbation
from bilad.models.validation import FloatArray, IntArray, real_array, whole_number
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.upper.journal import Journal
from bilad.solvers.upper.lower_level import LowerLevel
from bilad.solvers.upper.polish import polish
from bilad.solvers.upper.result import Stage

# Options that keep IPOPT near a start that is nearly optimal already.
CLOSE_START = {"tol": 1e-4, "mu_init": 1e-3, "bound_push": 1e-4, "bound_frac": 1e-4}


def starting_points(
    problem: BilevelProblem, start: ArrayLike | None, starts: int, rng: np.random.Generator
) -> list[FloatArray]:
    """Return `start` (zero by default), then random points of the ball up to `starts` in all."""
    k = problem.perturbation.dim
    first = np.zeros(k) if start is None else real_array(np.atleast_1d(start), "start", (k,))
    box = rng.uniform(-problem.radius, problem.radius, (whole_number(starts, "starts", 1) - 1, k))
    return [problem.project(point) for point in [first, *box]]


Walk = Callable[[SingleLevel, IpoptSession, FloatArray, Schedule], FloatArray]


@dataclass(frozen=True)
class Homotopy:
    """A method on a reformulation: how it is written, and how a schedule is walked from a start.

    Parameters
    ----------
    formulate : callable(problem, labels, X)
        Makes the reformulation, from the labels and the solution at eps = 0.
    walk : callable(formulation, session, eps, schedule)
        Solves the stages one after another; returns the last eps.
    schedule, refinement : Schedule
        From loose to tight; and, for (BL2), tight from the beginning.
    solves_per_stage : int
        Most NLPs at one stage.
    ipopt_options : mapping
    """

    lower: LowerLevel
    journal: Journal
    formulate: Callable[[BilevelProblem, IntArray, FloatArray], SingleLevel]
    walk: Walk
    schedule: Schedule
    refinement: Schedule
    solves_per_stage: int
    ipopt_options: Mapping[str, Any]

    def follow(self, points: list[FloatArray]) -> None:
        """Walk the schedule from each point, and polish where each walk ends.

        For (BL2) a loose relaxation is met at eps = 0 and leads nowhere. So look first for an
        attack within the largest eps searched, (BL1), and shorten it; then solve (BL2) itself
        from there, tightly.
        """
        problem = self.lower.problem
        self.journal.expected = len(points) * len(self.schedule.stages) * self.solves_per_stage
        if not isinstance(problem, MinPerturbation):
            self._walk_from(points, self.schedule, problem, self.ipopt_options)
            return
        self.journal.expected += len(self.refinement.stages) * self.solves_per_stage
        leading = problem.largest_deviation()
        self._walk_from(points, self.schedule, leading, self.ipopt_options)
        if self.lower.best is not None:
            options = {**self.ipopt_options, **CLOSE_START}
            self._walk_from([self.lower.best.eps], self.refinement, problem, options)

    def _walk_from(
        self,
        points: list[FloatArray],
        schedule: Schedule,
        problem: BilevelProblem,
        options: Mapping[str, Any],
    ) -> None:
        baseline = self.lower.baseline
        formulation = self.formulate(problem, baseline.labels, baseline.X)
        session = IpoptSession(formulation.model, options)
        self.journal.engine = f"{session.engine} {session.version}"
        polish(self.lower, [self.walk(formulation, session, point, schedule) for point in points])


def solve_stage(
    formulation: SingleLevel,
    session: IpoptSession,
    stage: ScheduleStage,
    lower: LowerLevel,
    journal: Journal,
) -> FloatArray:
    """Solve one stage from the model's current values; return, score and record its eps."""
    formulation.set_stage(stage)
    left = lower.seconds_left()
    result = session.solve(time_limit=left if np.isfinite(left) else None)
    eps = formulation.eps()
    evaluation = lower.evaluate(eps)
    model = type(formulation.problem).__name__
    journal.record(
        Stage(
            name=f"{model}, t = {stage.relaxation:g}, width = {stage.width:g}",
            claimed=result.objective,
            eps=eps,
            deviation=evaluation.deviation,
            engine_status=result.status.value,
            iterations=result.iterations or 0,
            seconds=result.seconds,
        )
    )
    return eps
