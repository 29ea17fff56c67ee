"""A robustness summary: how much the data must be perturbed to change the partition.

Statements that are called proved hold for the model whose data are the given doubles. They are
proved in exact arithmetic, or in floating point with bounds on the rounding errors. The deviations
of attacks are recomputed, with certified labels. The moduli of calmness are computed, not proved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bilad.models import MaxDeviation, MinPerturbation, RecoveryInterval, recovery_interval
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, IntArray
from bilad.scripts.certificates.subject import Subject
from bilad.scripts.certificates.summary_ray import RaySteps, changes, moved_points, ray_steps
from bilad.scripts.command import noted_interrupts
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

SEARCHES = ("auto", "corners", "random")  # used if no method is exact
MOST_HISTORY = 50  # number of eps for the empirical modulus
TOL = 1e-12


@dataclass(frozen=True)
class Bounds:
    """Bounds on an optimum: [found, bound] for (BL1), [bound, found] for (BL2)."""

    found: float | None  # the deviation, or ||eps||; None if no attack was found
    bound: float
    method: str  # the method that found the attack
    why: str  # the argument that proves the bound
    eps: FloatArray = field(repr=False)  # shape (k,)


@dataclass(frozen=True)
class Calmness:
    """Moduli of calmness of the solution in the data; None if weights are perturbed."""

    everywhere: float
    local: float | None
    empirical: float | None


@dataclass(frozen=True)
class Summary:
    """The results for one problem."""

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
        """The labels at eps = 0."""
        return self.clustering.labels

    @property
    def safe(self) -> tuple[float, float]:
        """The open interval of the ray on which the partition is proved to be unchanged."""
        if self.ray.interval is not None:
            return self.ray.interval
        lower = self.certificate.lower
        return max(self.ray.low, -lower), min(self.ray.high, lower)


def make_summary(
    subject: Subject, direction: FloatArray | None, seconds: float, seed: int
) -> Summary:
    """Certify and attack a problem, and return the results.

    Parameters
    ----------
    subject : Subject
    direction : ndarray, shape (k,), or None
        The direction of the ray; by default that of the shortest attack.
    seconds : float
        Time limit of the searches for each of (BL1) and (BL2).
    seed : int

    Raises
    ------
    ArgumentError
        If the direction is zero or has another shape.
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
    return Summary(
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
    """Return the direction of the ray, of norm 1: the given one, or that of the shortest attack."""
    k = subject.perturbation.dim
    if given is not None and (given.shape != (k,) or not given.any()):
        raise ArgumentError("ray", f"shape {given.shape}", f"{k} numbers, not all zero")
    chosen = np.ones(k) if k == 1 or certificate.attack is None else certificate.attack.eps
    chosen = chosen if given is None else given
    return chosen / subject.bl1.size(chosen)


def _attacks(problem: BilevelProblem, seconds: float, seed: int) -> list[Attack]:
    """Return the attack of the exact method if it applies, otherwise those of some searches."""
    if refusal(UPPER_METHODS["exact"], problem) is None:
        return [attack(problem, "exact")]
    return [attack(problem, name, seed, seconds / len(SEARCHES)) for name in SEARCHES]


def _largest(
    problem: MaxDeviation, certificate: Certificate, seconds: float, seed: int
) -> tuple[Bounds, list[FloatArray]]:
    """Return bounds on the optimum of (BL1), and the eps that the searches evaluated."""
    runs = _attacks(problem, seconds, seed)
    best = _best(problem, runs, certificate)
    bound, why = float(problem.deviation.largest(problem.model.n)), "largest possible deviation"
    if certificate.status == "robust":
        bound, why = 0.0, "the budget is less than the radius"
    proved = min((run.bound for run in runs if run.bound is not None), default=np.inf)
    if proved <= bound:
        bound, why = proved, _why(best)
    history = [seen.eps for run in runs for seen in run.history if seen.size > 0]
    places = history[:: max(1, len(history) // MOST_HISTORY)]
    found = best.deviation if best.proved else 0.0
    return Bounds(found, bound, best.method, why, best.eps), places


def _least(problem: MinPerturbation, certificate: Certificate, seconds: float, seed: int) -> Bounds:
    """Return bounds on the optimum of (BL2)."""
    runs = _attacks(problem, seconds, seed)
    best = _best(problem, runs, certificate)
    bound, why = certificate.lower, "the radius"
    proved = max((run.bound for run in runs if run.bound is not None), default=0.0)
    if proved > bound:
        bound, why = proved, _why(best)
    found = best.norm if best.norm > 0 and best.proved else None
    return Bounds(found, bound, best.method, why, best.eps)


def _best(problem: BilevelProblem, runs: list[Attack], certificate: Certificate) -> Attack:
    """Return the best attack, including that of the certificate; if none, the first run."""
    tried = [*runs, certificate.attack] if certificate.attack is not None else runs
    attacks = [run for run in tried if run.proved and problem.is_attack(run.norm, run.deviation)]
    return max(attacks, key=lambda run: problem.rank(run.norm, run.deviation), default=runs[0])


def _why(best: Attack) -> str:
    return "method 'exact'" if best.method == "exact" else "pairs that no eps can change"


def _calmness(subject: Subject, clustering: Clustering, places: list[FloatArray]) -> Calmness:
    perturbation = subject.perturbation
    if "weights" in perturbation.operators:
        return Calmness(GLOBAL_MODULUS, None, None)
    seen = empirical_modulus(clustering, perturbation, places)
    return Calmness(GLOBAL_MODULUS, local_modulus(clustering, perturbation), seen.modulus)
