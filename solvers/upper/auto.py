"""The method "auto": an exact method, the method for counts, or several methods in turn.

No method is best on all problems. Where the lower level is cheap, corner search ends early and an
evolution strategy has thousands of evaluations; where it is expensive, derivatives save most of
them. A portfolio (Huberman, Lukose and Hogg, Science 275, 1997) divides the limits among methods
that share the cache and the best attack. Corner search stands first, with the random numbers that
it has on its own, and last, from the best attack of all.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.result import Stage
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.termination import CONVERGED, INTERRUPTED, termination_of
from bilad.solvers.upper.coordinate_search import coordinate_search
from bilad.solvers.upper.method import FunctionMethod, UpperMethod, refusal, takes_every

EXACT = "exact"  # if every breakpoint can be computed
FOR_COUNTS = ("hypergradient", "greedy")  # the first that can be applied
# The turns: a method, and the share of the limits that are left. What a method does not need is
# left to the next; the shares were measured by the study "portfolio".
TURNS = (("corners", 0.1), ("hypergradient", 0.5), ("nes", 0.75))
# If corner search, the first, does not end within its share, the lower level is expensive. The
# evolution strategy is then used for (BL1) without derivatives only.
SAMPLING = "nes"
WITHOUT_LIMITS = 2  # turns if there are no limits
ENDLESS = 10**9  # vertices of the last turn, if there are limits
GRACE = 0.05  # seconds by which a step may exceed the share of its method


def automatic_method(
    problem: BilevelProblem, methods: Mapping[str, UpperMethod]
) -> tuple[str, UpperMethod]:
    """Return the method that `attack(problem, "auto")` uses, and its name: "auto" if it is several.

    Parameters
    ----------
    problem : BilevelProblem
    methods : mapping of str to UpperMethod
    """
    for name in (EXACT, *(FOR_COUNTS if problem.is_binary else ())):
        if refusal(methods[name], problem) is None:
            return name, methods[name]
    return "auto", FunctionMethod(takes_every, functools.partial(prepare, methods=methods))


@dataclass(frozen=True)
class _Turn:
    """A method that is prepared, and its share of the limits that are left."""

    name: str
    run: Runner
    share: float


def prepare(
    problem: BilevelProblem, rng: np.random.Generator, methods: Mapping[str, UpperMethod]
) -> Runner:
    """Run corner search, hypergradient and NES in turn, and corner search again until the limits.

    Without limits only the first two that can be applied are run.

    `found.stages` has a stage for each turn: the method, its number of solves as `iterations`, its
    seconds, how it ended, and the best attack after it. A method is left out if it cannot be
    applied.
    """
    able = [(name, share) for name, share in TURNS if refusal(methods[name], problem) is None]
    generators = [rng, *rng.spawn(len(able) - 1)]
    turns = [
        _Turn(name, methods[name].prepare(problem, generator), share)
        for (name, share), generator in zip(able, generators, strict=True)
    ]
    corners = methods["corners"].prepare(problem, rng, corners=ENDLESS)

    def from_best(lower: LowerLevel, trace: Trace) -> None:
        if lower.best is not None:
            coordinate_search(lower, lower.best.eps, rng)
        corners(lower, trace)

    again = _Turn("corners", from_best, 1.0)

    def run(lower: LowerLevel, trace: Trace) -> None:
        for turn in [*turns, again] if lower.is_limited else turns[:WITHOUT_LIMITS]:
            is_spare = turn.name == SAMPLING and (
                problem.sense == "min" or len(turns) == len(TURNS)
            )
            if is_spare and trace.stages[0].engine_status != CONVERGED:
                continue
            trace.stages.append(_stage(turn, lower, trace))
            lower.check_limits()

    return run


def _stage(turn: _Turn, lower: LowerLevel, trace: Trace) -> Stage:
    """Run one method within its share of the limits."""
    solves, began = lower.solves, time.perf_counter()
    status = _run_within_share(turn, lower, Trace(trace.progress))
    best = lower.best
    return Stage(
        name=turn.name,
        claimed=None,
        eps=np.zeros(lower.problem.perturbation.dim) if best is None else best.eps,
        deviation=0.0 if best is None else best.deviation,
        engine_status=status,
        iterations=lower.solves - solves,
        seconds=time.perf_counter() - began,
    )


def _run_within_share(turn: _Turn, lower: LowerLevel, trace: Trace) -> str:
    """Return the termination of the method; only its limits do not end the search."""
    deadline, most, now = lower.deadline, lower.max_solves, time.perf_counter()
    lower.deadline = now + turn.share * (deadline - now)
    if most is not None:
        lower.max_solves = lower.solves + math.ceil(turn.share * (most - lower.solves))
    try:
        status = termination_of(
            functools.partial(turn.run, lower, trace),
            lower.deadline + GRACE - now,
            raising=(Exception,),
        )
    finally:
        lower.deadline, lower.max_solves = deadline, most
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return status
