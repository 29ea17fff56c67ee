"""Open question: exact recovery without the assumptions of Theorem 1, decided by the exact test.

The data have planted partitions with unequal cluster sizes, with weights that are zero, or with
coinciding centroids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, recovery_interval
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.display import Cells, grouped
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.solvers import exact_recovery_interval, is_recovered

SMALL = 4  # points of the smaller cluster
DISTANCE, SPREAD = 4.0, 0.3  # distance of the centres, and standard deviation in each feature
RING = 1.0  # radius of a cluster that surrounds another with the same centroid
PULLED = 0.02  # factor of the weights between them if a third cluster is joined to one of them
LEAST, MOST = 0.05, 3.0  # the range of gamma, in units of DISTANCE / n
WIDTH = 1e-2  # relative accuracy of the ends of the exact interval
IMBALANCE = "sizes"
INNER, OUTER = "zero weights inside", "zero weights between"
ALIKE, PULL = "same centroid", "same centroid, pulled"


@dataclass(frozen=True)
class RecoveryCell:
    """A planted partition for several gammas."""

    family: str
    level: float  # the ratio of the sizes, or the share of the weights that are zero
    p: float
    d: int
    seed: int
    gammas: int  # the number of gammas, on a logarithmic grid
    theorem: int  # the number of gammas for which Theorem 1 guarantees the partition
    # the numbers of gammas for which the exact test proves or refutes it, or is undecided
    yes: int
    no: int
    unknown: int
    contradictions: int  # the number of gammas with a guarantee that the exact test refutes
    # log10(gamma_max / gamma_min) of Theorem 1; 0 if the interval is empty
    theorem_width: float
    # the same for the exact interval around the first gamma that is proved; 0 without one
    exact_width: float


Planted = tuple[FloatArray, FusionGraph, IntArray]
Planter = Callable[[float, int, np.random.Generator], Planted]


def unequal(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant two clusters, the first `level` times as large, with positive weights."""
    sizes = (round(level * SMALL), SMALL)
    data, labels = _blobs(sizes, d, rng)
    return data, _weights(data), labels


def thinned_inside(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant two equal clusters; a share of the weights inside them is zero."""
    data, labels = _blobs((2 * SMALL, 2 * SMALL), d, rng)
    return data, _thinned(_weights(data), labels, level, rng, inside=True), labels


def thinned_between(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant two equal clusters; a share of the weights between them is zero."""
    data, labels = _blobs((2 * SMALL, 2 * SMALL), d, rng)
    return data, _thinned(_weights(data), labels, level, rng, inside=False), labels


def alike(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant a cluster around another with the same centroid; some weights between them are zero."""
    data, labels = _ring(d, rng)
    graph = _thinned(_weights(data), labels, level, rng, inside=False)
    return data, graph, labels


def pulled(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant these two clusters and a third one, which is joined to the outer one only."""
    data, labels = _ring(d, rng)
    far = np.zeros((SMALL, d))
    far[:, 0] = DISTANCE
    data, labels = np.vstack([data, far]), np.append(labels, np.full(SMALL, 2))
    graph = _thinned(_weights(data), labels, level, rng, inside=False)
    i, j = labels[graph.edges].T
    weights = graph.weights.copy()
    weights[(np.minimum(i, j) == 0) & (np.maximum(i, j) == 1)] *= PULLED
    weights[(np.minimum(i, j) == 0) & (np.maximum(i, j) == 2)] = 0.0
    return data, graph.with_weights(weights), labels


FAMILIES: dict[str, Planter] = {
    IMBALANCE: unequal,
    INNER: thinned_inside,
    OUTER: thinned_between,
    ALIKE: alike,
    PULL: pulled,
}


def recoveries(
    levels: Sequence[tuple[str, Sequence[float]]],
    norms: Sequence[float],
    dimensions: Sequence[int],
    seeds: Sequence[int],
    gammas: int,
) -> Iterator[RecoveryCell]:
    """Yield the cells for all families and levels, p in `norms`, d in `dimensions`, and seeds."""
    for family, own in levels:
        for level in own:
            for p in norms:
                for d in dimensions:
                    for seed in seeds:
                        yield recovery_cell(family, level, p, d, seed, gammas)


def recovery_cell(
    family: str, level: float, p: float, d: int, seed: int, gammas: int
) -> RecoveryCell:
    """Return one cell."""
    data, graph, labels = FAMILIES[family](level, d, np.random.default_rng([seed, d]))
    unit = DISTANCE / len(data)
    grid = np.geomspace(LEAST, MOST, gammas) * unit
    models = [ConvexClustering(data, graph, float(gamma), p) for gamma in grid]
    theorem = recovery_interval(models[gammas // 2], labels)
    says = np.array([theorem.gamma_min <= gamma < theorem.gamma_max for gamma in grid])
    tests = [is_recovered(model, labels) for model in models]
    found = next((m for m, test in zip(models, tests, strict=True) if test), None)
    exact = None if found is None else exact_recovery_interval(found, labels, WIDTH)
    return RecoveryCell(
        family,
        level,
        p,
        d,
        seed,
        gammas,
        theorem=int(says.sum()),
        yes=tests.count(True),
        no=tests.count(False),
        unknown=tests.count(None),
        contradictions=sum(bool(s) and test is False for s, test in zip(says, tests, strict=True)),
        theorem_width=_width(theorem.gamma_min, theorem.gamma_max),
        exact_width=0.0 if exact is None else _width(exact.low, exact.high),
    )


def _width(low: float, high: float) -> float:
    """Return log10(high / low); infinity if low is 0."""
    if not low < high:
        return 0.0
    return float(np.log10(high / low)) if low > 0 else float("inf")


def _blobs(sizes: Sequence[int], d: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    data = SPREAD * rng.normal(size=(len(labels), d))
    data[:, 0] += DISTANCE * labels
    return data, labels


def _ring(d: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Return points on a circle and closer points, symmetric to 0, so that both centroids are 0."""
    directions = rng.normal(size=(SMALL, d))
    directions *= RING / np.linalg.norm(directions, axis=1, keepdims=True)
    near = SPREAD * RING * directions[: SMALL // 2]
    data = np.vstack([near, -near, directions, -directions])
    return data, np.repeat([0, 1], [2 * len(near), 2 * SMALL])


def _weights(data: FloatArray) -> FusionGraph:
    """Return the complete graph with unequal weights between 1/2 and 1."""
    edges = FusionGraph.complete(len(data)).edges
    squared = ((data[edges[:, 0]] - data[edges[:, 1]]) ** 2).sum(axis=1)
    return FusionGraph(len(data), edges, 0.5 + 0.5 * np.exp(-squared))


def _thinned(
    graph: FusionGraph, labels: IntArray, share: float, rng: np.random.Generator, inside: bool
) -> FusionGraph:
    """Set a share of the weights inside or between clusters to zero."""
    i, j = labels[graph.edges].T
    places = np.flatnonzero((i == j) == inside)
    weights = graph.weights.copy()
    weights[rng.choice(places, round(share * len(places)), replace=False)] = 0.0
    return graph.with_weights(weights)


def by_level(rows: Sequence[RecoveryCell]) -> list[tuple[tuple[str, float], list[RecoveryCell]]]:
    """Return the cells of each family and level."""
    return grouped(rows, lambda row: (row.family, row.level))


def recovery_blocks(rows: Sequence[RecoveryCell]) -> list[Block]:
    """Return the table and the summary of the results."""
    table = Table(
        "Open question 1: recovery without the assumptions",
        [_recovery_cells(*key, own) for key, own in by_level(rows)],
        f"Planted clusters: normally distributed points (standard deviation {SPREAD:g}) around "
        f"centres {DISTANCE:g} apart, {SMALL} in the smaller of unequal clusters, {2 * SMALL} in "
        "each of equal ones; weights 1/2 + exp(-||a_i - a_j||^2) / 2 on the complete graph; gammas "
        f"on a logarithmic grid from {LEAST:g} to {MOST:g} times {DISTANCE:g} / n. level: for "
        "'sizes' the ratio of the sizes, otherwise the share of zero weights, inside or between "
        "clusters. same centroid: a cluster surrounds another one. pulled: moreover, a third "
        "cluster is joined to the outer one only, and the weights between the other two are "
        f"multiplied by {PULLED:g}. Theorem 1 yes, exact yes, no, unknown: shares of the gammas. "
        "contradictions: Theorem 1 guarantees the partition and the exact test refutes it. width: "
        "median of log10 of the largest over the least gamma, 0 if there is none; the exact "
        "interval contains a gamma of the grid.",
    )
    return [table, Text(recovery_answer(rows))]


def _recovery_cells(family: str, level: float, own: Sequence[RecoveryCell]) -> Cells:
    tried = sum(row.gammas for row in own)
    return {
        "family": family,
        "level": level,
        "instances": len(own),
        "gammas": tried,
        "Theorem 1 yes": sum(row.theorem for row in own) / tried,
        "exact yes": sum(row.yes for row in own) / tried,
        "exact no": sum(row.no for row in own) / tried,
        "unknown": sum(row.unknown for row in own) / tried,
        "contradictions": sum(row.contradictions for row in own),
        "width, Theorem 1": float(np.median([row.theorem_width for row in own])),
        "width, exact": float(np.median([row.exact_width for row in own])),
    }


def recovery_answer(rows: Sequence[RecoveryCell]) -> str:
    """Describe the results for each assumption that fails."""
    contradictions = sum(row.contradictions for row in rows)
    said = [
        f"In {len(rows)} instances, the exact test contradicts Theorem 1 for {contradictions} of "
        f"{sum(row.theorem for row in rows)} gammas for which the theorem guarantees the partition."
    ]
    for family, own in grouped(rows, lambda row: row.family):
        failing = [row for row in own if row.theorem_width == 0]
        returned = sum(row.yes > 0 for row in failing)
        if failing:
            said.append(
                f"{family}: Theorem 1 guarantees the partition for no gamma in {len(failing)} of "
                f"{len(own)} instances; in {returned} of these it is returned for some gamma."
            )
    return " ".join([*said, *_on_centroids(rows)])


def _on_centroids(rows: Sequence[RecoveryCell]) -> list[str]:
    """Describe the results for coinciding centroids."""
    alone = [row for row in rows if row.family == ALIKE]
    pulled = [row for row in rows if row.family == PULL]
    said = []
    if alone:
        said.append(
            "Two clusters with the same centroid, without other clusters, are never returned: with "
            "one variable for each cluster, every term of the objective is least if both are "
            f"equal. The exact test proves recovery for {sum(row.yes for row in alone)} of "
            f"{sum(row.gammas for row in alone)} gammas."
        )
    if any(row.yes for row in pulled):
        said.append(
            "With a third cluster that is joined to one of the two, they can be returned, so "
            "distinct centroids are not necessary."
        )
    return said
