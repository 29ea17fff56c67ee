"""Recovery beyond Theorem 1 as a table, a picture and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.questions import recovery_grid
from bilad.scripts.reproduce.questions.recovery_grid import RecoveryCell
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import Cells, grouped


def recovery_blocks(bench: Bench, rows: Sequence[RecoveryCell]) -> list[Block]:
    """Return how often the theorem and the exact test say yes."""
    table = Table(
        "Open question 1: recovery without the assumptions",
        [_recovery_cells(*key, own) for key, own in recovery_grid.by_level(rows)],
        "Planted clusters: normal points (deviation "
        f"{recovery_grid.SPREAD:g}) around centres {recovery_grid.DISTANCE:g} apart, "
        f"{recovery_grid.SMALL} in the smaller of unequal clusters, {2 * recovery_grid.SMALL} in "
        "each of equal ones; weights 1/2 + exp(-||a_i - a_j||^2) / 2 on the complete graph; gammas "
        f"on a logarithmic grid from {recovery_grid.LEAST:g} to {recovery_grid.MOST:g} times "
        f"{recovery_grid.DISTANCE:g} / n. sizes: ratio of the two clusters; zero "
        "weights: their share; same centroid: a cluster around another, and the share of zero "
        "weights between clusters; pulled: and a third cluster, joined to the outer one only, "
        f"while the coinciding ones are joined weakly ({recovery_grid.PULLED:g} times). "
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
    alone = [row for row in rows if row.family == recovery_grid.ALIKE]
    pulled = [row for row in rows if row.family == recovery_grid.PULL]
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
        ratio = family == recovery_grid.IMBALANCE
        axes.set_xlabel("ratio of sizes" if ratio else "share that is zero", fontsize=8)
    panels[0].set_ylabel("share of the gammas tried")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
