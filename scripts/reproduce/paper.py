"""Table 1 of the paper, as data. Its gamma, weights, units and perturbed points are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

DIRECT, FMINCON = "direct method", "fmincon"


@dataclass(frozen=True)
class PaperRow:
    """A row of the table: a solution of (BL1) on one feature."""

    dataset: str  # "iris", "seeds" or "wine"
    method: str  # "direct method" or "fmincon"
    n: int
    K: int
    eps: float
    delta: int
    n_changed: int
    seconds: float


PAPER_ROWS = (
    PaperRow("iris", DIRECT, 100, 2, -6.45, 4974, 52, 12.90),
    PaperRow("iris", FMINCON, 100, 2, -7.97, 4470, 40, 2.202),
    PaperRow("seeds", DIRECT, 140, 2, 0.95, 5750, 25, 16.49),
    PaperRow("seeds", FMINCON, 140, 2, 1.985, 4752, 75, 4.815),
    PaperRow("wine", DIRECT, 178, 3, -0.154, 7422, 115, 13.51),
    PaperRow("wine", FMINCON, 178, 3, 0.0387, 7316, 116, 4.562),
)


def contradictions(rows: Sequence[PaperRow]) -> list[tuple[PaperRow, PaperRow]]:
    """Return the pairs with equal data set and sign of eps whose larger |eps| has less delta."""
    found = []
    for pair in combinations(rows, 2):
        near, far = sorted(pair, key=lambda row: abs(row.eps))
        alike = near.dataset == far.dataset and near.eps * far.eps > 0
        if alike and abs(near.eps) < abs(far.eps) and near.delta > far.delta:
            found.append((near, far))
    return found
