"""Part `deviations`: which functions have the properties that section 4 requires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.scripts.display import grouped
from bilad.scripts.reproduce.part import Bench, Block, Claim, Part, Section, Table, Text, agrees_if
from bilad.scripts.reproduce.theory.property_checks import (
    PLANE,
    PROPERTIES,
    IdentityRow,
    PropertyRow,
    check_identity,
    check_properties,
    plane_problems,
    setting_problems,
)
from bilad.scripts.reproduce.theory.reassignment_checks import PathRow, check_paths
from bilad.scripts.settings import SETTINGS
from bilad.solvers.upper.deviation_properties import ALONG, IN_NORM, NONNEGATIVE, ZERO


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    rays: int = 8  # rays of a problem with several parameters
    points: int = 24  # points of each ray
    paths: int = 200  # random reassignments
    path_n: int = 40  # their largest number of points
    path_clusters: int = 5  # their largest number of clusters


FULL = Sizes()
QUICK = Sizes(rays=2, points=6, paths=20, path_n=24)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Search for counterexamples, and return the report."""
    lines, planes = setting_problems(), plane_problems()
    problems = {**lines, **planes}
    rows = bench.collect(
        "properties",
        check_properties(problems, sizes.rays, sizes.points, bench.seed),
        PropertyRow,
        len(problems) * len(PARTITION_DEVIATIONS) * len(PROPERTIES),
    )
    paths = bench.collect(
        "reassignments",
        check_paths(sizes.paths, sizes.path_n, sizes.path_clusters, bench.seed),
        PathRow,
        sizes.paths * len(PARTITION_DEVIATIONS),
    )
    identity = bench.collect("identity", check_identity(lines, paths), IdentityRow, len(lines) + 1)

    blocks: list[Block] = [
        Text(_introduction(list(lines))),
        _property_table(rows),
        _counterexamples(rows),
        _path_table(paths),
        _identity_table(identity),
    ]
    return Section(blocks, [*deviation_claims(rows, paths), closed_form_claim(identity)])


def _introduction(names: Sequence[str]) -> str:
    absent = [name for name in SETTINGS if name not in names]
    missing = f" The data of {', '.join(absent)} cannot be read." if absent else ""
    return (
        "Section 4 requires of a deviation function that it is (i) nondecreasing in ||eps||, (ii) "
        "nonnegative, and (iii) zero at eps = 0. Property (i) is checked along each ray from 0, "
        f"and between any two eps. For {', '.join(names)}, every eps of our settings is examined "
        "in exact arithmetic. In the plane, random rays are examined, exactly for p = 1 and by "
        f"samples for p = 2. Our settings: {'; '.join(SETTINGS[n].describe() for n in names)}; "
        f"the plane: {PLANE}. Every counterexample was solved again, with certified labels. In the "
        f"plane, the absence of a counterexample proves nothing.{missing}"
    )


def _property_table(rows: Sequence[PropertyRow]) -> Table:
    cells = []
    for name, own in grouped(rows, lambda row: row.deviation):
        line: dict[str, Any] = {"function": name}
        for wanted in PROPERTIES:
            asked = [row for row in own if row.property == wanted]
            fails = [row.problem for row in asked if not row.holds]
            line[wanted] = f"fails: {'; '.join(fails)}" if fails else f"holds on all {len(asked)}"
        cells.append(line)
    return Table("Properties by problem", cells)


def _counterexamples(rows: Sequence[PropertyRow]) -> Table:
    """Return the first counterexample of each function and property."""
    fails = [row for row in rows if not row.holds]
    cells = [
        {
            "function": name,
            "not": wanted,
            "problem": own[0].problem,
            "eps": own[0].eps,
            "||eps||": own[0].norm,
            "U": own[0].value,
            "larger eps": own[0].other_eps,
            "its norm": own[0].other_norm,
            "its U": own[0].other_value,
        }
        for (name, wanted), own in grouped(fails, lambda row: (row.deviation, row.property))
    ]
    return Table("The first counterexamples", cells, "The file properties.csv contains all.")


def _path_table(paths: Sequence[PathRow]) -> Table:
    cells = []
    for name, own in grouped(paths, lambda row: row.deviation):
        two = [row for row in own if row.clusters == 2]
        more = [row for row in own if row.clusters > 2]
        falls = [row for row in own if row.falls_in_range]
        first = min(falls, key=lambda row: row.steps) if falls else None
        cells.append(
            {
                "function": name,
                "K = 2: decreases in range": _share(two),
                "K > 2: decreases in range": _share(more),
                "decreases anywhere": f"{sum(row.falls for row in own)} of {len(own)}",
                "example in range": "" if first is None else _fall(first),
            }
        )
    caption = (
        "Points move from cluster 1 to the others in fixed proportions. The range is that in which "
        "delta does not decrease, for K = 2 up to s = min(n_1, ceil(n / 2)) (Theorem 3)."
    )
    return Table("Whether U decreases as more points move", cells, caption)


def _share(rows: Sequence[PathRow]) -> str:
    return f"{sum(row.falls_in_range for row in rows)} of {len(rows)}"


def _fall(row: PathRow) -> str:
    t = row.first_fall
    values = f"{row.before:.4g} at {t}, {row.after:.4g} at {t + 1}"
    return f"{row.sizes}, {row.direction} a step: {values}"


def _identity_table(rows: Sequence[IdentityRow]) -> Table:
    cells = [
        {
            "partitions": row.partitions,
            "tried": row.tried,
            "wrong": row.wrong,
            "largest error": row.largest,
        }
        for row in rows
    ]
    return Table("The identity delta = n (n - 1) (1 - RI), with RI of scikit-learn", cells)


PART = Part(
    "deviations",
    "Sections 5 and 6.4: which functions are deviation functions",
    run,
    FULL,
    QUICK,
)


def deviation_claims(rows: Sequence[PropertyRow], paths: Sequence[PathRow]) -> list[Claim]:
    """Return the claims of sections 5, 6.2 and 6.4."""
    return [_reassignments(paths), _signs(rows), _delta(rows), _rand(rows), _nmi(rows)]


def closed_form_claim(found: Sequence[IdentityRow]) -> Claim:
    """Return the claim that delta has a closed form and 1 - RI has none."""
    tried, wrong = sum(row.tried for row in found), sum(row.wrong for row in found)
    return Claim(
        "Summary of the paper, design tradeoffs",
        "delta has explicit formulas, 1 - RI has no closed form.",
        f"1 - RI equals delta / (n (n - 1)) for {tried - wrong} of {tried} partitions, so Theorems "
        "3 to 5 give formulas for both",
        agrees_if(wrong > 0),
    )


def failing(rows: Sequence[PropertyRow], deviation: str, wanted: str) -> list[str]:
    """Return the problems with a counterexample to a property (`wanted`) of a function."""
    return [row.problem for row in _of(rows, deviation, wanted) if not row.holds]


def _of(rows: Sequence[PropertyRow], deviation: str, wanted: str) -> list[PropertyRow]:
    return [row for row in rows if row.deviation == deviation and row.property == wanted]


def _reassignments(paths: Sequence[PathRow]) -> Claim:
    own = [row for row in paths if row.deviation == "delta" and row.clusters == 2]
    within = sum(row.falls_in_range for row in own)
    beyond = sum(row.falls for row in own)
    return Claim(
        "Section 5, Theorem 3 (ii)",
        "For s <= min(n_1, ceil(n / 2)) delta is nondecreasing in s; beyond, it need not be.",
        f"It decreases within the range in {within} of {len(own)} random reassignments, and beyond "
        f"it in {beyond - within}.",
        agrees_if(len(own) > 0 and within == 0 and beyond > 0),
    )


def _signs(rows: Sequence[PropertyRow]) -> Claim:
    own = [row for name in (ZERO, NONNEGATIVE) for row in _of(rows, "delta", name)]
    wrong = sum(not row.holds for row in own)
    return Claim(
        "Section 5, proof of Theorem 3",
        "delta is 0 at eps = 0 and nowhere negative.",
        f"There are {wrong} counterexamples on {len({row.problem for row in own})} problems.",
        agrees_if(len(own) > 0 and wrong == 0),
    )


def _delta(rows: Sequence[PropertyRow]) -> Claim:
    return Claim(
        "Section 6.2",
        "delta is nondecreasing in ||eps||, along the perturbation of the experiments.",
        _falls(rows, "delta"),
        agrees_if(not failing(rows, "delta", ALONG)),
    )


def _rand(rows: Sequence[PropertyRow]) -> Claim:
    same = all(
        failing(rows, "rand", name) == failing(rows, "delta", name) for name in (ALONG, IN_NORM)
    )
    where = "the same problems as delta" if same else "other problems than delta"
    properties = (ZERO, NONNEGATIVE, ALONG)
    return Claim(
        "Section 6.4, equation (4)",
        "1 - RI satisfies the properties of a deviation function.",
        f"{_falls(rows, 'rand')} It fails on {where}, because it equals delta / (n (n - 1)).",
        agrees_if(not any(failing(rows, "rand", name) for name in properties)),
    )


def _nmi(rows: Sequence[PropertyRow]) -> Claim:
    return Claim(
        "Section 6.4",
        "NMI does not preserve monotonicity.",
        f"1 - NMI: {_falls(rows, 'nmi')}",
        agrees_if(bool(failing(rows, "nmi", ALONG))),
    )


def _falls(rows: Sequence[PropertyRow], deviation: str) -> str:
    """Describe where a function decreases along a ray, with the first counterexample."""
    own = _of(rows, deviation, ALONG)
    wrong = [row for row in own if not row.holds]
    names = f" ({'; '.join(row.problem for row in wrong)})" if wrong else ""
    text = f"It decreases along a ray on {len(wrong)} of {len(own)} problems{names}."
    if wrong:
        first = wrong[0]
        text += (
            f" On {first.problem}, it is {first.value:.6g} at eps = {first.eps} and "
            f"{first.other_value:.6g} at eps = {first.other_eps}."
        )
    return text
