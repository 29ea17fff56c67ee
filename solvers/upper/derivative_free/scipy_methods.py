"""The derivative-free methods of SciPy."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.optimize import Bounds, differential_evolution, direct, minimize

from bilad.models.problem import BilevelProblem
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    boolean,
    one_of,
    real_number,
    whole_number,
)
from bilad.solvers.upper.derivative_free.evolution_strategies import grown
from bilad.solvers.upper.derivative_free.merit import MeritFunction
from bilad.solvers.upper.derivative_free.method import Search
from bilad.solvers.upper.derivative_free.search_space import STRETCH

LEAST_MEMBERS = 5  # SciPy accepts no smaller population
POPULATION = 10
GENERATIONS = 200

# Half the side of the cube that DIRECT divides. It is rounded up so that the centres of the outer
# thirds are clipped to the bounds, and do not lie just inside.
HALF = 1.5 * (1 + 1e-9)
SMALLEST_SIDE = 1e-3  # side of the best rectangle at which DIRECT ends, relative to the cube
MOST, MOST_EACH = 20_000, 1000  # largest number of evaluations in all, and per parameter

FIRST_RADIUS = 1.0  # the first models at eps = 0 then interpolate the ends of every axis
LAST_RADIUS = 1e-3
LEAST_SHARE = 0.2  # least first radius of a restart, relative to `first_radius`
MOST_EVALUATIONS = 100_000  # a search reaches its last radius long before
# SciPy's names of the first radius, the last radius and the largest number of evaluations.
TRUST_REGION_OPTIONS = {
    "COBYQA": ("initial_tr_radius", "final_tr_radius", "maxfev"),
    "COBYLA": ("rhobeg", "tol", "maxiter"),
}

STEP = 2.0**-26  # the square root of the machine precision, as in MATLAB's fmincon
GRADIENT_SOLVERS: dict[str, Literal["SLSQP", "trust-constr"]] = {
    "slsqp": "SLSQP",
    "trust-constr": "trust-constr",
}
MOST_ITERATIONS = 400


def differential_evolution_search(
    problem: BilevelProblem, *, population: int = POPULATION
) -> Search:
    """Minimise by differential evolution, of SciPy.

    The initial population is a Latin hypercube sample that contains the start. The members lie in
    a cube three times as wide and are clipped. SciPy's final local search is not used, because it
    relies on finite differences. A search ends when all members nearly coincide, or after 200
    generations.

    Parameters
    ----------
    population : int, default 10
        Number of members in the first search, at least 5. Each restart doubles it, at most five
        times. SciPy's default of 15 k would spend the solves of a short run on one generation.

    References
    ----------
    Storn and Price, Differential evolution: a simple and efficient heuristic for global
    optimization over continuous spaces, J. Global Optim. 11, 1997.
    """
    members = whole_number(population, "population", least=LEAST_MEMBERS)

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        first = merit.space.sample(rng, grown(members, number))
        first[0] = start
        corner = np.full(merit.space.dim, STRETCH)
        differential_evolution(
            merit,
            Bounds(-corner, corner),
            init=first,
            mutation=(0.5, 1.0),
            recombination=0.7,
            maxiter=GENERATIONS,
            polish=False,
            rng=rng,
        )

    return search


def dividing_rectangles(problem: BilevelProblem, *, locally_biased: bool = True) -> Search:
    """Minimise by DIRECT, the division of rectangles, of SciPy.

    DIRECT evaluates the centres of rectangles and never a bound. It therefore divides a cube of
    1.5 times the side whose points are clipped: the centres of its outer thirds are on the bounds.
    A restart shifts this cube at random. A search ends when the side of the best rectangle is a
    thousandth of the cube's, or after min(1000 k, 20 000) evaluations.

    Parameters
    ----------
    locally_biased : bool, default True
        Whether to use the variant of Gablonsky, which divides fewer large rectangles.

    References
    ----------
    Jones, Perttunen and Stuckman, Lipschitzian optimization without the Lipschitz constant, J.
    Optim. Theory Appl. 79, 1993. Gablonsky and Kelley, A locally-biased form of the DIRECT
    algorithm, J. Global Optim. 21, 2001.
    """
    boolean(locally_biased, "locally_biased")

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        shift = rng.uniform(1.0 - HALF, HALF - 1.0, merit.space.dim) if number else 0.0
        most = min(MOST, MOST_EACH * merit.space.dim)  # SciPy allocates memory for all of them
        direct(
            merit,
            Bounds(shift - np.full(merit.space.dim, HALF), shift + HALF),
            maxfun=most,
            maxiter=most,
            locally_biased=locally_biased,
            len_tol=SMALLEST_SIDE,
            vol_tol=0.0,
        )

    return search


def trust_region(
    solver: Literal["COBYQA", "COBYLA"],
    problem: BilevelProblem,
    *,
    first_radius: float = FIRST_RADIUS,
    last_radius: float = LAST_RADIUS,
) -> Search:
    """Minimise by a trust-region method with interpolation models, of SciPy.

    COBYQA uses quadratic models; COBYLA, which is PRIMA's implementation since SciPy 1.16, uses
    linear ones. A search ends at the last radius.

    Parameters
    ----------
    first_radius, last_radius : float, default 1 and 1e-3
        Radii of the trust region, relative to half the width of the bounds of each entry of eps,
        with 0 < last_radius <= first_radius <= 1. A restart draws its first radius at random,
        between a fifth of `first_radius` and `first_radius`.

    References
    ----------
    Ragonneau, Model-based derivative-free optimization methods and software, PhD thesis, The Hong
    Kong Polytechnic University, 2022, for COBYQA. Powell, A direct search optimization method that
    models the objective and constraint functions by linear interpolation, Advances in Optimization
    and Numerical Analysis, 1994, for COBYLA.
    """
    last = real_number(last_radius, "last_radius", above=0.0)
    largest = real_number(first_radius, "first_radius", above=0.0)
    if not last <= largest <= 1.0:
        raise ArgumentError("first_radius", largest, f"a number from last_radius = {last:g} to 1")

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        # COBYQA moves a start that is close to a bound onto the bound. With the same radius, a
        # restart could then repeat a search.
        share = rng.uniform(LEAST_SHARE, 1.0) if number else 1.0
        settings = (max(share * largest, last), last, MOST_EVALUATIONS)
        options: Any = dict(zip(TRUST_REGION_OPTIONS[solver], settings, strict=True))
        minimize(merit, start, method=solver, bounds=Bounds(-1.0, 1.0), options=options)

    return search


def finite_differences(
    problem: BilevelProblem, *, solver: str = "slsqp", step: float = STEP
) -> Search:
    """Minimise by a gradient method with forward differences, as the paper does with `fmincon`.

    The deviation is piecewise constant, so forward differences are zero unless they cross a
    breakpoint, and a search mostly ends where it started, after k + 1 solves. The method is
    included for comparison.

    Parameters
    ----------
    solver : {"slsqp", "trust-constr"}, default "slsqp"
        Sequential quadratic programming (Kraft), or the interior-point trust-region method of
        Byrd, Hribar and Nocedal, which is the default of `fmincon`.
    step : float, default 2**-26
        Length of the differences, relative to half the width of the bounds of each entry of eps;
        values above 1 are replaced by 1.

    References
    ----------
    Kraft, A software package for sequential quadratic programming, DFVLR-FB 88-28, 1988. Byrd,
    Hribar and Nocedal, An interior point algorithm for large-scale nonlinear programming, SIAM J.
    Optim. 9, 1999.
    """
    chosen = GRADIENT_SOLVERS[one_of(solver, "solver", GRADIENT_SOLVERS)]
    h = min(real_number(step, "step", above=0.0), 1.0)

    def search(
        merit: MeritFunction, start: FloatArray, rng: np.random.Generator, number: int
    ) -> None:
        with warnings.catch_warnings():
            # The gradient of a piecewise constant function is zero almost everywhere.
            warnings.filterwarnings("ignore", "delta_grad == 0.0")
            minimize(
                merit,
                start,
                jac=partial(forward_differences, merit, step=h),
                bounds=Bounds(-1.0, 1.0, keep_feasible=True),
                method=chosen,
                options={"maxiter": MOST_ITERATIONS},
            )

    return search


def forward_differences(merit: MeritFunction, z: FloatArray, step: float) -> FloatArray:
    """Return the difference quotients; a step that would leave the cube is taken backwards."""
    here = merit(z)
    steps = np.where(z + step > 1.0, -step, step)
    ahead = [merit(z + moved) for moved in np.diag(steps)]
    return (np.array(ahead) - here) / steps
