"""The runs of the comparison of methods, and the table that stores them.

A method is restarted with other random numbers until its limits are reached, or until a restart
evaluates no new eps. A run depends on its settings only, so a comparison that was stopped
continues with the runs that the table does not contain. A method that fails gives a row too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bilad.models import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import (
    FINAL,
    METHODS,
    REFUSED,
    Variant,
    attained_value,
    better,
    improving,
    no_value,
    outcome,
    warm_up,
)
from bilad.scripts.methods.rows import REFERENCE, MethodRow, RunSettings
from bilad.scripts.ray_optimum import ray_optimum
from bilad.scripts.run_store import resumed, stored
from bilad.solvers import Attack, attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import CONVERGED, INTERRUPTED
from bilad.solvers.upper import UPPER_METHODS

CLOSING = "ray"


class _Tally:
    """The sums over all attacks of one run."""

    def __init__(self, problem: BilevelProblem) -> None:
        self.problem = problem
        self.value = self.closed = no_value(problem)
        self.eps: FloatArray | None = None  # of the best attack
        self.bound = float("nan")
        self.status = "feasible"
        self.solves = self.undecided = self.starts = 0
        self.seconds = self.seconds_solving = 0.0
        self.moments: list[tuple[int, float, float]] = []
        self._evaluated: set[bytes] = set()

    def add(self, found: Attack) -> bool:
        """Add an attack if it evaluated a new eps; return whether it did."""
        evaluated = {seen.eps.tobytes() for seen in found.history}
        if self.starts and evaluated <= self._evaluated:
            return False
        self._evaluated |= evaluated
        self.moments += [
            (self.solves + solves, self.seconds + seconds, value)
            for solves, seconds, value in improving(self.problem, found, self.value)
        ]
        value = attained_value(self.problem, found.norm, found.deviation, found.proved)
        if better(self.problem, value, self.value):
            self.value, self.eps = value, found.eps
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
        """Return the row, without improvements that the final solve did not confirm."""
        confirmed = [m for m in self.moments if not better(self.problem, m[2], self.value)]
        return _row(
            settings,
            n=self.problem.model.n,
            status=self.status,
            value=float(self.value),
            closed=float(self.closed),
            bound=self.bound,
            solves=self.solves,
            undecided=self.undecided,
            starts=self.starts,
            seconds=self.seconds,
            seconds_solving=self.seconds_solving,
            improvements=" ".join(f"{s}:{when:.4f}:{value:.12g}" for s, when, value in confirmed),
        )


def run(settings: RunSettings) -> MethodRow:
    """Attack an instance and return the row of the result.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended an attack; the run is then incomplete.
    """
    with threadpool_limits(1):
        problem = settings.instance.problem()
        if settings.method == REFERENCE:
            return _reference(settings, problem)
        variant, tally = METHODS[settings.method], _Tally(problem)
        try:
            warm_up(variant.method)
            _attack(settings, variant, tally)
            _close(settings, tally)
        except UnsupportedError as error:
            tally.status = f"{REFUSED}: {error}"
        except Exception as error:  # a failure is a result of the comparison
            tally.status = f"error: {type(error).__name__}: {error}"
        return tally.row(settings)


def _attack(settings: RunSettings, variant: Variant, tally: _Tally) -> None:
    """Attack repeatedly until a limit is reached or no new eps is evaluated."""
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


def _close(settings: RunSettings, tally: _Tally) -> None:
    """Search along the ray through the best attack of all restarts; no limit counts this."""
    tally.closed = tally.value
    if tally.eps is None:
        return
    found = attack(
        tally.problem,
        "corners",
        settings.seed,
        settings.seconds,
        bound="none",
        closing=CLOSING,
        corners=0,
        starts=[tally.eps],
    )
    if found.termination == INTERRUPTED:
        raise KeyboardInterrupt
    closed = attained_value(tally.problem, found.norm, found.deviation, found.proved)
    if better(tally.problem, closed, tally.closed):
        tally.closed = closed


def _left(budget: Any, spent: Any) -> Any:
    return None if budget is None else max(budget - spent, 0)


def _starts(
    settings: RunSettings, variant: Variant, problem: BilevelProblem
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the options and the seed of each attack."""
    options = {**variant.options, **settings.options}
    if variant.is_simple_search:
        options.setdefault("corners", 10**9)  # the limits of the run end the search
    if variant.method == "direct" and settings.solves is not None:
        options.setdefault("step", _grid_step(problem, settings.solves))
    yield options, settings.seed
    takes_start = "start" in UPPER_METHODS[variant.method].options
    low, high = problem.box
    for number in itertools.count(1):
        rng = np.random.default_rng([settings.seed, number])
        start = {"start": problem.project(rng.uniform(low, high))} if takes_start else {}
        yield {**options, **start}, int(rng.integers(2**31))


def _grid_step(problem: BilevelProblem, solves: int) -> float:
    """Return the step of the finest grid on the box with at most so many points."""
    low, high = problem.box
    along_an_axis = int(solves ** (1 / len(low)) * (1 + 1e-12))
    return float((high - low).max()) / max(along_an_axis - 1, 1)


def _reference(settings: RunSettings, problem: BilevelProblem) -> MethodRow:
    """Return the optimum over a ray as a row."""
    began = time.perf_counter()
    best = ray_optimum(problem, **settings.options)
    seconds = time.perf_counter() - began
    return _row(
        settings,
        n=problem.model.n,
        status="optimal",
        value=float(best.value),
        closed=float(best.value),
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


def read_rows(path: Path) -> list[MethodRow]:
    """Return the complete rows of a table; none if the file does not exist."""
    return [row for row in stored(path, MethodRow) if row.is_readable]


def run_all(
    settings: Iterable[RunSettings], path: Path, say: Callable[[str], None], jobs: int = 1
) -> list[MethodRow]:
    """Carry out the runs that the table does not contain, and return the rows of all runs.

    Parameters
    ----------
    settings : iterable of RunSettings
    path : Path
        The path of the table, a CSV file.
    say : callable(str)
        Called with a line for each row.
    jobs : int, default 1
        Number of processes.

    Returns
    -------
    list of MethodRow
        In the order of the settings.
    """
    wanted = list(settings)
    return resumed(wanted, [one.text for one in wanted], run, MethodRow, path, say, jobs)
