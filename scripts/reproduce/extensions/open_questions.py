"""Part `open-questions`: measurements on the questions that the paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass

from bilad.scripts.instances import CLUSTERERS, CONVEX
from bilad.scripts.reproduce.extensions import (
    adversarial_losses,
    black_box_budgets,
    least_perturbation,
    recovery_grid,
)
from bilad.scripts.reproduce.extensions.adversarial_losses import LossSample, loss_blocks
from bilad.scripts.reproduce.extensions.black_box_budgets import Queries, black_box_blocks
from bilad.scripts.reproduce.extensions.least_perturbation import LeastAttack, least_blocks
from bilad.scripts.reproduce.extensions.recovery_grid import RecoveryCell, recovery_blocks
from bilad.scripts.reproduce.part import Bench, Part, Section

SIMPLE = ("random", "corners", "hypergradient", "exact", "milp")  # the methods of --quick


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    # question 1: families of `recovery_grid` with their levels, p, d, seeds, gammas
    levels: tuple[tuple[str, tuple[float, ...]], ...] = (
        (recovery_grid.IMBALANCE, (1.0, 2.0, 5.0, 10.0)),
        (recovery_grid.INNER, (0.2, 0.4, 0.6)),
        (recovery_grid.OUTER, (0.5, 0.9)),
        (recovery_grid.ALIKE, (0.0, 0.5)),
        (recovery_grid.PULL, (0.0, 0.5)),
    )
    norms: tuple[float, ...] = (1.0, 2.0)
    dimensions: tuple[int, ...] = (1, 2, 3)
    recovery_seeds: int = 4
    gammas: int = 15
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
    # adversarial losses: small clouds with the length of eps, lines, steps on each side of 0, and
    # steps on each side of 0 if there is one parameter
    clouds: tuple[tuple[str, int], ...] = (("line 20", 5), ("plane 24", 8))
    lines: int = 25
    steps: int = 20
    many: int = 400


FULL = Sizes()
QUICK = Sizes(
    levels=(
        (recovery_grid.IMBALANCE, (1.0, 5.0)),
        (recovery_grid.INNER, (0.4,)),
        (recovery_grid.ALIKE, (0.0,)),
        (recovery_grid.PULL, (0.0,)),
    ),
    norms=(2.0,),
    dimensions=(1,),
    recovery_seeds=1,
    gammas=9,
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
    clouds=(("line 20", 5),),
    lines=3,
    steps=5,
    many=40,
)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Carry out the experiments on each question, and return the report."""
    cells = bench.collect(
        "recovery",
        recovery_grid.recoveries(
            sizes.levels,
            sizes.norms,
            sizes.dimensions,
            _seeds(bench, sizes.recovery_seeds),
            sizes.gammas,
        ),
        RecoveryCell,
        sum(len(own) for _, own in sizes.levels)
        * (len(sizes.norms) * len(sizes.dimensions) * sizes.recovery_seeds),
    )
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
    losses = bench.collect(
        "losses",
        adversarial_losses.loss_samples(
            adversarial_losses.loss_problems(sizes.clouds, bench.seed),
            sizes.lines,
            sizes.steps,
            sizes.many,
            bench.seed,
        ),
        LossSample,
    )
    return Section(
        [
            *recovery_blocks(cells),
            *least_blocks(least, sizes.solves, sizes.seconds),
            *black_box_blocks(queries, sizes.points, sizes.entries),
            *loss_blocks(losses),
        ]
    )


def _seeds(bench: Bench, count: int) -> range:
    return range(bench.seed, bench.seed + count)


PART = Part("open-questions", "Open questions", run, FULL, QUICK)
