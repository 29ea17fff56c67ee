"""Part `next-checks`: the checks that the summary of the paper proposes as next ones."""

from __future__ import annotations

from dataclasses import dataclass

from bilad.scripts.experiments.run import Row, carry_out
from bilad.scripts.reproduce.extensions import gradient_attacks, large_problems
from bilad.scripts.reproduce.extensions.large_problems import LargeAttack
from bilad.scripts.reproduce.part import Bench, Part, Section


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    # keys of `large_problems.MODELS` and `large_problems.KINDS`
    data: tuple[str, ...] = tuple(large_problems.MODELS)
    kinds: tuple[str, ...] = tuple(large_problems.KINDS)
    # limits of each attack on a large problem
    large_solves: int = 30
    large_seconds: float = 2.5
    # small instances, and the length of eps; the exact method supports one entry on a line only
    small: tuple[tuple[str, int], ...] = (("plane 24", 8), ("line 20", 5), ("line 20", 1))
    seeds: int = 2  # of each small instance
    # limits of each run on a small instance
    solves: int = 100
    seconds: float = 3.0


FULL = Sizes()
QUICK = Sizes(
    data=("clouds 1000",),
    kinds=("entries", "edge weights"),
    large_solves=8,
    large_seconds=0.5,
    small=(("line 20", 5),),
    seeds=1,
    solves=20,
    seconds=0.4,
)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Carry out the checks, and return the report."""
    seeds = range(bench.seed, bench.seed + sizes.seeds)
    planned = gradient_attacks.planned(sizes.small, seeds, sizes.solves, sizes.seconds)
    runs = bench.collect("gradient_attacks", map(carry_out, planned), Row, len(planned))
    methods = large_problems.METHODS
    large = bench.collect(
        "large_problems",
        large_problems.attacks(
            sizes.data, sizes.kinds, methods, sizes.large_solves, sizes.large_seconds, bench.seed
        ),
        LargeAttack,
        len(sizes.data) * (len(sizes.kinds) * len(methods) + 2),
    )
    blocks = [
        *large_problems.large_blocks(large, sizes.large_solves, sizes.large_seconds),
        *gradient_attacks.gradient_blocks(runs, sizes.solves, sizes.seconds),
    ]
    return Section(blocks)


PART = Part("next-checks", "Next checks", run, FULL, QUICK)
