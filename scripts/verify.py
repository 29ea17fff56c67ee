"""`bilad verify`: SSNAL and the exact method against Clarabel, on random problems.

Prints the worst case of every comparison. A disagreement is a pair of partitions, both proved,
that differ; there must be none. A partition that is not proved even after `refine` may be one of a
pair truly at its boundary: then a little more and a little less gamma give different partitions,
both proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bilad.models import ConvexClustering, FusionGraph, deviation
from bilad.models.norms import NORMS
from bilad.scripts.random_models import random_exact_model, random_model
from bilad.solvers import Clustering
from bilad.solvers.lower.cluster import solve_lower

SSNAL_TOL = 1e-10
CLARABEL_TOL = 1e-12
LARGE = 1_000_000
AROUND = (1e-9, 1e-7, 1e-5)  # relative changes of gamma that may tell a boundary


@dataclass
class Worst:
    """Worst case of one method against Clarabel."""

    problems: int = 0
    objective: float = 0.0  # relative difference
    distance: float = 0.0  # ||X - X'|| over its proved bound 2 sqrt(2 gap), rounding added
    disagreements: int = 0
    unproved: int = 0
    at_boundary: int = 0
    iterations: int = 0
    seconds: float = 0.0
    clarabel_seconds: float = 0.0

    def add(self, ours: Clustering, theirs: Clustering) -> None:
        """Compare one pair of solutions of the same model."""
        model = ours.model
        difference = abs(ours.objective - theirs.objective) / (1 + abs(theirs.objective))
        gap = max(model.absolute_gap(c.X, c.Z) for c in (ours, theirs))
        rounding = 2 * np.finfo(float).eps * model.d * ours.objective  # of the gap's terms
        bound = 2 * np.sqrt(2 * (gap + rounding)) + 1e-14 * (1 + np.linalg.norm(model.data))
        self.problems += 1
        self.objective = max(self.objective, difference)
        self.distance = max(self.distance, float(np.linalg.norm(ours.X - theirs.X) / bound))
        if ours.proved and theirs.proved:
            self.disagreements += deviation(ours.labels, theirs.labels) > 0
        if not ours.proved:
            self.unproved += 1
            self.at_boundary += is_at_boundary(model)
        self.iterations = max(self.iterations, ours.iterations)
        self.seconds += ours.seconds
        self.clarabel_seconds += theirs.seconds


def is_at_boundary(model: ConvexClustering) -> bool:
    """Whether slightly smaller and larger gamma give proved partitions that differ."""
    for change in AROUND:
        below, above = (
            solve_lower(
                ConvexClustering(model.data, model.graph, model.gamma * factor, model.p),
                tol=SSNAL_TOL,
                refine=True,
            )
            for factor in (1 - change, 1 + change)
        )
        if below.proved and above.proved:
            return deviation(below.labels, above.labels) > 0
    return False


def verify(problems: int, seed: int, console: Console) -> bool:
    """Print the worst cases; return whether no two proved partitions differ."""
    rng = np.random.default_rng(seed)
    worsts = _compare(rng, "ssnal", random_model, problems, console)
    worsts |= _compare(rng, "exact", random_exact_model, max(problems // 10, 1), console)
    console.print(_table(worsts))
    console.print(_large(rng))
    return all(worst.disagreements == 0 for worst in worsts.values())


def _compare(
    rng: np.random.Generator,
    method: str,
    draw: Callable[[np.random.Generator], ConvexClustering],
    problems: int,
    console: Console,
) -> dict[str, Worst]:
    """Compare a method with Clarabel: the worst cases for each norm that was drawn."""
    worsts = {f"{method}, p = {p:g}": Worst() for p in NORMS}
    for _ in track(range(problems), method, console=console, transient=True):
        model = draw(rng)
        ours = solve_lower(model, method, SSNAL_TOL, refine=True)
        theirs = solve_lower(model, "clarabel", CLARABEL_TOL)
        worsts[f"{method}, p = {model.p:g}"].add(ours, theirs)
    return {name: worst for name, worst in worsts.items() if worst.problems}


def _table(worsts: dict[str, Worst]) -> Table:
    view = Table(
        box=SIMPLE_HEAD, title=f"Worst case against Clarabel at tolerance {CLARABEL_TOL:g}"
    )
    for title in (
        "", "problems", "objective (relative)", "distance / its bound", "disagree",
        "labels unproved", "of these at a boundary", "most steps", "time / Clarabel",
    ):  # fmt: skip
        view.add_column(title, justify="right" if title else "left", no_wrap=not title)
    for name, worst in worsts.items():
        view.add_row(
            name,
            str(worst.problems),
            f"{worst.objective:.1e}",
            f"{worst.distance:.2f}",
            str(worst.disagreements),
            str(worst.unproved),
            str(worst.at_boundary),
            str(worst.iterations),
            f"{worst.seconds / worst.clarabel_seconds:.3f}",
        )
    return view


def _large(rng: np.random.Generator) -> str:
    model = ConvexClustering(rng.normal(size=(LARGE, 1)), FusionGraph.complete(LARGE), 0.5 / LARGE)
    began = time.perf_counter()
    clustering = solve_lower(model, "exact")
    return (
        f"exact, n = {LARGE}: {time.perf_counter() - began:.2f} s, {clustering.n_clusters} "
        f"clusters, relative gap {clustering.gap:.1e}, {len(clustering.undecided)} pairs undecided"
    )
