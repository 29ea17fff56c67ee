"""Part `grid` of the comparison of formulations: problems whose optimum is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bilad.models import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import KEY, REFUSED, Plan, Row, Run, Variant, run_attack, time_to
from bilad.scripts.display import Cells, as_percent, grouped, median, show
from bilad.scripts.known_problems import (
    BEATEN_TOLERANCE,
    KnownProblem,
    is_attained,
    known_problems,
)
from bilad.scripts.profiles import draw_profile
from bilad.scripts.run_store import Output

SECONDS, QUICK_SECONDS = 10.0, 10.0  # time limit of one run
QUICK_EVERY = 7  # --quick takes every 7th known problem; odd, as (BL1) and (BL2) alternate
STARTS = 5


def grid_runs(variants: Sequence[Variant], seed: int, seconds: float, every: int) -> Iterator[Row]:
    """Attack every `every`-th known problem from one start, and from five if that is not enough."""
    for known in list(known_problems().values())[::every]:
        for variant in variants:
            row = run_attack(
                known.problem, Run(known.name, variant.name, seed, seconds), known.optimum
            )
            yield row
            if variant.takes_starts and not is_attained(known.problem, row.own_share):
                again = Run(known.name, variant.name, seed, seconds, {"starts": STARTS})
                yield run_attack(known.problem, again, known.optimum)


def grid_table(rows: Sequence[Row]) -> list[Cells]:
    """Return, for each variant, how many optima it attains."""
    known, table = known_problems(), []
    for variant, own in grouped(rows, lambda row: row.variant):
        taken = [row for row in own if row.status != REFUSED]
        first = [row for row in taken if not row.options]
        count = len(first)
        table.append(
            {
                "formulation": variant,
                "problems": count,
                "refused": len(own) - len(taken),
                "own, 1 start": _attained(known, first, "own_share", count),
                f"own, within {STARTS}": _attained(known, taken, "own_share", count),
                "closed, 1 start": _attained(known, first, "share", count),
                f"closed, within {STARTS}": _attained(known, taken, "share", count),
                "worst share": min(
                    (max(r.share for r in runs) for _, runs in grouped(taken, lambda r: r.problem)),
                    default=float("nan"),
                ),
                "gap 0": as_percent(sum(r.status == "optimal" for r in first), count)
                if any(np.isfinite(r.bound) for r in first)
                else "",
                "errors": sum(row.status.startswith("error") for row in taken),
                "beaten": sum(row.share > 1 + BEATEN_TOLERANCE for row in taken),
                "median s": median([row.seconds for row in first]),
            }
        )
    return table


def _attained(known: Mapping[str, KnownProblem], rows: Sequence[Row], column: str, of: int) -> str:
    """Return the share of the problems on which the best of a column of shares is 1."""
    names = {
        row.problem for row in rows if is_attained(known[row.problem].problem, getattr(row, column))
    }
    return as_percent(len(names), of)


def attains(problem: BilevelProblem, row: Row) -> bool:
    """Return whether a run attained the known optimum."""
    return is_attained(problem, row.share)


def grid_costs(rows: Sequence[Row]) -> dict[str, FloatArray]:
    """Return, for each variant, the seconds of all runs until it attained each optimum."""
    known = known_problems()
    names = list(dict.fromkeys(row.problem for row in rows))
    costs = {}
    for variant, own in grouped(rows, lambda row: row.variant):
        seconds = {name: float("inf") for name in names}
        for name, runs in grouped(own, lambda row: row.problem):
            problem, spent = known[name].problem, 0.0
            for row in runs:
                seconds[name] = min(seconds[name], spent + time_to(problem, row, attains))
                spent += row.seconds
        costs[variant] = np.array(list(seconds.values()))
    return costs


def run(plan: Plan, output: Output) -> None:
    """Run the part, print its table and draw its performance profile."""
    every = QUICK_EVERY if plan.quick else 1
    limit = plan.limit(SECONDS, QUICK_SECONDS)
    rows = output.collect("grid", grid_runs(plan.variants, plan.seed, limit, every), Row, KEY)
    show(
        output.console,
        "Grid: problems whose known optimum is attained",
        grid_table(rows),
        "own: what the method found itself; closed: after the closing search. BL1: the deviation "
        "is equal; BL2: the norm is within 0.1 %.\nworst share: the least share of the optimum "
        "over the problems, closed. beaten: answers better than the known optimum, which would "
        "refute it.",
    )
    picture = output.folder / "grid.png"
    draw_profile(grid_costs(rows), "Grid: seconds to the known optimum", picture)
