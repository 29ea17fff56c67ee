"""What a method does, once prepared, and what it tells meanwhile: stages, engine, progress."""

from __future__ import annotations

from collections.abc import Callable

from bilad.models.validation import FloatArray
from bilad.solvers.upper.lower_level import LowerLevel
from bilad.solvers.upper.result import Stage


class Trace:
    """Survives a method that is cut short.

    Parameters
    ----------
    on_progress : callable(done, total)
        Called as the method advances; `total` may be an upper estimate.

    Attributes
    ----------
    stages : list of Stage
    engine : str or None
    bound : float or None
        Proved bound on the optimum, if the method has one.
    bounds_all : bool
        Whether it bounds every eps that counts; if not, no status may rest on it.
    attainable : bool
        False if the method knows the optimum, and no double that it tried attains it: then what was
        found is "unproved".
    margin : callable(eps, deviation), gives float or None
        How far eps (k,) may move and the deviation stays, if the method knows.
    walks : list of list of ndarray, shape (k,), or None
        For each start, the points that are the method's own answers, in order; None if every eps
        that it evaluates is one.
    expected : int
        Stages that the method expects to solve, for the progress.
    """

    def __init__(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        self.progress = on_progress
        self.stages: list[Stage] = []
        self.engine: str | None = None
        self.bound: float | None = None
        self.bounds_all = True
        self.attainable = True
        self.margin: Callable[[FloatArray, float], float | None] = lambda eps, value: None
        self.expected = 0
        self.walks: list[list[FloatArray]] | None = None

    def record(self, stage: Stage) -> None:
        """Add a stage."""
        self.stages.append(stage)
        self.progress(min(len(self.stages), self.expected), self.expected)


# A prepared method: it evaluates candidates, and the lower level keeps the best.
Runner = Callable[[LowerLevel, Trace], None]
