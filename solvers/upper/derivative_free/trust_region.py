"""Model-based trust-region methods: COBYQA (quadratic models) and COBYLA (linear), SciPy's.

Ragonneau, 2022; Powell, 1994, as PRIMA has it since SciPy 1.16.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import Bounds, minimize

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, real_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.restarts import restarted

FIRST_RADIUS = 1.0  # from eps = 0 the first models then see the ends of every axis
LAST_RADIUS = 1e-3  # finer, a staircase is flat
LEAST_SHARE = 0.2  # of the first radius, for a restart
MOST = 100_000  # evaluations of a search; the radius ends it long before

Minimise = Callable[[Merit, FloatArray, float, float], None]


def prepare_cobyqa(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    first_radius: float = FIRST_RADIUS,
    last_radius: float = LAST_RADIUS,
    restarts: int | None = None,
) -> Work:
    """Follow quadratic models of the merit within a trust region.

    Parameters
    ----------
    first_radius, last_radius : float, default 1 and 1e-3
        Radii of the trust region, in units of half the box's width in each entry of eps;
        0 < last_radius <= first_radius <= 1. A restart draws its first from a fifth of that on.
    restarts : int, optional
        Searches, from eps = 0 and then random starts, each until the last radius; 5, or as many
        as the limits allow.
    """
    return _prepare(rng, first_radius, last_radius, restarts, _cobyqa)


def prepare_cobyla(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    first_radius: float = FIRST_RADIUS,
    last_radius: float = LAST_RADIUS,
    restarts: int | None = None,
) -> Work:
    """Follow linear models of the merit within a trust region.

    Parameters
    ----------
    first_radius, last_radius, restarts
        As of `prepare_cobyqa`.
    """
    return _prepare(rng, first_radius, last_radius, restarts, _cobyla)


def _prepare(
    rng: np.random.Generator,
    first_radius: float,
    last_radius: float,
    restarts: int | None,
    minimise: Minimise,
) -> Work:
    last = real_number(last_radius, "last_radius", above=0.0)
    first = real_number(first_radius, "first_radius", least=last)
    if first > 1.0:
        raise ArgumentError("first_radius", first, "at most 1, half the box's width")

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        # COBYQA moves starts near bounds onto them: with one radius it would repeat itself.
        share = rng.uniform(LEAST_SHARE, 1.0) if number else 1.0
        minimise(merit, start, max(share * first, last), last)

    return restarted(rng, restarts, search)


def _cobyqa(merit: Merit, start: FloatArray, first: float, last: float) -> None:
    minimize(
        merit,
        start,
        method="COBYQA",
        bounds=Bounds(-1.0, 1.0),
        options={"initial_tr_radius": first, "final_tr_radius": last, "maxfev": MOST},
    )


def _cobyla(merit: Merit, start: FloatArray, first: float, last: float) -> None:
    minimize(
        merit,
        start,
        method="COBYLA",
        bounds=Bounds(-1.0, 1.0),
        options={"rhobeg": first, "tol": last, "maxiter": MOST},
    )
