"""Mesh adaptive direct search (Audet and Dennis, 2006), NOMAD 4 through PyNomadBBO."""

from __future__ import annotations

import math
import signal
import threading
from typing import Any

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, real_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.extras import needs
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.restarts import restarted

refusal = needs("PyNomad", "PyNomadBBO")

FIRST_FRAME, LAST_FRAME = 1.0, 1e-3
FEW = 50  # parameters; above, NOMAD's Nelder-Mead search takes seconds a step
SEEDS = 10_000  # NOMAD draws as many numbers as its seed says before it starts
INTERRUPTED = -5  # NOMAD's run flag
# Models of a staircase mislead, and their upkeep is most of the time: without them an evaluation in
# 20 dimensions costs a hundredth.
SETTINGS = (
    "BB_OUTPUT_TYPE OBJ",
    "DIRECTION_TYPE ORTHO 2N",
    "QUAD_MODEL_SEARCH no",
    "SPECULATIVE_SEARCH no",
    "EVAL_QUEUE_SORT DIR_LAST_SUCCESS",
    "NB_THREADS_PARALLEL_EVAL 1",
    "DISPLAY_DEGREE 0",
)


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    first_frame: float = FIRST_FRAME,
    last_frame: float = LAST_FRAME,
    restarts: int | None = None,
) -> Work:
    """Poll 2 k directions on a mesh that adapts.

    Parameters
    ----------
    first_frame, last_frame : float, default 1 and 1e-3
        Sizes of the frame that is polled, in units of half the box's width in each entry of eps;
        0 < last_frame <= first_frame <= 1.
    restarts : int, optional
        Searches, from eps = 0 and then random starts, each until the last frame; 5, or as many as
        the limits allow.
    """
    last = real_number(last_frame, "last_frame", above=0.0)
    first = real_number(first_frame, "first_frame", least=last)
    if first > 1.0:
        raise ArgumentError("first_frame", first, "at most 1, half the box's width")

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        frames = [f"INITIAL_FRAME_SIZE * {first!r}", f"MIN_FRAME_SIZE * {last!r}"]
        _run(merit, start, int(rng.integers(SEEDS)), [*SETTINGS, *frames, *_limits(merit)])

    return restarted(rng, restarts, search)


def _limits(merit: Merit) -> list[str]:
    """Return NOMAD's own limits, so that it mostly ends by itself: it cannot be stopped."""
    limits = []
    lower = merit.lower
    if lower.max_solves is not None:
        limits.append(f"MAX_BB_EVAL {max(lower.max_solves - lower.solves, 0) + 1}")
    left = lower.seconds_left()
    if math.isfinite(left):
        limits.append(f"MAX_TIME {math.ceil(left)}")
    if merit.space.dim > FEW:
        limits.append("NM_SEARCH no")
    return limits


def _run(merit: Merit, start: FloatArray, seed: int, parameters: list[str]) -> None:
    import PyNomad

    def evaluate(point: Any) -> int:
        try:
            value = merit(np.array([point.get_coord(i) for i in range(point.size())]))
        except BaseException:  # kept by the merit; NOMAD would print it and go on
            return 0
        point.setBBO(repr(value).encode())
        return 1

    PyNomad.setSeed(SEEDS)  # the parameter alone does nothing if it is the last run's
    parameters = [*parameters, f"SEED {seed}"]
    k = merit.space.dim
    ended = PyNomad.optimize(evaluate, start.tolist(), [-1.0] * k, [1.0] * k, parameters)
    _take_back_interrupts()
    if ended["run_flag"] == INTERRUPTED and merit.failure is None:
        raise KeyboardInterrupt


def _take_back_interrupts() -> None:
    """Let Python handle Ctrl-C again, which NOMAD catches in C."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is threading.main_thread() and handler is not None:
        signal.signal(signal.SIGINT, handler)
