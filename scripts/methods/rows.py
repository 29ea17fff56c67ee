"""The settings and the result of one run of the comparison of methods, and its quality."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bilad.scripts.attack_runs import REFUSED, shown_value
from bilad.scripts.display import grouped
from bilad.scripts.instances import Instance

REFERENCE = "ray optimum"  # not a method: the best eps of a ray, found by a fine grid
CLOSE = 0.95  # the share of the best known value that counts as solved


@dataclass(frozen=True)
class RunSettings:
    """All that the result of a run depends on."""

    instance: Instance
    method: str  # a key of `METHODS`, or "ray optimum"
    seed: int  # of the method's random numbers
    solves: int | None  # limit on lower-level solves, not counting the solve at eps = 0
    seconds: float | None  # time limit
    # options of the method, in addition to those of its variant
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The settings as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> RunSettings:
        """Read the settings from JSON."""
        given = json.loads(text)
        return cls(**{**given, "instance": Instance(**given["instance"])})


@dataclass(frozen=True)
class MethodRow:
    """The result of a run."""

    settings: str  # as JSON
    # instance, method, seed: part of the settings, repeated for readers of the table
    instance: str
    method: str
    seed: int
    n: int  # points
    status: str  # `outcome` of the last attack; "refused: .." or "error: .."
    # the deviation (BL1) or ||eps|| (BL2); 0 or infinity without an attack with certified labels:
    # what the method found itself, and after a search along the ray through it
    value: float
    closed: float
    bound: float  # the proved bound, or NaN
    # lower-level solves, those whose labels are not certified, and the number of attacks
    solves: int
    undecided: int
    starts: int
    # total time, and the time of the lower-level solves
    seconds: float
    seconds_solving: float
    improvements: str  # when each better value was found: "solves:seconds:value .."

    @property
    def line(self) -> str:
        """The row in one line."""
        return (
            f"{self.instance} | {self.method} #{self.seed}: {shown_value(self.value)}, "
            f"{self.solves} solves, {self.seconds:.2f} s, {self.status}"
        )

    @property
    def is_readable(self) -> bool:
        """Whether the settings are those of an instance, as they are defined now."""
        try:
            RunSettings.of_text(self.settings)
        except (TypeError, ValueError, KeyError):
            return False
        return True

    @property
    def taken(self) -> bool:
        """Whether the method supports the problem."""
        return not self.status.startswith(REFUSED)

    def moments(self) -> list[tuple[int, float, float]]:
        """Return (solves, seconds, value) of each improvement."""
        parts = [part.split(":") for part in self.improvements.split()]
        return [(int(solves), float(seconds), float(value)) for solves, seconds, value in parts]


@dataclass(frozen=True)
class Score:
    """A run, compared with the best of all runs on its instance."""

    row: MethodRow
    instance: Instance
    best: float  # deviation (BL1) or ||eps|| (BL2); 0 or infinity if no run found an attack

    @property
    def has_attack(self) -> bool:
        """Whether some run found an attack."""
        return 0 < self.best < np.inf

    @property
    def quality(self) -> float:
        """For (BL1), U over the best known U; for (BL2), the least known ||eps|| over ||eps||."""
        return self._quality(self.row.value)

    @property
    def closed_quality(self) -> float:
        """The same after closing; above 1 if closing improves on all runs."""
        return self._quality(self.row.closed)

    def _quality(self, value: float) -> float:
        return self.best / value if self.instance.question == "BL2" else value / self.best

    def first_close(self) -> tuple[float, float]:
        """Return the solves and seconds until the quality was 95 %; infinity if it never was."""
        for solves, seconds, value in self.row.moments():
            if self._quality(value) >= CLOSE:
                return solves, seconds
        return np.inf, np.inf


def scores(rows: Sequence[MethodRow]) -> list[Score]:
    """Compare each row with the best value known on its instance, the reference included."""
    made = []
    for _, own in grouped(rows, lambda row: row.instance):
        instance = RunSettings.of_text(own[0].settings).instance
        values = [row.value for row in own]
        best = min(values) if instance.question == "BL2" else max(values)
        made += [Score(row, instance, best) for row in own]
    return made


def of_methods(given: Sequence[Score]) -> list[Score]:
    """Return the scores of methods, without the reference, on instances with a known attack."""
    return [score for score in given if score.has_attack and score.row.method != REFERENCE]
