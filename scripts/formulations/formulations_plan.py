"""What the comparison of formulations is to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bilad.scripts.attack_runs import Variant


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    variants: Sequence[Variant]
    seed: int  # the first, of the attacks and the data
    seeds: int  # number of them
    seconds: float | None  # limit of one run; None for that of its part
    quick: bool  # few problems, short limits
    # of the rays; by default all, and Iris if it is to be quick
    settings: Sequence[str] | None = None
    starts: int | None = None  # of the rays; by default all, and two if it is to be quick

    def limit(self, seconds: float, quick_seconds: float) -> float:
        """Return the seconds of one run, given those of its part."""
        if self.seconds is not None:
            return self.seconds
        return quick_seconds if self.quick else seconds
