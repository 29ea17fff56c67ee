"""Table 1 of the paper, as data. Its gamma, weights, units and perturbed points are lost."""

from __future__ import annotations

import pandas as pd

DIRECT, FMINCON = "direct method", "fmincon"
# Each row is a solution of (BL1) on one feature.
PAPER = pd.DataFrame(
    [
        ("iris", DIRECT, 100, 2, -6.45, 4974, 52, 12.90),
        ("iris", FMINCON, 100, 2, -7.97, 4470, 40, 2.202),
        ("seeds", DIRECT, 140, 2, 0.95, 5750, 25, 16.49),
        ("seeds", FMINCON, 140, 2, 1.985, 4752, 75, 4.815),
        ("wine", DIRECT, 178, 3, -0.154, 7422, 115, 13.51),
        ("wine", FMINCON, 178, 3, 0.0387, 7316, 116, 4.562),
    ],
    columns=["data", "method", "n", "K", "eps", "delta", "N_chg", "seconds"],
)


def contradictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with equal data set and sign of eps whose larger |eps| has less delta.

    The columns of the row with the larger |eps| end in "_far".
    """
    pairs = rows.merge(rows, on="data", suffixes=("", "_far"))
    is_farther = (pairs.eps * pairs.eps_far > 0) & (pairs.eps.abs() < pairs.eps_far.abs())
    return pairs[is_farther & (pairs.delta > pairs.delta_far)]
