"""One problem of the comparison of methods, as plain values that can be stored and sent.

Each kind of perturbation has its standard budget as (BL1). Budgets are such that random corners
move something: `--check` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, SpectralClustering

from bilad.models import (
    BilevelProblem,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.scripts.free_entries import DATA, FreeEntries
from bilad.scripts.settings import SETTINGS
from bilad.solvers import attack

TARGET_SHARE, TARGET_CORNERS = 0.5, 20
CLOUDS = 3
# Strangers to be attacked on the Gaussian clouds; deterministic. DBSCAN's radius finds the clouds.
CLUSTERERS: dict[str, Any] = {
    "k-means": KMeans(CLOUDS, n_init=1, random_state=0),
    "agglomerative": AgglomerativeClustering(CLOUDS),
    "DBSCAN": DBSCAN(0.6),
    "spectral": SpectralClustering(CLOUDS, random_state=0),
}
CONVEX = "convex clustering"
FACTOR_BUDGETS = {"iris": 0.4, "gaussians": 1.0}  # a_ij (1 + eps): of its own size
EDGE_NEIGHBOURS = 5  # with 10, twenty random edges that go are hardly missed
EDGE_SHARE = 0.25  # of the k weights that may go where the norm is 1


@dataclass(frozen=True)
class Instance:
    """One problem."""

    family: str  # whose tables and pictures it is in
    data: str  # a setting's name for shifts, else a key of `free_entries.DATA`
    kind: str  # "shift", "entries", "factors" or "edges": what is perturbed
    k: int  # length of eps
    norm: str  # "1", "2" or "inf": of eps; as text, for JSON has no infinity
    # "BL1" or "BL2": for (BL2) of a setting the target is the setting's. Otherwise it is a share of
    # the deviation that 20 random corners of (BL1) find, and no eps longer than the budget of (BL1)
    # counts: an attack is known to exist, unless the corners find none.
    question: str
    budget: float = 1.0  # in units of the standard budget of its kind
    seed: int = 0  # draws data and what is free
    # "convex clustering", or a key of `CLUSTERERS`, known by its answers only
    learner: str = CONVEX
    share: float = TARGET_SHARE  # that share, of (BL2)

    @property
    def name(self) -> str:
        """A name for tables, the same for all seeds but for its end."""
        return f"{self.group}, seed {self.seed}"

    @property
    def group(self) -> str:
        """What the seeds of one instance have in common."""
        parts = [self.data, f"{self.kind} {self.k}", f"norm {self.norm}", self.question]
        if self.budget != 1:
            parts.insert(3, f"budget {self.budget:g}")
        if self.share != TARGET_SHARE:
            parts.append(f"target {self.share:g}")
        if self.learner != CONVEX:
            parts.insert(0, self.learner)
        return ", ".join(parts)

    def problem(self) -> BilevelProblem:
        """Make the problem; the same each time."""
        largest = self._largest_deviation()
        if self.question == "BL1":
            return largest
        return MinPerturbation(
            largest.model,
            largest.perturbation,
            self._target(),
            largest.norm,
            limit=largest.budget,
        )

    def _largest_deviation(self) -> MaxDeviation:
        """Return (BL1)."""
        standard = KINDS[self.kind](self.data, self.k, float(self.norm), self.seed)
        model = standard.model
        if self.learner != CONVEX:
            model = BlackBox(model.data, CLUSTERERS[self.learner])
        return MaxDeviation(
            model, standard.perturbation, standard.budget * self.budget, standard.norm
        )

    def _target(self) -> float:
        if self.kind == "shift":
            return SETTINGS[self.data].target
        largest = replace(self, question="BL1", share=TARGET_SHARE)
        return max(self.share * corner_deviation(largest), 2.0)


@lru_cache(maxsize=8)
def corner_deviation(instance: Instance) -> float:
    """Return the largest deviation at 20 random corners of (BL1)."""
    return attack(
        instance.problem(), "random", bound="none", closing="none", corners=TARGET_CORNERS
    ).deviation


def shifted(data: str, k: int, norm: float, seed: int) -> MaxDeviation:
    """Make the setting of that name: part of the points moved together (k = 1, no seed)."""
    return SETTINGS[data].max_deviation()


def entries(data: str, k: int, norm: float, seed: int) -> MaxDeviation:
    """Make k random points free to move along their first feature."""
    return FreeEntries(data, k, norm, seed).problem()


def factors(data: str, k: int, norm: float, seed: int) -> MaxDeviation:
    """Make the first feature of k random points free to grow or shrink by a factor."""
    rng = np.random.default_rng(seed)
    model, _ = DATA[data](rng)
    points = rng.choice(model.n, k, replace=False)
    free = Perturbation.multiplicative(model.data, points, [0])
    return MaxDeviation(model, free, FACTOR_BUDGETS[data], norm)


def edges(data: str, k: int, norm: float, seed: int) -> MaxDeviation:
    """Make k random edges of the graph of 5 neighbours free to lose weight."""
    rng = np.random.default_rng(seed)
    model, _ = DATA[data](rng)
    graph = FusionGraph.knn(model.data, EDGE_NEIGHBOURS, 0.5)
    free = Perturbation.edges(graph, rng.choice(graph.m, k, replace=False))
    budget = EDGE_SHARE * k if norm == 1 else 1.0
    return MaxDeviation(
        ConvexClustering(model.data, graph, model.gamma, model.p), free, budget, norm
    )


KINDS = {"shift": shifted, "entries": entries, "factors": factors, "edges": edges}
