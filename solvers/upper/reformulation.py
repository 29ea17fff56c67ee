"""Attacks by a smooth single-level reformulation, which IPOPT solves by continuation.

The first stage has a relaxation parameter t so large that the NLP is almost convex. Its solution is
the starting point of the next stage, while t and the smoothing width decrease together. The eps of
every stage is evaluated by the lower level itself, since the best is often not the last.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from bilad.formulations.reformulations import DUALITY, KKT, VALUE_FUNCTION, Formulation
from bilad.formulations.schedule import Schedule
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, one_of, real_vector, whole_number
from bilad.solvers.bilevel.continuation import (
    Continuation,
    PathFollower,
    follow_warm_started,
    follow_with_updated_bounds,
)
from bilad.solvers.bilevel.ipopt_options import MUMPS, try_engine
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.upper.method import keywords


@dataclass(frozen=True)
class Reformulation:
    """A reformulation with the schedule and the path following that suit it.

    Attributes
    ----------
    formulation : Formulation
    follow : PathFollower
        Solves the stages from a start.
    schedule : Schedule
        Stages with decreasing parameters.
    refinement : Schedule
        For (BL2), the stages from an attack that was found before.
    ipopt_options : mapping
        IPOPT's own options. Its tolerances are loose because the eps of a stage is only a candidate
        that a line search improves.
    opening : float
        Largest ratio of the time in which IPOPT loads the formulation to the time in which it is
        written.
    """

    formulation: Formulation
    follow: PathFollower
    schedule: Schedule
    refinement: Schedule
    ipopt_options: Mapping[str, Any]
    opening: float
    has_bound: ClassVar[bool] = False

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return the reason why the method cannot be applied to the problem, or None."""
        return self.formulation.refusal(problem)

    @property
    def needs(self) -> tuple[str, ...]:
        """The capability of the learning model that replaces the lower level."""
        return (self.formulation.replace.name,)

    @property
    def options(self) -> list[str]:
        """Names of the options of `prepare`, with those of the formulation."""
        return [*keywords(self.prepare), *self.formulation.choices]

    def prepare(
        self,
        problem: BilevelProblem,
        rng: np.random.Generator,
        *,
        start: ArrayLike | None = None,
        starts: int = 1,
        schedule: Schedule | None = None,
        refinement: Schedule | None = None,
        ipopt_options: Mapping[str, Any] | None = None,
        **writing: Any,
    ) -> Runner:
        """Check the options, and return the run of the continuation.

        Parameters
        ----------
        start : array_like, shape (k,), optional
            First starting point; zero by default.
        starts : int, default 1
            Number of starts; those after the first are random.
        schedule, refinement : Schedule, optional
            Schedules that replace those of the method.
        ipopt_options : mapping, optional
            IPOPT's own options, which replace those of the method.
        **writing
            Options of the formulation: `kernel`, `relaxation` ("kkt"), `aggregate` ("duality").

        Raises
        ------
        CapabilityError
            If the learning model cannot write its lower level in the form that is needed.
        EngineError
            If IPOPT cannot be started.
        """
        points = starting_points(problem, start, starts, rng)
        for name, value in writing.items():
            one_of(value, name, self.formulation.choices[name])
        for name, given in (("schedule", schedule), ("refinement", refinement)):
            if not isinstance(given, Schedule | None):
                raise ArgumentError(name, type(given).__name__, "a Schedule")
        if not isinstance(ipopt_options, Mapping | None):
            raise ArgumentError("ipopt_options", type(ipopt_options).__name__, "a mapping")
        engine_options = dict(self.ipopt_options if ipopt_options is None else ipopt_options)
        self.formulation.check(problem)
        try_engine(engine_options)

        def run(lower: LowerLevel, trace: Trace) -> None:
            continuation = Continuation(
                lower=lower,
                trace=trace,
                formulate=functools.partial(self.formulation, **writing),
                follow=self.follow,
                schedule=schedule or self.schedule,
                refinement=refinement or self.refinement,
                ipopt_options=engine_options,
                opening=self.opening,
            )
            continuation.run(points)

        return run


def starting_points(
    problem: BilevelProblem, start: ArrayLike | None, starts: int, rng: np.random.Generator
) -> list[FloatArray]:
    """Return `start` (zero by default) and random points of the ball, `starts` points in all."""
    k = problem.perturbation.dim
    first = np.zeros(k) if start is None else real_vector(start, "start", k)
    low, high = problem.box
    box = rng.uniform(low, high, (whole_number(starts, "starts", least=1) - 1, k))
    return [problem.project(point) for point in [first, *box]]


BY_KKT = Reformulation(
    KKT,
    follow=follow_warm_started,
    schedule=Schedule.of(relaxations=(20, 2, 0.2, 0.05), widths=(5, 2, 0.5, 0.2)),
    refinement=Schedule.of(relaxations=(0.02, 0.002), widths=(0.1, 0.1)),
    ipopt_options={**MUMPS, "tol": 1e-2, "max_iter": 40, "mu_init": 1e-3},
    opening=4.0,
)

REFORMULATIONS = {
    "kkt": BY_KKT,
    "duality": replace(BY_KKT, formulation=DUALITY, opening=7.0),
    "value-function": Reformulation(
        VALUE_FUNCTION,
        follow=follow_with_updated_bounds,
        schedule=Schedule.of(relaxations=(10, 3, 1, 0.3), widths=(2, 1, 0.5, 0.3)),
        refinement=Schedule.of(relaxations=(1, 0.1), widths=(0.1, 0.1)),
        ipopt_options={**MUMPS, "tol": 1e-3, "max_iter": 50},
        opening=18.0,
    ),
}
