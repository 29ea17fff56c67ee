"""Next check 1: whether a deviation decreases as one of three equal clusters loses its points.

The check considers partitions, for all numbers (s_2, s_3) of points that move to the other
clusters, and convex clustering, where points of the first group are shifted towards the others:
several points together by one parameter eps, or one point after another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.display import grouped
from bilad.scripts.reproduce.part import Block, Claim, Table, Text, Verdict
from bilad.scripts.reproduce.reassignment import reassignment
from bilad.solvers import exact_recovery_interval
from bilad.solvers.clustering.parametric.bracketed import bracket_breakpoints
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

GROUPS, DISTANCE = 3, 10.0  # the distance of the centres, in standard deviations of a group
CENTRES = {
    "line": DISTANCE * np.array([[0.0], [-1.0], [1.0]]),
    "plane": DISTANCE * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]]),
}
ROUNDING = 1e-12  # relative; smaller decreases are not counted
DRAWS = 50
WIDTH = 1e-3  # relative accuracy of the ends of the interval of gammas that return the groups
SAMPLES = 11  # along a ray in the plane
NARROWED = 1 / 64  # width of a bracketed change, relative to the length of the ray
SINGLE, EQUAL = "partitions, one point more", "partitions, one point more to each"
TOGETHER, IN_TURN = "together", "one after another"
PARTITIONS = (SINGLE, EQUAL)


@dataclass(frozen=True)
class Ascent:
    """A deviation along a path of increasing perturbations."""

    experiment: str
    path: str
    deviation: str
    steps: int  # changes of the partition
    falls: int  # changes at which the deviation decreases
    largest_fall: float  # the largest decrease, in per cent of the largest value on the path
    at: str  # where the largest decrease occurs: eps, or (s_2, s_3)
    # the partitions before and after it, as the numbers of points of each group in each cluster,
    # such as "18+0+0, 2+20+0, 0+0+20"
    before: str
    after: str


@dataclass(frozen=True)
class Site:
    """A partition on a path, and where on the path it begins."""

    at: str
    labels: IntArray


Move = tuple[Site, Site]


def on_partitions(size: int) -> Iterator[Ascent]:
    """Yield each deviation as single points move, and as one point moves to each other cluster."""
    sizes = (size,) * GROUPS
    places = [(s, t) for s in range(size + 1) for t in range(size + 1 - s)]
    sites = {place: Site(str(place), reassignment(sizes, place)[1]) for place in places}
    single = [(place, (place[0] + a, place[1] + 1 - a)) for place in places for a in (0, 1)]
    equal = [((s, s), (s + 1, s + 1)) for s in range(size // 2)]
    groups = reassignment(sizes, (0, 0))[0]
    for experiment, pairs in ((SINGLE, single), (EQUAL, equal)):
        moves = [(sites[one], sites[two]) for one, two in pairs if two in sites]
        yield from _ascents(experiment, "all", moves, groups)


def moved_together(space: str, size: int, counts: Sequence[int], seed: int) -> Iterator[Ascent]:
    """Yield each deviation as points are shifted by one eps, as many towards each other group.

    Parameters
    ----------
    space : {"line", "plane"}
    size : int
        Points of each group.
    counts : sequence of int
        Numbers of points that are shifted towards each of the other groups.
    seed : int
    """
    model, groups = planted(space, size, seed)
    for count in counts:
        moved = directions(space, size)
        moved[2 * count :] = 0.0
        moves = _moves(_along(model, moved))
        yield from _ascents(f"{space}, {TOGETHER}", f"{count} to each", moves, groups)


def moved_in_turn(space: str, size: int, count: int, seed: int) -> Iterator[Ascent]:
    """Yield each deviation as `count` points are shifted to the other groups one after another."""
    model, groups = planted(space, size, seed)
    sites: list[Site] = []
    for number, whole in enumerate(directions(space, size)[:count]):
        moved = np.zeros_like(model.data)
        moved[number] = whole
        legs = _along(model, moved)
        sites += [Site(f"point {number + 1}, {site.at}", site.labels) for site in legs]
        model = model.replace(data=model.data + DISTANCE * moved)
    yield from _ascents(f"{space}, {IN_TURN}", f"{count} points", _moves(sites), groups)


def planted(space: str, size: int, seed: int) -> tuple[ConvexClustering, IntArray]:
    """Return three groups of normally distributed points that are clusters, and the groups.

    The weights on the complete graph are equal. gamma is the geometric mean of the ends of the
    interval in which the groups are returned; points are drawn until this interval is not empty.
    """
    rng, centres = np.random.default_rng(seed), CENTRES[space]
    groups = np.repeat(np.arange(GROUPS), size)
    graph = FusionGraph.complete(len(groups))
    for _ in range(DRAWS):
        data = centres[groups] + rng.normal(size=(len(groups), centres.shape[1]))
        model = ConvexClustering(data, graph, DISTANCE / len(groups), 2)
        found = exact_recovery_interval(model, groups, WIDTH)
        if found is not None:
            return ConvexClustering(data, graph, (found.low * found.high) ** 0.5, 2), groups
    raise ValueError(f"no gamma returns the groups in {DRAWS} draws with seed {seed}")


def directions(space: str, size: int) -> FloatArray:
    """Return the shifts: points of the first group alternately to the second and the third."""
    centres = CENTRES[space]
    ways = (centres[1:] - centres[0]) / DISTANCE
    moved = np.zeros((GROUPS * size, centres.shape[1]))
    moved[:size] = ways[np.arange(size) % len(ways)]
    return moved


def _along(model: ConvexClustering, direction: FloatArray) -> list[Site]:
    """Return the partitions for eps from 0 to the distance of the groups.

    On a line they are those of the parametric path, without single eps at which clusters touch. In
    the plane they are samples with certified labels, with bracketed changes.
    """
    shift = Perturbation.shift(direction)
    if model.d == 1:
        stairs = parametric_path(model, shift, 0.0, DISTANCE)
        starts = [float(place) for place in stairs.breakpoints[:-1]]
        return [Site(f"eps {at:.4g}", own) for at, own in zip(starts, stairs.between, strict=True)]
    found = bracket_breakpoints(
        model, shift, 0.0, DISTANCE, width=NARROWED * DISTANCE, points=SAMPLES
    )
    proved = np.flatnonzero(found.proved)
    return [Site(f"eps {found.eps[k]:.4g}", found.labels[k]) for k in proved]


def _moves(sites: Sequence[Site]) -> list[Move]:
    """Return the pairs of consecutive sites whose partitions differ."""
    return [(a, b) for a, b in pairwise(sites) if not np.array_equal(a.labels, b.labels)]


def _ascents(
    experiment: str, path: str, moves: Sequence[Move], groups: IntArray
) -> Iterator[Ascent]:
    """Yield a row for each deviation function; `groups` is the partition at eps = 0."""
    for function in PARTITION_DEVIATIONS.values():
        values = np.array([[function.value(groups, site.labels) for site in m] for m in moves])
        falls, most = values[:, 0] - values[:, 1], values.max()
        count, steepest = int((falls > ROUNDING * most).sum()), int(np.argmax(falls))
        before, after = moves[steepest]
        yield Ascent(
            experiment,
            path,
            function.name,
            steps=len(moves),
            falls=count,
            largest_fall=100 * float(falls[steepest]) / most if count else 0.0,
            at=after.at if count else "",
            before=described(before.labels, groups) if count else "",
            after=described(after.labels, groups) if count else "",
        )


def described(labels: IntArray, groups: IntArray) -> str:
    """Return the number of points of each group in each cluster, the largest cluster first."""
    shares = [np.bincount(groups[labels == label], minlength=GROUPS) for label in set(labels)]
    shares.sort(key=lambda share: (-share.sum(), tuple(-share)))
    counts = Counter("+".join(map(str, share)) for share in shares)
    return ", ".join(text if n == 1 else f"{n} times {text}" for text, n in counts.items())


def three_way_blocks(rows: Sequence[Ascent], size: int) -> list[Block]:
    """Return the numbers of decreases of each deviation, and the decreases of delta."""
    cells = [
        {
            "experiment": experiment,
            "changes": sum(row.steps for row in own if row.deviation == own[0].deviation),
            **{
                name: sum(r.falls for r in mine)
                for name, mine in grouped(own, lambda r: r.deviation)
            },
        }
        for experiment, own in grouped(rows, lambda row: row.experiment)
    ]
    table = Table(
        f"Check 1: three clusters of {size} points, decreases of each deviation",
        cells,
        "The number of changes of the partition as the perturbation increases, and of those at "
        "which the deviation from the unperturbed partition decreases. Partitions: all (s_2, s_3). "
        "Line: parametric path. Plane: samples with certified labels, between which changes can be "
        "missed. Weights: equal, on the complete graph; p = 2; the groups are 10 standard "
        "deviations apart; gamma is in the middle of the interval that returns the groups. "
        "`changed` compares labels without renaming clusters.",
    )
    fallen = [
        {
            "experiment": row.experiment,
            "path": row.path,
            "decrease %": row.largest_fall,
            "at": row.at,
            "before": row.before,
            "after": row.after,
        }
        for row in rows
        if row.deviation == "delta" and row.falls
    ]
    if not fallen:
        return [table, Text("delta never decreases.")]
    caption = (
        "The largest decrease on each path, in per cent of the largest delta on it. A partition is "
        "given by the numbers of points of each group in each cluster."
    )
    return [table, Table("Decreases of delta", fallen, caption)]


def three_way_claims(rows: Sequence[Ascent], size: int) -> list[Claim]:
    """Return the claims that delta does not decrease, on partitions and on the model."""
    delta = [row for row in rows if row.deviation == "delta"]
    partitions = [row for row in delta if row.experiment in PARTITIONS]
    paths = [row for row in delta if row.experiment not in PARTITIONS]
    return [
        _no_falls(
            "Next check 1, partitions",
            f"As points move from one of three clusters of {size} to the others, delta does not "
            "decrease.",
            partitions,
        ),
        _no_falls(
            "Next check 1, the model",
            "As points of one of three clusters are shifted towards the others, delta does not "
            "decrease.",
            paths,
        ),
    ]


def _no_falls(where: str, claim: str, rows: Sequence[Ascent]) -> Claim:
    falls, steps = sum(row.falls for row in rows), sum(row.steps for row in rows)
    measured = f"it decreases at {falls} of {steps} changes of the partition"
    if falls:
        worst = max(rows, key=lambda row: row.largest_fall)
        measured += f", at most by {worst.largest_fall:.2g} % ({worst.experiment}, {worst.at})"
    verdict: Verdict = "cannot be compared" if not steps else "differs" if falls else "agrees"
    return Claim(where, claim, measured + ".", verdict)
