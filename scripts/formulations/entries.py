"""Part `entries` of the comparison of formulations: many parameters, beside simple searches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import (
    KEY,
    REFUSED,
    VARIANTS,
    Plan,
    Row,
    Run,
    Variant,
    improvements,
    run_attack,
    value_at,
)
from bilad.scripts.display import Cells, grouped, mean, median, show
from bilad.scripts.instances import Instance
from bilad.scripts.profiles import draw_profile
from bilad.scripts.run_store import Output

SECONDS, QUICK_SECONDS = 30.0, 10.0  # time limit of one run
COUNTS = (5, 20, 60)
CLOSE = 0.99  # share of the best known value that counts as solved in the profile


def entry_instances(seed: int, seeds: int, counts: Sequence[int]) -> list[Instance]:
    """Return (BL1) in which so many entries of Iris or of the Gaussian clouds may change."""
    return [
        Instance("entries", data, "entries", k, norm, "BL1", seed=seed + number)
        for data in ("iris", "gaussians")
        for k in counts
        for norm in ("inf", "2")
        for number in range(seeds)
    ]


def entry_runs(
    instances: Sequence[Instance], variants: Sequence[Variant], seconds: float
) -> Iterator[Row]:
    """Attack each instance by each variant, all with the same time limit."""
    for instance in instances:
        problem = instance.problem()
        for variant in variants:
            yield run_attack(problem, Run(instance.name, variant.name, instance.seed, seconds))


def entry_table(rows: Sequence[Row], instances: Sequence[Instance]) -> list[Cells]:
    """Return means over the seeds of U over the best known U.

    The columns `corners then` and `random then` give the value that these searches had found after
    the time that the formulation took.
    """
    groups = {instance.name: instance.group for instance in instances}
    problems = {instance.name: instance.problem() for instance in instances}
    best = {name: max(r.value for r in own) for name, own in grouped(rows, lambda row: row.problem)}
    rivals = {(r.problem, r.variant): r for r in rows if VARIANTS[r.variant].is_simple_search}

    def of_best(row: Row, value: float) -> float:
        return value / best[row.problem] if best[row.problem] else float("nan")

    def then(row: Row, rival: str) -> float:
        other = rivals.get((row.problem, rival))
        if other is None:
            return float("nan")
        return of_best(row, value_at(problems[row.problem], other, row.seconds))

    table = []
    for (group, variant), own in grouped(rows, lambda row: (groups[row.problem], row.variant)):
        if all(row.status == REFUSED for row in own):
            continue
        table.append(
            {
                "instance": group,
                "formulation": variant,
                "U / best": mean([of_best(row, row.value) for row in own]),
                "own / best": mean([of_best(row, row.own) for row in own]),
                "corners then": mean([then(row, "corners") for row in own]),
                "random then": mean([then(row, "random") for row in own]),
                "worst U / best": min(of_best(row, row.value) for row in own),
                "median s": median([row.seconds for row in own]),
                "median solves": int(np.median([row.lower_solves for row in own])),
                "time limit": sum(row.status == "time limit" for row in own),
                "errors": sum(row.status.startswith("error") for row in own),
            }
        )
    return table


def entry_costs(rows: Sequence[Row]) -> dict[str, FloatArray]:
    """Return, for each variant, the seconds to 99 % of the best known value of each problem."""
    best = {name: max(r.value for r in own) for name, own in grouped(rows, lambda row: row.problem)}
    costs = {}
    for variant, own in grouped(rows, lambda row: row.variant):
        hits = {row.problem: _first_close(row, CLOSE * best[row.problem]) for row in own}
        costs[variant] = np.array([hits.get(name, np.inf) for name in best])
    return costs


def _first_close(row: Row, wanted: float) -> float:
    """Return the seconds until a run first attained the wanted deviation."""
    if row.value < wanted or wanted == 0:
        return float("inf")
    return next(seconds for seconds, value in improvements(row) if value >= wanted)


def run(plan: Plan, output: Output) -> None:
    """Run the part, print its table and draw its performance profile."""
    seeds, counts = (1, COUNTS[:1]) if plan.quick else (plan.seeds, COUNTS)
    instances = entry_instances(plan.seed, seeds, counts)
    limit = plan.limit(SECONDS, QUICK_SECONDS)
    rows = output.collect("entries", entry_runs(instances, plan.variants, limit), Row, KEY)
    show(
        output.console,
        "Entries: U over the best known U, means over the seeds",
        entry_table(rows, instances),
        "own: what the method found itself, before the closing search. corners then, random then: "
        "what these searches had\nfound after the time that the formulation took; in their own "
        "rows, at the time limit.",
    )
    title = f"Entries: seconds to {CLOSE:.0%} of the best known value"
    draw_profile(entry_costs(rows), title, output.folder / "entries.png")
