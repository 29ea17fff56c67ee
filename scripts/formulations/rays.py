"""Part `rays` of the comparison of formulations: one parameter, and the optimum over its ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bilad.models import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import KEY, REFUSED, Plan, Row, Run, Variant, run_attack, time_to
from bilad.scripts.display import Cells, as_share, grouped, mean, median, show
from bilad.scripts.profiles import draw_profile
from bilad.scripts.ray_optimum import POINTS, ray_optimum
from bilad.scripts.run_store import Output
from bilad.scripts.settings import SETTINGS, readable_settings

SECONDS, QUICK_SECONDS = 60.0, 30.0  # time limit of one run
QUICK_POINTS = 2001
STARTS = (0.0, -0.75, -0.375, 0.375, 0.875)  # as multiples of the radius
ENOUGH = 0.999  # share of the optimum that counts as solved in the profile

Problems = dict[str, BilevelProblem]


def ray_problems(names: Iterable[str], say: Callable[[str], None]) -> Problems:
    """Return (BL1) and (BL2) of the settings whose data can be read."""
    problems: Problems = {}
    for name, setting in readable_settings(names, say).items():
        problems[f"{name} BL1"] = setting.max_deviation()
        problems[f"{name} BL2"] = setting.min_perturbation()
    return problems


def ray_runs(
    problems: Problems,
    variants: Sequence[Variant],
    seed: int,
    seconds: float,
    points: int,
    starts: Sequence[float],
) -> Iterator[Row]:
    """Attack along each ray from several starts, and compare with the optimum over the ray."""
    for name, problem in problems.items():
        optimum = ray_optimum(problem, points).value
        for variant in variants:
            chosen = starts if variant.takes_starts else [0.0]
            for start in chosen:
                options = {"start": start * problem.radius} if variant.takes_starts else {}
                settings = Run(name, variant.name, seed, seconds, options)
                yield run_attack(problem, settings, optimum)


def ray_table(rows: Sequence[Row]) -> list[Cells]:
    """Return, for each problem and variant, the results of the best and of the worst start."""
    table = []
    for (problem, variant), own in grouped(rows, lambda row: (row.problem, row.variant)):
        if all(row.status == REFUSED for row in own):
            continue
        shares = [row.share for row in own]
        table.append(
            {
                "problem": problem,
                "formulation": variant,
                "optimum": own[0].optimum,
                "best": as_share(max(shares)),
                "mean": as_share(mean(shares)),
                "worst": as_share(min(shares)),
                "median s": median([row.seconds for row in own]),
                "median solves": int(np.median([row.lower_solves for row in own])),
                "errors": sum(row.status.startswith("error") for row in own),
            }
        )
    return table


def ray_costs(rows: Sequence[Row], problems: Problems) -> dict[str, FloatArray]:
    """Return, for each variant, the seconds from each start; infinite below 99.9 %.

    The seconds of a variant without starts are repeated for each start.
    """
    indices = list(dict.fromkeys((row.problem, row.options) for row in rows))
    indices = [index for index in indices if index[1]] or indices
    costs = {}
    for variant, own in grouped(rows, lambda row: row.variant):
        seconds = {
            (row.problem, row.options): time_to(
                problems[row.problem], row, lambda _, row: row.share >= ENOUGH
            )
            for row in own
        }
        costs[variant] = np.array(
            [seconds.get(index, seconds.get((index[0], ""), np.inf)) for index in indices]
        )
    return costs


def run(plan: Plan, output: Output) -> None:
    """Run the part, print its table and draw its performance profile."""
    names = plan.settings or (["iris"] if plan.quick else list(SETTINGS))
    starts = plan.starts or (2 if plan.quick else len(STARTS))
    problems = ray_problems(names, output.say)
    rows = output.collect(
        "rays",
        ray_runs(
            problems,
            plan.variants,
            plan.seed,
            plan.limit(SECONDS, QUICK_SECONDS),
            QUICK_POINTS if plan.quick else POINTS,
            STARTS[:starts],
        ),
        Row,
        KEY,
    )
    show(
        output.console,
        "Rays (our settings): share of the optimum over the ray, over the starts",
        ray_table(rows),
    )
    picture = output.folder / "rays.png"
    draw_profile(ray_costs(rows, problems), f"Rays: seconds to {ENOUGH:.1%}", picture)
