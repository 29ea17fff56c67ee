"""`bilad verify`: SSNAL and the exact solver against Clarabel, on random problems.

Prints the worst case of every comparison. A disagreement is a pair of partitions, both proved,
that differ; there must be none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bilad.models import ConvexClustering, FusionGraph, deviation
from bilad.solvers import Clustering, cluster

SSNAL_TOL = 1e-10
CLARABEL_TOL = 1e-12
LARGE = 1_000_000


@dataclass
class Worst:
    """Worst case of one solver against Clarabel."""

    problems: int = 0
    objective: float = 0.0  # relative difference
    distance: float = 0.0  # ||X - X'|| over its proved bound 2 sqrt(2 gap)
    disagreements: int = 0
    proved: int = 0
    iterations: int = 0
    seconds: float = 0.0
    clarabel_seconds: float = 0.0

    def add(self, ours: Clustering, theirs: Clustering) -> None:
        """Compare one pair of solutions of the same model."""
        model = ours.model
        difference = abs(ours.objective - theirs.objective) / (1 + abs(theirs.objective))
        gap = max(model.absolute_gap(c.X, c.Z) for c in (ours, theirs))
        bound = 2 * np.sqrt(2 * gap) + 1e-14 * (1 + np.linalg.norm(model.data))
        self.problems += 1
        self.objective = max(self.objective, difference)
        self.distance = max(self.distance, float(np.linalg.norm(ours.X - theirs.X) / bound))
        self.proved += ours.proved
        if ours.proved and theirs.proved:
            self.disagreements += deviation(ours.labels, theirs.labels) > 0
        self.iterations = max(self.iterations, ours.iterations)
        self.seconds += ours.seconds
        self.clarabel_seconds += theirs.seconds


def random_model(rng: np.random.Generator, d: int | None = None) -> ConvexClustering:
    """Draw up to 60 points in up to 5 dimensions, few to many clusters, some with ties."""
    n = int(rng.integers(2, 61))
    d = int(rng.integers(1, 6)) if d is None else d
    points = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    if rng.random() < 0.2:
        points = np.round(points, 1)
    strength = 10 ** rng.uniform(-2, 0.7)
    if d == 1 or n < 5 or rng.random() < 0.5:
        return ConvexClustering(points, FusionGraph.complete(n), strength / n)
    k = min(n - 1, int(rng.integers(2, 9)))
    return ConvexClustering(points, FusionGraph.knn(points, k=k), 0.3 * strength)


def verify(problems: int, seed: int, console: Console) -> bool:
    """Print the worst cases; return whether no two proved partitions differ."""
    rng = np.random.default_rng(seed)
    ssnal, exact = Worst(), Worst()
    for _ in track(range(problems), "SSNAL", console=console, transient=True):
        model = random_model(rng)
        ssnal.add(cluster(model, "ssnal", SSNAL_TOL), cluster(model, "clarabel", CLARABEL_TOL))
    for _ in track(range(problems), "exact 1-D", console=console, transient=True):
        model = random_model(rng, d=1)
        exact.add(cluster(model, "exact"), cluster(model, "clarabel", CLARABEL_TOL))
    console.print(_table({"SSNAL": ssnal, "exact 1-D": exact}))
    console.print(_large(rng))
    return ssnal.disagreements + exact.disagreements == 0


def _table(worsts: dict[str, Worst]) -> Table:
    view = Table(
        box=SIMPLE_HEAD, title=f"Worst case against Clarabel at tolerance {CLARABEL_TOL:g}"
    )
    for title in (
        "", "problems", "objective (relative)", "distance / its bound", "disagree",
        "labels proved", "most Newton systems", "time / Clarabel",
    ):  # fmt: skip
        view.add_column(title, justify="right" if title else "left")
    for name, worst in worsts.items():
        view.add_row(
            name,
            str(worst.problems),
            f"{worst.objective:.1e}",
            f"{worst.distance:.2f}",
            str(worst.disagreements),
            f"{worst.proved} of {worst.problems}",
            str(worst.iterations),
            f"{worst.seconds / worst.clarabel_seconds:.3f}",
        )
    return view


def _large(rng: np.random.Generator) -> str:
    model = ConvexClustering(rng.normal(size=(LARGE, 1)), FusionGraph.complete(LARGE), 0.5 / LARGE)
    began = time.perf_counter()
    clustering = cluster(model, "exact")
    return (
        f"exact, n = {LARGE}: {time.perf_counter() - began:.2f} s, {clustering.n_clusters} "
        f"clusters, relative gap {clustering.gap:.1e}, {len(clustering.undecided)} pairs undecided"
    )
