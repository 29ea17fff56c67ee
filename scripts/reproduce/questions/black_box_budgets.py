"""Attacks that see answers only, at several budgets of queries; white-box attacks beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import clone

from bilad.models import BlackBox, ConvexClustering, MaxDeviation, Perturbation
from bilad.models.validation import FloatArray
from bilad.scripts.attack_runs import attained_value
from bilad.scripts.methods.instances import CLUSTERERS, CONVEX
from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.checks.small_clouds import BUDGET, clouds
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import grouped
from bilad.solvers import Attack, ConvexClusterer, attack

METHODS = ("random", "corners", "nes", "cma", "cobyqa", "differential-evolution")
WHITE_BOX = ("hypergradient", "pgd")  # of which the better is the white-box value
WHITE = "white box"
MANY = 10**9  # corners: what ends the search is the budget
COLUMNS = 3
COLOURS = ("0.45", "black", "C0", "C1", "C2", "C4")
LINES = ("-", "--", "-", "--", "-.", ":")


@dataclass(frozen=True)
class Queries:
    """A method's best value after each budget of queries, all read off one run."""

    # learner, method: the method "white box" knows the model; its queries are lower-level solves
    learner: str
    method: str
    seed: int  # of data, free entries and method
    queries: int  # budget
    value: float  # largest delta among the first so many answers; 0 without an attack
    best: float  # largest that any run found on this problem, at any budget
    seconds: float  # of the whole run, at the largest budget

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


def black_box_blocks(
    bench: Bench, rows: Sequence[Queries], points: int, entries: int
) -> list[Block]:
    """Return how black-box attacks do with so many queries."""
    cells = []
    for (learner, method), own in grouped(rows, lambda row: (row.learner, row.method)):
        budgets = grouped(own, lambda row: row.queries)
        shares = {str(n): float(np.mean([row.share for row in some])) for n, some in budgets}
        seconds = float(np.mean([row.seconds for row in own]))
        cells.append({"learner": learner, "method": method, **shares, "seconds": seconds})
    table = Table(
        "Open question 3: black boxes, by budget of queries",
        cells,
        f"(BL1), {points} points, {entries} free entries, norm inf; the clouds in the plane of "
        "next check 3. Columns of numbers: delta after so many queries over the best that any run "
        f"found, means over seeds. Learners: {_learners(rows)}. All budgets are "
        "read off one run of the largest. Convex clustering keeps its weights whatever the data. "
        "White box: the better of hypergradient and pgd, its "
        "queries are lower-level solves.",
    )
    picture = bench.picture(
        "black_box",
        "The best deviation after so many queries, over the best known.",
        partial(draw_budgets, rows),
        (8.0, 1.0 + 2.0 * -(-len({row.learner for row in rows}) // COLUMNS)),
    )
    return [table, picture, Text(answer(rows))]


def answer(rows: Sequence[Queries]) -> str:
    """Return which black-box method leads, and what it lacks to the white box."""
    most = max(row.queries for row in rows)
    finals = [row for row in rows if row.queries == most and row.best]
    blind = grouped([row for row in finals if row.method != WHITE], lambda row: row.method)
    shares = {method: float(np.mean([row.share for row in own])) for method, own in blind}
    least = min(row.queries for row in rows)
    first = grouped([row for row in rows if row.queries == least and row.best], lambda r: r.method)
    early = {method: float(np.mean([row.share for row in own])) for method, own in first}
    lead = max(shares, key=lambda method: (shares[method], early[method]))
    level = [name for name in shares if name != lead and shares[name] == shares[lead]]
    also = f" (level at the end: {', '.join(level)})" if level else ""
    return (
        f"With {most} queries {lead} leads over all clusterers{also}, with {shares[lead]:.0%} of "
        f"the best known deviation on average, and {early[lead]:.0%} after {least}. "
        f"{_white(finals, lead)}"
    )


def _learners(rows: Sequence[Queries]) -> str:
    """Return the learners with their parameters."""
    names = dict.fromkeys(row.learner for row in rows)
    return ", ".join(repr(CLUSTERERS[name]) if name in CLUSTERERS else name for name in names)


def _white(finals: Sequence[Queries], lead: str) -> str:
    white = [row.share for row in finals if row.method == WHITE]
    if not white:
        return "No white-box attack was made."
    own = [row.share for row in finals if row.method == lead and row.learner == CONVEX]
    return (
        f"On convex clustering it has {np.mean(own):.0%}, the white-box attack with as many "
        f"solves {np.mean(white):.0%}."
    )


def draw_budgets(rows: Sequence[Queries], figure: Figure) -> None:
    """Draw the mean share of the best known against queries, a panel a learner."""
    learners = grouped([row for row in rows if row.best], lambda row: row.learner)
    shape = -(-len(learners) // COLUMNS), min(len(learners), COLUMNS)
    panels = figure.subplots(*shape, sharey=True, squeeze=False).ravel()
    for axes in panels[len(learners) :]:
        axes.remove()
    styles = {m: (c, s) for m, c, s in zip(METHODS, COLOURS, LINES, strict=True)}
    styles[WHITE] = ("C3", "-")
    for axes, (learner, own) in zip(panels, learners, strict=False):
        for method, mine in grouped(own, lambda row: row.method):
            points = grouped(mine, lambda row: row.queries)
            colour, line = styles[method]
            axes.plot(
                [budget for budget, _ in points],
                [np.mean([row.share for row in some]) for _, some in points],
                color=colour,
                linestyle=line,
                marker=".",
                label=method,
            )
        axes.set_title(learner, fontsize=9)
        axes.set_xscale("log", base=2)
        budgets = sorted({row.queries for row in own})
        axes.set_xticks(budgets, [str(budget) for budget in budgets])
        axes.set_ylim(0, 1.05)
    figure.supxlabel("queries", fontsize=9)
    figure.supylabel("delta / best known (mean over seeds)", fontsize=9)
    handles = {
        text: line
        for axes in panels[: len(learners)]
        for line, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=4)
