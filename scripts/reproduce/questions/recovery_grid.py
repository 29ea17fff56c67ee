"""Exact recovery beyond the assumptions of Theorem 1, the theorem beside the exact test.

Planted partitions, more and more unequal in size, with more and more weights that are zero, and
with coinciding centroids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from bilad.models import ConvexClustering, FusionGraph, recovery_interval
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import Cells, grouped
from bilad.solvers import exact_recovery_interval, is_recovered

SMALL = 4  # points of the smaller cluster
DISTANCE, SPREAD = 4.0, 0.3  # of the centres, and standard deviation in each feature
RING = 1.0  # radius of the cluster around another with the same centroid
PULLED = 0.02  # weight between coinciding clusters of which a third one pulls at one only
LEAST, MOST = 0.05, 3.0  # gammas, in units of distance over points
WIDTH = 1e-2  # relative, of the exact interval's ends
IMBALANCE = "sizes"
INNER, OUTER = "zero weights inside", "zero weights between"
ALIKE, PULL = "same centroid", "same centroid, pulled"


@dataclass(frozen=True)
class RecoveryCell:
    """A planted partition at several gammas."""

    family: str
    level: float  # ratio of the sizes, or share of the weights that are zero
    # p, d, seed: norm, features, random numbers
    p: float
    d: int
    seed: int
    gammas: int  # that were tried, on a logarithmic grid
    theorem: int  # at how many Theorem 1 says that the partition is returned
    # yes, no, unknown: at how many the exact test proves it, refutes it, or cannot tell
    yes: int
    no: int
    unknown: int
    contradictions: int  # at how many the theorem says yes and the test no: an error of either
    # log10 of gamma_max / gamma_min; 0 if the interval is empty, infinity if it has no end
    theorem_width: float
    # the same of the interval around the first gamma that the exact test proves; 0 without one
    exact_width: float


Planted = tuple[FloatArray, FusionGraph, IntArray]
Planter = Callable[[float, int, np.random.Generator], Planted]


def unequal(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant two clusters, the first `level` times as large; all weights positive."""
    sizes = (round(level * SMALL), SMALL)
    data, labels = _blobs(sizes, d, rng)
    return data, _weights(data), labels


def thinned_inside(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant two equal clusters, a share of the weights inside them zero."""
    data, labels = _blobs((2 * SMALL, 2 * SMALL), d, rng)
    return data, _thinned(_weights(data), labels, level, rng, inside=True), labels


def thinned_between(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant two equal clusters, a share of the weights between them zero."""
    data, labels = _blobs((2 * SMALL, 2 * SMALL), d, rng)
    return data, _thinned(_weights(data), labels, level, rng, inside=False), labels


def alike(level: float, d: int, rng: np.random.Generator) -> Planted:
    """Plant a cluster around another with the same centroid; some weights between them zero."""
    data, labels = _ring(d, rng)
    graph = _thinned(_weights(data), labels, level, rng, inside=False)
    return data, graph, labels


def pulled(level: float, d: int, rng: np.random.Generator) -> Planted:
    """The same, and a third cluster that is joined to the outer one only."""
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
    """Yield every cell of the grid.

    Parameters
    ----------
    levels : sequence of (str, sequence of float)
        Keys of `FAMILIES`, each with its levels.
    norms, dimensions, seeds : sequence
        p, d, and random numbers.
    gammas : int
        How many are tried for each instance.
    """
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
    """Return log10 of high / low; infinity where low is 0."""
    if not low < high:
        return 0.0
    return float(np.log10(high / low)) if low > 0 else float("inf")


def _blobs(sizes: Sequence[int], d: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    data = SPREAD * rng.normal(size=(len(labels), d))
    data[:, 0] += DISTANCE * labels
    return data, labels


def _ring(d: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Return points around 0, and nearer ones, both with centroid 0: each comes with its mirror."""
    directions = rng.normal(size=(SMALL, d))
    directions *= RING / np.linalg.norm(directions, axis=1, keepdims=True)
    near = SPREAD * RING * directions[: SMALL // 2]
    data = np.vstack([near, -near, directions, -directions])
    return data, np.repeat([0, 1], [2 * len(near), 2 * SMALL])


def _weights(data: FloatArray) -> FusionGraph:
    """Return the complete graph with unequal weights, from one half to one: none is zero."""
    edges = FusionGraph.complete(len(data)).edges
    squared = ((data[edges[:, 0]] - data[edges[:, 1]]) ** 2).sum(axis=1)
    return FusionGraph(len(data), edges, 0.5 + 0.5 * np.exp(-squared))


def _thinned(
    graph: FusionGraph, labels: IntArray, share: float, rng: np.random.Generator, inside: bool
) -> FusionGraph:
    """Set a share of the weights to zero, of those inside clusters or of those between."""
    i, j = labels[graph.edges].T
    places = np.flatnonzero((i == j) == inside)
    weights = graph.weights.copy()
    weights[rng.choice(places, round(share * len(places)), replace=False)] = 0.0
    return graph.with_weights(weights)


def by_level(rows: Sequence[RecoveryCell]) -> list[tuple[tuple[str, float], list[RecoveryCell]]]:
    """Return the cells of each family and level."""
    return grouped(rows, lambda row: (row.family, row.level))


def recovery_blocks(bench: Bench, rows: Sequence[RecoveryCell]) -> list[Block]:
    """Return how often the theorem and the exact test say yes."""
    table = Table(
        "Open question 1: recovery without the assumptions",
        [_recovery_cells(*key, own) for key, own in by_level(rows)],
        "Planted clusters: normal points (deviation "
        f"{SPREAD:g}) around centres {DISTANCE:g} apart, "
        f"{SMALL} in the smaller of unequal clusters, {2 * SMALL} in "
        "each of equal ones; weights 1/2 + exp(-||a_i - a_j||^2) / 2 on the complete graph; gammas "
        f"on a logarithmic grid from {LEAST:g} to {MOST:g} times "
        f"{DISTANCE:g} / n. sizes: ratio of the two clusters; zero "
        "weights: their share; same centroid: a cluster around another, and the share of zero "
        "weights between clusters; pulled: and a third cluster, joined to the outer one only, "
        f"while the coinciding ones are joined weakly ({PULLED:g} times). "
        "Contradictions: Theorem 1 says yes and the exact test no. Width: median of log10 of the "
        "largest over the least gamma, 0 for none. "
        "The exact interval is that around a gamma of the grid. level: that ratio or share. "
        "Theorem 1 yes, exact yes, no, unknown: shares of the gammas.",
    )
    picture = bench.picture(
        "recovery",
        "Share of the gammas at which Theorem 1 guarantees the planted partition, and at which "
        "the exact test proves that it is returned.",
        partial(draw_recovery, rows),
        (8.0, 3.6),
    )
    return [table, picture, Text(recovery_answer(rows))]


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
    """Return what the cells say of each assumption that fails."""
    contradictions = sum(row.contradictions for row in rows)
    said = [
        f"In {len(rows)} instances the exact test contradicts Theorem 1 at {contradictions} of "
        f"{sum(row.theorem for row in rows)} gammas at which the theorem says yes."
    ]
    for family, own in grouped(rows, lambda row: row.family):
        failing = [row for row in own if row.theorem_width == 0]
        returned = sum(row.yes > 0 for row in failing)
        if failing:
            said.append(
                f"{family}: Theorem 1 has no gamma in {len(failing)} of {len(own)} instances; in "
                f"{returned} of these the partition is returned all the same at some gamma tried."
            )
    return " ".join([*said, *_on_centroids(rows)])


def _on_centroids(rows: Sequence[RecoveryCell]) -> list[str]:
    """Return what is proved and what was found of coinciding centroids."""
    alone = [row for row in rows if row.family == ALIKE]
    pulled = [row for row in rows if row.family == PULL]
    said = []
    if alone:
        said.append(
            "That two clusters alone with the same centroid are never returned is a theorem: in "
            "their contracted problem every term is least where the two meet. The exact test says "
            f"yes at {sum(row.yes for row in alone)} of {sum(row.gammas for row in alone)} gammas."
        )
    if any(row.yes for row in pulled):
        said.append(
            "With a third cluster that pulls at one of the two, they can be returned: distinct "
            "centroids are not necessary."
        )
    return said


def draw_recovery(rows: Sequence[RecoveryCell], figure: Figure) -> None:
    """Draw both shares over the levels, a panel a family."""
    families = grouped(rows, lambda row: row.family)
    panels = figure.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for axes, (family, own) in zip(panels, families, strict=True):
        levels = grouped(own, lambda row: row.level)
        tried = [sum(row.gammas for row in some) for _, some in levels]
        where = np.arange(len(levels))
        for shift, name, colour, counts in (
            (-0.2, "Theorem 1", "C1", [sum(r.theorem for r in some) for _, some in levels]),
            (0.2, "exact test", "C0", [sum(r.yes for r in some) for _, some in levels]),
        ):
            axes.bar(where + shift, np.divide(counts, tried), 0.38, color=colour, label=name)
        axes.set_xticks(where, [f"{level:g}" for level, _ in levels])
        axes.set_title(family, fontsize=8)
        axes.set_axisbelow(True)
        ratio = family == IMBALANCE
        axes.set_xlabel("ratio of sizes" if ratio else "share that is zero", fontsize=8)
    panels[0].set_ylabel("share of the gammas tried")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
