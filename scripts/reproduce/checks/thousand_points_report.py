"""Attacks on a thousand points as a table and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from bilad.scripts.reproduce.checks import large_problems, thousand_points
from bilad.scripts.reproduce.checks.thousand_points import LargeAttack
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import grouped


def large_blocks(rows: Sequence[LargeAttack], solves: int, seconds: float) -> list[Block]:
    """Return every attack on a thousand points, and how the methods did."""
    cells = []
    for row in rows:
        wanted = asdict(row)
        del wanted["undecided"], wanted["proved"]
        cells.append({**wanted, "s / solve": row.seconds_a_solve})
    table = Table(
        "Check 2: n of a thousand and more",
        cells,
        f"(BL1), {solves} solves or {seconds:g} s, whichever ends first "
        "(drop_points, drop_edges: solves only; a solve that has begun is let end). share: of all "
        "pairs, in per cent. k: entries of eps; bound: proved, blank where there is none (none is "
        f"sought for n > 500). {large_problems.DESCRIPTION}",
    )
    return [table, Text(large_text(rows))]


def large_text(rows: Sequence[LargeAttack]) -> str:
    """Return success by kind, the method that led, and the time of a solve."""
    leaders = thousand_points.leaders(rows)
    moved = [row for row in leaders.values() if row.success]
    kinds = {kind: [r for r in moved if r.kind == kind] for kind in {r.kind for r in rows}}
    none = sorted(kind for kind, own in kinds.items() if not own)
    methods = grouped([r for r in rows if r.method in thousand_points.METHODS], lambda r: r.method)
    said = []
    for method, own in methods:
        led = sum(r.deviation == leaders[r.data, r.kind].deviation and r.success for r in own)
        speed = sum(r.seconds for r in own) / max(sum(r.solves for r in own), 1)
        said.append(
            f"{method} moved {sum(r.success for r in own)} of {len(own)}, with the best deviation "
            f"in {led}, at {speed:.2g} s a solve"
        )
    return (
        f"The partition was moved in {len(moved)} of {len(leaders)} problems"
        f"{', never by ' + ', '.join(none) if none else ', by every kind of perturbation'}. "
        f"{'; '.join(said)}."
    )
