"""Open question: black-box attacks with several budgets of queries, and white-box attacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from bilad.models import BlackBox, ConvexClustering, MaxDeviation, Perturbation
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import attained_value
from bilad.scripts.display import grouped
from bilad.scripts.instances import CLUSTERERS, CONVEX, draw
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.solvers import Attack, ConvexClusterer, attack

METHODS = ("random", "corners", "nes", "cma", "cobyqa", "differential-evolution")
WHITE_BOX = ("hypergradient", "pgd")  # the better of them is the white-box result
WHITE = "white box"
MANY = 10**9  # number of vertices; the budget of queries ends the search


@dataclass(frozen=True)
class Queries:
    """The best value of a method after a number of queries."""

    learner: str
    method: str  # for "white box", queries are lower-level solves
    seed: int  # of the data, the perturbed entries and the method
    queries: int  # the budget
    value: float  # the largest delta within the budget; 0 without an attack
    best: float  # the largest delta that any run found on this problem
    seconds: float  # of the run with the largest budget

    @property
    def share(self) -> float:
        """The value over the best known; NaN if no run changed the partition."""
        return self.value / self.best if self.best else float("nan")


def black_box_runs(
    learners: Sequence[str],
    methods: Sequence[str],
    points: int,
    entries: int,
    budgets: Sequence[int],
    seeds: Sequence[int],
) -> Iterator[Queries]:
    """Yield every method on every learner for increasing budgets; `entries` of them may change."""
    for learner in learners:
        for seed in seeds:
            yield from _on_one_problem(learner, methods, (points, entries), budgets, seed)


def _on_one_problem(
    learner: str, methods: Sequence[str], shape: tuple[int, int], budgets: Sequence[int], seed: int
) -> Iterator[Queries]:
    points, entries = shape
    rng, most = np.random.default_rng(seed), max(budgets)
    model, size = draw(f"plane {points}", rng)
    free = Perturbation.additive(model.data.shape, rng.choice(points, entries, replace=False), [0])
    box = BlackBox(model.data, clusterer(learner, model), max_queries=most)
    problem = MaxDeviation(box, free, size, np.inf)
    found = {method: _attack(problem, method, seed) for method in methods}
    if learner == CONVEX:
        inside = MaxDeviation(model, free, size, np.inf)
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
    """Return the clusterer that is attacked as a black box.

    Convex clustering keeps the weights of the model, so that the black-box and the white-box
    attacks have the same learning model.
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
    """Return the largest deviation found within each budget."""
    values = [
        attained_value(found.problem, seen.size, seen.deviation, seen.proved)
        for seen in found.history
    ]
    running = np.maximum.accumulate([0.0, *values])
    return running[np.minimum(budgets, len(values))]


def black_box_blocks(rows: Sequence[Queries], points: int, entries: int) -> list[Block]:
    """Return the table and the summary of the black-box attacks."""
    cells = []
    for (learner, method), own in grouped(rows, lambda row: (row.learner, row.method)):
        budgets = grouped(own, lambda row: row.queries)
        shares = {str(n): float(np.mean([row.share for row in some])) for n, some in budgets}
        seconds = float(np.mean([row.seconds for row in own]))
        cells.append({"learner": learner, "method": method, **shares, "seconds": seconds})
    table = Table(
        "Open question 3: black-box attacks by budget of queries",
        cells,
        f"(BL1), {points} points in the plane as in next check 3, {entries} entries perturbed, "
        "norm inf. The columns with numbers of queries: the largest delta within this budget over "
        f"the best known, means over the seeds. Learners: {_learners(rows)}; convex clustering "
        "keeps its weights when the data change. The values for all budgets belong to one run. "
        "White box: the better of hypergradient and pgd, whose queries are lower-level solves.",
    )
    return [table, Text(answer(rows))]


def answer(rows: Sequence[Queries]) -> str:
    """Describe the best black-box method, and compare it with the white-box attack."""
    most = max(row.queries for row in rows)
    finals = [row for row in rows if row.queries == most and row.best]
    blind = grouped([row for row in finals if row.method != WHITE], lambda row: row.method)
    shares = {method: float(np.mean([row.share for row in own])) for method, own in blind}
    least = min(row.queries for row in rows)
    first = grouped([row for row in rows if row.queries == least and row.best], lambda r: r.method)
    early = {method: float(np.mean([row.share for row in own])) for method, own in first}
    lead = max(shares, key=lambda method: (shares[method], early[method]))
    level = [name for name in shares if name != lead and shares[name] == shares[lead]]
    also = f" (as good: {', '.join(level)})" if level else ""
    return (
        f"With {most} queries, {lead} is best on average over all clusterers{also}, with "
        f"{shares[lead]:.0%} of the best known deviation; with {least} queries it has "
        f"{early[lead]:.0%}. {_white(finals, lead)}"
    )


def _learners(rows: Sequence[Queries]) -> str:
    """Return the learners with their parameters."""
    names = dict.fromkeys(row.learner for row in rows)
    return ", ".join(repr(CLUSTERERS[name]) if name in CLUSTERERS else name for name in names)


def _white(finals: Sequence[Queries], lead: str) -> str:
    white = [row.share for row in finals if row.method == WHITE]
    if not white:
        return "There was no white-box attack."
    own = [row.share for row in finals if row.method == lead and row.learner == CONVEX]
    return (
        f"On convex clustering it has {np.mean(own):.0%}, and the white-box attack with as many "
        f"solves has {np.mean(white):.0%}."
    )
