"""The limits of a lower-level solve."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Budget:
    """The number of steps and the time that are allowed, and the steps taken so far.

    Attributes
    ----------
    iterations : int
        Steps allowed, of ADMM and of Newton's method together.
    deadline : float
        Value of `time.perf_counter()` at which to stop.
    admm_steps, newton_steps : int
        Steps taken so far.
    """

    iterations: int
    deadline: float
    admm_steps: int = 0
    newton_steps: int = 0

    @property
    def exhausted(self) -> str | None:
        """The status to report if a limit has been reached, else None."""
        if self.admm_steps + self.newton_steps >= self.iterations:
            return "iteration limit"
        if time.perf_counter() >= self.deadline:
            return "time limit"
        return None
