"""`certify`: how far a partition is from changing, between a theorem and an attack."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bilad.models.bilevel import BilevelProblem, MinPerturbation
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray, whole_number
from bilad.solvers.certificates.counterexample import write_counterexample
from bilad.solvers.certificates.robustness import exact_radius, norm_bound
from bilad.solvers.certificates.robustness.exact_radius import ExactRadius
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.lower.cluster import cluster
from bilad.solvers.upper.attack import UPPER_METHODS, attack
from bilad.solvers.upper.method import refusal
from bilad.solvers.upper.result import Attack

TOL = 1e-10  # of the solution at eps = 0


@dataclass(frozen=True)
class Certificate:
    """What is known of the shortest eps that changes the partition, or reaches the target.

    Attributes
    ----------
    status : {"robust", "attacked", "unknown"}
        For a budget a: "robust" if lower > a, "attacked" if an attack no longer than a is proved,
        otherwise "unknown". For a target: "robust" if no eps within the limit reaches it.
    lower : float
        In the problem's norm. A theorem: no shorter eps does it. Infinite if none does.
    upper : float
        Size of the shortest attack found, its labels proved; infinite without one.
    attack : Attack or None
        That attack.
    method : {"exact staircase", "facets", "flows and nonexpansiveness"}
        What proves `lower`.
    exact : bool
        Whether `lower` is the infimum itself: rounded down for the staircase, and at most a
        relative 1e-6 below it for facets. `upper` is then what solves in doubles confirm.
    seconds : float
    """

    status: str
    lower: float
    upper: float
    attack: Attack | None = field(repr=False)
    method: str
    exact: bool
    seconds: float

    def write(self, path: str | Path) -> None:
        """Write the attack as a JSON file, for `check_counterexample`.

        Raises
        ------
        ArgumentError
            If there is no attack.
        """
        found = self.attack
        if found is None:
            raise ArgumentError("certificate", "no attack", "one whose `attack` is not None")
        write_counterexample(found.problem, found.eps, found.baseline.labels, found.labels, path)


def certify(problem: BilevelProblem, max_solves: int = 500, seed: int = 0) -> Certificate:
    """Bound the shortest eps that matters, from both sides.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        With a budget, any change of the partition matters; with a target, what reaches it.
    max_solves : int, default 500
        Lower-level solves spent on attacks.
    seed : int, default 0
        Of the attacks.

    Returns
    -------
    Certificate

    Raises
    ------
    ArgumentError
        If the model is a black box: nothing can be proved of it.
    """
    began = time.perf_counter()
    most = whole_number(max_solves, "max_solves", least=0)
    problem.white_box  # noqa: B018  (refuses black boxes before any work)
    shortest = _shortest(problem)
    if refusal(UPPER_METHODS["exact"], shortest) is None:
        found = attack(shortest, "exact", seed)
        lower = float("inf") if found.bound is None else found.bound
        method, exact = "exact staircase", True
    else:
        lower, method, exact, direction = _proved(shortest)
        found = attack(shortest, "corners", seed, max_solves=most, bound="none")
        found = _shorter(found, _along(shortest, direction, seed, most))
    attacked = found if found.proved and found.norm > 0 else None
    upper = float("inf") if attacked is None else attacked.norm
    status = _status(problem, lower, upper)
    return Certificate(status, lower, upper, attacked, method, exact, time.perf_counter() - began)


def _shortest(problem: BilevelProblem) -> MinPerturbation:
    """Return the question for the shortest eps; for a budget, for any change, within the budget."""
    if isinstance(problem, MinPerturbation):
        return problem
    return MinPerturbation(
        problem.white_box, problem.perturbation, 2.0, problem.norm, "delta", problem.radius
    )


def _proved(problem: MinPerturbation) -> tuple[float, str, bool, FloatArray | None]:
    """Return a lower bound, what proves it, whether it is exact, and a good direction if known."""
    facet = _facet(problem)
    if facet is not None:
        return facet.radius, "facets", facet.exact, facet.direction
    clustering = cluster(problem.white_box, tol=TOL, refine=True)
    return norm_bound(problem, clustering), "flows and nonexpansiveness", False, None


def _facet(problem: MinPerturbation) -> ExactRadius | None:
    """Return the exact radius, where it is known and any change of the partition is enough."""
    pairs = problem.deviation.pairs
    everything = pairs is not None and len(pairs(problem.model.n)[0]) * 2 == (
        problem.model.n * (problem.model.n - 1)
    )
    if pairs is None or not everything or problem.target > pairs(problem.model.n)[1].min():
        return None
    try:
        return exact_radius(problem)
    except UnsupportedError:
        return None


def _along(
    problem: MinPerturbation, direction: FloatArray | None, seed: int, most: int
) -> Attack | None:
    """Search the ray in a direction, (k,); the labels are proved again at the eps on it."""
    if direction is None or not np.any(direction):
        return None
    displacement = problem.perturbation.displacement(direction)
    ray = MinPerturbation(
        problem.white_box,
        Perturbation.shift(displacement),
        problem.target,
        problem.norm,
        problem.deviation,
        problem.radius,
    )
    found = attack(ray, "corners", seed, max_solves=most, bound="none")
    eps = problem.project(found.eps[0] * direction)
    at_eps = problem.perturbation.apply(problem.white_box, eps)
    clustering = cluster(at_eps, tol=TOL, refine=True)
    deviation = problem.deviation.value(found.baseline.labels, clustering.labels)
    size = problem.size(eps)
    if not clustering.proved or not problem.is_attack(size, deviation):
        return None
    return replace(
        found, problem=problem, eps=eps, norm=size, deviation=deviation, clustering=clustering
    )


def _shorter(found: Attack, other: Attack | None) -> Attack:
    if other is None or not other.proved or other.norm == 0:
        return found
    if not found.proved or found.norm == 0 or other.norm < found.norm:
        return other
    return found


def _status(problem: BilevelProblem, lower: float, upper: float) -> str:
    if upper <= problem.radius:
        return "attacked"
    robust = lower > problem.radius
    return "robust" if robust else "unknown"
