"""Bilevel problems of the literature by every method: `python -m bilad.scripts.compare_bilevel`.

With a CSV table, or the folder of `bilevel_problems.csv`, its problems are solved; otherwise those
of `bilevel_problems.py`. A problem counts as solved if the verified value of F is at most
target + 1e-3 (1 + |target|). The table also shows how many verified answers violate a tolerance,
which must be 0, and what is proved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models.validation import one_of, whole_number
from bilad.scripts.bilevel_problems import PROBLEMS, PublishedProblem, read_problems
from bilad.scripts.command import command
from bilad.scripts.display import show
from bilad.solvers import BilevelSolution, UnsupportedError, solve_bilevel
from bilad.solvers.followers.solve import METHODS
from bilad.solvers.followers.verification import GAP_TOL, VIOLATION_TOL

SOLVED = 1e-3  # relative distance of F from the target of a solved problem
AGREES = 1e-6  # relative distance of a proved value from a proved target
BEATEN = 1e-4  # relative distance from which a value beats that of the literature


@dataclass(frozen=True)
class BilevelRun:
    """One solve of a published problem, with its processor time.

    `found` is None if the method does not apply.
    """

    problem: PublishedProblem
    method: str
    starts: int
    seconds: float
    found: BilevelSolution | None

    @property
    def solved(self) -> bool:
        """Whether the target is reached by a verified point."""
        target = self.problem.target
        return self.value is not None and self.value <= target + SOLVED * (1 + abs(target))

    @property
    def value(self) -> float | None:
        """The value of F at a point that the method calls solved."""
        return self.found.objective if self.found is not None and self.found.solved else None

    @property
    def false(self) -> bool:
        """Whether the method calls a point solved that violates a tolerance."""
        found = self.found
        if found is None or found.lower_gap is None or found.violation is None:
            return False
        violates = found.lower_gap > GAP_TOL or found.violation > VIOLATION_TOL
        return found.solved and violates

    @property
    def proved(self) -> bool:
        """Whether the point is proved optimal."""
        return self.found is not None and self.found.status == "optimal"

    @property
    def disagrees(self) -> bool:
        """Whether a proved value is not the proved target."""
        target = self.problem.target
        if not (self.proved and self.problem.proved) or self.value is None:
            return False
        return abs(self.value - target) > AGREES * (1 + abs(target))

    @property
    def beats_book(self) -> bool:
        """Whether the value is better than that of the literature."""
        book = self.problem.book
        if book is None or self.value is None:
            return False
        return self.value < book - BEATEN * (1 + abs(book))


def run(problem: PublishedProblem, method: str, starts: int, seed: int) -> BilevelRun:
    """Solve one problem by one method."""
    model, began = problem.model(), time.process_time()
    try:
        found = solve_bilevel(model, method, starts=starts, seed=seed)
    except UnsupportedError:
        found = None
    return BilevelRun(problem, method, starts, time.process_time() - began, found)


@command
def compare_bilevel(
    path: Annotated[
        Path | None, typer.Argument(help="A CSV table of problems, or its folder.")
    ] = None,
    methods: Annotated[str, typer.Option(help="Methods, comma-separated.")] = ",".join(
        (*METHODS, "auto")
    ),
    starts: Annotated[str, typer.Option(help="Numbers of starts, comma-separated.")] = "1,5",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random starts.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Output folder for the CSV of all runs.")] = None,
) -> None:
    """Solve published bilevel problems by every method."""
    names = [one_of(name.strip(), "methods", (*METHODS, "auto")) for name in methods.split(",")]
    counts = [whole_number(_integer(text), "starts", least=1) for text in starts.split(",")]
    problems = PROBLEMS if path is None else read_problems(path)
    console = Console(width=max(130, Console().width))
    runs = []
    with threadpool_limits(1):
        for name in names:
            for count in counts[:1] if name == "branching" else counts:
                rows = [run(problem, name, count, seed) for problem in problems]
                runs += rows
                show(console, f"{name}, {count} starts", [_summary(rows)])
    _report(console, runs)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        pd.DataFrame([_cells(one) for one in runs]).to_csv(out / "bilevel.csv", index=False)
        console.print(f"Written: {out / 'bilevel.csv'}", highlight=False)


def _integer(text: str) -> int | str:
    return int(text) if text.strip().isdigit() else text


def _summary(runs: list[BilevelRun]) -> dict[str, object]:
    applied = [one for one in runs if one.found is not None]
    proofs = [one for one in applied if one.proved]
    return {
        "problems": len(runs),
        "applies": len(applied),
        "solved": sum(one.solved for one in runs),
        "proved": len(proofs),
        "falsely called solved": sum(one.false for one in runs),
        "proofs that disagree": sum(one.disagrees for one in runs),
        "seconds": sum(one.seconds for one in runs),
        "longest": max((one.seconds for one in runs), default=0.0),
        "longest proof": max((one.seconds for one in proofs), default=0.0),
    }


def _report(console: Console, runs: list[BilevelRun]) -> None:
    """Show the values that beat the literature, and what no method has solved."""
    best: dict[str, BilevelRun] = {}
    for one in runs:
        known = best.get(one.problem.name)
        if one.value is not None and (
            known is None or (not known.proved and one.proved) or one.value < _value(known) - AGREES
        ):
            best[one.problem.name] = one
    beaten = [
        {
            "problem": name,
            "method": one.method,
            "book": one.problem.book,
            "value": one.value,
            "bound": one.found.bound if one.found is not None and one.proved else None,
            "gap of follower": one.found.lower_gap if one.found is not None else None,
        }
        for name, one in best.items()
        if one.beats_book
    ]
    show(console, "Values that beat the literature; a bound is a proof", beaten)
    solved = {one.problem.name for one in runs if one.solved}
    missed = sorted({one.problem.name for one in runs} - solved)
    console.print(f"Solved by no method: {', '.join(missed) or 'none'}", highlight=False)


def _value(one: BilevelRun) -> float:
    return float("inf") if one.value is None else one.value


def _cells(one: BilevelRun) -> dict[str, object]:
    found = one.found
    cells = {"problem": one.problem.name, "method": one.method, "starts": one.starts}
    cells |= {"target": one.problem.target, "solved": one.solved, "seconds": one.seconds}
    names = ("status", "objective", "claimed", "bound", "lower_gap", "violation")
    more = ("own_selection", "pessimistic", "largest_multiplier", "diverging", "nodes")
    return cells | {name: getattr(found, name, None) for name in (*names, *more)}


if __name__ == "__main__":
    typer.run(compare_bilevel)
