"""Finite-difference descent: the paper's `fmincon`, on the staircase as if it had a slope.

Forward differences see a slope only where they straddle a step, so a search mostly ends where it
starts, after k + 1 solves. It is here to be compared with.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Literal

import numpy as np
from scipy.optimize import Bounds, minimize

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, one_of, real_number
from bilad.solvers.bilevel.trace import Work
from bilad.solvers.upper.derivative_free.merit import Merit
from bilad.solvers.upper.derivative_free.restarts import restarted

STEP = 2.0**-26  # the square root of the machine precision, as fmincon's
SOLVERS: dict[str, Literal["SLSQP", "trust-constr"]] = {
    "slsqp": "SLSQP",
    "trust-constr": "trust-constr",
}
MOST = 400  # iterations of a search


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    solver: str = "slsqp",
    step: float = STEP,
    restarts: int | None = None,
) -> Work:
    """Descend by forward differences, with SciPy's solvers.

    Parameters
    ----------
    solver : {"slsqp", "trust-constr"}, default "slsqp"
        Sequential quadratic programming (Kraft, 1988), or a trust-region method, which for bounds
        is an interior-point one (Byrd, Hribar and Nocedal, 1999) as `fmincon`'s default.
    step : float, default 2**-26
        Of the differences, in units of half the box's width in each entry of eps; at most 1.
    restarts : int, optional
        Searches, from eps = 0 and then random starts; 5, or as many as the limits allow.
    """
    chosen = SOLVERS[one_of(solver, "solver", SOLVERS)]
    h = min(real_number(step, "step", above=0.0), 1.0)

    def search(merit: Merit, start: FloatArray, rng: np.random.Generator, number: int) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "delta_grad == 0.0")  # no slope: as expected
            minimize(
                merit,
                start,
                jac=partial(forward_differences, merit, step=h),
                bounds=Bounds(-1.0, 1.0, keep_feasible=True),
                method=chosen,
                options={"maxiter": MOST},
            )

    return restarted(rng, restarts, search)


def forward_differences(merit: Merit, z: FloatArray, step: float) -> FloatArray:
    """Return the slope of the merit in each entry, by a step inwards where it would leave."""
    here = merit(z)
    steps = np.where(z + step > 1.0, -step, step)
    ahead = [merit(z + moved) for moved in np.diag(steps)]
    return (np.array(ahead) - here) / steps
