"""The homotopy schedule: how the relaxation and the smoothing go to zero, together.

Stage by stage, t relaxes the lower level's optimality and the width w blurs "same cluster". Both
are lengths relative to `unit`, the model's own scale, so one schedule serves all data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bilad.models.validation import ArgumentError, real_number


@dataclass(frozen=True)
class ScheduleStage:
    """One stage: relaxation t and smoothing width, both > 0, in the model's unit."""

    relaxation: float
    width: float

    def __post_init__(self) -> None:
        real_number(self.relaxation, "relaxation", above=0.0)
        real_number(self.width, "width", above=0.0)


@dataclass(frozen=True)
class Schedule:
    """Stages in the order in which they are solved."""

    stages: tuple[ScheduleStage, ...]

    @classmethod
    def of(cls, relaxations: Iterable[float], widths: Iterable[float]) -> Schedule:
        """Pair relaxations with widths, two sequences of equal length."""
        relaxations, widths = list(relaxations), list(widths)
        if len(relaxations) != len(widths) or not relaxations:
            raise ArgumentError(
                "schedule",
                f"{len(relaxations)} relaxations and {len(widths)} widths",
                "as many of the one as of the other, at least one",
            )
        return cls(tuple(map(ScheduleStage, relaxations, widths)))
