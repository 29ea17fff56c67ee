"""How good a run was: its value over the best known, and how soon it was nearly that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.methods.instances import Instance
from bilad.scripts.methods.method_rows import REFERENCE, MethodRow, RunSettings
from bilad.scripts.tables import grouped

CLOSE = 0.95  # of the best known: as good as solved


@dataclass(frozen=True)
class Score:
    """A run beside the best of all runs on its instance."""

    row: MethodRow
    instance: Instance
    best: float  # deviation (BL1) or ||eps|| (BL2); 0 or infinity if nobody found an attack

    @property
    def has_attack(self) -> bool:
        """Whether anybody found an attack."""
        return 0 < self.best < np.inf

    @property
    def quality(self) -> float:
        """U over the best known U; for (BL2), the least known ||eps|| over ||eps||."""
        return self._quality(self.row.value)

    def _quality(self, value: float) -> float:
        return self.best / value if self.instance.question == "BL2" else value / self.best

    def first_close(self) -> tuple[float, float]:
        """Return the solves and seconds after which it was close to the best; infinite if never."""
        for solves, seconds, value in self.row.moments():
            if self._quality(value) >= CLOSE:
                return solves, seconds
        return np.inf, np.inf

    def quality_at(self, solves: FloatArray) -> FloatArray:
        """Return the quality after each number of solves."""
        moments = self.row.moments()
        when = np.array([moment[0] for moment in moments])
        values = np.array([0.0, *(self._quality(moment[2]) for moment in moments)])
        return values[np.searchsorted(when, solves, side="right")]


def scores(rows: Sequence[MethodRow]) -> list[Score]:
    """Return the rows beside the best known; the reference helps to know it."""
    made = []
    for _, own in grouped(rows, lambda row: row.instance):
        instance = RunSettings.of_text(own[0].settings).instance
        values = [row.value for row in own]
        best = min(values) if instance.question == "BL2" else max(values)
        made += [Score(row, instance, best) for row in own]
    return made


def of_methods(given: Sequence[Score]) -> list[Score]:
    """Return the scores of methods on instances with an attack; without the reference."""
    return [score for score in given if score.has_attack and score.row.method != REFERENCE]
