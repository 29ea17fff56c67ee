"""Part `next-checks`: the checks that the summary of the paper proposes as next ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bilad.scripts.experiments.run import Row, carry_out
from bilad.scripts.reproduce.extensions import gradient_attacks, large_problems, three_way
from bilad.scripts.reproduce.extensions.large_problems import LargeAttack
from bilad.scripts.reproduce.extensions.three_way import Ascent
from bilad.scripts.reproduce.part import Bench, Part, Section


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    size: int = 20  # points of each of three clusters
    spaces: tuple[str, ...] = ("line", "plane")
    counts: tuple[int, ...] = (1, 5, 10)  # points shifted together towards each other cluster
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
    size=6,
    spaces=("line",),
    counts=(1, 3),
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
    """Carry out the three checks, and return the report."""
    ascents = bench.collect("three_way", _ascents(bench.seed, sizes), Ascent)
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
        *three_way.three_way_blocks(ascents, sizes.size),
        *large_problems.large_blocks(large, sizes.large_solves, sizes.large_seconds),
        *gradient_attacks.gradient_blocks(runs, sizes.solves, sizes.seconds),
    ]
    return Section(blocks, three_way.three_way_claims(ascents, sizes.size))


def _ascents(seed: int, sizes: Sizes) -> Iterator[Ascent]:
    yield from three_way.on_partitions(sizes.size)
    for space in sizes.spaces:
        yield from three_way.moved_together(space, sizes.size, sizes.counts, seed)
        yield from three_way.moved_in_turn(space, sizes.size, sizes.size, seed)


PART = Part("next-checks", "Next checks", run, FULL, QUICK)
