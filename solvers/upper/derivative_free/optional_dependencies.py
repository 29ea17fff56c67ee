"""The methods of optional packages: controlled random search of NLopt, and NOMAD.

Without the package a method refuses, and its message contains the command that installs it.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, real_number, whole_number
from bilad.solvers.upper.derivative_free.evolution_strategies import grown
from bilad.solvers.upper.derivative_free.merit import MeritFunction
from bilad.solvers.upper.derivative_free.method import Search
from bilad.solvers.upper.derivative_free.search_space import STRETCH

ROUNDS = 100  # evaluations of a controlled random search, in units of the population
SMALLEST_DISTANCE = 1e-3  # distance of the best points at which a controlled random search ends

FIRST_FRAME, LAST_FRAME = 1.0, 1e-3
FEW = 50  # with more parameters the Nelder-Mead search of NOMAD takes seconds per step
SEEDS = 10_000  # NOMAD draws as many numbers as the value of its seed before it starts
INTERRUPTED = -5  # run flag of NOMAD
# Quadratic models of a piecewise constant function are misleading, and building them takes most of
# the time: in 20 dimensions an evaluation without them takes a hundredth of the time.
SETTINGS = (
    "BB_OUTPUT_TYPE OBJ",
    "DIRECTION_TYPE ORTHO 2N",
    "QUAD_MODEL_SEARCH no",
    "SPECULATIVE_SEARCH no",
    "EVAL_QUEUE_SORT DIR_LAST_SUCCESS",
    "NB_THREADS_PARALLEL_EVAL 1",
    "DISPLAY_DEGREE 0",
)


def needs(module: str, package: str) -> Callable[[BilevelProblem], str | None]:
    """Return the refusal of a method that needs a package: a reason, or None if installed."""

    def refusal(problem: BilevelProblem) -> str | None:
        if find_spec(module) is not None:
            return None
        return f"{package} is not installed: pip install 'bilad[derivative-free]'"

    return refusal


def controlled_random_search(problem: BilevelProblem, *, population: int | None = None) -> Search:
    """Minimise by controlled random search with local mutation, GN_CRS2_LM of NLopt.

    The method reflects random simplices of a population and replaces the
    worst point. The points lie in a cube three times as wide and are clipped. A search ends after
    100 evaluations per point, or when the best points nearly coincide.

    Parameters
    ----------
    population : int, optional
        Number of points in the first search, at least k + 2, which is the default. Each restart
        doubles it, at most five times. NLopt's default of 10 (k + 1) would spend the solves of a
        short run before the first reflection.

    References
    ----------
    Kaelo and Ali, Some variants of the controlled random search algorithm for global optimization,
    J. Optim. Theory Appl. 130, 2006.
    """
    least = problem.perturbation.dim + 2
    points = least if population is None else whole_number(population, "population", least=least)

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        import nlopt

        nlopt.srand(int(rng.integers(2**31)))
        optimiser = nlopt.opt(nlopt.GN_CRS2_LM, merit.space.dim)
        optimiser.set_lower_bounds(np.full(merit.space.dim, -STRETCH))
        optimiser.set_upper_bounds(np.full(merit.space.dim, STRETCH))
        optimiser.set_population(grown(points, number))
        optimiser.set_maxeval(ROUNDS * grown(points, number))
        optimiser.set_xtol_abs(SMALLEST_DISTANCE)

        def objective(z: FloatArray, gradient: FloatArray) -> float:
            try:
                return merit(z)
            except BaseException:  # the merit function stores it; NLopt would lose it
                optimiser.force_stop()
                return 0.0

        optimiser.set_min_objective(objective)
        optimiser.optimize(start)

    return search


def mesh_adaptive_search(
    problem: BilevelProblem,
    *,
    first_frame: float = FIRST_FRAME,
    last_frame: float = LAST_FRAME,
) -> Search:
    """Minimise by mesh adaptive direct search, NOMAD 4 of PyNomadBBO.

    The method polls 2 k directions on a mesh that adapts. A search ends at the last frame size.

    Parameters
    ----------
    first_frame, last_frame : float, default 1 and 1e-3
        Sizes of the poll frame, relative to half the width of the bounds of each entry of eps,
        with 0 < last_frame <= first_frame <= 1.

    References
    ----------
    Audet and Dennis, Mesh adaptive direct search algorithms for constrained optimization, SIAM J.
    Optim. 17, 2006. Audet, Le Digabel, Rochon Montplaisir and Tribes, Algorithm 1027: NOMAD version
    4, ACM Trans. Math. Softw. 48, 2022.
    """
    last = real_number(last_frame, "last_frame", above=0.0)
    first = real_number(first_frame, "first_frame", above=0.0)
    if not last <= first <= 1.0:
        raise ArgumentError("first_frame", first, f"a number from last_frame = {last:g} to 1")
    frames = [f"INITIAL_FRAME_SIZE * {first!r}", f"MIN_FRAME_SIZE * {last!r}"]

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        seed = int(rng.integers(SEEDS))
        _run_nomad(merit, start, seed, [*SETTINGS, *frames, *_nomad_limits(merit)])

    return search


def _nomad_limits(merit: MeritFunction) -> list[str]:
    """Return limits by which NOMAD mostly ends itself; it cannot be stopped from outside."""
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


def _run_nomad(merit: MeritFunction, start: FloatArray, seed: int, parameters: list[str]) -> None:
    import PyNomad

    def evaluate(point: Any) -> int:
        try:
            value = merit(np.array([point.get_coord(i) for i in range(point.size())]))
        except BaseException:  # the merit function stores it; NOMAD would print it and continue
            return 0
        point.setBBO(repr(value).encode())
        return 1

    PyNomad.setSeed(SEEDS)  # the parameter alone has no effect if the last run had the same value
    parameters = [*parameters, f"SEED {seed}"]
    k = merit.space.dim
    ended = PyNomad.optimize(evaluate, start.tolist(), [-1.0] * k, [1.0] * k, parameters)
    _restore_interrupt_handler()
    if ended["run_flag"] == INTERRUPTED and merit.failure is None:
        raise KeyboardInterrupt


def _restore_interrupt_handler() -> None:
    """Install Python's handler of Ctrl-C again, which NOMAD replaces by its own in C."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is threading.main_thread() and handler is not None:
        signal.signal(signal.SIGINT, handler)
