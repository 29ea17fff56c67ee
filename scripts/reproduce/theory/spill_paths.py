"""Deviation functions as points leave a cluster in fixed proportions: whether they fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import rand_score

from bilad.models import deviation, monotone_range, spill
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.validation import IntArray
from bilad.scripts.reproduce.theory.spill_checks import Counts, random_spill

ROUNDING = 1e-12  # a smaller fall may be rounding


@dataclass(frozen=True)
class PathRow:
    """A deviation function as points leave."""

    deviation: str
    # sizes, direction: at step t, t times the direction has left cluster 1
    sizes: str
    direction: str
    clusters: int
    steps: int  # until cluster 1 has not enough points for another
    in_range: int  # steps up to which delta does not fall, by Theorem 3 if there are two clusters
    first_fall: int  # the step before the first fall; `steps` if it never falls
    # before, after: the values there; NaN if it never falls
    before: float
    after: float

    @property
    def falls_in_range(self) -> bool:
        """Whether it falls where delta does not."""
        return self.first_fall < self.in_range

    @property
    def falls(self) -> bool:
        """Whether it falls at all."""
        return self.first_fall < self.steps


def check_paths(paths: int, most_n: int, most_clusters: int, seed: int) -> Iterator[PathRow]:
    """Yield a row for each random path and each function; every other path has two clusters."""
    rng = np.random.default_rng(seed)
    for number in range(paths):
        clusters = int(rng.integers(3, most_clusters + 1)) if number % 2 else 2
        sizes, _ = random_spill(rng, most_n, clusters)
        direction = _direction(rng, clusters)
        partitions = along(sizes, direction)
        for name in PARTITION_DEVIATIONS:
            yield _row(name, sizes, direction, partitions)


def along(sizes: Counts, direction: Counts) -> list[IntArray]:
    """Return the labels at each step, from 0 on."""
    steps = range(sizes[0] // sum(direction) + 1)
    return [spill(sizes, [t * d for d in direction])[1] for t in steps]


def identity_error(labels: IntArray, other: IntArray) -> float:
    """Return |delta - n (n - 1) (1 - RI)|, RI as scikit-learn counts it."""
    n = len(labels)
    return abs(deviation(labels, other) - n * (n - 1) * (1 - rand_score(labels, other)))


def _direction(rng: np.random.Generator, clusters: int) -> Counts:
    drawn = rng.integers(0, 3, clusters - 1)
    drawn[int(rng.integers(clusters - 1))] += not drawn.any()
    return tuple((drawn // np.gcd.reduce(drawn)).tolist())


def _row(name: str, sizes: Counts, direction: Counts, partitions: list[IntArray]) -> PathRow:
    values = np.array([deviation(partitions[0], other, name) for other in partitions])
    falls = np.flatnonzero(np.diff(values) < -ROUNDING * max(1.0, values.max()))
    steps = len(partitions) - 1
    first = int(falls[0]) if len(falls) else steps
    return PathRow(
        deviation=name,
        sizes="+".join(map(str, sizes)),
        direction="+".join(map(str, direction)),
        clusters=len(sizes),
        steps=steps,
        in_range=monotone_range(sizes, direction),
        first_fall=first,
        before=float(values[first]) if len(falls) else float("nan"),
        after=float(values[first + 1]) if len(falls) else float("nan"),
    )


SPILLS: tuple[Counts, ...] = ((30, 70), (70, 30))
DASHES = ("-", ":", "--", "-", "-.", "--", ":")
COLOURS = ("#000000", "#E69F00", "#009E73", "#56B4E9", "#0072B2", "#D55E00", "#CC79A7")


def draw_spills(figure: Figure) -> None:
    """Draw every function as points leave, over its own maximum."""
    both = figure.subplots(1, len(SPILLS), sharey=True)
    for axes, sizes in zip(both, SPILLS, strict=True):
        partitions = along(sizes, (1,))
        for name, dash, colour in zip(PARTITION_DEVIATIONS, DASHES, COLOURS, strict=True):
            values = np.array([deviation(partitions[0], other, name) for other in partitions])
            axes.plot(values / values.max(), dash, color=colour, linewidth=1.6, label=name)
        axes.axvline(monotone_range(sizes, (1,)), color="0.4", linestyle=(0, (1, 3)))
        axes.set(title=" + ".join(map(str, sizes)), xlabel="s, points that leave")
    both[0].set_ylabel("U / largest U")
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside right upper")
