"""`certify`: how far a partition is from changing, between a theorem and an attack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.learning_model import radius
from bilad.models.problem import BilevelProblem, MinPerturbation
from bilad.models.validation import ArgumentError, FloatArray, seconds_limit, whole_number
from bilad.solvers.bilevel.oracle import LEAST_SECONDS, LowerLevelError
from bilad.solvers.bilevel.result import Attack
from bilad.solvers.certificates.aimed import aimed_directions
from bilad.solvers.certificates.counterexample import write_counterexample
from bilad.solvers.certificates.robustness import exact_radius, norm_bound
from bilad.solvers.certificates.robustness.exact_radius import ExactRadius
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import INTERRUPTED, overall, termination_of
from bilad.solvers.upper.attack import UPPER_METHODS, attack
from bilad.solvers.upper.method import refusal
from bilad.solvers.upper.overflow import check_magnitudes
from bilad.solvers.upper.vertex_search import CORNERS

TOL = 1e-10  # of the solution at eps = 0
ANY_CHANGE = 2.0  # the least positive delta
PROVING = 0.5  # of the time limit, for the proof; attacks have the rest
LEAST_START = 1e-6  # of the limit: where searches begin if nothing is proved


@dataclass(frozen=True)
class Certificate:
    """What is known of the shortest eps that changes the partition, or reaches the target.

    Attributes
    ----------
    status : {"robust", "attacked", "unknown"}
        For a budget a: "robust" if lower > a, "attacked" if an attack no longer than a is proved,
        otherwise "unknown". For a target: "robust" if no eps within the limit reaches it.
    lower : float
        In the problem's norm. A theorem: no shorter eps does it. Infinite if none within the
        budget, or the limit, does.
    upper : float
        Size of the shortest attack found, its labels proved; infinite without one. It may be beyond
        the budget.
    attack : Attack or None
        That attack.
    method : {"exact staircase", "facets", "flows and nonexpansiveness", "none"}
        What proves `lower`; "none" if it is 0 because nothing is proved.
    exact : bool
        Whether `lower` is the infimum itself: rounded down for the staircase, and at most a
        relative 1e-6 below it for facets. `upper` is then what solves in doubles confirm.
    seconds : float
    termination : str
        What ended the proof or the search for attacks, as in `Attack`; what was proved and found by
        then stands.
    """

    status: str
    lower: float
    upper: float
    attack: Attack | None = field(repr=False)
    method: str
    exact: bool
    seconds: float
    termination: str

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
        write_counterexample(found.problem, found.eps, found.baseline.outcome, found.labels, path)


def certify(
    problem: BilevelProblem,
    max_solves: int = 500,
    seed: int = 0,
    time_limit: float | None = None,
) -> Certificate:
    """Bound the shortest eps that matters, from both sides.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        With a budget, any change of the partition matters; with a target, what reaches it.
    max_solves : int, default 500
        Lower-level solves spent on attacks, where no method is exact.
    seed : int, default 0
        Of the attacks.
    time_limit : float, optional
        Seconds for proof and attacks, as in `attack`.

    Returns
    -------
    Certificate
        Always, once the arguments are accepted: `termination` says what ended it.

    Raises
    ------
    ArgumentError
        If an argument is wrong, before any work, or the model is a black box: nothing can be
        proved of it.
    """
    began = time.perf_counter()
    if not isinstance(problem, BilevelProblem):
        raise ArgumentError("problem", type(problem).__name__, "MaxDeviation or MinPerturbation")
    most = whole_number(max_solves, "max_solves", least=0)
    whole_number(seed, "seed", least=0)
    seconds = seconds_limit(time_limit, "time_limit", least=0)
    radius.require(problem.model)
    within = _question(problem, problem.radius)
    check_magnitudes(problem)
    if refusal(UPPER_METHODS["exact"], within) is None:
        proof, found, termination = _by_staircase(within, seed, seconds)
    else:
        clustering_of(problem)
        proof, found, termination = _by_bounds(_beyond(problem), most, seed, seconds)
    attacked = found if found.proved and found.norm > 0 else None
    upper = float("inf") if attacked is None else attacked.norm
    return Certificate(
        status=_status(problem.radius, proof.lower, upper),
        lower=proof.lower,
        upper=upper,
        attack=attacked,
        method=proof.method,
        exact=proof.exact,
        seconds=time.perf_counter() - began,
        termination=termination,
    )


@dataclass(frozen=True)
class _Proof:
    """The proved side of a certificate."""

    lower: float
    method: str
    exact: bool


def _status(radius: float, lower: float, upper: float) -> str:
    if upper <= radius:
        return "attacked"
    return "robust" if lower > radius else "unknown"


def _question(problem: BilevelProblem, limit: float | None) -> BilevelProblem:
    """Return the question for the shortest eps; for a budget, for any change of the partition."""
    if problem.sense == "min":
        return problem
    model, perturbation = problem.model, problem.perturbation
    return MinPerturbation(model, perturbation, ANY_CHANGE, problem.norm, limit=limit)


def _by_staircase(problem: BilevelProblem, seed: int, seconds: float) -> tuple[_Proof, Attack, str]:
    """Follow the staircase; nothing is proved if that was cut short."""
    found = attack(problem, "exact", seed, seconds, bound="none", closing="none")
    lower = 0.0 if found.bound is None else found.bound
    proof = _Proof(lower, "exact staircase", found.bound is not None)
    return proof, found, found.termination


def _by_bounds(
    problem: BilevelProblem, max_solves: int, seed: int, seconds: float
) -> tuple[_Proof, Attack, str]:
    """Prove a lower bound, and search from there on; if it is exact, at its attack only."""
    began, proving = time.perf_counter(), _Proving(problem)
    share = PROVING * seconds
    ending = termination_of(lambda: proving.run(began + share), share)
    proof = proving.proof
    corners = 0 if proof.exact else CORNERS
    most = max_solves if proof.lower <= problem.radius and ending != INTERRUPTED else 0
    left = max(seconds - (time.perf_counter() - began), 0.0)
    found = attack(
        problem,
        "corners",
        seed,
        left,
        most,
        bound="none",
        closing="none",
        corners=corners,
        starts=proving.starts,
    )
    return proof, found, overall([ending, found.termination])


def _beyond(problem: BilevelProblem) -> BilevelProblem:
    """Return the same question, of eps beyond the budget as well."""
    unlimited = _question(problem, None)
    return _question(problem, max(problem.radius, unlimited.radius))


class _Proving:
    """What is proved so far, and eps from where to look for attacks."""

    def __init__(self, problem: BilevelProblem) -> None:
        self._problem = problem
        self.proof = _Proof(0.0, "none", False)
        self.starts: Iterator[FloatArray] = iter(())

    def run(self, end: float) -> None:
        """Prove what can be proved until a moment of `time.perf_counter()`."""
        problem = self._problem
        facet = _facet(problem)
        if facet is not None:
            self.proof = _Proof(facet.radius, "facets", facet.exact)
        if facet is not None and facet.exact:
            self.starts = iter([facet.eps])
            return
        left = max(end - time.perf_counter(), LEAST_SECONDS)
        clustering = solve_lower(clustering_of(problem), tol=TOL, time_limit=left, refine=True)
        if clustering.status.startswith("error"):
            raise LowerLevelError(clustering.status)
        if facet is None:
            lower = norm_bound(problem, clustering)
            self.proof = _Proof(lower, "flows and nonexpansiveness" if lower > 0 else "none", False)
        self.starts = _starts(problem, clustering, self.proof.lower)


def _facet(problem: BilevelProblem) -> ExactRadius | None:
    """Return the exact radius, where it is known and any change of the partition is enough."""
    pairs = problem.deviation.pairs
    n = problem.model.n
    if pairs is None or 2 * len(pairs(n)[0]) < n * (n - 1) or problem.target > pairs(n)[1].min():
        return None
    try:
        return exact_radius(problem)
    except UnsupportedError:
        return None


def _starts(problem: BilevelProblem, clustering: Clustering, lower: float) -> Iterator[FloatArray]:
    """Yield eps in the directions that look best, of a size at which none is an attack."""
    size = max(min(lower, problem.radius), LEAST_START * problem.radius)
    for direction in aimed_directions(problem, clustering):
        yield size * direction
