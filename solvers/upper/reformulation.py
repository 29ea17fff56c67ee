"""Attacks by a smooth single-level reformulation, which IPOPT solves by continuation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from bilad.formulations.reformulations import (
    CONTRACTIONS,
    DUALITY,
    KKT,
    VALUE_FUNCTION,
    Formulation,
    contract,
)
from bilad.formulations.schedule import Schedule, ScheduleStage
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, one_of, real_vector, whole_number
from bilad.solvers.bilevel.continuation import (
    Continuation,
    PathFollower,
    Session,
    follow_warm_started,
    follow_with_renewals,
)
from bilad.solvers.bilevel.ipopt_options import MUMPS, try_engine
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.nlp import IpoptSession, PyomoSession
from bilad.solvers.nlp.pyomo_session import check_solver
from bilad.solvers.upper.method import keywords


@dataclass(frozen=True)
class Reformulation:
    """A reformulation as an attack method, with the schedule and options that suit it.

    Attributes
    ----------
    formulation : Formulation
    follow : PathFollower
        Solves the stages from a start.
    slack : callable(width, smoothing)
        The relaxation t that belongs to a width.
    widths : tuple of float
        The widths of the default schedule, in decreasing order.
    ipopt_options : mapping
        IPOPT's own options.
    near : float, default 0
        For a distance of parameters, which has a minimum at eps = 0, the default start is this
        share of a random point of the box.
    """

    formulation: Formulation
    follow: PathFollower
    slack: Callable[[float, float], float]
    widths: tuple[float, ...]
    ipopt_options: Mapping[str, Any]
    near: float = 0.0
    has_bound: ClassVar[bool] = False

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return the reason why the method cannot be applied to the problem, or None."""
        return self.formulation.refusal(problem)

    @property
    def needs(self) -> tuple[str, ...]:
        """The capability of the learning model that replaces the lower level."""
        return (self.formulation.replace.name,)

    @property
    def documented(self) -> tuple[Callable[..., Any], ...]:
        """The functions whose docstrings describe the method and its options."""
        return self.formulation.of_model, self.prepare

    @property
    def options(self) -> list[str]:
        """Names of the options of `prepare`, with those of the formulation."""
        return list(dict.fromkeys([*keywords(self.prepare), *self.formulation.choices]))

    @property
    def schedules(self) -> list[Schedule]:
        """The default schedules of the starts, in turn."""
        stages = tuple(ScheduleStage(self.slack(w, SMOOTHING), w) for w in self.widths)
        return [Schedule(stages[first:]) for first in range(3)]

    def prepare(
        self,
        problem: BilevelProblem,
        rng: np.random.Generator,
        *,
        start: ArrayLike | None = None,
        starts: int = 1,
        schedule: Schedule | None = None,
        contraction: str | None = None,
        ipopt_options: Mapping[str, Any] | None = None,
        solver: Any = None,
        **writing: Any,
    ) -> Runner:
        """Solve a smooth single-level reformulation by IPOPT, by continuation.

        The first stage has a relaxation parameter t so large that the NLP is almost convex. Its
        solution is the starting point of the next stage, while t and the smoothing width decrease
        together. The eps of every stage is evaluated by the lower level itself, since the best is
        often not the last.

        Parameters
        ----------
        start : array_like, shape (k,), optional
            First starting point. The default is zero, or a random point near zero for a distance of
            parameters, which has a minimum there.
        starts : int, default 1
            Number of starts; those after the first are random.
        schedule : Schedule, optional
            The schedule of all starts. By default the starts take in turn that of the method, and
            the same without its first, or its first two stages.
        contraction : {"none", "observed", "neighbours", "turns"}, optional
            Which rows of the state are held equal, as in `Formulation`; "turns" uses "observed",
            "neighbours" and "none" in turn, start by start, except those whose models are much
            larger than the first. The default is "turns" for models with 60 rows or more that can
            be contracted, and "none" otherwise.
        ipopt_options : mapping, optional
            IPOPT's own options, which replace those of the method.
        solver : object, optional
            A solver of `pyo.SolverFactory`, which replaces IPOPT. It must solve nonlinear models
            from their current values.
        kernel : {"exponential", "rational"}, default "exponential"
            The kernel of the smooth deviation.
        relaxation : str, optional
            Only of "kkt": the relaxation of the complementarity constraints, a key of
            `bilad.formulations.RELAXATIONS`.
        aggregate : bool, default False
            Only of "duality": whether one constraint bounds the sum of the duality gaps of all
            edges, instead of one constraint for each edge.

        Raises
        ------
        ArgumentError
            If the solver is not available.
        CapabilityError
            If the learning model cannot write its lower level in the form that is needed.
        EngineError
            If IPOPT cannot be started.
        """
        sampled = sampled_corners(problem, rng)  # first, so that more starts do not change them
        points = starting_points(problem, start, starts, rng, self.near)
        for name, value in writing.items():
            one_of(value, name, self.formulation.choices[name])
        if not isinstance(schedule, Schedule | None):
            raise ArgumentError("schedule", type(schedule).__name__, "a Schedule")
        contractions = chosen_contractions(problem, contraction)
        if not isinstance(ipopt_options, Mapping | None):
            raise ArgumentError("ipopt_options", type(ipopt_options).__name__, "a mapping")
        engine_options = dict(self.ipopt_options if ipopt_options is None else ipopt_options)
        if ipopt_options is None and not problem.deviation.is_discrete:
            engine_options["tol"] = CONTINUOUS_TOL
        self.formulation.check(problem)
        if solver is None:
            try_engine(engine_options)
            open_session: Callable[[Any], Session] = functools.partial(
                IpoptSession, options=engine_options
            )
        elif ipopt_options is not None:
            raise ArgumentError("ipopt_options", "options beside solver=", "one of the two")
        else:
            check_solver(solver)
            open_session = functools.partial(PyomoSession, solver=solver)

        def run(lower: LowerLevel, trace: Trace) -> None:
            continuation = Continuation(
                lower=lower,
                trace=trace,
                formulate=functools.partial(self.formulation, **writing),
                follow=self.follow,
                schedules=[schedule] if schedule else self.schedules,
                slack=self.slack,
                contractions=contractions,
                open_session=open_session,
                sampled=sampled if contractions != ("none",) else sampled[:0],
            )
            continuation.run(points)

        return run


def starting_points(
    problem: BilevelProblem,
    start: ArrayLike | None,
    starts: int,
    rng: np.random.Generator,
    near: float = 0.0,
) -> list[FloatArray]:
    """Return `start` and random points of the ball, `starts` points in all; see `Reformulation`."""
    k = problem.perturbation.dim
    low, high = problem.box
    if start is not None:
        first = real_vector(start, "start", k)
    elif near > 0 and problem.deviation.compares == "parameters":
        first = near * rng.uniform(low, high)
    else:
        first = np.zeros(k)
    box = rng.uniform(low, high, (whole_number(starts, "starts", least=1) - 1, k))
    return [problem.project(point) for point in [first, *box]]


def chosen_contractions(problem: BilevelProblem, contraction: str | None) -> tuple[str, ...]:
    """Return the contractions of the starts, in turn, given the option of that name."""
    if contraction is None:
        many = problem.model.n >= CONTRACTED_FROM and contract.supports(problem.model)
        contraction = "turns" if many else "none"
    if one_of(contraction, "contraction", (*CONTRACTIONS, "turns")) != "none":
        contract.require(problem.model)
    return TURNS if contraction == "turns" else (contraction,)


def sampled_corners(problem: BilevelProblem, rng: np.random.Generator) -> FloatArray:
    """Return random corners of the box, projected on the ball: shape (SAMPLES, k)."""
    return np.array([problem.project(problem.random_vertex(rng)) for _ in range(SAMPLES)])


CONTRACTED_FROM = 60  # rows of the state: from here on blocks are cheaper than they are coarse
SAMPLES = 10  # eps at which the lower level is solved to see which rows are equal
TURNS = ("observed", "neighbours", "none")
CONTINUOUS_TOL = 1e-6  # tolerance for a deviation that is not piecewise constant
SMOOTHING = 0.3  # mu / width of the default schedules
WIDTHS = (1.0, 0.3, 0.1, 0.03, 0.01)

BY_KKT = Reformulation(
    KKT,
    follow=follow_warm_started,
    slack=lambda width, smoothing: width,
    widths=WIDTHS,
    ipopt_options={**MUMPS, "tol": 1e-2, "max_iter": 40, "mu_init": 1e-3},
    near=0.1,
)

REFORMULATIONS = {
    "kkt": BY_KKT,
    "duality": replace(BY_KKT, formulation=DUALITY),
    "value-function": Reformulation(
        VALUE_FUNCTION,
        follow=follow_with_renewals(4),
        slack=lambda width, smoothing: smoothing / 3 * width**2,
        widths=WIDTHS,
        ipopt_options={
            **MUMPS,
            "nlp_scaling_method": "none",
            "tol": 1e-4,
            "constr_viol_tol": 1e-4,
            "max_iter": 60,
            "mu_init": 1e-2,
            "bound_push": 1e-4,
            "bound_frac": 1e-4,
        },
    ),
}
