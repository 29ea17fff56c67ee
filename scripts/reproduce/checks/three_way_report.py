"""Three-way monotonicity as tables and claims."""

from __future__ import annotations

from collections.abc import Sequence

from bilad.scripts.reproduce.checks import three_way
from bilad.scripts.reproduce.checks.three_way import Ascent
from bilad.scripts.reproduce.section import Block, Claim, Table, Text, Verdict
from bilad.scripts.tables import grouped

PARTITIONS = (three_way.SINGLE, three_way.EQUAL)


def three_way_blocks(rows: Sequence[Ascent], size: int) -> list[Block]:
    """Return how often each deviation fell, and where delta did."""
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
        f"Check 1: three clusters of {size} points, falls of each deviation",
        cells,
        "Changes of the partition as more is perturbed, and at how many of them the deviation from "
        "the unperturbed partition goes down. Partitions: all (s_2, s_3). Line: exact staircase. "
        "Plane: solves with proved labels, changes between samples can be missed. Equal weights on "
        "the complete graph, p = 2, groups 10 standard deviations apart, gamma the middle of the "
        "interval that returns them. `changed` takes labels as they are numbered.",
    )
    fallen = [
        {
            "experiment": row.experiment,
            "path": row.path,
            "fall %": row.largest_fall,
            "at": row.at,
            "before": row.before,
            "after": row.after,
        }
        for row in rows
        if row.deviation == "delta" and row.falls
    ]
    if not fallen:
        return [table, Text("delta fell nowhere.")]
    caption = (
        "The largest fall on each path, in per cent of the path's largest delta. A partition is "
        "written as what each cluster has of the three groups."
    )
    return [table, Table("Where delta fell", fallen, caption)]


def three_way_claims(rows: Sequence[Ascent], size: int) -> list[Claim]:
    """Return the claim on partitions and on the model, judged by the falls of delta."""
    delta = [row for row in rows if row.deviation == "delta"]
    partitions = [row for row in delta if row.experiment in PARTITIONS]
    paths = [row for row in delta if row.experiment not in PARTITIONS]
    return [
        _no_falls(
            "Next check 1, partitions",
            f"As points leave one of three clusters of {size} for the others, delta does not fall.",
            partitions,
        ),
        _no_falls(
            "Next check 1, the model",
            "Nor does it as perturbations of the data grow that drive points to the others.",
            paths,
        ),
    ]


def _no_falls(where: str, claim: str, rows: Sequence[Ascent]) -> Claim:
    falls, steps = sum(row.falls for row in rows), sum(row.steps for row in rows)
    measured = f"it falls at {falls} of {steps} changes of the partition"
    if falls:
        worst = max(rows, key=lambda row: row.largest_fall)
        measured += f", at most by {worst.largest_fall:.2g} % ({worst.experiment}, {worst.at})"
    verdict: Verdict = "cannot be compared" if not steps else "differs" if falls else "agrees"
    return Claim(where, claim, measured + ".", verdict)
