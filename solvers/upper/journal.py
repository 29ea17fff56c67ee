"""What a method tells while it works: its stages, its engine and how far it is."""

from __future__ import annotations

from collections.abc import Callable

from bilad.solvers.upper.result import Stage


class Journal:
    """Survives a method that is cut short.

    Parameters
    ----------
    on_progress : callable(done, total)
        Called as the method advances.
    """

    def __init__(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        self.progress = on_progress
        self.stages: list[Stage] = []
        self.engine: str | None = None
