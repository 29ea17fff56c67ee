"""A robustness summary: how much the data must be perturbed to change the partition.

Statements that are called proved hold for the model whose data are the given doubles. They are
proved in exact arithmetic, or in floating point with bounds on the rounding errors. The deviations
of attacks are recomputed, with certified labels. The moduli of calmness are computed, not proved.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bilad.models import recovery_interval
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray
from bilad.scripts.certificates.ray_steps import RaySteps, changes, moved_points, ray_steps
from bilad.scripts.command import noted_interrupts
from bilad.scripts.subject import Subject
from bilad.solvers import Attack, Certificate, Clustering, attack, certify, exact_recovery_interval
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus, local_modulus
from bilad.solvers.clustering.cluster import solve_lower

MOST_HISTORY = 50  # number of eps for the empirical modulus
TOL = 1e-12


@dataclass(frozen=True)
class Summary:
    """The results for one problem; `values` are those of `summary.json`."""

    certificate: Certificate
    ray: RaySteps
    values: dict[str, Any]


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
        Time limit of the search for each of (BL1) and (BL2).
    seed : int

    Raises
    ------
    ArgumentError
        If the direction is zero or has another shape.
    """
    problem, inverse = subject.bl1, subject.bl2
    model = clustering_of(problem)
    clustering = solve_lower(model, tol=TOL, refine=True)
    with noted_interrupts() as interrupts:
        known = certify(problem, seed=seed)
        interrupts.check()
        ray = ray_steps(problem, _direction(problem, direction, known))
        most = attack(problem, seed=seed, time_limit=seconds)
        interrupts.check()
        least = attack(inverse, seed=seed, time_limit=seconds)
        interrupts.check()
    labels, step = clustering.labels, ray.first
    trivial = float(problem.deviation.largest(model.n)), "largest possible deviation"
    if known.status == "robust":
        trivial = 0.0, "the budget is less than the radius"
    exact = exact_recovery_interval(model, labels) if clustering.proved else None
    values = {
        "subject": {
            "title": subject.describe(perturbed=True),
            "unit": subject.unit,
            **{name: getattr(model, name) for name in ("n", "d", "p", "gamma")},
            "edges": model.graph.m,
            "parameters": problem.perturbation.dim,
            "norm": problem.norm,
            "deviation": problem.deviation.name,
            "budget": problem.budget,
            "target": inverse.target,
            "limit": subject.options.get("budget"),
        },
        "labels": {"values": labels, "proved": clustering.proved},
        "radius": {name: value for name, value in vars(known).items() if name != "attack"}
        | {"eps": None if known.attack is None else known.attack.eps},
        "certified_interval_of_the_ray": ray.unchanged(known.lower),
        "ray": {"exact": ray.exact, "steps": len(ray.steps), "low": ray.low, "high": ray.high},
        "first_step": None if step is None else vars(step),
        "changes": [] if step is None else changes(labels, step.labels),
        "points": [] if step is None else moved_points(labels, step.labels),
        "bl1": _bounds(problem, most, known, *trivial),
        "bl2": _bounds(inverse, least, known, known.lower, "the radius"),
        "recovery": {
            "theorem_1": asdict(recovery_interval(model, labels)),
            "exact": None if exact is None else asdict(exact),
        },
        "calmness": _calmness(clustering, most),
    }
    return Summary(known, ray, values)


def _direction(
    problem: BilevelProblem, given: FloatArray | None, certificate: Certificate
) -> FloatArray:
    """Return the direction of the ray, of norm 1: the given one, or that of the shortest attack."""
    k = problem.perturbation.dim
    if given is not None and (given.shape != (k,) or not given.any()):
        raise ArgumentError("ray", f"shape {given.shape}", f"{k} numbers, not all zero")
    chosen = np.ones(k) if k == 1 or certificate.attack is None else certificate.attack.eps
    chosen = chosen if given is None else given
    return chosen / problem.size(chosen)


def _bounds(
    problem: BilevelProblem, run: Attack, certificate: Certificate, bound: float, why: str
) -> dict[str, Any]:
    """Return the better attack of the search and of the certificate, and the better bound."""
    sign = 1 if problem.sense == "max" else -1
    if run.bound is not None and sign * run.bound < sign * bound:
        bound = run.bound
        why = "method 'exact'" if run.method == "exact" else "pairs that no eps can change"
    tried = [run] if certificate.attack is None else [run, certificate.attack]
    attacks = [one for one in tried if one.proved and problem.is_attack(one.norm, one.deviation)]
    best = max(attacks, key=lambda one: problem.rank(one.norm, one.deviation), default=run)
    found = problem.value(best.norm, best.deviation) if attacks else 0.0 if sign > 0 else None
    return {"found": found, "bound": bound, "method": best.method, "why": why, "eps": best.eps}


def _calmness(clustering: Clustering, run: Attack) -> dict[str, float | None]:
    """Return moduli of calmness of the solution in the data; None if weights are perturbed."""
    free = run.problem.perturbation
    if "weights" in free.operators:
        return {"everywhere": GLOBAL_MODULUS, "local": None, "empirical": None}
    places = [seen.eps for seen in run.history if seen.size > 0]
    seen = empirical_modulus(clustering, free, places[:: max(1, len(places) // MOST_HISTORY)])
    local = local_modulus(clustering, free)
    return {"everywhere": GLOBAL_MODULUS, "local": local, "empirical": seen.modulus}
