"""Next check 2: attacks on n = 1000 and 2000 points, for each kind of perturbation of (BL1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.datasets import make_moons

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.attack_runs import outcome
from bilad.scripts.display import grouped
from bilad.scripts.experiments.parts import CENTRES
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.solvers import Attack, DroppedEdges, DroppedPoints, attack, drop_edges, drop_points
from bilad.solvers.clustering.cluster import solve_lower

CHOSEN = 20  # points whose entries or factors are perturbed
SHIFTED = 100  # points that are shifted by one parameter, at most half of a cluster
HUBS = 5  # points whose edges are perturbed
WIDER = 1.5  # the distance of the clouds' centres, relative to that in `instances`
NEIGHBOURS, PHI = 5, 0.5  # with 10 neighbours, removing an edge has almost no effect
# Chosen such that there are 28 and 51 clusters, all labels are certified, and many partitions are
# close to each other.
CLOUDS_GAMMA, MOONS_GAMMA = 8.0, 10.0
MOONS_NOISE, MOONS_SCALE = 0.06, 10.0
SPREADS = 3.0  # the budget of an entry, in standard deviations of the feature
FACTOR = 1.0  # the budget of a factor: an entry is between 0 and twice its value
DROPPED = 10  # edges that are removed at most
METHODS = ("corners", "random", "pgd", "hypergradient")
CANDIDATES, LOST = 15, 2  # points that may be removed, and how many at most
EDGES, POINTS = "dropped edges", "dropped points"
DESCRIPTION = (
    f"Clouds: three clouds of normally distributed points in the plane, {3.5 * WIDER:g} apart, "
    f"gamma = {CLOUDS_GAMMA:g}. Moons: two half moons of radius {MOONS_SCALE:g}, noise "
    f"{MOONS_NOISE * MOONS_SCALE:g}, gamma = {MOONS_GAMMA:g}. Weights exp(-{PHI:g} ||a_i - "
    f"a_j||^2) on the graph of {NEIGHBOURS} nearest neighbours. Perturbed are the first feature of "
    f"{CHOSEN} points (entries, factors), the first feature of at most {SHIFTED} points of the "
    f"largest cluster by one shift (feature), or the edges of {HUBS} points. Budgets: {SPREADS:g} "
    f"standard deviations of the feature; factors {FACTOR:g}; weights {0.5 * DROPPED:g} in norm 2; "
    f"{DROPPED} removed edges."
)


@dataclass(frozen=True)
class LargeAttack:
    """The result of a method on a large problem."""

    data: str
    kind: str
    method: str
    n: int  # points
    k: int  # length of eps, or number of candidates for removal
    budget: float
    norm: str
    success: bool  # whether the partition changes, with certified labels
    deviation: float  # delta, recomputed; 0 without success
    share: float  # delta / (n (n - 1)), in per cent
    bound: float  # the proved bound; NaN if there is none
    solves: int  # lower-level solves
    undecided: int  # solves whose labels are not certified
    seconds: float
    proved: bool  # whether the labels at 0 and at eps are certified
    status: str

    @property
    def seconds_a_solve(self) -> float:
        """Seconds per solve; NaN without solves."""
        return self.seconds / self.solves if self.solves else float("nan")


def clouds(n: int, rng: np.random.Generator) -> ConvexClustering:
    """Draw three Gaussian clouds in the plane."""
    data = WIDER * CENTRES[np.arange(n) % len(CENTRES)] + rng.normal(size=(n, 2))
    return _model(data, CLOUDS_GAMMA)


def moons(n: int, rng: np.random.Generator) -> ConvexClustering:
    """Draw two half moons."""
    data, _ = make_moons(n, noise=MOONS_NOISE, random_state=int(rng.integers(2**31)))
    return _model(MOONS_SCALE * data, MOONS_GAMMA)


def _model(data: FloatArray, gamma: float) -> ConvexClustering:
    return ConvexClustering(data, FusionGraph.knn(data, NEIGHBOURS, PHI), gamma, 2)


MODELS: dict[str, Callable[[np.random.Generator], ConvexClustering]] = {
    "clouds 1000": lambda rng: clouds(1000, rng),
    "moons 2000": lambda rng: moons(2000, rng),
}


def entries(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Perturb the first feature of some points."""
    free = Perturbation.additive(model.data.shape, some_points(model, CHOSEN, rng), [0])
    return MaxDeviation(model, free, _spread(model), np.inf)


def feature(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Shift the first feature of some points of the largest cluster by one parameter."""
    labels = solve_lower(model).labels
    members = np.flatnonzero(labels == np.argmax(np.bincount(labels)))
    moved = rng.choice(members, min(SHIFTED, len(members) // 2), replace=False)
    direction = np.zeros_like(model.data)
    direction[moved, 0] = 1.0
    return MaxDeviation(model, Perturbation.shift(direction), _spread(model), np.inf)


def factors(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Multiply the first feature of each of some points by a factor."""
    free = Perturbation.multiplicative(model.data, some_points(model, CHOSEN, rng), [0])
    return MaxDeviation(model, free, FACTOR, np.inf)


def weights(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Reduce the weights of all edges of some points."""
    free = Perturbation.edges(model.graph, edges_of_some(model, rng))
    return MaxDeviation(model, free, 0.5 * DROPPED, 2)


def dropped_edges(model: ConvexClustering, rng: np.random.Generator) -> MaxDeviation:
    """Remove some of these edges: the vertices of the ball of norm 1."""
    free = Perturbation.edges(model.graph, edges_of_some(model, rng))
    return MaxDeviation(model, free, DROPPED, 1)


KINDS: dict[str, Callable[[ConvexClustering, np.random.Generator], MaxDeviation]] = {
    "entries": entries,
    "feature, one shift": feature,
    "factors": factors,
    "edge weights": weights,
    EDGES: dropped_edges,
}


def some_points(model: ConvexClustering, count: int, rng: np.random.Generator) -> IntArray:
    """Draw distinct points."""
    return rng.choice(model.n, count, replace=False)


def edges_of_some(model: ConvexClustering, rng: np.random.Generator) -> IntArray:
    """Return the edges of some points."""
    return np.flatnonzero(np.isin(model.graph.edges, some_points(model, HUBS, rng)).any(axis=1))


def _spread(model: ConvexClustering) -> float:
    return SPREADS * float(model.data[:, 0].std())


def attacks(
    data: Sequence[str],
    kinds: Sequence[str],
    methods: Sequence[str],
    solves: int,
    seconds: float,
    seed: int,
) -> Iterator[LargeAttack]:
    """Yield each method on each problem, and the removal of points and of edges.

    Parameters
    ----------
    data, kinds, methods : sequence of str
        Keys of `MODELS` and of `KINDS`, and methods of `attack`.
    solves, seconds
        Limits of each attack.
    seed : int
    """
    for method in methods:  # compiles, so that no run includes the time of it
        rng = np.random.default_rng(seed)
        small = entries(clouds(60, rng), np.random.default_rng(seed))
        attack(small, method, seed, max_solves=3, bound="none", closing="none")
    for name in data:
        model = MODELS[name](np.random.default_rng(seed))
        for kind in kinds:
            problem = KINDS[kind](model, np.random.default_rng(seed))
            for method in methods:
                found = attack(problem, method, seed, seconds, solves, closing="none")
                yield _row(name, kind, found)
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
    """Remove points, then edges."""
    points, began = some_points(model, CANDIDATES, np.random.default_rng(seed)), time.perf_counter()
    without = drop_points(model, LOST, points=points, max_solves=solves)
    seconds = time.perf_counter() - began
    yield _removed(data, POINTS, model, without, (CANDIDATES, LOST), seconds)
    edges, began = edges_of_some(model, np.random.default_rng(seed)), time.perf_counter()
    thinner = drop_edges(model, DROPPED, edges=edges, max_solves=solves)
    seconds = time.perf_counter() - began
    yield _removed(data, EDGES, model, thinner, (len(edges), DROPPED), seconds)


def _removed(
    data: str,
    kind: str,
    model: ConvexClustering,
    found: DroppedPoints | DroppedEdges,
    counts: tuple[int, int],
    seconds: float,
) -> LargeAttack:
    """Return the row of a removal; `counts` are the candidates and the largest number removed."""
    left = len(found.remaining) if isinstance(found, DroppedPoints) else model.n
    return LargeAttack(
        data,
        kind,
        "drop_points" if kind == POINTS else "drop_edges",
        n=model.n,
        k=counts[0],
        budget=float(counts[1]),
        norm="1",
        success=found.deviation > 0,
        deviation=found.deviation,
        share=100 * found.deviation / (left * (left - 1)),
        bound=found.deviation if found.exhaustive else float("nan"),
        solves=found.lower_solves,
        undecided=found.undecided,
        seconds=seconds,
        proved=found.status != "undecided",
        status=found.status,
    )


def leaders(rows: Sequence[LargeAttack]) -> dict[tuple[str, str], LargeAttack]:
    """Return the best attack on each problem; of equal ones, the one with fewer solves."""
    return {
        key: max(own, key=lambda row: (row.deviation, -row.solves))
        for key, own in grouped(rows, lambda row: (row.data, row.kind))
    }


def large_blocks(rows: Sequence[LargeAttack], solves: int, seconds: float) -> list[Block]:
    """Return the table of all attacks, and a summary of the methods."""
    cells = []
    for row in rows:
        wanted = asdict(row)
        del wanted["undecided"], wanted["proved"]
        cells.append({**wanted, "s / solve": row.seconds_a_solve})
    table = Table(
        "Check 2: a thousand points and more",
        cells,
        f"(BL1) with at most {solves} solves and {seconds:g} s (drop_points, drop_edges: without "
        "time limit). share: of all pairs of points, in per cent. k: length of eps, or number of "
        "candidates for removal. bound: the proved bound, which is not computed for n > 500 except "
        f"for removals. {DESCRIPTION}",
    )
    return [table, Text(large_text(rows))]


def large_text(rows: Sequence[LargeAttack]) -> str:
    """Describe the success of the attacks, the best methods, and the time of a solve."""
    best = leaders(rows)
    moved = [row for row in best.values() if row.success]
    none = sorted({row.kind for row in rows} - {row.kind for row in moved})
    said = []
    for method, own in grouped([r for r in rows if r.method in METHODS], lambda r: r.method):
        led = sum(r.deviation == best[r.data, r.kind].deviation and r.success for r in own)
        speed = sum(r.seconds for r in own) / max(sum(r.solves for r in own), 1)
        said.append(
            f"{method} succeeded in {sum(r.success for r in own)} of {len(own)} problems, with the "
            f"best deviation in {led}, at {speed:.2g} s per solve"
        )
    return (
        f"The partition was changed in {len(moved)} of {len(best)} problems"
        f"{', never by ' + ', '.join(none) if none else ', by every kind of perturbation'}. "
        f"{'; '.join(said)}."
    )
