"""Attacks on small problems against each other, against bounds, and against certificates.

No attack may beat a bound that another method or a certificate proves, nor what another method
proves to be optimal. Each attack is recomputed by another solver of the lower level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.learning_model import bound
from bilad.models.validation import FloatArray
from bilad.scripts.known_problems import DRAWN, KINDS, draw_problem, random_perturbation
from bilad.scripts.random_problems import draw_model
from bilad.scripts.soak.check import Instance, Verdict
from bilad.scripts.soak.problem_data import (
    LINEAR,
    clustering_data,
    model_of,
    problem_data,
    problem_of,
)
from bilad.solvers import Attack, attack, certify, cluster, fit
from bilad.solvers.termination import TIME_LIMIT
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS, refusal

FORMULATIONS = ("exact", *REFORMULATIONS, "milp", "direct", "corners")
EXPONENTS = ("1", "2", "inf")
MOST_POINTS = 9
SOLVES, SECONDS = 80, 20.0  # limits of each method
TOL = 1e-12  # of the lower level, where attacks are recomputed
ROUNDING = 1e-9  # relative, of the norm of eps: of the data at eps
NEAR = 1e-5  # relative difference of a deviation that is not a whole number
SAMPLES = 5  # evaluations of each attack that are recomputed


def draw_clustering(rng: np.random.Generator) -> Instance:
    """Draw a problem of convex clustering, and a relaxation."""
    problem = _known_problem(rng) if rng.random() < 0.5 else _any_problem(rng)
    given = problem_data(clustering_data(clustering_of(problem)), problem)
    return {**given, "relaxation": str(rng.choice(list(RELAXATIONS)))}


def _known_problem(rng: np.random.Generator) -> BilevelProblem:
    """Draw a problem as those with a known optimum, on a complete graph with several clusters."""
    names = [
        rng.choice(list(DRAWN)),
        rng.choice(["BL1", "BL2"]),
        rng.choice(KINDS),
        f"p={rng.choice(EXPONENTS)}",
        f"d={rng.integers(1, 3)}",
        f"norm={rng.choice(EXPONENTS)}",
        f"#{rng.integers(10**6)}",
    ]
    return draw_problem(" ".join(map(str, names)))


def _any_problem(rng: np.random.Generator) -> BilevelProblem:
    """Draw a problem on a graph of any kind, with ties, duplicates and zeros, in any unit."""
    model, kind, norm = draw_model(rng, MOST_POINTS), str(rng.choice(KINDS)), rng.choice(EXPONENTS)
    if (kind == "edges" and not model.graph.m) or (
        kind == "multiplicative" and not model.data.all()
    ):
        kind = "shift"
    free, radius = random_perturbation(rng, kind, model), rng.uniform(0.05, 1)
    if kind in ("shift", "additive"):
        radius *= float(np.ptp(model.data, axis=0).max()) or 1.0
    if rng.random() < 0.5:
        return MaxDeviation(model, free, radius, float(norm))
    return MinPerturbation(model, free, 2.0 * rng.integers(1, model.n), float(norm), limit=radius)


def draw_problem_of_any_model(rng: np.random.Generator) -> Instance:
    """Draw a problem of convex clustering or of a linear model."""
    return draw_clustering(rng) if rng.random() < 0.5 else _draw_linear(rng)


def _draw_linear(rng: np.random.Generator) -> Instance:
    kind, n, d = str(rng.choice(list(LINEAR))), int(rng.integers(6, 13)), int(rng.integers(1, 4))
    data = rng.normal(size=(n, d))
    scores = data @ rng.normal(size=d) + 0.3 * rng.normal(size=n)
    labels = np.where(scores > np.median(scores), 1.0, -1.0)
    given = {
        "kind": kind,
        "data": data.tolist(),
        "targets": (scores if kind == "ridge" else labels).tolist(),
        "penalty": 10.0 ** rng.uniform(-1, 1),
        "intercept": bool(rng.integers(2)),
    }
    points = rng.choice(n, int(rng.integers(1, 5)), replace=False)
    flips = kind != "ridge" and rng.random() < 0.5
    norm = "count" if flips else float(rng.choice([1, 2, np.inf]))
    free = Perturbation.flips(points) if flips else Perturbation.targets(n, points)
    if not flips and (kind == "hinge" or rng.random() < 0.3):
        free = Perturbation.additive((n, d), points)
    deviation = str(rng.choice(["changed-predictions", "validation-loss"]))
    radius = float(rng.integers(1, len(points) + 1)) if flips else rng.uniform(0.2, 2)
    model = model_of(given)
    if rng.random() < 0.5:
        problem: BilevelProblem = MaxDeviation(model, free, radius, norm, deviation)
    else:
        target = float(rng.integers(1, 3)) if deviation == "changed-predictions" else 0.05
        problem = MinPerturbation(model, free, target, norm, deviation, radius)
    return {**problem_data(given, problem), "relaxation": str(rng.choice(list(RELAXATIONS)))}


def examine_formulations(given: Instance) -> Verdict:
    """Compare the reformulations with the global methods and two direct ones."""
    return _Comparison(given).examined(FORMULATIONS, {}, 0.0)


def examine_certificates(given: Instance) -> Verdict:
    """Compare every method with the bounds and the radius that are proved."""
    own = _Comparison(given)
    return own.examined(UPPER_METHODS, own.bounds(), own.radius())


class _Comparison:
    """A problem, the attacks on it, and the verdict."""

    def __init__(self, given: Instance) -> None:
        self.problem, self.relaxation = problem_of(given), given["relaxation"]
        self.baseline = self._solution(np.zeros(self.problem.perturbation.dim))
        self.verdict = Verdict()

    def examined(self, methods: Iterable[str], bounds: dict[str, float], radius: float) -> Verdict:
        """Attack by the methods that accept the problem, and compare what they attain and prove.

        Parameters
        ----------
        methods : iterable of str
        bounds : dict
            Proved bounds on the optimum.
        radius : float
            No shorter eps is an attack.
        """
        able = [one for one in methods if refusal(UPPER_METHODS[one], self.problem) is None]
        found = {name: self._attack(name) for name in able}
        own = {name: one.bound for name, one in found.items() if one.bound is not None}
        for name, one in found.items():
            self._recompute(name, one)
            for size, deviation in self._attained(one):
                for prover, value in {**bounds, **own}.items():
                    self.verdict.expect(
                        not self.problem.refutes(value, size, deviation),
                        f"{name} attains {deviation:.9g} with norm {size:.9g}, "
                        f"and {prover} proves {value:.9g}",
                    )
                self.verdict.expect(
                    size >= radius * (1 - ROUNDING),
                    f"{name} attacks with norm {size:.12g}, and the radius is {radius:.12g}",
                )
        return self.verdict

    def bounds(self) -> dict[str, float]:
        """Return the bounds on the optimum that the learning model proves."""
        efforts = ("quick", "tight") if bound.supports(self.problem.model) else ()
        found = {
            f"the {effort} bound": bound(self.problem.model, self.problem, self.baseline, effort)
            for effort in efforts
        }
        return {name: value for name, value in found.items() if value is not None}

    def radius(self) -> float:
        """Return the norm below which `certify` excludes attacks."""
        if self.problem.sense == "max" and self.problem.deviation.name == "validation-loss":
            return 0.0  # arbitrarily small eps change it
        return certify(self.problem, SOLVES, time_limit=SECONDS).lower

    def _attack(self, name: str) -> Attack:
        options = {"relaxation": self.relaxation} if name == "kkt" else {}
        limits: Any = {"max_solves": SOLVES, "time_limit": SECONDS}
        return attack(self.problem, name, bound="none", closing="ray", **limits, **options)

    def _solution(self, eps: FloatArray) -> Any:
        """Solve the lower level at eps: clustering by Clarabel, whatever solved it before."""
        model: Any = self.problem.perturbation.apply(self.problem.model, eps)
        if isinstance(model, ConvexClustering):
            return cluster(model, "clarabel", TOL, refine=True)
        return fit(model, TOL)

    def _attained(self, one: Attack) -> Iterator[tuple[float, float]]:
        """Yield the norm and the deviation of every attack that is proved."""
        pairs = [(seen.size, seen.deviation) for seen in one.history if seen.proved]
        if one.proved:
            pairs.append((one.norm, one.deviation))
        yield from (pair for pair in pairs if self.problem.is_attack(*pair))

    def _recompute(self, name: str, one: Attack) -> None:
        """Compare an attack, and some evaluations, with the lower level at their eps."""
        problem, verdict = self.problem, self.verdict
        verdict.expect(not one.termination.startswith("error"), f"{name}: {one.termination}")
        verdict.hope(one.termination != TIME_LIMIT, f"{name}: {TIME_LIMIT}")
        for seen in one.history[:: max(len(one.history) // SAMPLES, 1)]:
            if seen.proved:
                self._compare_deviation(name, seen.eps, seen.deviation)
        if not one.eps.any():
            return
        free = problem.perturbation
        verdict.expect(one.norm <= problem.radius, f"{name}: norm {one.norm:.17g}")
        verdict.expect(((free.lower <= one.eps) & (one.eps <= free.upper)).all(), f"{name}: bounds")
        verdict.expect(_close(one.norm, problem.size(one.eps)), f"{name}: not the norm of eps")
        is_known = one.proved and self._compare_deviation(name, one.eps, one.deviation)
        verdict.hope(is_known, f"{name}: the attack is not proved")

    def _compare_deviation(self, name: str, eps: FloatArray, deviation: float) -> bool:
        """Compare a deviation with the recomputed one; return whether that is proved."""
        ours = self._solution(eps)
        if not all(map(self.problem.is_proved, (self.baseline, ours))):
            return False
        value = self.problem.deviation.value(self.baseline.outcome, ours.outcome)
        self.verdict.expect(
            _close(deviation, value),
            f"{name} has {deviation:.9g} at {eps.tolist()}, recomputed {value:.9g}",
        )
        return True


def _close(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=NEAR, abs_tol=NEAR)
