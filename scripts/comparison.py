"""Comparison of attacks: a list of runs gives a table with one row for each run.

    problems = {"mine": MaxDeviation(...)}
    variants = [Variant("Scholtes", "kkt", {"relaxation": "scholtes"}), Variant("C", "corners")]
    table = compare(runs(problems, variants, seeds=range(5), time_limit=20.0), "results/mine")

Each run depends on its settings only. `own` is what the method found itself, `closed` what closing
made of it. A method that fails gives a row too. With a folder, each row is written as soon as it is
known, and runs that the folder contains are not repeated.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError, BilevelProblem, FusionGraph
from bilad.models.validation import one_of, real_number, seconds_limit, whole_number
from bilad.scripts.attack_runs import (
    NAN,
    REFUSED,
    Variant,
    attained_value,
    better,
    no_value,
    outcome,
    share,
    shown_value,
    warm_up,
)
from bilad.scripts.run_store import columns_of, resumed
from bilad.solvers import Attack, attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import INTERRUPTED
from bilad.solvers.upper import UPPER_METHODS, refusal
from bilad.solvers.upper.closing import CLOSINGS

ROWS = "runs.csv"
COLUMNS = (  # of the table, beside those of `Row`
    "method", "options", "seed", "closing", "sense", "optimum", "best", "own_share", "closed_share",
)  # fmt: skip
Moment = tuple[int, float, float]  # lower-level solves, seconds, value


@dataclass(frozen=True, eq=False)
class Run:
    """One attack of a comparison.

    Attributes
    ----------
    problem : MaxDeviation or MinPerturbation
    method : str
        A method of `attack`.
    options : mapping, optional
        Options of the method, such as `relaxation`, `schedule`, `contraction`, `starts`.
    seed : int, default 0
    label : str, optional
        The name of the method with its options; by default it is written from both.
    name : str, optional
        The name of the problem; by default it is written from its content.
    time_limit : float, optional
        In seconds, as in `attack`.
    max_solves : int, optional
        As in `attack`.
    closing : {"none", "ray", "search"}, default "none"
        What follows the method. A fifth of the time limit is reserved for it.
    optimum : float, optional
        The largest deviation (BL1) or the least norm (BL2), if it is known.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    """

    problem: BilevelProblem
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    label: str = ""
    name: str = ""
    time_limit: float | None = None
    max_solves: int | None = None
    closing: str = "none"
    optimum: float | None = None

    def __post_init__(self) -> None:
        kind = type(self.problem).__name__
        if not isinstance(self.problem, BilevelProblem):
            raise ArgumentError("problem", kind, "MaxDeviation or MinPerturbation")
        chosen = UPPER_METHODS[one_of(self.method, "method", UPPER_METHODS)]
        if not isinstance(self.options, Mapping):
            raise ArgumentError("options", type(self.options).__name__, "a mapping")
        for option in self.options:
            one_of(option, f"options of {self.method!r}", chosen.options)
        whole_number(self.seed, "seed", least=0)
        seconds_limit(self.time_limit, "time_limit", least=0)
        if self.max_solves is not None:
            whole_number(self.max_solves, "max_solves", least=0)
        one_of(self.closing, "closing", CLOSINGS)
        if self.optimum is not None:
            real_number(self.optimum, "optimum", above=0)
        if refusal(chosen, self.problem) is None:
            chosen.prepare(self.problem, np.random.default_rng(0), **self.options)
        defaults = {
            "label": " ".join([self.method, *(f"{k}={v}" for k, v in self.options.items())]),
            "name": f"{kind} {fingerprint(self.problem)}",
        }
        for attribute, text in defaults.items():
            given = getattr(self, attribute)
            if not isinstance(given, str):
                raise ArgumentError(attribute, type(given).__name__, "a string")
            object.__setattr__(self, attribute, given or text)

    @property
    def text(self) -> str:
        """All that the result depends on, as JSON."""
        settings = {
            "problem": [self.name, fingerprint(self.problem)],
            "method": self.method,
            "options": dict(self.options),
            "seed": self.seed,
            "limits": [self.time_limit, self.max_solves],
            "closing": self.closing,
        }
        return json.dumps(settings, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    """Return an option as something that JSON can represent."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else repr(value)


def fingerprint(problem: BilevelProblem) -> str:
    """Return a short text that differs if what defines two problems does."""
    model, free, digest = problem.model, problem.perturbation, hashlib.sha256()
    words = [problem.sense, problem.norm_name, problem.radius, problem.target, problem.deviation]
    arrays: list[Any] = [*model.parts.values(), free.lower, free.upper]
    for operator in free.operators.values():
        entries = operator.tocoo()
        arrays += [entries.row, entries.col, entries.data]
    for value in (*words, *_definition(model), *arrays):
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)).encode())
    return digest.hexdigest()[:10]


def _definition(thing: object) -> Iterator[Any]:
    """Yield what is stored in a model and in its graph, except what is computed from it."""
    yield type(thing).__name__
    for name, value in sorted(vars(thing).items()):
        if not isinstance(getattr(type(thing), name, None), cached_property):
            yield name
            yield from _definition(value) if isinstance(value, FusionGraph) else [value]


def runs(
    problems: Mapping[str, BilevelProblem],
    variants: Iterable[Variant],
    seeds: Iterable[int] = (0,),
    optima: Mapping[str, float] | None = None,
    **limits: Any,
) -> list[Run]:
    """Return a run of each variant on each problem with each seed.

    Parameters
    ----------
    problems : mapping of str to MaxDeviation or MinPerturbation
        By name.
    variants : iterable of Variant
    seeds : iterable of int, default (0,)
    optima : mapping of str to float, optional
        The optima that are known, by the names of the problems.
    **limits
        `time_limit`, `max_solves` and `closing`, as in `Run`.
    """
    known, numbers, chosen = optima or {}, list(seeds), list(variants)
    return [
        Run(
            problem,
            variant.method,
            variant.options,
            seed,
            variant.name,
            name,
            optimum=known.get(name),
            **limits,
        )
        for name, problem in problems.items()
        for variant in chosen
        for seed in numbers
    ]


@dataclass(frozen=True)
class Row:
    """The result of one run, as it is stored."""

    settings: str  # `Run.text`
    problem: str
    label: str
    # as `outcome` returns it; "refused" if the method does not support the problem; "error: ..."
    # after an exception
    status: str
    # the deviation (BL1) or ||eps|| (BL2); 0 or infinity without an attack with certified labels.
    # `closed` is NaN without closing.
    own: float
    closed: float = NAN
    bound: float = NAN  # the proved bound, or NaN
    contraction: str = ""  # of a reformulation's model
    blocks: int = 0  # rows of the largest model on blocks
    solves: int = 0  # lower-level solves, without those of closing
    closing_solves: int = 0
    iterations: int = 0  # of IPOPT
    # wall and CPU seconds of the whole run, closing included
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    load: float = NAN  # load average of the machine at the beginning
    # wall seconds of closing, the lower level, the Pyomo model, its opening, IPOPT, and function
    # evaluations within IPOPT (NaN if the stages do not report them)
    closing_seconds: float = 0.0
    lower: float = 0.0
    build: float = 0.0
    opening: float = 0.0
    ipopt: float = 0.0
    evaluations: float = NAN
    history: str = ""  # when each better own value was found: "solves:seconds:value .."

    @property
    def line(self) -> str:
        """The row in one line."""
        closed = "" if np.isnan(self.closed) else f", closed {shown_value(self.closed)}"
        return (
            f"{self.problem} | {self.label}: {shown_value(self.own)}{closed}, "
            f"{self.seconds:.2f} s, {self.status}"
        )

    def moments(self) -> list[Moment]:
        """Return (solves, seconds, value) of each improvement."""
        parts = [part.split(":") for part in self.history.split()]
        return [(int(solves), float(seconds), float(value)) for solves, seconds, value in parts]


def compare(
    runs: Iterable[Run],
    folder: str | Path | None = None,
    *,
    jobs: int = 1,
    say: Callable[[str], object] = lambda text: None,
) -> pd.DataFrame:
    """Carry out a list of runs.

    Parameters
    ----------
    runs : iterable of Run
        Runs with the same name of the problem have the same problem, and runs that agree in the
        name, the label and the seed are the same run.
    folder : str or Path, optional
        The rows are stored here, in runs.csv. Runs that it contains are not repeated, so a
        comparison that was interrupted continues. Without a folder nothing is stored.
    jobs : int, default 1
        Number of processes. With several, methods and relaxations that this process has registered
        are not available, and the seconds depend on the other runs.
    say : callable(str), optional
        Called with a line for each new row.

    Returns
    -------
    DataFrame
        One row for each run, in the given order: the columns of `Row`, and

        method, options, seed, closing, sense
            As in `Run` and its problem.
        optimum : float
            NaN if it is not known.
        best : float
            The optimum, or else the best value of all runs on the problem.
        own_share, closed_share : float
            The shares of `best` that `own` and `closed` attain, between 0 and 1; NaN if no run
            found an attack.
        history : list of (int, float, float)
            Lower-level solves, seconds and value of each improvement of the method's own.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or two runs or problems have the same name; this is checked before
        any run.
    KeyboardInterrupt
        After Ctrl-C. The rows of finished runs are in the folder.
    """
    wanted = list(runs)
    _check(wanted)
    whole_number(jobs, "jobs", least=1)
    path = None if folder is None else Path(folder) / ROWS
    rows = resumed(wanted, [one.text for one in wanted], attacked, Row, path, say, jobs)
    return _table(wanted, rows)


def _check(wanted: Sequence[Run]) -> None:
    """Check that names are those of one problem and of one run."""
    problems: dict[str, str] = {}
    seen: set[tuple[str, str, int]] = set()
    for run in wanted:
        if not isinstance(run, Run):
            raise ArgumentError("runs", type(run).__name__, "Run")
        print_of = fingerprint(run.problem)
        if problems.setdefault(run.name, print_of) != print_of:
            raise ArgumentError("name", f"{run.name!r} for two problems", "a name for each")
        key = (run.name, run.label, run.seed)
        if key in seen:
            given = f"{run.label!r} twice on {run.name!r} with seed {run.seed}"
            raise ArgumentError("label", given, "different labels")
        seen.add(key)


def attacked(run: Run) -> Row:
    """Carry out one run.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended the attack; the run is then incomplete.
    """
    problem = run.problem
    named: dict[str, Any] = {"settings": run.text, "problem": run.name, "label": run.label}
    try:
        with threadpool_limits(1):
            warm_up(run.method)
            load, began = load_average(), time.process_time()
            found = attack(
                problem,
                run.method,
                run.seed,
                run.time_limit,
                run.max_solves,
                bound="none",
                closing=run.closing,
                **run.options,
            )
            cpu_seconds = time.process_time() - began
    except UnsupportedError:
        return Row(**named, status=REFUSED, own=no_value(problem), closed=_closed(run))
    except Exception as error:  # a failure is a result of the comparison
        status = f"error: {type(error).__name__}: {error}"
        return Row(**named, status=status, own=no_value(problem), closed=_closed(run))
    if found.termination == INTERRUPTED:
        raise KeyboardInterrupt
    own = _own(problem, found)
    return Row(
        **named,
        status=outcome(found),
        own=own,
        closed=_closed(run, found),
        bound=NAN if found.bound is None else float(found.bound),
        **_parts(run, found),
        solves=found.lower_solves - found.closing_solves,
        closing_solves=found.closing_solves,
        iterations=sum(stage.iterations for stage in found.stages),
        seconds=found.seconds,
        cpu_seconds=cpu_seconds,
        load=load,
        closing_seconds=found.closing_seconds,
        lower=found.seconds_solving,
        history=" ".join(
            f"{solves}:{seconds:.4f}:{float(value)!r}"
            for solves, seconds, value in _own_moments(problem, found, own)
        ),
    )


def load_average() -> float:
    """Return the mean number of processes that ran in the last minute; NaN if it is not known."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else NAN


def _own(problem: BilevelProblem, found: Attack) -> float:
    """Return the value of the method's own result."""
    own = found.own
    final = np.array_equal(own.eps, found.eps)  # its labels were recomputed
    proved = found.proved if final else found.baseline.proved
    return attained_value(problem, own.norm, own.deviation, proved)


def _closed(run: Run, found: Attack | None = None) -> float:
    """Return the value after closing, NaN without closing."""
    if run.closing == "none":
        return NAN
    if found is None:
        return no_value(run.problem)
    return attained_value(run.problem, found.norm, found.deviation, found.proved)


def _parts(run: Run, found: Attack) -> dict[str, Any]:
    """Return the contraction, the blocks and the seconds that the stages report."""
    blocks = max((stage.blocks or 0 for stage in found.stages), default=0)
    by_default = "observed" if blocks else "none"
    return {
        "contraction": run.options.get("contraction") or by_default if found.stages else "",
        "blocks": blocks,
        "build": sum((stage.writing for stage in found.stages), 0.0),
        "opening": sum((stage.opening for stage in found.stages), 0.0),
        "ipopt": sum((stage.seconds for stage in found.stages), 0.0),
        "evaluations": sum(
            (NAN if stage.evaluating is None else stage.evaluating for stage in found.stages), 0.0
        ),
    }


def _own_moments(problem: BilevelProblem, found: Attack, own: float) -> list[Moment]:
    """Return when the method's own value became better.

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
    best, improved = no_value(problem), []
    for moment in sorted(moments, key=lambda one: one[1]):
        # A value better than the final one was not confirmed, or closing found it.
        if better(problem, moment[2], best) and not better(problem, moment[2], own):
            best = moment[2]
            improved.append(moment)
    return improved


def _table(wanted: Sequence[Run], rows: Sequence[Row]) -> pd.DataFrame:
    """Return the table of all runs."""
    best: dict[str, float] = {}
    for run, row in zip(wanted, rows, strict=True):
        found = [row.own] if np.isnan(row.closed) else [row.own, row.closed]
        pick = min if run.problem.sense == "min" else max
        best[run.name] = pick([best.get(run.name, no_value(run.problem)), *found])
    best |= {run.name: run.optimum for run in wanted if run.optimum is not None}
    made = [
        {
            **asdict(row),
            "problem": run.name,
            "label": run.label,
            "method": run.method,
            "options": dict(run.options),
            "seed": run.seed,
            "closing": run.closing,
            "sense": run.problem.sense,
            "optimum": NAN if run.optimum is None else run.optimum,
            "best": best[run.name],
            "own_share": _share(run.problem, best[run.name], row.own),
            "closed_share": _share(run.problem, best[run.name], row.closed),
            "history": row.moments(),
        }
        for run, row in zip(wanted, rows, strict=True)
    ]
    return pd.DataFrame(made, columns=[*columns_of(Row), *COLUMNS])


def _share(problem: BilevelProblem, best: float, value: float) -> float:
    return share(problem, best, value) if 0 < best < np.inf else NAN
