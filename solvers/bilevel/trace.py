"""The trace of a run of a method (its stages, bound and progress), and the type of a run."""

from __future__ import annotations

from collections.abc import Callable

from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.result import Stage


class Trace:
    """The record that a method keeps while it runs; it remains if the method is interrupted.

    Parameters
    ----------
    on_progress : callable(done, total)
        Called during the run; `total` may be an upper estimate.

    Attributes
    ----------
    stages : list of Stage
    engine : str or None
        Name and version of the solver that the method calls.
    bound : float or None
        Proved bound on the optimum, if the method computes one.
    bounds_all : bool
        Whether the bound holds for every feasible eps; otherwise no status is derived from it.
    attainable : bool
        False if the method knows the optimum, but no floating-point number that it evaluated
        attains it. The status of the result is then "unproved".
    margin : callable(eps, deviation), gives float or None
        Distance by which eps (k,) may change without a change of the deviation, if it is known.
    paths : list of list of ndarray, shape (k,), or None
        For each start, the points that the method returned, in order. None means that the method
        returns every eps that it evaluates.
    expected : int
        Expected number of stages, for the progress.
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
        self.paths: list[list[FloatArray]] | None = None

    def record(self, stage: Stage) -> None:
        """Add a stage, and report the progress."""
        self.stages.append(stage)
        self.progress(min(len(self.stages), self.expected), self.expected)


# A prepared method: it evaluates points, and the `LowerLevel` stores the best attack.
Runner = Callable[[LowerLevel, Trace], None]
