"""How many points may leave before delta falls: by enumeration, against the theorems' bounds.

The paper's conditions are lost in part; the bounds are our reading. At step s, cluster 1 has lost
s times the direction: s points for cluster 2, or s for either of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bilad.scripts.reproduce.reassignment import monotone_range, reassignment_deviation
from bilad.scripts.reproduce.theory.spill_checks import (
    Counts,
    all_equal,
    all_sizes,
    along,
    anything,
    norms,
)

# Okabe and Ito's colours, told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
TWO_WAY: tuple[Counts, ...] = ((60, 60), (60, 40), (60, 20), (60, 5))
THREE_WAY: tuple[Counts, ...] = ((60, 60, 60), (60, 30, 30), (60, 15, 15), (60, 5, 5))
PLANES: tuple[Counts, ...] = ((20, 20, 20), (40, 4, 16))


@dataclass(frozen=True)
class Case:
    """A condition under which delta should not fall."""

    name: str  # Theorem and item
    condition: str
    direction: Counts  # how many leave for each other cluster at each step
    sizes: Callable[[Counts], bool]  # (sizes): whether the condition is about such sizes
    bound: Callable[[Counts], int]  # (sizes): the steps up to which delta should not fall


@dataclass(frozen=True)
class Range:
    """What is true of one partition."""

    case: str
    sizes: str
    n: int
    n1: int
    possible: int  # steps until cluster 1 has not enough points for another
    largest: int  # steps up to which delta does not fall, from the matrices of every step
    bound: int  # by our reading of the theorem, at most `possible`
    library: int  # by `monotone_range`

    @property
    def is_safe(self) -> bool:
        """Whether delta does not fall up to the bound."""
        return self.bound <= self.largest

    @property
    def always(self) -> bool:
        """Whether delta never falls."""
        return self.largest == self.possible


def _half(sizes: Counts) -> int:
    """Return ceil((n_1 + n_2) / 2)."""
    return -((sizes[0] + sizes[1]) // -2)


def _sixth(rounding: int) -> Callable[[Counts], int]:
    """Return the bound floor((2 n_1 + n_2 + n_3 + rounding) / 6)."""

    def bound(sizes: Counts) -> int:
        return (2 * sizes[0] + sizes[1] + sizes[2] + rounding) // 6

    return bound


TWO = Case("3 (ii)", "s <= min(n_1, ceil(n / 2))", (1,), anything, _half)
THREE_INTO_ONE = Case("4 (i)", "s_3 = 0, s_2 <= ceil((n_1 + n_2) / 2)", (1, 0), anything, _half)
EQUAL = Case(
    "4 (ii)", "n_1 = n_2 = n_3, s_2 = s_3, all s", (1, 1), all_equal, lambda sizes: sizes[0]
)
UNEQUAL = Case(
    "4 (iii)", "s_2 = s_3 = s <= (2 n_1 + n_2 + n_3) / 6", (1, 1), anything, _sixth(rounding=0)
)
NEAREST = Case("4 (iii), nearest", "the same bound, rounded", (1, 1), anything, _sixth(rounding=3))
ROUNDED_UP = Case("4 (iii), up", "the same bound, rounded up", (1, 1), anything, _sixth(rounding=5))
CASES = (TWO, THREE_INTO_ONE, EQUAL, UNEQUAL, NEAREST, ROUNDED_UP)


def ranges(cases: Iterable[Case], most_n: dict[int, int]) -> Iterator[Range]:
    """Yield a row for each case and all sizes it is about.

    Parameters
    ----------
    cases : iterable of Case
    most_n : dict of int to int
        The most points, by the number of clusters.
    """
    known: dict[tuple[Counts, Counts], list[int]] = {}
    for case in cases:
        clusters = len(case.direction) + 1
        for n in range(clusters, most_n[clusters] + 1):
            for sizes in filter(case.sizes, all_sizes(n, clusters)):
                key = sizes, case.direction
                if key not in known:
                    known[key] = deltas_along(sizes, case.direction)
                yield _range(case, sizes, known[key])


def _range(case: Case, sizes: Counts, deltas: list[int]) -> Range:
    possible = len(deltas) - 1
    return Range(
        case=case.name,
        sizes="+".join(map(str, sizes)),
        n=sum(sizes),
        n1=sizes[0],
        possible=possible,
        largest=nondecreasing_up_to(deltas),
        bound=min(case.bound(sizes), possible),
        library=monotone_range(sizes, case.direction),
    )


def deltas_along(sizes: Counts, direction: Counts) -> list[int]:
    """Return delta at every step, from the matrices."""
    others = along(sizes, direction)
    found: list[int] = norms(others[0], np.array(others)).tolist()
    return found


def nondecreasing_up_to(values: list[int]) -> int:
    """Return the number of the last value before the first fall."""
    falls = np.flatnonzero(np.diff(values) < 0)
    return int(falls[0]) if len(falls) else len(values) - 1


def draw_ranges(figure: Figure, found: Sequence[Range]) -> None:
    """Draw the share of cluster 1 that may leave, two clusters and three, for the largest n."""
    left, right = figure.subplots(1, 2, sharey=True)
    share = np.linspace(0.02, 1.0, 400)
    _scatter(left, "two clusters", [row for row in found if row.case == TWO.name])
    left.plot(
        share, np.minimum(1, 1 / (2 * share)), color=COLOURS[1], label="n / (2 n_1), at most 1"
    )
    left.set(ylabel="largest s / most that can leave")
    own = [row for row in found if row.case == UNEQUAL.name]
    _scatter(right, "three clusters, s_2 = s_3 = s", own)
    bound = (1 + share) / 3 / share
    right.plot(
        share, np.minimum(1, bound), color=COLOURS[1], label="(n_1 + n) / (3 n_1), at most 1"
    )
    for axes in (left, right):
        axes.set(xlabel="n_1 / n", xlim=(0, 1), ylim=(0.4, 1.05))
        axes.legend(loc="lower left")


def _scatter(axes: Axes, title: str, rows: Sequence[Range]) -> None:
    n = max(row.n for row in rows)
    rows = [row for row in rows if row.n == n and row.possible]
    axes.set_title(f"{title}, n = {n}")
    axes.plot(
        [row.n1 / row.n for row in rows],
        [row.largest / row.possible for row in rows],
        "o",
        color=COLOURS[0],
        markersize=3.5,
        label="by enumeration",
    )


def draw_curves(figure: Figure) -> None:
    """Draw delta as points leave, two clusters and three."""
    left, right = figure.subplots(1, 2, sharey=True)
    _curves(left, TWO_WAY, (1,))
    left.set(title="two clusters", xlabel="s, points that leave", ylabel="delta")
    _curves(right, THREE_WAY, (1, 1))
    right.set(title="three clusters, s_2 = s_3", xlabel="S = s_2 + s_3, points that leave")


def _curves(axes: Axes, choices: Sequence[Counts], direction: Counts) -> None:
    for colour, sizes in zip(COLOURS, choices, strict=True):
        deltas = deltas_along(sizes, direction)
        moved = sum(direction) * np.arange(len(deltas))
        last, best = nondecreasing_up_to(deltas), int(np.argmax(deltas))
        name = " + ".join(map(str, sizes))
        axes.plot(moved[: last + 1], deltas[: last + 1], color=colour, linewidth=2, label=name)
        axes.plot(moved[last:], deltas[last:], color=colour, linewidth=1.5, linestyle="--")
        axes.plot(moved[best], deltas[best], "^", color=colour, markersize=8)
    axes.set_ylim(0, 1.5 * axes.dataLim.ymax)
    axes.legend(title="sizes", loc="upper left", ncols=2)


def draw_plane(figure: Figure) -> None:
    """Draw delta over the points that leave for cluster 2 and for cluster 3."""
    both = figure.subplots(1, 2)
    for axes, sizes in zip(both, PLANES, strict=True):
        _plane(figure, axes, sizes)


def _plane(figure: Figure, axes: Axes, sizes: Counts) -> None:
    n1 = sizes[0]
    values = np.full((n1 + 1, n1 + 1), np.nan)
    for s2 in range(n1 + 1):
        for s3 in range(n1 + 1 - s2):
            values[s3, s2] = reassignment_deviation(sizes, [s2, s3])
    falls = np.zeros(values.shape, dtype=bool)
    falls[:, :-1] |= np.diff(values, axis=1) < 0
    falls[:-1] |= np.diff(values, axis=0) < 0
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    image = axes.imshow(values, origin="lower", cmap="cividis", interpolation="nearest")
    rows, columns = np.nonzero(falls)
    axes.plot(columns, rows, ".", color="white", markersize=2.5)
    row, column = np.unravel_index(int(np.nanargmax(values)), values.shape)
    axes.plot(column, row, "^", color="white", markeredgecolor="black", markersize=9)
    axes.grid(visible=False)
    axes.set(title=" + ".join(map(str, sizes)), xlabel="s_2", ylabel="s_3")
    figure.colorbar(image, ax=axes, label="delta", shrink=0.8)
