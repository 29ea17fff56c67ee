"""A thousand points and more: every kind of perturbation, at an equal number of solves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import ConvexClustering
from bilad.scripts.attack_runs import outcome
from bilad.scripts.reproduce.checks.large_problems import (
    DROPPED,
    EDGES,
    KINDS,
    MODELS,
    clouds,
    edges_of_some,
    some_points,
)
from bilad.scripts.tables import grouped
from bilad.solvers import Attack, DroppedEdges, DroppedPoints, attack, drop_edges, drop_points

METHODS = ("corners", "random", "pgd", "hypergradient")
CANDIDATES, LOST = 15, 2  # points of which so many are dropped at most
POINTS = "dropped points"


@dataclass(frozen=True)
class LargeAttack:
    """What a method did to a large problem.

    Attributes
    ----------
    data, kind, method : str
    n, k : int
        Points, and length of eps.
    budget : float
        Of ||eps||.
    norm : str
    success : bool
        Whether the partition moves, its labels proved.
    deviation : float
        delta, counted from the lower level's own solution; 0 without success.
    share : float
        delta over n (n - 1), in per cent.
    bound : float
        Proved, NaN if there is none.
    solves, undecided : int
        Of the lower level, and how many of them had labels that were not proved.
    seconds : float
    proved : bool
        Whether the labels at 0 and at eps are.
    status : str
    """

    data: str
    kind: str
    method: str
    n: int
    k: int
    budget: float
    norm: str
    success: bool
    deviation: float
    share: float
    bound: float
    solves: int
    undecided: int
    seconds: float
    proved: bool
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
