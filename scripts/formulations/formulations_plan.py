"""What the comparison of formulations is to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bilad.scripts.attack_runs import Variant


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes
    ----------
    variants : sequence of Variant
    seed : int
        The first, of the attacks and the data.
    seeds : int
        Number of them.
    seconds : float or None
        Limit of one run; None for that of its part.
    quick : bool
        Few problems, short limits.
    settings : sequence of str, optional
        Of the rays; by default all, and Iris if it is to be quick.
    starts : int, optional
        Of the rays; by default all, and two if it is to be quick.
    """

    variants: Sequence[Variant]
    seed: int
    seeds: int
    seconds: float | None
    quick: bool
    settings: Sequence[str] | None = None
    starts: int | None = None

    def limit(self, seconds: float, quick_seconds: float) -> float:
        """Return the seconds of one run, given those of its part."""
        if self.seconds is not None:
            return self.seconds
        return quick_seconds if self.quick else seconds
