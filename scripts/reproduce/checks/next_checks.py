"""The checks that the summary of the paper names as next ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bilad.scripts.methods.method_rows import MethodRow
from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.checks import (
    gradient_attacks,
    large_problems,
    thousand_points,
    three_way,
)
from bilad.scripts.reproduce.checks.gradient_attacks import gradient_blocks
from bilad.scripts.reproduce.checks.thousand_points import LargeAttack, large_blocks
from bilad.scripts.reproduce.checks.three_way import Ascent, three_way_blocks, three_way_claims
from bilad.scripts.reproduce.section import Section


@dataclass(frozen=True)
class Sizes:
    """How large the checks are."""

    size: int = 20  # points of each of three clusters
    spaces: tuple[str, ...] = ("line", "plane")  # where they lie: "line", "plane"
    counts: tuple[int, ...] = (1, 5, 10)  # points moved together to each of the other clusters
    # data, kinds: keys of `large_problems.MODELS` and `KINDS`
    data: tuple[str, ...] = tuple(large_problems.MODELS)
    kinds: tuple[str, ...] = tuple(large_problems.KINDS)
    large_solves: int = 30
    large_seconds: float = 2.5  # that an attack on a thousand points has
    # One entry on a line is what the exact method takes.
    # small instances: points, and free entries
    small: tuple[tuple[str, int], ...] = (("plane 24", 8), ("line 20", 5), ("line 20", 1))
    seeds: int = 2  # of each
    solves: int = 100
    seconds: float = 3.0  # that a run on them has


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
    """Make the three checks."""
    ascents = bench.collect("three_way", _ascents(bench.seed, sizes), Ascent)
    instances = gradient_attacks.instances(sizes.small, range(bench.seed, bench.seed + sizes.seeds))
    runs = bench.collect(
        "gradient_attacks",
        gradient_attacks.attacks(instances, sizes.solves, sizes.seconds, bench.seed),
        MethodRow,
        len(instances) * len(gradient_attacks.METHODS),
    )
    methods = thousand_points.METHODS
    large = bench.collect(
        "thousand_points",
        thousand_points.attacks(
            sizes.data, sizes.kinds, methods, sizes.large_solves, sizes.large_seconds, bench.seed
        ),
        LargeAttack,
        len(sizes.data) * (len(sizes.kinds) * len(methods) + 2),
    )
    blocks = [
        *three_way_blocks(ascents, sizes.size),
        *large_blocks(large, sizes.large_solves, sizes.large_seconds),
        *gradient_blocks(bench, runs, sizes.solves, sizes.seconds),
    ]
    return Section(blocks, three_way_claims(ascents, sizes.size))


def _ascents(seed: int, sizes: Sizes) -> Iterator[Ascent]:
    yield from three_way.on_partitions(sizes.size)
    for space in sizes.spaces:
        yield from three_way.moved_together(space, sizes.size, sizes.counts, seed)
        yield from three_way.moved_in_turn(space, sizes.size, sizes.size, seed)


PART = Part("next-checks", "Next checks", run, FULL, QUICK)
