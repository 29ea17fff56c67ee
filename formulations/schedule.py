"""The homotopy schedule: how the relaxation and the smoothing go to zero, together.

Stage by stage, t relaxes the lower level's optimality and the width w blurs "same cluster". Both
are lengths relative to `unit`, the model's own scale, so one schedule serves all data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import ArgumentError, FloatArray, real_number


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


def length_unit(model: ConvexClustering, X: FloatArray) -> float:
    """Return the typical distance of two points of a solution, the schedule's unit of length.

    The root mean square of ||x_i - x_j|| over all pairs; that of the data if all points have
    fused; 1 if all data are equal.
    """
    for points in (X, model.data):
        spread = float(np.sqrt(2 * np.var(points, axis=0).sum()))
        if spread > 1e-9 * float(np.abs(points).max(initial=0.0)):
            return spread
    return 1.0
