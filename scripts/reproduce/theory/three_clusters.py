"""Part `three-clusters`: whether a deviation decreases as one of three clusters loses its points.

A next check of the summary of the paper. It considers partitions, for all numbers (s_2, s_3) of
points that move to the other clusters, and convex clustering, where points of the first group are
shifted towards the others: several points together by one eps, or one point after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise, product

import numpy as np
import pandas as pd

from bilad.models import ConvexClustering, FusionGraph, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.display import Cells
from bilad.scripts.experiments.page import Table
from bilad.scripts.reproduce.section import Bench, Claim, Part, Section, agrees_if
from bilad.scripts.reproduce.theory.reassignment import partition, reassigned
from bilad.solvers import exact_recovery_interval
from bilad.solvers.clustering.parametric.bracketed import bracket_breakpoints
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

DISTANCE = 10.0  # of the centres, in standard deviations of a group
CENTRES = {
    "line": DISTANCE * np.array([[0.0], [-1.0], [1.0]]),
    "plane": DISTANCE * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]]),
}
ROUNDING = 1e-12  # relative; smaller decreases are not counted
CAPTION = (
    "changes: of the partition as the perturbation increases; then, for each deviation, the number "
    "of those at which it decreases. partitions: all (s_2, s_3), one point more to one cluster or "
    "to each. line: parametric path. plane: samples with certified labels, between which changes "
    "can be missed. Groups: normally distributed points around centres 10 standard deviations "
    "apart; equal weights on the complete graph; p = 2; gamma is in the middle of the interval "
    "that returns the groups. `changed` compares labels without renaming clusters. largest %: the "
    "largest decrease of delta, in per cent of its largest value on the path."
)
Move = tuple[IntArray, IntArray]  # the labels before and after a change


def run(bench: Bench) -> Section:
    """Count decreases on partitions and on the model, and return the report."""
    size, counts = (6, (1, 3)) if bench.quick else (20, (1, 5, 10))
    groups = partition([size] * 3)
    rows = [row("partitions", "all", on_partitions(size), groups)]
    for space in ("line",) if bench.quick else CENTRES:
        model = planted(space, groups, bench.seed)
        ways = (CENTRES[space][1:] - CENTRES[space][0]) / DISTANCE
        shifts = ways[np.arange(size) % 2]  # to the second and the third group in turn
        for number in bench.track(space, counts):
            moves = pairwise(along(model, shifts[: 2 * number]))
            rows.append(row(f"{space}, together", f"{number} to each", moves, groups))
        moves = pairwise(in_turn(model, shifts))
        rows.append(row(f"{space}, one after another", f"{size} points", moves, groups))
    found = pd.DataFrame(rows)
    table = Table("decreases", f"Three clusters of {size} points", found, CAPTION)
    return Section([table], claims(found, size))


def on_partitions(size: int) -> Iterator[Move]:
    """Yield all moves of one point to one of the other clusters, or to each of them."""
    for s, t in product(range(size + 1), repeat=2):
        both = [(s + 1, t + 1)] if s == t else []
        for more in [(s + 1, t), (s, t + 1), *both]:
            if sum(more) <= size:
                yield reassigned([size] * 3, (s, t)), reassigned([size] * 3, more)


def planted(space: str, groups: IntArray, seed: int) -> ConvexClustering:
    """Return a model of normally distributed points whose clusters are the groups."""
    rng, graph = np.random.default_rng(seed), FusionGraph.complete(len(groups))
    while True:
        data = CENTRES[space][groups] + rng.normal(size=(len(groups), CENTRES[space].shape[1]))
        model = ConvexClustering(data, graph, DISTANCE / len(groups), 2)
        found = exact_recovery_interval(model, groups, 1e-3)
        if found is not None:
            return ConvexClustering(data, graph, (found.low * found.high) ** 0.5, 2)


def along(model: ConvexClustering, shifts: FloatArray, first: int = 0) -> IntArray:
    """Return the labels for eps from 0 to the distance of the groups, shape (m, n).

    The points from `first` on are shifted. On a line the labels are those of the parametric path,
    without single eps at which clusters touch. In the plane they are certified samples.
    """
    direction = np.zeros_like(model.data)
    direction[first : first + len(shifts)] = shifts
    shift = Perturbation.shift(direction)
    if model.d == 1:
        return np.array(parametric_path(model, shift, 0.0, DISTANCE).between)
    found = bracket_breakpoints(model, shift, 0.0, DISTANCE, width=DISTANCE / 64, points=11)
    return found.labels[found.proved]


def in_turn(model: ConvexClustering, shifts: FloatArray) -> Iterator[IntArray]:
    """Yield the labels as the points of the first group are shifted one after another."""
    for number in range(len(shifts)):
        yield from along(model, shifts[[number]], number)
        data = model.data.copy()
        data[number] += DISTANCE * shifts[number]
        model = model.replace(data=data)


def row(experiment: str, path: str, moves: Iterable[Move], groups: IntArray) -> Cells:
    """Return the number of decreases of each deviation, and the largest one of delta."""
    changes = [move for move in moves if not np.array_equal(*move)]
    falls = {}
    for name, function in PARTITION_DEVIATIONS.items():
        values = np.array([[function.value(groups, labels) for labels in m] for m in changes])
        falls[name] = (values[:, 0] - values[:, 1]) / values.max()
    found: Cells = {"experiment": experiment, "path": path, "changes": len(changes)}
    found |= {name: int((own > ROUNDING).sum()) for name, own in falls.items()}
    return found | {"largest %": 100 * falls["delta"].max(initial=0.0)}


def claims(found: pd.DataFrame, size: int) -> list[Claim]:
    """Return the claims that delta does not decrease, on partitions and on the model."""
    text = (
        f"As points of one of three clusters of {size} move to the others, delta never decreases."
    )
    said, on_partitions = [], found.experiment == "partitions"
    for where, own in ("partitions", found[on_partitions]), ("the model", found[~on_partitions]):
        measured = (
            f"It decreases at {own.delta.sum()} of {own.changes.sum()} changes of the partition, "
            f"at most by {own['largest %'].max():.2g} %."
        )
        said.append(Claim(f"Next check 1, {where}", text, measured, agrees_if(not own.delta.any())))
    return said


PART = Part("three-clusters", "Next check 1: three equal clusters", run)
