"""What a lower-level solve may spend, and has spent."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Budget:
    """Steps and time allowed, and the steps taken.

    Attributes
    ----------
    iterations : int
        Steps allowed, of ADMM and of Newton together.
    deadline : float
        Value of `time.perf_counter()` at which to stop.
    admm_steps, newton_steps : int
        Taken so far.
    """

    iterations: int
    deadline: float
    admm_steps: int = 0
    newton_steps: int = 0

    @property
    def used(self) -> int:
        """Steps taken."""
        return self.admm_steps + self.newton_steps

    @property
    def exhausted(self) -> str | None:
        """The status to report if a limit has come, else None."""
        if self.used >= self.iterations:
            return "iteration limit"
        if time.perf_counter() >= self.deadline:
            return "time limit"
        return None
