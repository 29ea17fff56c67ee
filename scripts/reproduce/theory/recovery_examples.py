"""Examples 3 and 4: one point of two clusters on a line is shifted, and Theorem 2 is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Any

import numpy as np

from bilad.models import recovery_interval
from bilad.models.validation import IntArray
from bilad.scripts.reproduce.part import Claim, Table, agrees_if
from bilad.scripts.reproduce.theory.recovery_cells import Cell, Instance, cells, random_instance
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

# The numbers of the paper are lost; these are ours.
LINE = Instance(
    data=np.array([0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 10.0, 11.0, 12.0, 13.0]),
    labels=np.repeat([0, 1], 5),
    moved=9,  # the last point
    gamma=0.875,
    reach=8.0,
)
SINGLE = 0  # the number of `LINE` among the instances


@dataclass(frozen=True)
class ChosenRow:
    """The conditions of Theorem 2 and the partition at one eps."""

    eps: float
    gamma_min: float
    gamma_max: float
    # (C1') and (C2'), by `recovery_interval`
    holds_c1: bool
    holds_c2: bool
    guaranteed: bool  # whether, moreover, gamma is in the interval
    clusters: str  # the sizes of the clusters, by the parametric path
    unchanged: bool  # whether the partition is that at eps = 0, by the parametric path


def all_cells(random: int, seed: int) -> Iterator[Cell]:
    """Yield the cells of `LINE`, then those of random instances."""
    yield from cells(LINE, SINGLE)
    rng = np.random.default_rng(seed)
    for number in range(1, random + 1):
        yield from cells(random_instance(rng), number)


def chosen_rows(instance: Instance, eps: Sequence[float]) -> list[ChosenRow]:
    """Return a row for each eps."""
    path = parametric_path(instance.model, instance.perturbation, -instance.reach, instance.reach)
    rows = []
    for value in eps:
        moved = instance.perturbation.apply(instance.model, value)
        found, labels = recovery_interval(moved, instance.labels), path.labels_at(value)
        rows.append(
            ChosenRow(
                eps=value,
                gamma_min=found.gamma_min,
                gamma_max=found.gamma_max,
                holds_c1=found.holds_c1,
                holds_c2=found.holds_c2,
                guaranteed=found.recovers,
                clusters=_sizes(labels),
                unchanged=bool((labels == instance.labels).all()),
            )
        )
    return rows


def chosen_eps(own: Sequence[Cell]) -> dict[str, float]:
    """Return an eps for each combination of conditions and partition, from cells of an instance."""
    wanted: dict[str, Callable[[Cell], bool]] = {
        "Example 3: guaranteed": attrgetter("guaranteed"),
        "(C2') fails, yet unchanged": lambda cell: not cell.holds_c2 and cell.unchanged,
        "Example 4: (C2') fails, changed": lambda cell: not cell.holds_c2 and not cell.unchanged,
        "(C2') holds, yet changed": lambda cell: cell.holds_c2 and not cell.unchanged,
    }
    chosen = {"unperturbed": 0.0}
    for name, holds in wanted.items():
        able = [cell for cell in own if cell.length and holds(cell)]
        if able:
            nearest = min(able, key=lambda cell: (min(abs(cell.low), abs(cell.high)), -cell.high))
            low = max(nearest.low, Fraction(0)) if nearest.high > 0 else nearest.low
            chosen[name] = float((low + nearest.high) / 2)
    return chosen


def around_zero(own: Sequence[Cell], holds: Callable[[Cell], bool]) -> str:
    """Return the largest interval around 0 of cells with a property; "none" if 0 is not in one."""
    at_zero = next(k for k, cell in enumerate(own) if cell.low <= 0 <= cell.high)
    if not holds(own[at_zero]):
        return "none"
    first = last = at_zero
    while first > 0 and holds(own[first - 1]):
        first -= 1
    while last < len(own) - 1 and holds(own[last + 1]):
        last += 1
    left, right = (
        "[" if own[first].length == 0 else "(",
        "]" if own[last].length == 0 else ")",
    )
    return f"{left}{own[first].low}, {own[last].high}{right}"


def chosen_table(rows: Sequence[ChosenRow], names: Sequence[str]) -> Table:
    """Return the table of the chosen eps."""
    cells_shown = [
        {
            "shows": name,
            "eps": row.eps,
            "gamma_min": row.gamma_min,
            "gamma_max": row.gamma_max,
            "(C1')": _yes(row.holds_c1),
            "(C2')": _yes(row.holds_c2),
            "gamma in it": _yes(row.guaranteed),
            "clusters": row.clusters,
            "unchanged": _yes(row.unchanged),
        }
        for name, row in zip(names, rows, strict=True)
    ]
    data = ", ".join(f"{value:g}" for value in LINE.data)
    caption = (
        f"Our setting: A = {data}; clusters of {_sizes(LINE.labels)}; W = ones; gamma = "
        f"{LINE.gamma:g}; the point at {LINE.data[LINE.moved]:g} is shifted by eps."
    )
    return Table("Examples 3 and 4: a point on a line", cells_shown, caption)


def interval_table(own: Sequence[Cell]) -> Table:
    """Return the table of exact intervals of eps around 0, from the cells of `LINE`."""
    intervals: dict[str, Callable[[Cell], bool]] = {
        "Theorem 2 guarantees the partition": attrgetter("guaranteed"),
        "(C1') and (C2') hold": attrgetter("holds_c2"),
        "the partition is unchanged": attrgetter("unchanged"),
    }
    rows: list[dict[str, Any]] = [
        {"around eps = 0": name, "interval": around_zero(own, holds)}
        for name, holds in intervals.items()
    ]
    caption = f"For eps in [-{LINE.reach:g}, {LINE.reach:g}], in rational arithmetic."
    return Table("Sufficient conditions and the exact interval", rows, caption)


def _sizes(labels: IntArray) -> str:
    return "+".join(map(str, np.bincount(labels)))


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


Holds = Callable[[Cell], bool]


def recovery_claims(found: Sequence[Cell]) -> list[Claim]:
    """Return the claims of section 3 on perturbations and recovery, from all cells."""
    return [
        _unperturbed(found),
        _theorem(found),
        _corollary(
            found,
            "Theorem 2, corollary (without gamma)",
            "(C1') or (C2') fails",
            attrgetter("holds_c2"),
        ),
        _corollary(
            found,
            "Theorem 2, corollary (with gamma)",
            "(C1') or (C2') fails or gamma leaves [gamma_min(eps), gamma_max(eps))",
            attrgetter("guaranteed"),
        ),
        _likely(found),
        _example(found, "Example 3", "If (C1') and (C2') hold, the partition is kept.", True),
        _example(found, "Example 4", "If (C2') fails, the partition can change.", False),
    ]


def changed_share(found: Sequence[Cell], holds: Holds) -> float:
    """Return the share, by length, of the cells with a property on which the partition changes."""
    own = [cell for cell in found if holds(cell)]
    length = sum((cell.length for cell in own), Fraction(0))
    changed = sum((cell.length for cell in own if not cell.unchanged), Fraction(0))
    return float(changed / length) if length else float("nan")


def _unperturbed(found: Sequence[Cell]) -> Claim:
    own = [cell for cell in found if cell.low <= 0 <= cell.high and cell.guaranteed]
    instances = {cell.instance for cell in own}
    wrong = {cell.instance for cell in own if not cell.unchanged}
    return Claim(
        "Theorem 1",
        "If (C1) and (C2) hold and gamma is in [gamma_min, gamma_max), the partition is returned.",
        f"Another partition is returned in {len(wrong)} of {len(instances)} instances on a line "
        "for which this holds, by exact arithmetic. (For the plane and unequal weights, see open "
        "question 1.)",
        agrees_if(len(own) > 0 and not wrong),
    )


def _theorem(found: Sequence[Cell]) -> Claim:
    own = [cell for cell in found if cell.guaranteed]
    wrong = sum(not cell.unchanged for cell in own)
    return Claim(
        "Theorem 2",
        "If (C1') and (C2') hold and gamma is in [gamma_min(eps), gamma_max(eps)), the partition "
        "is unchanged.",
        f"The partition changes in {wrong} of {len(own)} intervals and single eps for which this "
        f"holds, in {_instances(found)}, by exact arithmetic.",
        agrees_if(len(own) > 0 and wrong == 0),
    )


def _corollary(found: Sequence[Cell], where: str, condition: str, holds: Holds) -> Claim:
    changed = [cell for cell in found if not cell.unchanged]
    against = [cell for cell in changed if holds(cell)]
    example = ""
    if against:
        widest = max(against, key=lambda cell: (-cell.instance, cell.length))
        example = (
            f" For instance {widest.instance} and eps = {float(widest.middle):.4g}, gamma_min = "
            f"{float(widest.gamma_min):.4g} < gamma_max = {float(widest.gamma_max):.4g}, and gamma "
            "is not between them."
        )
    return Claim(
        where,
        f"If the partition changes at eps, then {condition}. (The wording is lost; this is our "
        "reading of the proof.)",
        f"False in {len(against)} of {len(changed)} intervals and single eps for which the "
        f"partition changes ({_instances(found)}, gamma fixed).{example}",
        agrees_if(len(changed) > 0 and not against),
    )


def _likely(found: Sequence[Cell]) -> Claim:
    share = changed_share(found, lambda cell: not cell.holds_c2)
    other = changed_share(found, lambda cell: not cell.guaranteed)
    return Claim(
        "Section 3, before Example 4",
        "If (C1') or (C2') fails, it is very likely that the partition changes.",
        f"The partition changes for {share:.1%} of the eps (by length) for which (C2') fails, and "
        f"for {other:.1%} of those to which Theorem 2 does not apply, in {_instances(found)}. The "
        "share depends on the largest |eps|, here the distance of the clusters, and the paper "
        "gives no number.",
        "cannot be compared",
    )


def _example(found: Sequence[Cell], where: str, claim: str, unchanged: bool) -> Claim:
    own = [
        cell
        for cell in found
        if cell.length and cell.guaranteed == unchanged and cell.holds_c2 == unchanged
    ]
    instances = {cell.instance for cell in own if cell.unchanged == unchanged}
    word = "holds and the partition is kept" if unchanged else "fails and the partition changes"
    return Claim(
        where,
        f"{claim} (The property, with our numbers.)",
        f"There are eps for which the condition {word} in {len(instances)} of "
        f"{len({cell.instance for cell in found})} instances.",
        agrees_if(len(instances) > 0),
    )


def _instances(found: Sequence[Cell]) -> str:
    return f"{len({cell.instance for cell in found})} instances"
