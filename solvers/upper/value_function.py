"""Attack by the value-function reformulation: a tangent, an NLP, a lower-level solve, in turn.

At each slack t the tangent of the value function is renewed where the last NLP ended, until eps
stops moving; then t and the smoothing width shrink. Each NLP starts from a lower-level solution,
which is feasible for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.formulations.schedule import Schedule
from bilad.formulations.single_level import SingleLevel, check_supported
from bilad.formulations.value_function import ValueFunctionFormulation
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray, whole_number
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.upper.homotopy import Homotopy, solve_stage, starting_points
from bilad.solvers.upper.journal import Journal, Work
from bilad.solvers.upper.lower_level import LowerLevel

SCHEDULE = Schedule.of(relaxations=(300, 100, 30, 10, 3, 1), widths=(5, 3, 2, 1, 0.5, 0.3))
REFINEMENT = Schedule.of(relaxations=(1, 0.1), widths=(0.1, 0.1))
IPOPT_OPTIONS = {"tol": 1e-4, "max_iter": 100}
STILL = 1e-4  # of the radius: eps has stopped moving


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    return check_supported(problem)


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    start: ArrayLike | None = None,
    starts: int = 1,
    schedule: Schedule = SCHEDULE,
    refinement: Schedule = REFINEMENT,
    tangents: int = 4,
    ipopt_options: Mapping[str, Any] = IPOPT_OPTIONS,
) -> Work:
    """Choose the starts of the schedule.

    Parameters
    ----------
    start, starts
        As for `kkt`.
    schedule : Schedule
        Slacks t, in units of the squared typical distance, and widths, in units of that distance.
    refinement : Schedule
        For (BL2), from an attack already found.
    tangents : int, default 4
        Most tangents at one slack.
    ipopt_options : mapping
        IPOPT's own options.
    """
    points = starting_points(problem, start, starts, rng)
    most = whole_number(tangents, "tangents", least=1)

    def work(lower: LowerLevel, journal: Journal) -> None:
        def walk(
            formulation: SingleLevel, session: IpoptSession, eps: FloatArray, schedule: Schedule
        ) -> FloatArray:
            for stage in schedule.stages:
                for _ in range(most):
                    solution = lower.solve(eps)
                    formulation.start_from(eps, solution.X, solution.Z)
                    previous, eps = eps, solve_stage(formulation, session, stage, lower, journal)
                    if problem.size(eps - previous) <= STILL * problem.radius:
                        break
            return eps

        homotopy = Homotopy(
            lower,
            journal,
            ValueFunctionFormulation,
            walk,
            schedule,
            refinement,
            most,
            ipopt_options,
        )
        homotopy.follow(points)

    return work
