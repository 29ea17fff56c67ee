"""What an instance of the comparison may perturb, each kind as (BL1) with its standard budget.

Budgets are such that random corners move something: `--check` shows it.
"""

from __future__ import annotations

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.free_entries import DATA, FreeEntries
from bilad.scripts.settings import SETTINGS

FACTOR_BUDGETS = {"iris": 0.4, "gaussians": 1.0}  # a_ij (1 + eps): of its own size
EDGE_NEIGHBOURS = 5  # with 10, twenty random edges that go are hardly missed
EDGE_SHARE = 0.25  # of the k weights that may go where the norm is 1


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
