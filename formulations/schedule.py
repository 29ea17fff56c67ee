"""Continuation schedules: how the relaxation and the smoothing are driven to zero together.

In each stage, t > 0 relaxes the optimality conditions of the lower level, and the width w > 0
smooths the relation "together". Both are measured in the model's unit (`SingleLevel.unit`), so that
one schedule suits data of any scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bilad.models.validation import ArgumentError, real_number


@dataclass(frozen=True)
class ScheduleStage:
    """One stage: the relaxation t and the smoothing width w, both > 0, in the model's unit.

    `smoothing` > 0 is mu / w, where a reformulation smooths the fusion norms by mu.
    """

    relaxation: float
    width: float
    smoothing: float = 0.3

    def __post_init__(self) -> None:
        real_number(self.relaxation, "relaxation", above=0.0)
        real_number(self.width, "width", above=0.0)
        real_number(self.smoothing, "smoothing", above=0.0)


@dataclass(frozen=True)
class Schedule:
    """A sequence of stages, in the order in which they are solved."""

    stages: tuple[ScheduleStage, ...]

    @classmethod
    def of(cls, relaxations: Iterable[float], widths: Iterable[float]) -> Schedule:
        """Return the schedule with these relaxations and widths, two sequences of equal length."""
        relaxations, widths = list(relaxations), list(widths)
        if len(relaxations) != len(widths) or not relaxations:
            raise ArgumentError(
                "schedule",
                f"{len(relaxations)} relaxations and {len(widths)} widths",
                "two sequences of the same length, at least 1",
            )
        return cls(tuple(map(ScheduleStage, relaxations, widths)))
