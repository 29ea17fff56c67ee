"""A robustness card: how far the data are from another partition, and how that is known.

What is called proved is a theorem about the model with its doubles taken at face value: of exact
arithmetic, or of floating point with its errors bounded. Attacks are what they were found to do,
solved again, with their labels proved. The local and the empirical modulus are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bilad.models import MinPerturbation, RecoveryInterval, recovery_interval
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, IntArray
from bilad.scripts.aimed_attacks import shortest_flip
from bilad.scripts.card_ray import RaySteps, ray_steps
from bilad.scripts.certify_subject import Subject
from bilad.scripts.partition_change import changes, moved_points
from bilad.solvers import (
    Attack,
    Clustering,
    ExactInterval,
    attack,
    cluster,
    exact_recovery_interval,
)
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus, local_modulus
from bilad.solvers.certificates.robustness import certified_radius, exact_radius
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS, refusal

SEARCHES = ("auto", "corners", "random")  # where no method is exact
GLOBAL = ("exact", "milp")  # methods with a bound of their own
OWN = "aimed at the radius"
MOST_HISTORY = 50  # eps of an attack whose solutions are compared
TOL = 1e-12


@dataclass(frozen=True)
class Radius:
    """The least ||eps|| that changes the partition is between these.

    Attributes
    ----------
    lower : float
        Proved: no shorter eps changes it. Infinite if none does at all.
    upper : float or None
        Size of `eps`, an attack; 0 if the data are at a step. None if no attack was found.
    exact : bool
        Whether `lower` is the infimum itself, but for rounding.
    how : str
        The argument.
    eps : ndarray, shape (k,), or None
    """

    lower: float
    upper: float | None
    exact: bool
    how: str
    eps: FloatArray | None = field(repr=False)


@dataclass(frozen=True)
class Bounds:
    """found <= optimum <= bound for (BL1); bound <= optimum <= found for (BL2).

    Attributes
    ----------
    found : float or None
        Deviation, or ||eps||; None if no attack was found.
    bound : float
    method, why : str
        Of the attack; of the bound.
    eps : ndarray, shape (k,)
    """

    found: float | None
    bound: float
    method: str
    why: str
    eps: FloatArray = field(repr=False)


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
    radius: Radius
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
        return max(self.ray.low, -self.radius.lower), min(self.ray.high, self.radius.lower)


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
    clustering = cluster(model, tol=TOL, refine=True)
    scalar = subject.perturbation.dim == 1
    if scalar:
        direction = np.ones(1)
        ray = ray_steps(problem, direction)
        radius = _radius_of_ray(problem, clustering, ray)
    else:
        radius = _radius(problem, clustering)
        ray = ray_steps(problem, _direction(subject, direction, radius))
    near = _deviation_near(problem, clustering, radius)
    bl1, history = _largest(subject, radius, near, seconds, seed)
    bl2 = _least(subject, radius, near, seconds, seed)
    before = clustering.labels
    after = before if ray.first is None else ray.first.labels
    return Card(
        subject=subject,
        clustering=clustering,
        radius=radius,
        ray=ray,
        changes=tuple(changes(before, after)),
        points=tuple(moved_points(before, after)),
        bl1=bl1,
        bl2=bl2,
        theorem=recovery_interval(model, before),
        interval=exact_recovery_interval(model, before) if clustering.proved else None,
        calmness=_calmness(subject, clustering, history),
    )


def _radius_of_ray(problem: BilevelProblem, clustering: Clustering, ray: RaySteps) -> Radius:
    """Return the radius of one parameter."""
    first = ray.first
    if ray.interval is not None:
        how = "the exact staircase, in rational arithmetic"
        if first is None:
            how += f"; no step for |eps| <= {problem.radius:g}"
            return Radius(problem.radius, None, False, how, None)
        flip = _smallest(problem, "exact") or (np.array([first.outer]), abs(first.outer))
        return Radius(abs(first.inner), flip[1], True, how, flip[0])
    lower = certified_radius(problem, clustering).radius
    how = "motion of the clusters and flows inside them, bounded; attack by bisection"
    if first is None:
        return Radius(lower, None, False, how, None)
    return Radius(lower, abs(first.outer), False, how, np.array([first.outer]))


def _radius(problem: BilevelProblem, clustering: Clustering) -> Radius:
    """Return the radius of several parameters."""
    try:
        found = exact_radius(problem)
    except UnsupportedError:
        return _bounded_radius(problem, clustering)
    how = "the nearest facet of the partition's polyhedron, in integers"
    if not np.isfinite(found.radius):
        return Radius(np.inf, None, True, "no eps reaches a facet of the polyhedron", None)
    if found.exact:
        return Radius(found.radius, problem.size(found.eps), True, how, found.eps)
    return Radius(found.radius, None, False, f"{how}; of one feature", found.eps)


def _bounded_radius(problem: BilevelProblem, clustering: Clustering) -> Radius:
    lower = certified_radius(problem, clustering).radius
    how = "motion of the clusters and flows inside them, bounded; attack by bisection"
    if not clustering.proved:
        return Radius(lower, None, False, f"{how}; the labels at 0 are not proved", None)
    if np.isfinite(problem.perturbation.lower).any():
        flip = _smallest(problem, "corners")
    else:
        flip = shortest_flip(problem, clustering, lower)
    if flip is None:
        return Radius(lower, None, False, how, None)
    return Radius(lower, flip[1], False, how, flip[0])


def _smallest(problem: BilevelProblem, method: str) -> tuple[FloatArray, float] | None:
    """Return an eps that changes anything, by the lower level's own solution, and its size."""
    model, perturbation = problem.model, problem.perturbation
    smallest = MinPerturbation(model, perturbation, 1.0, problem.norm, limit=problem.radius)
    found = attack(smallest, method)
    return (found.eps, found.norm) if found.norm > 0 and found.proved else None


def _direction(subject: Subject, given: FloatArray | None, radius: Radius) -> FloatArray:
    """Return the direction of the ray, of size 1: as given, or that of the shortest attack."""
    k = subject.perturbation.dim
    if given is not None:
        if given.shape != (k,) or not given.any():
            raise ArgumentError("ray", f"shape {given.shape}", f"{k} numbers, not all zero")
        chosen = given
    else:
        chosen = np.ones(k) if radius.eps is None else radius.eps
    return chosen / subject.bl1.size(chosen)


def _attacks(problem: BilevelProblem, seconds: float, seed: int) -> list[Attack]:
    """Return the exact attack, where there is one, or those of some searches."""
    if refusal(UPPER_METHODS["exact"], problem) is None:
        return [attack(problem, "exact")]
    return [attack(problem, name, seed, seconds / len(SEARCHES)) for name in SEARCHES]


def _largest(
    subject: Subject, radius: Radius, near: float, seconds: float, seed: int
) -> tuple[Bounds, list[FloatArray]]:
    """Bound (BL1); also return the eps that were tried."""
    problem = subject.bl1
    runs = _attacks(problem, seconds, seed)
    best = max(runs, key=lambda run: problem.rank(run.norm, run.deviation if run.proved else 0.0))
    bound, why = float(problem.deviation.largest(problem.model.n)), "no partition is farther"
    if problem.budget < radius.lower:
        bound, why = 0.0, "the budget is within the radius"
    proved = min((run.bound for run in runs if run.bound is not None), default=np.inf)
    if proved <= bound:
        bound, why = proved, _why(best)
    history = [seen.eps for run in runs for seen in run.history if seen.size > 0]
    places = history[:: max(1, len(history) // MOST_HISTORY)]
    found = best.deviation if best.proved else 0.0
    if near > found and radius.eps is not None and problem.size(radius.eps) <= problem.budget:
        return Bounds(near, bound, OWN, why, radius.eps), places
    return Bounds(found, bound, best.method, why, best.eps), places


def _least(subject: Subject, radius: Radius, near: float, seconds: float, seed: int) -> Bounds:
    """Bound (BL2)."""
    problem = subject.bl2
    runs = _attacks(problem, seconds, seed)
    best = min(runs, key=lambda run: run.norm if run.norm > 0 and run.proved else np.inf)
    bound, why = radius.lower, "the radius"
    proved = max((run.bound for run in runs if run.bound is not None), default=0.0)
    if proved > bound:
        bound, why = proved, _why(best)
    found = best.norm if best.norm > 0 and best.proved else None
    if near >= problem.target and radius.eps is not None:
        size = problem.size(radius.eps)
        if found is None or size < found:
            return Bounds(size, bound, OWN, why, radius.eps)
    return Bounds(found, bound, best.method, why, best.eps)


def _why(best: Attack) -> str:
    return f"method {best.method!r}" if best.method in GLOBAL else "pairs that no eps flips"


def _deviation_near(problem: BilevelProblem, clustering: Clustering, radius: Radius) -> float:
    """Return the deviation of the radius's attack, 0 if there is none or it is not proved."""
    if radius.eps is None:
        return 0.0
    there = cluster(problem.perturbation.apply(problem.white_box, radius.eps), refine=True)
    proved = clustering.proved and there.proved
    return float(problem.deviation.value(clustering.labels, there.labels)) if proved else 0.0


def _calmness(subject: Subject, clustering: Clustering, places: list[FloatArray]) -> Calmness:
    perturbation = subject.perturbation
    if perturbation.edge_operator is not None:
        return Calmness(GLOBAL_MODULUS, None, None)
    seen = empirical_modulus(clustering, perturbation, places)
    return Calmness(GLOBAL_MODULUS, local_modulus(clustering, perturbation), seen.modulus)
