"""Part `open-questions`: measurements on the questions that the paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass

from bilad.scripts.instances import CLUSTERERS, CONVEX
from bilad.scripts.reproduce.extensions import (
    black_box_budgets,
    least_perturbation,
)
from bilad.scripts.reproduce.extensions.black_box_budgets import Queries, black_box_blocks
from bilad.scripts.reproduce.extensions.least_perturbation import LeastAttack, least_blocks
from bilad.scripts.reproduce.part import Bench, Part, Section

SIMPLE = ("random", "corners", "hypergradient", "exact", "milp")  # the methods of --quick


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    # question 2: every `every`-th known problem, methods, and the limits of each run
    every: int = 2
    methods: tuple[str, ...] = tuple(least_perturbation.able_methods())
    solves: int = 60
    seconds: float = 1.0
    # question 3: clusterers, black-box methods, points, perturbed entries, queries, seeds
    learners: tuple[str, ...] = (CONVEX, *CLUSTERERS)
    blind: tuple[str, ...] = black_box_budgets.METHODS
    points: int = 60
    entries: int = 10
    budgets: tuple[int, ...] = (25, 50, 100, 200, 400)
    seeds: int = 2


FULL = Sizes()
QUICK = Sizes(
    every=6,
    methods=SIMPLE,
    solves=25,
    seconds=0.3,
    learners=(CONVEX, "k-means"),
    blind=("random", "corners", "nes", "cma"),
    points=30,
    entries=5,
    budgets=(10, 20, 40),
    seeds=1,
)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Carry out the experiments on each question, and return the report."""
    problems = least_perturbation.known_least(sizes.every)
    least = bench.collect(
        "least_perturbation",
        least_perturbation.least_attacks(
            problems, sizes.methods, sizes.solves, sizes.seconds, bench.seed
        ),
        LeastAttack,
    )
    queries = bench.collect(
        "black_box",
        black_box_budgets.black_box_runs(
            sizes.learners,
            sizes.blind,
            sizes.points,
            sizes.entries,
            sizes.budgets,
            _seeds(bench, sizes.seeds),
        ),
        Queries,
    )
    return Section(
        [
            *least_blocks(least, sizes.solves, sizes.seconds),
            *black_box_blocks(queries, sizes.points, sizes.entries),
        ]
    )


def _seeds(bench: Bench, count: int) -> range:
    return range(bench.seed, bench.seed + count)


PART = Part("open-questions", "Open questions", run, FULL, QUICK)
