"""One run of the comparison of methods: a pure function of its settings.

A method is started again, with other random numbers, until its budget is spent or a restart asks
for nothing new. Value and history are the lower level's own; whatever goes wrong is a row too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
)
from bilad.scripts.attack_runs import (
    FINAL,
    METHODS,
    REFUSED,
    Variant,
    attained_value,
    better,
    no_value,
    outcome,
)
from bilad.scripts.methods.method_rows import REFERENCE, MethodRow, RunSettings
from bilad.scripts.ray_optimum import ray_optimum
from bilad.solvers import Attack, attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import CONVERGED, INTERRUPTED
from bilad.solvers.upper import UPPER_METHODS, refusal

MOST_POINTS = 200  # that a reformulation is given: opening a larger one takes minutes, past any cap
TOO_LARGE = "too large"


class _Tally:
    """What the attacks of one run came to together."""

    def __init__(self, problem: BilevelProblem) -> None:
        self.problem = problem
        self.value = no_value(problem)
        self.bound = float("nan")
        self.status = "feasible"
        self.solves = self.undecided = self.starts = 0
        self.seconds = self.seconds_solving = 0.0
        self.moments: list[tuple[int, float, float]] = []
        self._asked: set[bytes] = set()

    def add(self, found: Attack) -> bool:
        """Count an attack if it asked for anything new; return whether it did."""
        problem, best = self.problem, self.value
        asked = {seen.eps.tobytes() for seen in found.history}
        if self.starts and asked <= self._asked:
            return False
        self._asked |= asked
        for seen in found.history:
            value = attained_value(problem, seen.size, seen.deviation, seen.proved)
            if better(problem, value, best):
                best = value
                moment = (self.solves + seen.solves, self.seconds + seen.seconds, value)
                self.moments.append(moment)
        value = attained_value(problem, found.norm, found.deviation, found.proved)
        if better(problem, value, self.value):
            self.value = value
        if found.bound is not None:
            self.bound = float(found.bound)
        self.status = outcome(found)
        self.solves += found.lower_solves
        self.undecided += found.undecided
        self.starts += 1
        self.seconds += found.seconds
        self.seconds_solving += found.seconds_solving
        return True

    def row(self, settings: RunSettings) -> MethodRow:
        """Return the row; what the last solve did not confirm is no improvement."""
        confirmed = [m for m in self.moments if not better(self.problem, m[2], self.value)]
        return _row(
            settings,
            n=self.problem.model.n,
            status=self.status,
            value=float(self.value),
            bound=self.bound,
            solves=self.solves,
            undecided=self.undecided,
            starts=self.starts,
            seconds=self.seconds,
            seconds_solving=self.seconds_solving,
            improvements=" ".join(f"{s}:{when:.4f}:{value:.12g}" for s, when, value in confirmed),
        )


def run(settings: RunSettings) -> MethodRow:
    """Attack an instance, and write down what came of it.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended an attack: the run is to be done again.
    """
    with threadpool_limits(1):
        problem = settings.instance.problem()
        if settings.method == REFERENCE:
            return _reference(settings, problem)
        variant, tally = METHODS[settings.method], _Tally(problem)
        if variant.takes_starts and problem.model.n > MOST_POINTS:
            tally.status = f"{TOO_LARGE}: more than {MOST_POINTS} points"
            return tally.row(settings)
        try:
            _warm_up(variant.method)
            _attack(settings, variant, tally)
        except UnsupportedError as error:
            tally.status = f"{REFUSED}: {error}"
        except Exception as error:  # a benchmark keeps failures in
            tally.status = f"error: {type(error).__name__}: {error}"
        return tally.row(settings)


def _attack(settings: RunSettings, variant: Variant, tally: _Tally) -> None:
    """Attack again and again, until the budget is spent or nothing new is asked for."""
    for options, seed in _starts(settings, variant, tally.problem):
        found = attack(
            tally.problem,
            variant.method,
            seed,
            _left(settings.seconds, tally.seconds),
            _left(settings.solves, tally.solves),
            bound="none",
            closing="none",
            **options,
        )
        if found.termination == INTERRUPTED:
            raise KeyboardInterrupt
        is_new = tally.add(found)
        if not is_new or found.status in FINAL or found.termination != CONVERGED:
            return


def _left(budget: Any, spent: Any) -> Any:
    return None if budget is None else max(budget - spent, 0)


def _starts(
    settings: RunSettings, variant: Variant, problem: BilevelProblem
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield options and seed of one attack after another."""
    options = {**variant.options, **settings.options}
    if variant.is_rival:
        options.setdefault("corners", 10**9)  # what ends it is the budget
    if variant.method == "direct" and settings.solves is not None:
        options.setdefault("step", _lattice_step(problem, settings.solves))
    yield options, settings.seed
    takes_start = "start" in UPPER_METHODS[variant.method].options
    low, high = problem.box
    for number in itertools.count(1):
        rng = np.random.default_rng([settings.seed, number])
        start = {"start": problem.project(rng.uniform(low, high))} if takes_start else {}
        yield {**options, **start}, int(rng.integers(2**31))


def _lattice_step(problem: BilevelProblem, solves: int) -> float:
    """Return the step of a lattice with so many points in the box: the budget is for all of it."""
    low, high = problem.box
    along_an_axis = int(solves ** (1 / len(low)) * (1 + 1e-12))
    return float((high - low).max()) / max(along_an_axis - 1, 1)


def _reference(settings: RunSettings, problem: BilevelProblem) -> MethodRow:
    """Return the optimum over a ray as a row: all its seconds are the lower level's."""
    began = time.perf_counter()
    best = ray_optimum(problem, **settings.options)
    seconds = time.perf_counter() - began
    return _row(
        settings,
        n=problem.model.n,
        status="optimal",
        value=float(best.value),
        bound=float("nan"),
        solves=best.solves,
        undecided=0,
        starts=1,
        seconds=seconds,
        seconds_solving=seconds,
        improvements="",
    )


def _row(settings: RunSettings, **outcome: Any) -> MethodRow:
    return MethodRow(
        settings=settings.text,
        instance=settings.instance.name,
        method=settings.method,
        seed=settings.seed,
        **outcome,
    )


@cache
def _warm_up(method: str) -> None:
    """Load and compile what a method needs at its first attack, outside every clock."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(12, 2))
    plane = ConvexClustering(data, FusionGraph.knn(data, 3), 0.3)
    line = ConvexClustering(data[:, :1], FusionGraph.complete(12, 0.01), 1.0)
    for model in (plane, line):
        free = Perturbation.additive(model.data.shape, [0, 1], [0])
        problem = MaxDeviation(model, free, 1.0, np.inf)
        if refusal(UPPER_METHODS[method], problem) is None:
            attack(problem, method, time_limit=1.0, max_solves=30, bound="none", closing="none")
