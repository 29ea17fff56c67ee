"""One run of an experiment: a method on a problem with a seed, and the row of its result.

The value of a result is the deviation (BL1), the norm of eps (BL2), or the leader's objective of a
bilevel model in Pyomo. A result that is not proved has the value of "no attack". A method that
fails gives a row too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError, BilevelProblem, MinPerturbation
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import (
    FINAL,
    NAN,
    SIMPLE,
    attained_value,
    better,
    no_value,
    shown_value,
    unending,
    warm_up,
)
from bilad.scripts.experiments.fingerprint import is_bilevel_model, plain
from bilad.scripts.experiments.parts import HeldOut, held_out_error
from bilad.scripts.experiments.python_file import PythonFile, PythonProblem
from bilad.scripts.experiments.versions import versions
from bilad.scripts.ray_optimum import ray_optimum
from bilad.solvers import Attack, attack, solve_bilevel
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.followers.solve import METHODS as BILEVEL_METHODS
from bilad.solvers.termination import CONVERGED, INTERRUPTED, error_termination
from bilad.solvers.upper import UPPER_METHODS

REFUSED, FAILED, KILLED = "refused", "error", "killed"
RAY = "ray"  # not a method of `attack`: the deviation on a fine grid of a scalar eps
TARGET_VERTICES = 20  # random vertices that define a target in per cent
SETTINGS = ("solves", "seconds", "restarts", "bound")  # that a row has as one text
MOST_NUMBERS = 50  # longer eps are not stored
Moment = tuple[int, float, float]  # lower-level solves, seconds, value


@dataclass(frozen=True, eq=False)
class Run:
    """All that the result of a run depends on."""

    names: Mapping[str, Any]  # what the row says about the problem: fields of `Row`
    problem: Any  # a BilevelProblem, a Pyomo model, or a PythonProblem
    fingerprint: str  # a hash of the content of the problem
    label: str  # the name of the method with the options and the tolerance that vary
    base: str  # the name without them
    method: str  # of `attack` or of `solve_bilevel`, or "ray"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0  # of the method
    solves: int | None = None  # `max_solves` of `attack`
    seconds: float | None = None  # `time_limit`
    kill: float | None = None  # the seconds after which the process of the run is ended
    bound: str = "none"  # as in `attack`
    closing: str = "none"
    tol: float = 1e-8
    restarts: bool = False  # with other random numbers, until a limit is reached
    optimum: float = NAN  # if it is known
    # Of (BL2) with a target in per cent: the share of the largest deviation at random vertices.
    # The problem is then (BL1).
    share: float | None = None
    test: HeldOut | None = None  # held-out points, for the test error of a linear model
    plugins: tuple[PythonFile, ...] = ()  # files that register parts and methods
    position: int = 0  # in its specification

    @cached_property
    def key(self) -> str:
        """The SHA-256 hash of all of this, with the content of the problem in place of itself."""
        skipped = ("problem", "test", "optimum", "plugins", "position")
        names = [one.name for one in dataclasses.fields(self) if one.name not in skipped]
        given = {name: getattr(self, name) for name in names}
        given["plugins"] = [one.name if one.text is None else one.text for one in self.plugins]
        text = json.dumps(given, sort_keys=True, default=plain)
        return hashlib.sha256(text.encode()).hexdigest()

    def build(self) -> Any:
        """Return the problem: a BilevelProblem or a Pyomo model."""
        for plugin in self.plugins:
            plugin.names()
        made = self.problem.build() if isinstance(self.problem, PythonProblem) else self.problem
        if self.share is None:
            return made
        found = attack(made, "random", bound="none", closing="none", corners=TARGET_VERTICES)
        if not found.deviation > 0:
            given = (
                f"{self.share:.0%} of the largest deviation at {TARGET_VERTICES} random vertices"
            )
            raise ArgumentError("targets", f"{given}, which is 0", "a number, or a larger limit")
        least = 2.0 if made.deviation.name == "delta" else np.finfo(float).tiny
        target = max(self.share * found.deviation, least)
        parts = (made.model, made.perturbation, target, made.norm_name, made.deviation)
        return MinPerturbation(*parts, limit=made.budget)


@dataclass(frozen=True)
class Row:
    """The result of a run, as it is stored. NaN stands for what is not known."""

    key: str
    experiment: str
    family: str
    problem: str
    data: str
    model: str
    perturbation: str
    deviation: str
    norm: str  # "1", "2", "inf" or "count"
    question: str  # "BL1", "BL2" or "bilevel"
    level: float  # the budget (BL1), or the target (BL2), also as a share
    fingerprint: str
    label: str
    base: str  # the label without the options and the tolerance that vary
    method: str
    options: str  # JSON
    seed: int
    tol: float
    closing: str
    settings: str  # JSON: limits, restarts and bound
    sense: str  # "max" or "min"
    optimum: float
    position: int = 0  # in its specification
    target: float = NAN  # of (BL2), as a number
    n: int = 0  # points
    k: int = 0  # length of eps
    status: str = FAILED  # of the result; "refused", "error" or "killed" without one
    termination: str = ""
    own: float = NAN  # what the method found itself
    closed: float = NAN  # what closing made of it; NaN without closing
    bound: float = NAN  # proved
    score: float = NAN  # test error of a linear model that is trained at the method's own eps
    clean_score: float = NAN  # the same at eps = 0
    eps: str = "[]"  # JSON; empty if it is long
    solves: int = 0  # lower-level solves, without those of closing
    closing_solves: int = 0
    undecided: int = 0  # solves whose outcome is not proved
    starts: int = 0  # attacks: more than 1 only with restarts
    iterations: int = 0  # of IPOPT, or nodes of branching
    blocks: int = 0  # rows of the largest model on blocks
    contraction: str = ""  # of a reformulation's model
    seconds: float = 0.0  # wall time of the run, closing included
    cpu_seconds: float = 0.0
    # wall seconds of closing, the lower level, the Pyomo model, its opening, IPOPT, and function
    # evaluations within IPOPT (NaN if the stages do not report them)
    closing_seconds: float = 0.0
    lower: float = 0.0
    build: float = 0.0
    opening: float = 0.0
    ipopt: float = 0.0
    evaluations: float = NAN
    load: float = NAN  # load average of the machine at the beginning
    history: str = "[]"  # JSON: when each better own value was found
    curve: str = "[]"  # JSON: eps and deviation along a ray
    engine: str = ""
    versions: str = ""  # JSON
    host: str = ""
    finished: str = ""  # UTC, ISO 8601

    @property
    def line(self) -> str:
        """The row in one line."""
        is_model = self.question == "bilevel" and not np.isnan(self.own)
        value = f"{self.own:.6g}" if is_model else shown_value(self.own)
        closed = "" if np.isnan(self.closed) else f", closed {shown_value(self.closed)}"
        final = self.status in (*FINAL, REFUSED) or self.termination == CONVERGED
        ended = self.status if final else self.termination
        ended += f": {self.termination}" if self.status == REFUSED else ""
        return (
            f"{self.problem} | {self.label} #{self.seed}: {value}{closed}, {self.solves} solves, "
            f"{self.seconds:.2f} s, {ended}"
        )


def row_of(run: Run, **result: Any) -> Row:
    """Return the row of a run with these results."""
    same = (
        "key", "fingerprint", "label", "base", "method", "seed", "tol", "closing", "optimum",
        "position",
    )  # fmt: skip
    return Row(
        **{name: getattr(run, name) for name in same},
        settings=json.dumps({name: getattr(run, name) for name in SETTINGS}),
        options=json.dumps(dict(run.options), sort_keys=True, default=plain),
        versions=json.dumps(versions()),
        host=platform.node(),
        finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        **{**run.names, **result},
    )


def failed(run: Run, status: str, termination: str, seconds: float = 0.0) -> Row:
    """Return the row of a run without a result."""
    names = run.names
    nothing = NAN if names["question"] == "bilevel" else 0.0 if names["sense"] == "max" else np.inf
    closed = NAN if run.closing == "none" else nothing
    return row_of(
        run, status=status, termination=termination, own=nothing, closed=closed, seconds=seconds
    )


def carry_out(run: Run) -> Row:
    """Carry out one run.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended it; the run is then incomplete.
    """
    began = time.perf_counter()
    try:
        with threadpool_limits(1):
            problem = run.build()
            if is_bilevel_model(problem):
                return _solved(run, problem)
            return _ray(run, problem) if run.method == RAY else _attacked(run, problem)
    except UnsupportedError as error:
        return failed(run, REFUSED, str(error))
    except Exception as error:  # a failure is a result of the experiment
        return failed(run, FAILED, error_termination(error), time.perf_counter() - began)


def _solved(run: Run, model: Any) -> Row:
    """Solve a bilevel model."""
    if run.method not in ("auto", *BILEVEL_METHODS):
        raise UnsupportedError(run.method, "the problem is a model of Pyomo", BILEVEL_METHODS)
    began = time.process_time()
    found = solve_bilevel(
        model, run.method, seed=run.seed, time_limit=run.seconds, **dict(run.options)
    )
    if found.termination == INTERRUPTED:
        raise KeyboardInterrupt
    value = found.objective if found.solved and found.objective is not None else NAN
    return row_of(
        run,
        status=found.status,
        termination=found.termination,
        own=value,
        bound=NAN if found.bound is None else found.bound,
        starts=len({stage.start for stage in found.stages}),
        iterations=found.nodes,
        seconds=found.seconds,
        cpu_seconds=time.process_time() - began,
        engine=found.engine or "",
        history="[]" if np.isnan(value) else json.dumps([(0, found.seconds, value)]),
    )


def _ray(run: Run, problem: BilevelProblem) -> Row:
    """Evaluate a scalar eps on a fine grid, with bisection at each jump."""
    if problem.perturbation.dim != 1:
        raise UnsupportedError(RAY, f"eps has {problem.perturbation.dim} entries", [])
    began = time.perf_counter()
    best = ray_optimum(problem, **run.options)
    return row_of(
        run,
        n=problem.model.n,
        k=1,
        status="no attack found" if best.value == no_value(problem) else "feasible",
        termination=CONVERGED,
        own=float(best.value),
        eps=json.dumps([best.eps]),
        solves=best.solves,
        starts=1,
        seconds=time.perf_counter() - began,
        curve=json.dumps(best.curve),
    )


def _attacked(run: Run, problem: BilevelProblem) -> Row:
    """Attack a problem, repeatedly with restarts."""
    if run.method not in ("auto", *UPPER_METHODS):
        raise UnsupportedError(run.method, "it solves models of Pyomo only", list(UPPER_METHODS))
    if run.method != "auto":
        warm_up(run.method)
    load, began = load_average(), time.process_time()
    tally = _Tally(run, problem)
    for options, seed in _starts(run, problem):
        limits = _left(run.seconds, tally.seconds), _left(run.solves, tally.solves)
        how = {"closing": "none" if run.restarts else run.closing, "tol": run.tol}
        how["bound"] = "none" if tally.found else run.bound
        found = tally.attack(run.method, seed, *limits, **how, **options)
        is_new = tally.add(found)
        if not is_new or found.status in FINAL or found.termination != CONVERGED:
            break
    if run.restarts and run.closing != "none" and tally.eps is not None:
        # From the best attack of all restarts; no limit counts this.
        only = {"corners": 0, "starts": [tally.eps], "bound": "none", "closing": run.closing}
        tally.close(tally.attack("corners", run.seed, run.seconds, **only))
    spent = time.process_time() - began
    return row_of(run, **tally.result(), **tally.scores(), load=load, cpu_seconds=spent)


def _left(most: Any, spent: Any) -> Any:
    return None if most is None else max(most - spent, 0)


def load_average() -> float:
    """Return the mean number of processes that ran in the last minute; NaN if it is not known."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else NAN


def _starts(run: Run, problem: BilevelProblem) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the options and the seed of each attack: one, or many with restarts."""
    options = dict(run.options)
    if run.method in SIMPLE and not (run.solves is None and run.seconds is None):
        options = unending(problem) | options
    if run.method == "direct" and run.solves is not None:
        options.setdefault("step", _grid_step(problem, run.solves))
    yield options, run.seed
    takes_start = run.method != "auto" and "start" in UPPER_METHODS[run.method].options
    low, high = problem.box
    for number in itertools.count(1) if run.restarts else ():
        rng = np.random.default_rng([run.seed, number])
        start = {"start": problem.project(rng.uniform(low, high))} if takes_start else {}
        yield {**options, **start}, int(rng.integers(2**31))


def _grid_step(problem: BilevelProblem, solves: int) -> float:
    """Return the step of the finest grid on the box with at most so many points."""
    low, high = problem.box
    along_an_axis = int(solves ** (1 / len(low)) * (1 + 1e-12))
    return float((high - low).max()) / max(along_an_axis - 1, 1)


class _Tally:
    """The sums over all attacks of one run."""

    def __init__(self, run: Run, problem: BilevelProblem) -> None:
        self.run, self.problem = run, problem
        self.own = self.closed = no_value(problem)
        self.eps: FloatArray | None = None  # of the best attack
        self.seconds = 0.0
        self.moments: list[Moment] = []
        self.found: list[Attack] = []
        self._evaluated: set[bytes] = set()

    def attack(self, *how: Any, **options: Any) -> Attack:
        """Attack the problem."""
        found = attack(self.problem, *how, **options)
        if found.termination == INTERRUPTED:
            raise KeyboardInterrupt
        return found

    @property
    def solves(self) -> int:
        """Lower-level solves, without those of closing."""
        return sum(found.lower_solves - found.closing_solves for found in self.found)

    def add(self, found: Attack) -> bool:
        """Add an attack if it evaluated a new eps; return whether it did."""
        evaluated = {seen.eps.tobytes() for seen in found.history}
        if self.found and evaluated <= self._evaluated:
            return False
        self._evaluated |= evaluated
        own = _own(self.problem, found)
        self.moments += [
            (self.solves + solves, self.seconds + seconds, value)
            for solves, seconds, value in own_moments(self.problem, found, own)
        ]
        if better(self.problem, own, self.own):
            self.own, self.eps = own, found.own.eps
        self.close(found)
        self.found.append(found)
        self.seconds += found.seconds
        return True

    def close(self, found: Attack) -> None:
        """Add what closing found."""
        closed = attained_value(self.problem, found.norm, found.deviation, found.proved)
        if better(self.problem, closed, self.closed):
            self.closed = closed

    def scores(self) -> dict[str, float]:
        """Return the test error of a linear model with the own eps, and with 0."""
        if self.run.test is None:
            return {}
        free, at_zero = self.problem.perturbation, np.zeros(self.problem.perturbation.dim)
        both = {"score": at_zero if self.eps is None else self.eps, "clean_score": at_zero}
        model: Any = self.problem.model
        return {
            name: held_out_error(free.apply(model, eps), *self.run.test)
            for name, eps in both.items()
        }

    def result(self) -> dict[str, Any]:
        """Return the fields of the row."""
        last, stages = self.found[-1], [stage for found in self.found for stage in found.stages]
        blocks = max((stage.blocks or 0 for stage in stages), default=0)
        by_default = "observed" if blocks else "none"
        inside = [NAN if stage.evaluating is None else stage.evaluating for stage in stages]
        eps = [] if self.eps is None or len(self.eps) > MOST_NUMBERS else self.eps.tolist()
        return {
            "n": self.problem.model.n,
            "k": self.problem.perturbation.dim,
            "target": self.problem.target if self.problem.sense == "min" else NAN,
            "status": last.status,
            "termination": last.termination,
            "own": self.own,
            "closed": NAN if self.run.closing == "none" else self.closed,
            "bound": next((f.bound for f in self.found[::-1] if f.bound is not None), NAN),
            "eps": json.dumps(eps),
            "solves": self.solves,
            "closing_solves": sum(found.closing_solves for found in self.found),
            "undecided": sum(found.undecided for found in self.found),
            "starts": len(self.found),
            "iterations": sum(stage.iterations for stage in stages),
            "blocks": blocks,
            "contraction": (self.run.options.get("contraction") or by_default) if stages else "",
            "seconds": self.seconds,
            "closing_seconds": sum(found.closing_seconds for found in self.found),
            "lower": sum(found.seconds_solving for found in self.found),
            "build": sum(stage.writing for stage in stages),
            "opening": sum(stage.opening for stage in stages),
            "ipopt": sum(stage.seconds for stage in stages),
            "evaluations": sum(inside, 0.0),
            "history": json.dumps(list(improving(self.problem, self.moments))),
            "engine": last.engine or "",
        }


def _own(problem: BilevelProblem, found: Attack) -> float:
    """Return the value of the method's own result."""
    own = found.own
    final = np.array_equal(own.eps, found.eps)  # its labels were recomputed
    proved = found.proved if final else found.baseline.proved
    return attained_value(problem, own.norm, own.deviation, proved)


def own_moments(problem: BilevelProblem, found: Attack, own: float) -> list[Moment]:
    """Return the value of each own result and its time, in order.

    Of a reformulation, only the eps of stages count, at the end of the stage.
    """
    clock, ends = 0.0, dict[bytes, float]()
    for stage in found.stages:
        clock += stage.writing + stage.opening + stage.seconds
        ends.setdefault((stage.eps + 0.0).tobytes(), clock)
    moments = []
    for seen in found.history:
        end = ends.get((seen.eps + 0.0).tobytes()) if ends else 0.0
        if end is not None:
            value = attained_value(problem, seen.size, seen.deviation, seen.proved)
            moments.append((seen.solves, max(seen.seconds, end), value))
    last = found.lower_solves - found.closing_solves
    moments.append((last, found.seconds - found.closing_seconds, own))
    # A value better than the final one was not confirmed, or closing found it.
    kept = (moment for moment in moments if not better(problem, moment[2], own))
    return sorted(kept, key=lambda one: one[1])


def improving(problem: BilevelProblem, moments: list[Moment]) -> Iterator[Moment]:
    """Yield each moment that improves on those before it."""
    best = no_value(problem)
    for solves, seconds, value in moments:
        if better(problem, value, best):
            best = value
            yield solves, round(seconds, 4), value
