"""Accuracy against the share of flipped labels: methods at equal seconds, on random splits.

The attacker flips the labels of k of the 100 training points and maximises the validation loss,
(BL1) with the norm "count". Gradient methods and reformulations search the relaxation, in which
labels are between -1 and 1, and round. "greedy" trains for every candidate, flip by flip, which is
the attack of the literature.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bilad.models import MaxDeviation, Perturbation, validation_loss
from bilad.scripts.display import Cells, grouped
from bilad.scripts.security.curves import CurveRow, CurveRun, in_order, statistics
from bilad.scripts.security.settings import TRAINING, split_of

FLIPPED = ("svm", "logistic")
FLIP_METHODS = ("random", "greedy", "hypergradient", "kkt")
FLIPS = (5, 10, 20)


class FlipRun(CurveRun):
    """One attack on the labels of one split; the budget is the number of flips."""

    def problem(self) -> MaxDeviation:
        """Return the bilevel problem."""
        given = split_of(self.model, self.split)
        return MaxDeviation(
            given.model,
            Perturbation.flips(),
            int(self.budget),
            "count",
            validation_loss(given.X_validation, given.y_validation),
        )


def accuracies(rows: Sequence[CurveRow], clean: Sequence[CurveRow]) -> list[Cells]:
    """Return a row for each model, limit, share of flipped labels and method."""
    cells = []
    for (model, _, budget, method), group in grouped(
        in_order([*clean, *rows]), lambda row: (row.model, row.limit, row.budget, row.method)
    ):
        cells.append(
            {
                "": model,
                "flipped": f"{budget / TRAINING:.0%}",
                "method": method,
                **statistics("accuracy", [1.0 - row.error for row in group]),
                "validation loss": float(np.mean([row.loss for row in group])),
                "solves": float(np.mean([row.solves for row in group])),
                "seconds": float(np.mean([row.seconds for row in group])),
                "CPU": float(np.mean([row.cpu_seconds for row in group])),
            }
        )
    return cells
