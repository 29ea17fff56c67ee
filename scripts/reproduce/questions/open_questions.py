"""The questions that the paper leaves open: what our measurements say."""

from __future__ import annotations

from dataclasses import dataclass

from bilad.scripts.methods.instances import CLUSTERERS, CONVEX
from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.questions import (
    adversarial_losses,
    black_box_budgets,
    least_perturbation,
    recovery_grid,
)
from bilad.scripts.reproduce.questions.adversarial_losses import LossSample, loss_blocks
from bilad.scripts.reproduce.questions.black_box_budgets import Queries, black_box_blocks
from bilad.scripts.reproduce.questions.least_perturbation import LeastAttack, least_blocks
from bilad.scripts.reproduce.questions.recovery_grid import RecoveryCell, recovery_blocks
from bilad.scripts.reproduce.section import Section

SIMPLE = ("random", "corners", "hypergradient", "exact", "milp")  # of --quick


@dataclass(frozen=True)
class Sizes:
    """How large the experiments are."""

    # families of `recovery_grid`, each with its levels
    levels: tuple[tuple[str, tuple[float, ...]], ...] = (
        (recovery_grid.IMBALANCE, (1.0, 2.0, 5.0, 10.0)),
        (recovery_grid.INNER, (0.2, 0.4, 0.6)),
        (recovery_grid.OUTER, (0.5, 0.9)),
        (recovery_grid.ALIKE, (0.0, 0.5)),
        (recovery_grid.PULL, (0.0, 0.5)),
    )
    # norms, dimensions: p and d of them
    norms: tuple[float, ...] = (1.0, 2.0)
    dimensions: tuple[int, ...] = (1, 2, 3)
    # recovery_seeds, gammas: seeds of each, and gammas that are tried
    recovery_seeds: int = 4
    gammas: int = 15
    every: int = 2  # of the problems (BL2) with a known optimum the first, and so forth in steps
    methods: tuple[str, ...] = tuple(least_perturbation.able_methods())  # on these
    solves: int = 60
    seconds: float = 1.0  # that each has
    # learners, blind: clusterers that are attacked by their answers, and methods that do it
    learners: tuple[str, ...] = (CONVEX, *CLUSTERERS)
    blind: tuple[str, ...] = black_box_budgets.METHODS
    points: int = 60
    entries: int = 10
    budgets: tuple[int, ...] = (25, 50, 100, 200, 400)  # queries
    seeds: int = 2
    # small clouds on which losses are measured, and their free entries
    clouds: tuple[tuple[str, int], ...] = (("line 20", 5), ("plane 24", 8))
    # lines, steps, many: lines through eps = 0 there, steps on each side, and steps on each side of
    # a ray
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
    """Measure what can be said of each question."""
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
            *recovery_blocks(bench, cells),
            *least_blocks(least, sizes.solves, sizes.seconds),
            *black_box_blocks(bench, queries, sizes.points, sizes.entries),
            *loss_blocks(bench, losses),
        ]
    )


def _seeds(bench: Bench, count: int) -> range:
    return range(bench.seed, bench.seed + count)


PART = Part("open-questions", "Open questions", run, FULL, QUICK)
