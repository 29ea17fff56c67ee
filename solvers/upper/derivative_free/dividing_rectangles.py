"""DIRECT, dividing rectangles (Jones, Perttunen and Stuckman, 1993; Gablonsky, 2001), SciPy's."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, direct

from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.restarts import restarted

# Half of the width that is divided, in units of half the box's: rounded up, so that the centres of
# the outer thirds are clipped to the bounds, not just inside.
HALF = 1.5 * (1 + 1e-9)
FINEST = 1e-3  # side of the best rectangle at which a search ends, in units of the widest
MOST, MOST_EACH = 20_000, 1000  # evaluations of a search, in all and for each parameter


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    locally_biased: bool = True,
    restarts: int | None = None,
) -> Work:
    """Divide the box into thirds where it may be best.

    DIRECT evaluates centres, never a bound. Divided is therefore a box half as large again,
    clipped: the centres of its outer thirds are at the bounds. A restart moves that box at random.

    Parameters
    ----------
    locally_biased : bool, default True
        Gablonsky's variant, which divides fewer large rectangles.
    restarts : int, optional
        Searches, each until the best rectangle's side is a thousandth of the box's or for
        1000 k evaluations, 20 000 at most; 5, or as many as the limits allow.
    """
    if not isinstance(locally_biased, bool):
        raise ArgumentError("locally_biased", repr(locally_biased), "True or False")

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        moved = rng.uniform(1.0 - HALF, HALF - 1.0, merit.space.dim) if number else 0.0
        most = min(MOST, MOST_EACH * merit.space.dim)  # SciPy keeps room for all of them
        direct(
            merit,
            Bounds(moved - np.full(merit.space.dim, HALF), moved + HALF),
            maxfun=most,
            maxiter=most,
            locally_biased=locally_biased,
            len_tol=FINEST,
            vol_tol=0.0,
        )

    return restarted(rng, restarts, search)
