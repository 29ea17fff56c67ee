"""A thousand points and more: every kind of perturbation, at an equal number of solves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from bilad.models import ConvexClustering
from bilad.scripts.attack_runs import outcome
from bilad.scripts.reproduce.checks import large_problems
from bilad.scripts.reproduce.checks.large_problems import (
    DROPPED,
    EDGES,
    KINDS,
    MODELS,
    clouds,
    edges_of_some,
    some_points,
)
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import grouped
from bilad.solvers import Attack, DroppedEdges, DroppedPoints, attack, drop_edges, drop_points

METHODS = ("corners", "random", "pgd", "hypergradient")
CANDIDATES, LOST = 15, 2  # points of which so many are dropped at most
POINTS = "dropped points"


@dataclass(frozen=True)
class LargeAttack:
    """What a method did to a large problem."""

    data: str
    kind: str
    method: str
    # n, k: points, and length of eps
    n: int
    k: int
    budget: float  # of ||eps||
    norm: str
    success: bool  # whether the partition moves, its labels proved
    deviation: float  # delta, counted from the lower level's own solution; 0 without success
    share: float  # delta over n (n - 1), in per cent
    bound: float  # proved, NaN if there is none
    # solves, undecided: of the lower level, and how many of them had labels that were not proved
    solves: int
    undecided: int
    seconds: float
    proved: bool  # whether the labels at 0 and at eps are
    status: str

    @property
    def seconds_a_solve(self) -> float:
        """Seconds over solves; NaN if there was none."""
        return self.seconds / self.solves if self.solves else float("nan")


def attacks(
    data: Sequence[str],
    kinds: Sequence[str],
    methods: Sequence[str],
    solves: int,
    seconds: float,
    seed: int,
) -> Iterator[LargeAttack]:
    """Yield an attack of each kind by each method, and one that drops points.

    Parameters
    ----------
    data, kinds, methods : sequence of str
        Keys of `MODELS` and `KINDS`; methods of `attack`.
    solves : int
        That each attack has.
    seconds : float
        That it has.
    seed : int
    """
    for method in methods:  # what is compiled at the first solve is not to count
        small = KINDS["entries"](
            clouds(60, np.random.default_rng(seed)), np.random.default_rng(seed)
        )
        attack(small, method, seed, max_solves=3, bound="none", closing="none")
    for name in data:
        model = MODELS[name](np.random.default_rng(seed))
        for kind in kinds:
            problem = KINDS[kind](model, np.random.default_rng(seed))
            for method in methods:
                yield _row(
                    name, kind, attack(problem, method, seed, seconds, solves, closing="none")
                )
        yield from _dropped(name, model, solves, seed)


def _row(data: str, kind: str, found: Attack) -> LargeAttack:
    problem, n = found.problem, found.problem.model.n
    success = found.proved and problem.is_attack(found.norm, found.deviation)
    deviation = found.deviation if success else 0.0
    return LargeAttack(
        data,
        kind,
        found.method,
        n=n,
        k=problem.perturbation.dim,
        budget=problem.radius,
        norm=f"{problem.norm:g}",
        success=success,
        deviation=deviation,
        share=100 * deviation / (n * (n - 1)),
        bound=float("nan") if found.bound is None else float(found.bound),
        solves=found.lower_solves,
        undecided=found.undecided,
        seconds=found.seconds,
        proved=found.proved,
        status=outcome(found),
    )


def _dropped(data: str, model: ConvexClustering, solves: int, seed: int) -> Iterator[LargeAttack]:
    """Drop points, then edges, as a choice of which: eps is 0 or 1 for each, in norm 1."""
    points, began = some_points(model, CANDIDATES, np.random.default_rng(seed)), time.perf_counter()
    without = drop_points(model, LOST, points=points, max_solves=solves)
    seconds = time.perf_counter() - began
    pairs = len(without.remaining) * (len(without.remaining) - 1)
    yield _removed(data, POINTS, model, without, (CANDIDATES, LOST, pairs), seconds)
    edges, began = edges_of_some(model, np.random.default_rng(seed)), time.perf_counter()
    thinner = drop_edges(model, DROPPED, edges=edges, max_solves=solves)
    seconds, pairs = time.perf_counter() - began, model.n * (model.n - 1)
    yield _removed(data, EDGES, model, thinner, (len(edges), DROPPED, pairs), seconds)


def _removed(
    data: str,
    kind: str,
    model: ConvexClustering,
    found: DroppedPoints | DroppedEdges,
    counts: tuple[int, int, int],
    seconds: float,
) -> LargeAttack:
    """Return the row of a removal; the counts are candidates, dropped at most, and pairs left."""
    k, most, pairs = counts
    return LargeAttack(
        data,
        kind,
        "drop_points" if kind == POINTS else "drop_edges",
        n=model.n,
        k=k,
        budget=float(most),
        norm="1",
        success=found.deviation > 0,
        deviation=found.deviation,
        share=100 * found.deviation / pairs,
        bound=found.deviation if found.exhaustive else float("nan"),
        solves=found.lower_solves,
        undecided=found.undecided,
        seconds=seconds,
        proved=found.status != "undecided",
        status=found.status,
    )


def leaders(rows: Sequence[LargeAttack]) -> dict[tuple[str, str], LargeAttack]:
    """Return the best attack of each problem, of equal ones that with fewer solves."""
    return {
        key: max(own, key=lambda row: (row.deviation, -row.solves))
        for key, own in grouped(rows, lambda row: (row.data, row.kind))
    }


def large_blocks(rows: Sequence[LargeAttack], solves: int, seconds: float) -> list[Block]:
    """Return every attack on a thousand points, and how the methods did."""
    cells = []
    for row in rows:
        wanted = asdict(row)
        del wanted["undecided"], wanted["proved"]
        cells.append({**wanted, "s / solve": row.seconds_a_solve})
    table = Table(
        "Check 2: n of a thousand and more",
        cells,
        f"(BL1), {solves} solves or {seconds:g} s, whichever ends first "
        "(drop_points, drop_edges: solves only; a solve that has begun is let end). share: of all "
        "pairs, in per cent. k: entries of eps; bound: proved, blank where there is none (none is "
        f"sought for n > 500). {large_problems.DESCRIPTION}",
    )
    return [table, Text(large_text(rows))]


def large_text(rows: Sequence[LargeAttack]) -> str:
    """Return success by kind, the method that led, and the time of a solve."""
    best = leaders(rows)
    moved = [row for row in best.values() if row.success]
    kinds = {kind: [r for r in moved if r.kind == kind] for kind in {r.kind for r in rows}}
    none = sorted(kind for kind, own in kinds.items() if not own)
    methods = grouped([r for r in rows if r.method in METHODS], lambda r: r.method)
    said = []
    for method, own in methods:
        led = sum(r.deviation == best[r.data, r.kind].deviation and r.success for r in own)
        speed = sum(r.seconds for r in own) / max(sum(r.solves for r in own), 1)
        said.append(
            f"{method} moved {sum(r.success for r in own)} of {len(own)}, with the best deviation "
            f"in {led}, at {speed:.2g} s a solve"
        )
    return (
        f"The partition was moved in {len(moved)} of {len(best)} problems"
        f"{', never by ' + ', '.join(none) if none else ', by every kind of perturbation'}. "
        f"{'; '.join(said)}."
    )
