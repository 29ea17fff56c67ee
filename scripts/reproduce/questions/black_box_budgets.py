"""Attacks that see answers only, at several budgets of queries; white-box attacks beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from bilad.models import BlackBox, ConvexClustering, MaxDeviation, Perturbation
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import attained_value
from bilad.scripts.methods.instances import CLUSTERERS, CONVEX
from bilad.scripts.reproduce.checks.small_clouds import BUDGET, clouds
from bilad.solvers import Attack, ConvexClusterer, attack

METHODS = ("random", "corners", "nes", "cma", "cobyqa", "differential-evolution")
WHITE_BOX = ("hypergradient", "pgd")  # of which the better is the white-box value
WHITE = "white box"
MANY = 10**9  # corners: what ends the search is the budget


@dataclass(frozen=True)
class Queries:
    """A method's best value after each budget of queries, all read off one run.

    Attributes
    ----------
    learner, method : str
        The method "white box" knows the model; its queries are lower-level solves.
    seed : int
        Of data, free entries and method.
    queries : int
        Budget.
    value : float
        Largest delta among the first so many answers; 0 without an attack.
    best : float
        Largest that any run found on this problem, at any budget.
    seconds : float
        Of the whole run, at the largest budget.
    """

    learner: str
    method: str
    seed: int
    queries: int
    value: float
    best: float
    seconds: float

    @property
    def share(self) -> float:
        """Value over the best known; NaN if nobody moved the partition."""
        return self.value / self.best if self.best else float("nan")


def black_box_runs(
    learners: Sequence[str],
    methods: Sequence[str],
    points: int,
    entries: int,
    budgets: Sequence[int],
    seeds: Sequence[int],
) -> Iterator[Queries]:
    """Yield every method on every learner at every budget.

    Parameters
    ----------
    learners, methods : sequence of str
    points, entries : int
        Of the data, and free.
    budgets : sequence of int
        Increasing.
    seeds : sequence of int
    """
    for learner in learners:
        for seed in seeds:
            yield from _on_one_problem(learner, methods, (points, entries), budgets, seed)


def _on_one_problem(
    learner: str, methods: Sequence[str], shape: tuple[int, int], budgets: Sequence[int], seed: int
) -> Iterator[Queries]:
    points, entries = shape
    rng, most = np.random.default_rng(seed), max(budgets)
    model = clouds(f"plane {points}", rng)
    free = Perturbation.additive(model.data.shape, rng.choice(points, entries, replace=False), [0])
    box = BlackBox(model.data, clusterer(learner, model), max_queries=most)
    problem = MaxDeviation(box, free, BUDGET, np.inf)
    found = {method: _attack(problem, method, seed) for method in methods}
    if learner == CONVEX:
        inside = MaxDeviation(model, free, BUDGET, np.inf)
        white = [
            attack(inside, name, seed, None, most, bound="none", closing="none")
            for name in WHITE_BOX
        ]
        found[WHITE] = max(white, key=lambda own: own.deviation)
    curves = {method: best_after(own, budgets) for method, own in found.items()}
    best = max(float(curve[-1]) for curve in curves.values())
    for method, own in found.items():
        for budget, value in zip(budgets, curves[method], strict=True):
            yield Queries(learner, method, seed, budget, float(value), best, own.seconds)


def clusterer(learner: str, model: ConvexClustering) -> object:
    """Return the stranger that is attacked; convex clustering with the model's own weights.

    Weights found anew from perturbed data would be another learner than the white box's.
    """
    if learner != CONVEX:
        return clone(CLUSTERERS[learner])
    i, j = model.graph.edges.T
    weights = np.zeros((model.n, model.n))
    weights[i, j] = weights[j, i] = model.graph.weights
    return ConvexClusterer(model.gamma, p=model.p, weights=weights, refine=True)


def _attack(problem: MaxDeviation, method: str, seed: int) -> Attack:
    options: dict[str, Any] = {"corners": MANY} if method in ("corners", "random") else {}
    return attack(problem, method, seed, bound="none", closing="none", **options)


def best_after(found: Attack, budgets: Sequence[int]) -> FloatArray:
    """Return the largest deviation among the first so many answers, for each budget."""
    values = [
        attained_value(found.problem, seen.size, seen.deviation, seen.proved)
        for seen in found.history
    ]
    running = np.maximum.accumulate([0.0, *values])
    return running[np.minimum(budgets, len(values))]
