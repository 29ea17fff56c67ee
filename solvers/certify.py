"""Certificates: a proved lower bound and an attack bracket the shortest eps that matters.

With one parameter and a model that separates into lines, both follow from the exact parametric
path. Otherwise the lower bound is the exact radius (module `exact_radius`) where it is known, or
the radius that the learning model can prove (capability `radius`). The search for an attack then
starts at eps of this norm.
"""

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
from bilad.solvers.certificates.attack_directions import attack_directions
from bilad.solvers.certificates.counterexample import write_counterexample
from bilad.solvers.certificates.exact_radius import ExactRadius, exact_radius
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import INTERRUPTED, overall, termination_of
from bilad.solvers.upper.attack import UPPER_METHODS, attack
from bilad.solvers.upper.method import refusal
from bilad.solvers.upper.overflow import check_magnitudes
from bilad.solvers.upper.vertex_search import CORNERS

TOL = 1e-10  # tolerance of the solution at eps = 0
ANY_CHANGE = 2.0  # the least positive value of delta
PROVING = 0.5  # share of the time limit for the proof; the rest is for the attacks
LEAST_START = 1e-6  # relative to the limit: size of the first eps if nothing is proved


@dataclass(frozen=True)
class Certificate:
    """Bounds on the norm of the shortest eps that changes the partition, or reaches the target.

    Attributes
    ----------
    status : {"robust", "attacked", "unknown"}
        "attacked" if an attack within the budget, or within the limit of (BL2), is proved;
        "robust" if `lower` exceeds that budget or limit; otherwise "unknown".
    lower : float
        Proved lower bound, in the norm of the problem: no shorter eps changes the partition (BL1)
        or reaches the target (BL2). Infinite if no eps within the budget or the limit does.
    upper : float
        Norm of the shortest attack that was found and whose labels are proved; infinite if there
        is none. It may exceed the budget.
    attack : Attack or None
        That attack.
    method : {"exact staircase", "facets", "flows and nonexpansiveness", "none"}
        Proof of `lower`: the exact parametric path, the facets of the polyhedron of data with the
        same partition, or flows and the nonexpansiveness of the solution. "none" if nothing is
        proved and `lower` is 0.
    exact : bool
        Whether `lower` is the infimum itself: rounded down if it follows from the parametric path,
        and smaller by a relative 1e-6 at most if it follows from facets. `upper` is then larger
        only by the distance that the confirmation of an attack in double precision requires.
    seconds : float
    termination : str
        The reason why the proof or the search for attacks ended, as in `Attack`. The results
        obtained until then are valid.
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
        """Write the attack as a JSON file that `check_counterexample` reads.

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
    """Bound from both sides the norm of the shortest eps that is an attack.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        For (BL1) an attack is any change of the partition; for (BL2) it has to reach the target.
    max_solves : int, default 500
        Limit on the lower-level solves of the attacks, if no exact method can be applied.
    seed : int, default 0
        Seed of the attacks.
    time_limit : float, optional
        Seconds for the proof and the attacks, as in `attack`.

    Returns
    -------
    Certificate
        It is always returned once the arguments are accepted; `termination` says what ended it.

    Raises
    ------
    ArgumentError
        If an argument is invalid, before any work, or if the model is a black box, about which
        nothing can be proved.
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
        proof, found, termination = _by_parametric_path(within, seed, seconds)
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
    """The lower bound of a certificate."""

    lower: float
    method: str
    exact: bool


def _status(limit: float, lower: float, upper: float) -> str:
    if upper <= limit:
        return "attacked"
    return "robust" if lower > limit else "unknown"


def _question(problem: BilevelProblem, limit: float | None) -> BilevelProblem:
    """Return (BL2) for the target of the problem, or of (BL1) for any change of the partition."""
    if problem.sense == "min":
        return problem
    model, perturbation = problem.model, problem.perturbation
    return MinPerturbation(model, perturbation, ANY_CHANGE, problem.norm_name, limit=limit)


def _by_parametric_path(
    problem: BilevelProblem, seed: int, seconds: float
) -> tuple[_Proof, Attack, str]:
    """Compute the exact parametric path; nothing is proved if it is interrupted."""
    found = attack(problem, "exact", seed, seconds, bound="none", closing="none")
    lower = 0.0 if found.bound is None else found.bound
    proof = _Proof(lower, "exact staircase", found.bound is not None)
    return proof, found, found.termination


def _by_bounds(
    problem: BilevelProblem, max_solves: int, seed: int, seconds: float
) -> tuple[_Proof, Attack, str]:
    """Prove a lower bound and search for attacks beyond it; an exact bound has its own attack."""
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
    """Return (BL2) with a limit that admits eps beyond the budget as well."""
    unlimited = _question(problem, None)
    return _question(problem, max(problem.radius, unlimited.radius))


class _Proving:
    """The lower bound proved so far, and the eps at which the search for attacks starts."""

    def __init__(self, problem: BilevelProblem) -> None:
        self._problem = problem
        self.proof = _Proof(0.0, "none", False)
        self.starts: Iterator[FloatArray] = iter(())

    def run(self, end: float) -> None:
        """Prove a bound until `end`, a value of `time.perf_counter()`."""
        problem = self._problem
        exact = _exact_radius(problem)
        if exact is not None:
            self.proof = _Proof(exact.radius, "facets", exact.exact)
            if exact.exact:
                self.starts = iter([exact.eps])
                return
        left = max(end - time.perf_counter(), LEAST_SECONDS)
        clustering = solve_lower(clustering_of(problem), tol=TOL, time_limit=left, refine=True)
        if clustering.status.startswith("error"):
            raise LowerLevelError(clustering.status)
        if exact is None:
            lower = radius(problem.model, problem, clustering)
            self.proof = _Proof(lower, "flows and nonexpansiveness" if lower > 0 else "none", False)
        # The norm of the starts is the proved bound, below which there is no attack, or small.
        size = max(min(self.proof.lower, problem.radius), LEAST_START * problem.radius)
        self.starts = (size * eps for eps in attack_directions(problem, clustering))


def _exact_radius(problem: BilevelProblem) -> ExactRadius | None:
    """Return the exact radius, if it is known and any change of the partition is an attack."""
    pairs = problem.deviation.pairs
    n = problem.model.n
    if pairs is None or 2 * len(pairs(n)[0]) < n * (n - 1) or problem.target > pairs(n)[1].min():
        return None
    try:
        return exact_radius(problem)
    except UnsupportedError:
        return None
