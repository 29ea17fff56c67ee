"""A robustness card: how far the data are from another partition, and how that is known.

What is called proved is a theorem about the model with its doubles taken at face value: of exact
arithmetic, or of floating point with its errors bounded. Attacks are what they were found to do,
solved again, with their labels proved. The local and the empirical modulus are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bilad.models import MaxDeviation, MinPerturbation, RecoveryInterval, recovery_interval
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, IntArray
from bilad.scripts.certificates.card_ray import RaySteps, changes, moved_points, ray_steps
from bilad.scripts.certificates.certify_subject import Subject
from bilad.scripts.interrupts import noted_interrupts
from bilad.solvers import (
    Attack,
    Certificate,
    Clustering,
    ExactInterval,
    attack,
    certify,
    exact_recovery_interval,
)
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus, local_modulus
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.upper import UPPER_METHODS, refusal

SEARCHES = ("auto", "corners", "random")  # where no method is exact
MOST_HISTORY = 50  # eps of an attack whose solutions are compared
TOL = 1e-12


@dataclass(frozen=True)
class Bounds:
    """found <= optimum <= bound for (BL1); bound <= optimum <= found for (BL2)."""

    found: float | None  # deviation, or ||eps||; None if no attack was found
    bound: float
    # method, why: of the attack; of the bound
    method: str
    why: str
    eps: FloatArray = field(repr=False)  # shape (k,)


@dataclass(frozen=True)
class Calmness:
    """Moduli, a unit of displacement of the data; None where the weights are perturbed."""

    everywhere: float
    local: float | None
    empirical: float | None


@dataclass(frozen=True)
class Card:
    """All that is said of one subject."""

    subject: Subject
    clustering: Clustering
    certificate: Certificate
    ray: RaySteps
    changes: tuple[str, ...]
    points: tuple[int, ...]
    bl1: Bounds
    bl2: Bounds
    theorem: RecoveryInterval
    interval: ExactInterval | None
    calmness: Calmness

    @property
    def labels(self) -> IntArray:
        """At eps = 0."""
        return self.clustering.labels

    @property
    def safe(self) -> tuple[float, float]:
        """The open interval of the ray on which the partition is proved to be that at 0."""
        if self.ray.interval is not None:
            return self.ray.interval
        lower = self.certificate.lower
        return max(self.ray.low, -lower), min(self.ray.high, lower)


def make_card(subject: Subject, direction: FloatArray | None, seconds: float, seed: int) -> Card:
    """Certify and attack.

    Parameters
    ----------
    subject : Subject
    direction : ndarray, shape (k,), or None
        Of the ray; by default that of the shortest attack.
    seconds : float
        For each search for attacks.
    seed : int

    Raises
    ------
    ArgumentError
        If the direction is not one.
    """
    problem, model = subject.bl1, subject.model
    clustering = solve_lower(model, tol=TOL, refine=True)
    with noted_interrupts() as interrupts:
        certificate = certify(problem, seed=seed)
        interrupts.check()
        ray = ray_steps(problem, _direction(subject, direction, certificate))
        bl1, history = _largest(problem, certificate, seconds, seed)
        interrupts.check()
        bl2 = _least(subject.bl2, certificate, seconds, seed)
        interrupts.check()
    before = clustering.labels
    after = before if ray.first is None else ray.first.labels
    return Card(
        subject=subject,
        clustering=clustering,
        certificate=certificate,
        ray=ray,
        changes=tuple(changes(before, after)),
        points=tuple(moved_points(before, after)),
        bl1=bl1,
        bl2=bl2,
        theorem=recovery_interval(model, before),
        interval=exact_recovery_interval(model, before) if clustering.proved else None,
        calmness=_calmness(subject, clustering, history),
    )


def _direction(subject: Subject, given: FloatArray | None, certificate: Certificate) -> FloatArray:
    """Return the direction of the ray, of size 1: as given, or that of the shortest attack."""
    k = subject.perturbation.dim
    if given is not None and (given.shape != (k,) or not given.any()):
        raise ArgumentError("ray", f"shape {given.shape}", f"{k} numbers, not all zero")
    chosen = np.ones(k) if k == 1 or certificate.attack is None else certificate.attack.eps
    chosen = chosen if given is None else given
    return chosen / subject.bl1.size(chosen)


def _attacks(problem: BilevelProblem, seconds: float, seed: int) -> list[Attack]:
    """Return the exact attack, where there is one, or those of some searches."""
    if refusal(UPPER_METHODS["exact"], problem) is None:
        return [attack(problem, "exact")]
    return [attack(problem, name, seed, seconds / len(SEARCHES)) for name in SEARCHES]


def _largest(
    problem: MaxDeviation, certificate: Certificate, seconds: float, seed: int
) -> tuple[Bounds, list[FloatArray]]:
    """Bound (BL1); also return the eps that were tried."""
    runs = _attacks(problem, seconds, seed)
    best = _best(problem, runs, certificate)
    bound, why = float(problem.deviation.largest(problem.model.n)), "no partition is farther"
    if certificate.status == "robust":
        bound, why = 0.0, "the budget is within the radius"
    proved = min((run.bound for run in runs if run.bound is not None), default=np.inf)
    if proved <= bound:
        bound, why = proved, _why(best)
    history = [seen.eps for run in runs for seen in run.history if seen.size > 0]
    places = history[:: max(1, len(history) // MOST_HISTORY)]
    found = best.deviation if best.proved else 0.0
    return Bounds(found, bound, best.method, why, best.eps), places


def _least(problem: MinPerturbation, certificate: Certificate, seconds: float, seed: int) -> Bounds:
    """Bound (BL2)."""
    runs = _attacks(problem, seconds, seed)
    best = _best(problem, runs, certificate)
    bound, why = certificate.lower, "the radius"
    proved = max((run.bound for run in runs if run.bound is not None), default=0.0)
    if proved > bound:
        bound, why = proved, _why(best)
    found = best.norm if best.norm > 0 and best.proved else None
    return Bounds(found, bound, best.method, why, best.eps)


def _best(problem: BilevelProblem, runs: list[Attack], certificate: Certificate) -> Attack:
    """Return the best attack, that at the radius among them; without one, the first that failed."""
    tried = [*runs, certificate.attack] if certificate.attack is not None else runs
    attacks = [run for run in tried if run.proved and problem.is_attack(run.norm, run.deviation)]
    return max(attacks, key=lambda run: problem.rank(run.norm, run.deviation), default=runs[0])


def _why(best: Attack) -> str:
    return "method 'exact'" if best.method == "exact" else "pairs that no eps flips"


def _calmness(subject: Subject, clustering: Clustering, places: list[FloatArray]) -> Calmness:
    perturbation = subject.perturbation
    if "weights" in perturbation.operators:
        return Calmness(GLOBAL_MODULUS, None, None)
    seen = empirical_modulus(clustering, perturbation, places)
    return Calmness(GLOBAL_MODULUS, local_modulus(clustering, perturbation), seen.modulus)
