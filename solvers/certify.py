"""Certificates: a proved lower bound and an attack bracket the shortest eps that matters.

With one parameter and a learning model whose every step along a ray is known, both follow from the
method "exact". Otherwise the lower bound is the one that the learning model can prove (capability
`radius`), and the search for an attack starts at the points that come with the proof.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bilad.models.learning.learning_model import Proof, confirm, radius
from bilad.models.problem import BilevelProblem, MinPerturbation, check_problem
from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, seconds_limit, seed_number, whole_number
from bilad.solvers.bilevel.oracle import LEAST_SECONDS, LowerLevelError
from bilad.solvers.bilevel.result import Attack
from bilad.solvers.certificates.counterexample import write_counterexample
from bilad.solvers.termination import INTERRUPTED, overall, termination_of
from bilad.solvers.upper.attack import UPPER_METHODS, attack
from bilad.solvers.upper.method import refusal
from bilad.solvers.upper.overflow import check_magnitudes
from bilad.solvers.upper.vertex_search import CORNERS

TOL = 1e-10  # tolerance of the solution at eps = 0
PROVING = 0.5  # share of the time limit for the proof; the rest is for the attacks
NOTHING = "none"  # method of a proof of the trivial bound 0


@dataclass(frozen=True, repr=False)
class Certificate(Represented):
    """Bounds on the norm of the shortest eps that changes the outcome, or reaches the target.

    Attributes
    ----------
    status : {"robust", "attacked", "unknown"}
        "attacked" if an attack within the budget, or within the limit of (BL2), is proved;
        "robust" if `lower` exceeds that budget or limit; otherwise "unknown".
    lower : float
        Proved lower bound, in the norm of the problem: no shorter eps changes the partition or a
        prediction (BL1) or reaches the target (BL2). If no eps within the limit of (BL2) does, it
        is larger than this limit and often infinite. For (BL1) it is infinite only if no admissible
        eps changes the outcome.
    upper : float
        Norm of the shortest attack that was found and whose outcome is proved; infinite if there
        is none. It may exceed the budget.
    attack : Attack or None
        That attack.
    method : str
        Proof of `lower`. For clustering "exact staircase", the exact parametric path; "facets",
        those of the polyhedron of data with the same partition; or "flows and nonexpansiveness" of
        the solution. For linear models "linear response" of ridge regression to its targets, or
        "strong convexity". "none" if nothing is proved and `lower` is 0.
    exact : bool
        Whether `lower` is the infimum itself: rounded down if it follows from the parametric path,
        and otherwise smaller by a relative 1e-6 at most. `upper` is then larger only by the
        distance that the confirmation of an attack in double precision requires.
    seconds : float
    termination : str
        The reason why the proof or the search for attacks ended, as in `Attack`. The results
        obtained until then are valid.
    """

    status: str
    lower: float
    upper: float
    attack: Attack | None
    method: str
    exact: bool
    seconds: float
    termination: str

    def summary(self) -> dict[str, Any]:
        """Return the status, the bounds and their proof."""
        names = ("status", "lower", "upper", "exact", "method", "termination", "seconds")
        return {name: getattr(self, name) for name in names}

    def write(self, path: str | Path) -> None:
        """Write the attack as a JSON file that `check_counterexample` reads.

        Raises
        ------
        ArgumentError
            If there is no attack, or the model is not convex clustering.
        """
        found = self.attack
        if found is None:
            raise ArgumentError("certificate", "no attack", "one whose `attack` is not None")
        write_counterexample(found.problem, found.eps, found.baseline.outcome, found.outcome, path)


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
        For (BL1) an attack is any change of the partition, or of a prediction; for (BL2) it has to
        reach the target.
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
        If an argument is invalid, before any work; if the model has no capability `radius`, such as
        a black box, about which nothing can be proved; or if every eps may be an attack, because
        the deviation of (BL1) takes arbitrarily small values, such as "distance".
    """
    began = time.perf_counter()
    check_problem(problem)
    most = whole_number(max_solves, "max_solves", least=0)
    seed_number(seed)
    seconds = seconds_limit(time_limit, "time_limit", least=0)
    radius.require(problem.model)
    question = _question(problem)
    check_magnitudes(problem)
    # The limit admits eps beyond the budget as well: the radius does not depend on it.
    beyond = question.within(max(problem.radius, question.radius))
    if refusal(UPPER_METHODS["exact"], beyond) is None:
        proof, found, termination = _by_parametric_path(beyond, seed, seconds)
        if problem.sense == "max":
            proof = _up_to_limit(proof, beyond)
    else:
        proof, found, termination = _by_bounds(beyond, most, seed, seconds)
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


def _status(limit: float, lower: float, upper: float) -> str:
    if upper <= limit:
        return "attacked"
    return "robust" if lower > limit else "unknown"


def _question(problem: BilevelProblem) -> BilevelProblem:
    """Return (BL2) for the target of the problem, or of (BL1) for any change of the outcome."""
    if problem.sense == "min":
        return problem
    deviation, least = problem.deviation.of_any_change()
    return MinPerturbation(problem.model, problem.perturbation, least, problem.norm_name, deviation)


def _by_parametric_path(
    problem: BilevelProblem, seed: int, seconds: float
) -> tuple[Proof, Attack, str]:
    """Compute the exact parametric path; nothing is proved if it is interrupted."""
    found = attack(problem, "exact", seed, seconds, bound="none", closing="none")
    lower = 0.0 if found.bound is None else found.bound
    proof = Proof(lower, "exact staircase", found.bound is not None)
    return proof, found, found.termination


def _up_to_limit(proof: Proof, question: BilevelProblem) -> Proof:
    """Return an infinite bound only if the bounds of eps admit nothing beyond the search limit."""
    free = question.perturbation
    if proof.lower < math.inf or question.size(np.maximum(-free.lower, free.upper)) <= (
        question.radius
    ):
        return proof
    return Proof(math.nextafter(question.radius, math.inf), proof.method, exact=False)


def _by_bounds(
    problem: BilevelProblem, max_solves: int, seed: int, seconds: float
) -> tuple[Proof, Attack, str]:
    """Prove a lower bound and search for attacks beyond it; an exact bound has its own attack."""
    began, share = time.perf_counter(), PROVING * seconds
    proofs = [Proof(0.0, NOTHING)]
    ending = termination_of(lambda: proofs.append(_prove(problem, began + share)), share)
    proof = proofs[-1]
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
        starts=proof.starts,
    )
    return proof, found, overall([ending, found.termination])


def _prove(problem: BilevelProblem, end: float) -> Proof:
    """Prove a bound until `end`, a value of `time.perf_counter()`."""
    left = max(end - time.perf_counter(), LEAST_SECONDS)
    baseline = confirm(problem.model, tol=TOL, time_limit=left)
    if baseline.status.startswith("error"):
        raise LowerLevelError(baseline.status)
    return radius(problem.model, problem, baseline)
