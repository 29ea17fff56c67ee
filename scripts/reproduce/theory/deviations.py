"""Every deviation function against the properties that section 4 asks of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bilad.models.deviation import DEVIATIONS
from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.section import Block, Section, Table, Text
from bilad.scripts.reproduce.theory.deviation_claims import closed_form_claim, deviation_claims
from bilad.scripts.reproduce.theory.deviation_pictures import draw_spills
from bilad.scripts.reproduce.theory.identity_checks import IdentityRow, check_identity
from bilad.scripts.reproduce.theory.property_checks import (
    PLANE,
    PROPERTIES,
    PropertyRow,
    check_properties,
    plane_problems,
    setting_problems,
)
from bilad.scripts.reproduce.theory.spill_paths import PathRow, check_paths
from bilad.scripts.settings import SETTINGS
from bilad.scripts.tables import grouped


@dataclass(frozen=True)
class Sizes:
    """How much is looked at.

    Attributes
    ----------
    rays, points : int
        Of the problems with several eps.
    paths : int
        Random spills.
    path_n, path_clusters : int
        Points and clusters of these, at most.
    """

    rays: int = 8
    points: int = 24
    paths: int = 200
    path_n: int = 40
    path_clusters: int = 5


FULL = Sizes()
QUICK = Sizes(rays=2, points=6, paths=20, path_n=24)


def run(bench: Bench, sizes: Sizes) -> Section:
    """Look for counterexamples."""
    lines, planes = setting_problems(), plane_problems()
    problems = {**lines, **planes}
    rows = bench.collect(
        "properties",
        check_properties(problems, sizes.rays, sizes.points, bench.seed),
        PropertyRow,
        len(problems) * len(DEVIATIONS) * len(PROPERTIES),
    )
    paths = bench.collect(
        "spills",
        check_paths(sizes.paths, sizes.path_n, sizes.path_clusters, bench.seed),
        PathRow,
        sizes.paths * len(DEVIATIONS),
    )
    identity = bench.collect("identity", check_identity(lines, paths), IdentityRow, len(lines) + 1)
    picture = bench.picture(
        "spills",
        "Each function over its own maximum, as points leave the first of two clusters. Dotted "
        "line: the bound of Theorem 3. delta and 1 - RI coincide, and so do the two that count "
        "points, until clusters are renamed.",
        draw_spills,
    )
    blocks: list[Block] = [
        Text(_introduction(list(lines))),
        _property_table(rows),
        _counterexamples(rows),
        _path_table(paths),
        picture,
        _identity_table(identity),
    ]
    return Section(blocks, [*deviation_claims(rows, paths), closed_form_claim(identity)])


def _introduction(names: Sequence[str]) -> str:
    absent = [name for name in SETTINGS if name not in names]
    missing = f" The data of {', '.join(absent)} are not here." if absent else ""
    return (
        "Section 4 asks of a deviation function: (i) nondecreasing in ||eps||, (ii) nonnegative, "
        "(iii) zero at zero. (i) is asked along each ray from 0, and between any two eps. On "
        f"{', '.join(names)}, every eps of our settings is looked at in exact arithmetic; in the "
        "plane rays are, for p = 1 exactly and for p = 2 by samples. Our settings: "
        f"{'; '.join(SETTINGS[name].describe() for name in names)}; the plane: {PLANE}. "
        "Every counterexample was solved again, its labels proved. On the plane, no "
        f"counterexample is no proof.{missing}"
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
    """Show the first counterexample of each function and property; the file has all."""
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
    return Table("Counterexamples, the first of each", cells, "All of them: properties.csv.")


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
                "K = 2: falls in range": _share(two),
                "K > 2: falls in range": _share(more),
                "falls anywhere": f"{sum(row.falls for row in own)} of {len(own)}",
                "one in range": "" if first is None else _fall(first),
            }
        )
    caption = (
        "Spills: points leave cluster 1 in fixed proportions, step by step. In range: as long as "
        "delta does not fall, for K = 2 up to s = min(n_1, ceil(n / 2)) (Theorem 3)."
    )
    return Table("Whether U falls as more points leave", cells, caption)


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
    return Table("delta = n (n - 1) (1 - RI), RI as scikit-learn counts it", cells)


PART = Part(
    "deviations",
    "Sections 5 and 6.4: which functions are deviation functions",
    run,
    FULL,
    QUICK,
)
