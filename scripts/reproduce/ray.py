"""The parametric path of a setting as a table, from which Figures 4 to 8 and Table 1 are made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from bilad.models import deviation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.validation import IntArray
from bilad.scripts.settings import Setting
from bilad.solvers.clustering.parametric.optimum import Piece, all_pieces
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath, parametric_path

INDICES = ("RI", "NMI")  # they are 1 for the partition at eps = 0, deviations are 0


@dataclass(frozen=True)
class Ray:
    """The parametric path of a setting within its budget.

    The table `pieces` has a row for each open interval of eps with constant partition and for each
    breakpoint, first for eps >= 0 and then for eps <= 0, both from 0 outwards. At a breakpoint the
    partition can differ from both sides, because two clusters may touch at this single eps. The
    columns are

        side                          1 or -1
        start, end                    |eps| at the ends, which are equal for a breakpoint
        delta, changed, ..            every deviation of the partition from that at eps = 0
        RI, NMI                       the Rand index and the normalised mutual information
        clusters                      their number
        same                          whether the partition is that at eps = 0
    """

    setting: Setting
    path: ParametricPath
    pieces: pd.DataFrame

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the largest interval around 0 with the partition of eps = 0."""
        first = self.pieces[~self.pieces.same].groupby("side").start.min()
        budget = self.setting.budget
        return -first.get(-1, budget), first.get(1, budget)

    def jumps(self, column: str) -> pd.DataFrame:
        """Return the jumps of a column as |eps| increases: their eps, and the values around."""
        before = self.pieces.groupby("side")[column].shift()
        after = self.pieces[before.notna() & (before != self.pieces[column])]
        values = {"before": before[after.index], "after": after[column]}
        return pd.DataFrame({"eps": after.side * after.start, **values})

    def reversals(self, column: str) -> pd.DataFrame:
        """Return the jumps back: where a deviation decreases or an index increases."""
        jumps = self.jumps(column)
        return jumps[(jumps.after > jumps.before) == (column in INDICES)]


@cache
def ray_of(setting: Setting) -> Ray:
    """Return the ray of a setting."""
    path = parametric_path(setting.model(), setting.shift(), -setting.budget, setting.budget)
    return Ray(setting, path, pieces_of(path))


def pieces_of(path: ParametricPath) -> pd.DataFrame:
    """Return the table of the pieces of a path."""
    before = path.labels_at(0.0)
    return pd.DataFrame([_row(before, piece) for piece in all_pieces(path, path.values())])


def _row(before: IntArray, piece: Piece) -> dict[str, Any]:
    after = piece.labels
    values = {name: float(deviation(before, after, name)) for name in PARTITION_DEVIATIONS}
    return {
        "side": piece.sign,
        "start": float(piece.start),
        "end": float(piece.end),
        **values,
        "RI": 1.0 - values["rand"],
        "NMI": 1.0 - values["nmi"],
        "clusters": int(after.max()) + 1,
        "same": bool((before == after).all()),  # both are numbered by first appearance
    }
