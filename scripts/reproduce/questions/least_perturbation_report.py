"""(BL2) by every method as a table and an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bilad.scripts.known_problems import SIZE_TOLERANCE
from bilad.scripts.reproduce.questions.least_perturbation import BOUND, MOST_POINTS, LeastAttack
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import grouped


@dataclass(frozen=True)
class MethodSummary:
    """What a method came to on the problems that it takes: medians, and how many it solved."""

    method: str
    # problems, solved, failures: failures are those without an attack
    problems: int
    solved: int
    failures: int
    ratio: float  # median of value over optimum, failures left out
    # solves, seconds: medians
    solves: float
    seconds: float

    @property
    def share(self) -> float:
        """Share of the problems that were solved."""
        return self.solved / self.problems


def least_blocks(rows: Sequence[LeastAttack], solves: int, seconds: float) -> list[Block]:
    """Return how near the methods come to the least perturbation."""
    cells = [
        {
            "method": own.method,
            "problems": own.problems,
            "solved": own.solved,
            "share": own.share,
            "failures": own.failures,
            "median ratio": own.ratio,
            "solves": own.solves,
            "seconds": own.seconds,
        }
        for own in summaries(rows)
    ]
    known = len({row.problem for row in rows})
    table = Table(
        "Open question 2: (BL2) by every method",
        cells,
        f"{known} problems with a known optimum (two points, two clusters, small random ones "
        f"proved by a MILP or a ray, the settings' rays), {solves} solves or "
        f"{seconds:g} s each. Solved: within 0.1 % of the optimum. Ratio: ||eps|| over the "
        "optimum, failures left out. A method is judged on the problems that it takes; the "
        f"reformulations are not given more than {MOST_POINTS} points, which take them longer.",
    )
    return [table, Text(answer(rows))]


def summaries(rows: Sequence[LeastAttack]) -> list[MethodSummary]:
    """Return a summary of each method, the one that solves the largest share first."""
    methods = grouped([row for row in rows if row.method != BOUND], lambda row: row.method)
    made = [_summary(method, own) for method, own in methods]
    return sorted(made, key=lambda own: (-own.share, own.seconds))


def _summary(method: str, own: Sequence[LeastAttack]) -> MethodSummary:
    ratios = [row.ratio for row in own if np.isfinite(row.value)]
    return MethodSummary(
        method,
        problems=len(own),
        solved=sum(row.solved for row in own),
        failures=len(own) - len(ratios),
        ratio=float(np.median(ratios)) if ratios else float("nan"),
        solves=float(np.median([row.solves for row in own])),
        seconds=float(np.median([row.seconds for row in own])),
    )


def answer(rows: Sequence[LeastAttack]) -> str:
    """Return which methods solve (BL2), and whether the bounds are tight."""
    made = summaries(rows)
    most = max(own.problems for own in made)
    general = [own for own in made if own.problems == most]
    best = max(general, key=lambda own: (own.solved, -own.seconds))
    special = [own for own in made if own.problems < most and own.share == 1]
    said = [
        f"Of the methods that take all {most} problems, {best.method} comes within 0.1 % of the "
        f"least perturbation most often, on {best.solved}, in {best.seconds:.2g} s (median)"
    ]
    if special:
        names = ", ".join(f"{own.method} ({own.problems})" for own in special)
        said.append(f"all of the problems that they take are solved by {names}")
    return "; ".join(said) + ". " + _bounds(rows)


def _bounds(rows: Sequence[LeastAttack]) -> str:
    bounds = [row for row in rows if row.method == BOUND]
    given = [row for row in bounds if np.isfinite(row.value)]
    tight = sum(row.value >= row.optimum * (1 - SIZE_TOLERANCE) for row in given)
    wrong = sum(row.value > row.optimum * (1 + SIZE_TOLERANCE) for row in given)
    middle = f" (median {np.median([row.ratio for row in given]):.2f} of it)" if given else ""
    return (
        f"A proved lower bound is given for {len(given)} of {len(bounds)} problems, is within 0.1 "
        f"% of the optimum for {tight}{middle}, and above it for {wrong}."
    )
