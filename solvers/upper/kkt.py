"""Attack by the KKT reformulation: Scholtes homotopy on the MPCC, solved by IPOPT.

The first stage is so loose that it is nearly convex; its solution leads the next, while the
relaxation t and the smoothing width shrink together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.formulations.kkt import KKTFormulation
from bilad.formulations.schedule import Schedule
from bilad.formulations.single_level import SingleLevel, check_supported
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.upper.homotopy import Homotopy, solve_stage, starting_points
from bilad.solvers.upper.journal import Journal, Work
from bilad.solvers.upper.lower_level import LowerLevel

SCHEDULE = Schedule.of(relaxations=(20, 2, 0.2, 0.05), widths=(5, 2, 0.5, 0.2))
REFINEMENT = Schedule.of(relaxations=(0.02, 0.002), widths=(0.1, 0.1))
# A stage's eps is only a candidate, and polished: more digits would only cost iterations.
IPOPT_OPTIONS = {"tol": 1e-2, "max_iter": 80, "mu_init": 1e-3}


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
    ipopt_options: Mapping[str, Any] = IPOPT_OPTIONS,
) -> Work:
    """Choose the starts of the homotopy.

    Parameters
    ----------
    start : array_like, shape (k,), optional
        First starting eps, zero by default.
    starts : int, default 1
        Number of starts; those after the first are random.
    schedule : Schedule
        Relaxations t and widths, in units of the typical distance between points of the
        unperturbed solution.
    refinement : Schedule
        For (BL2), from an attack already found.
    ipopt_options : mapping
        IPOPT's own options.
    """
    points = starting_points(problem, start, starts, rng)

    def work(lower: LowerLevel, journal: Journal) -> None:
        def walk(
            formulation: SingleLevel, session: IpoptSession, eps: FloatArray, schedule: Schedule
        ) -> FloatArray:
            solution = lower.solve(eps)
            formulation.start_from(eps, solution.X, solution.Z)
            for stage in schedule.stages:
                eps = solve_stage(formulation, session, stage, lower, journal)
            return eps

        homotopy = Homotopy(
            lower, journal, KKTFormulation, walk, schedule, refinement, 1, ipopt_options
        )
        homotopy.follow(points)

    return work
