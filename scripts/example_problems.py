"""A small example of each kind of model and of problem; methods are asked what they accept."""

from __future__ import annotations

import numpy as np

from bilad.models import (
    BilevelProblem,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LearningModel,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
)

POINTS = 12
DATA = np.random.default_rng(0).normal(size=(POINTS, 2))
LABELS = np.where(DATA.sum(axis=1) > 0, 1.0, -1.0)
MOVED = range(3)  # the points that are perturbed


def clusterings() -> dict[str, ConvexClustering]:
    """Return convex clustering on a line, and in the plane with each norm."""
    complete, near = FusionGraph.complete(POINTS), FusionGraph.knn(DATA, 3)
    return {
        "clustering on a line": ConvexClustering(DATA[:, :1], complete, 0.05),
        "clustering, p = 1, complete graph": ConvexClustering(DATA, complete, 0.05, 1),
        **{
            f"clustering, p = {p:g}": ConvexClustering(DATA, near, 0.3, p)
            for p in (1, 2, float("inf"))
        },
    }


def problems() -> dict[str, dict[str, BilevelProblem]]:
    """Return (BL1) and (BL2) of each kind of problem."""
    made = {}
    for name, model in clusterings().items():
        made[f"{name}, one parameter"] = model, _shift(model)
        made[f"{name}, several parameters"] = model, Perturbation.additive(model.data.shape, MOVED)
    plane = clusterings()["clustering, p = 2"]
    made["clustering, weights of edges"] = plane, Perturbation.edges(plane.graph, MOVED)
    free = Perturbation.additive(DATA.shape, MOVED)
    ridge = Ridge(DATA, DATA[:, 0] - DATA[:, 1])
    found = {name: _questions(*one) for name, one in made.items()}
    for name, linear in {
        "ridge regression": ridge,
        "logistic regression": LogisticRegression(DATA, LABELS),
        "support vector machine": SupportVectorMachine(DATA, LABELS),
        "support vector machine, hinge loss": SupportVectorMachine(DATA, LABELS, loss="hinge"),
    }.items():
        found[f"{name}, data"] = _questions(linear, free, deviation="validation-loss")
        if linear is not ridge:
            flips = _questions(linear, Perturbation.flips(MOVED), "count", "validation-loss")
            found[f"{name}, flips of labels"] = flips
    targets = Perturbation.targets(POINTS, MOVED)
    found["ridge regression, targets"] = _questions(ridge, targets, deviation="validation-loss")
    found["black box"] = _questions(_black_box(), free)
    return found


def _shift(model: ConvexClustering) -> Perturbation:
    direction = np.zeros(model.data.shape)
    direction[list(MOVED)] = 1.0
    return Perturbation.shift(direction)


def _questions(
    model: LearningModel, free: Perturbation, norm: float | str = 2, deviation: str = "delta"
) -> dict[str, BilevelProblem]:
    target = 1.0 if deviation == "validation-loss" else 2.0
    return {
        "BL1": MaxDeviation(model, free, 1.0, norm, deviation),
        "BL2": MinPerturbation(model, free, target, norm, deviation, limit=2.0),
    }


def _black_box() -> BlackBox:
    from sklearn.cluster import KMeans  # slow to import

    return BlackBox(DATA, KMeans(3, n_init=1, random_state=0))
